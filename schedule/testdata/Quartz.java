// Quartz writes the firings of cron expressions as Quartz computes them, the engine whose
// dialect EventBridge's expressions are. It made quartz.golden:
//
//	apt-get install libquartz2-java libslf4j-java   # Quartz 2.3.2
//	java -cp '/usr/share/java/*' Quartz.java < quartz.expressions > quartz.golden
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Instant;
import java.util.Date;
import java.util.TimeZone;
import org.quartz.CronExpression;

public class Quartz {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            System.out.println(line);
            CronExpression cron;
            try {
                cron = new CronExpression("0 " + line.substring("cron(".length(), line.length() - 1));
            } catch (java.text.ParseException e) {
                System.out.println("refused: " + e.getMessage());
                continue;
            }
            cron.setTimeZone(TimeZone.getTimeZone("UTC"));
            Date at = Date.from(Instant.parse("2026-02-27T23:58:30Z"));
            for (int i = 0; i < 120; i++) {
                at = cron.getNextValidTimeAfter(at);
                if (at == null) {
                    System.out.println("none");
                    break;
                }
                System.out.println(at.toInstant());
            }
        }
    }
}
