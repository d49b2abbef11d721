package footbridge

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What has no DLQ is reported three times: to the Observer, in Stats and in the log.
func TestLostDeliveriesAreReported(t *testing.T) {
	var log strings.Builder
	var lost []LostInfo
	b := New(&Options{
		Retry: NoRetry, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Observer: &Observer{Lost: func(i LostInfo) { lost = append(lost, i) }},
	})
	put(t, b, "orders", Target{ID: "email", Handler: failing(1, errDown)})
	o, err := b.Deliver(t.Context(), event(1))
	require.NoError(t, err)
	assert.Equal(t, Lost, o.Targets[0].Result)
	assert.ErrorIs(t, o.Err(), ErrNoDLQ)
	assert.ErrorIs(t, o.Err(), errDown)
	require.Len(t, lost, 1)
	assert.ErrorIs(t, lost[0].Err, ErrNoDLQ)
	assert.Equal(t, "e1", lost[0].Letter.Event.ID)
	assert.EqualValues(t, 1, b.Stats().Lost)
	assert.Contains(t, log.String(), `level=ERROR msg="footbridge: delivery lost" bus=default rule=orders target=email event=e1 code=ERROR_FROM_TARGET error=down`)
}

func TestPanicsOfObserversAreContained(t *testing.T) {
	var log strings.Builder
	boom := func() { panic("boom") }
	b := New(&Options{Retry: NoRetry, DLQ: &MemoryDLQ{}, Logger: slog.New(slog.NewTextHandler(&log, nil)), Observer: &Observer{
		Published: func(PublishInfo) { boom() }, Unmatched: func(PublishInfo) { boom() }, Refused: func(RefusedInfo) { boom() }, Attempted: func(AttemptInfo) { boom() },
		Delivered: func(Delivery) { boom() }, DeadLettered: func(DeadLetter) { boom() }, Lost: func(LostInfo) { boom() },
	}})
	_, err := b.Publish(t.Context(), Event{})
	require.Error(t, err)
	publish(t, b, 1)
	put(t, b, "r", Target{ID: "ok", Handler: failing(0, nil)}, Target{ID: "fails", Handler: failing(1, errDown)},
		Target{ID: "lost", Handler: failing(1, errDown), DLQ: dlqFunc(func(DeadLetter) error { return Permanent(errDown) })})
	_, err = b.PublishNotify(t.Context(), event(2), func(Outcome) { boom() })
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
	checkBooks(t, b)
	assert.Equal(t, 11, strings.Count(log.String(), "panic=boom")) // refused, 2 published, unmatched, 3 attempts, their 3 ends, done
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: plain, DLQ: &MemoryDLQ{}})
		publish(t, b, 0)
		put(t, b, "b", Target{ID: "recovers", Handler: failing(1, errDown)}, Target{ID: "never", Handler: failing(9, errDown)})
		put(t, b, "a", Target{ID: "lost", Retry: NoRetry, Handler: failing(9, errDown), DLQ: dlqFunc(func(DeadLetter) error { return Permanent(errDown) })})
		publish(t, b, 1, 2)
		synctest.Wait()
		s := b.Stats()
		assert.EqualValues(t, 4, s.Undecided)
		assert.Equal(t, []TargetStats{{Rule: "a", Target: "lost"}, {Rule: "b", Target: "recovers", Retrying: 2}, {Rule: "b", Target: "never", Retrying: 2}}, s.Targets)
		require.NoError(t, b.Close(t.Context()))
		s = b.Stats()
		s.Targets = nil
		assert.Equal(t, Stats{
			Published: 3, Unmatched: 1, TriggeredRules: 4, Deliveries: 6,
			Invocations: 2 * (2 + 4 + 1), FailedInvocations: 2 * (1 + 4 + 1), RetryInvocationAttempts: 2 * (1 + 3),
			Delivered: 2, DeadLettered: 2, Lost: 2,
		}, s)
		checkBooks(t, b)
	})
}

func TestAttemptedTellsHowLongAttemptsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var infos []AttemptInfo
		b := New(&Options{Retry: plain, Observer: &Observer{Attempted: func(i AttemptInfo) { infos = append(infos, i) }}})
		put(t, b, "r", Target{ID: "t", Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			<-time.After(time.Duration(d.Attempt) * time.Second)
			return failing(1, errDown).Handle(ctx, d)
		})})
		publish(t, b, 1)
		require.NoError(t, b.Close(t.Context()))
		require.Len(t, infos, 2)
		assert.Equal(t, []any{time.Second, errDown, true, time.Second}, []any{infos[0].Duration, infos[0].Err, infos[0].Retry, infos[0].Delay})
		assert.Equal(t, []any{2 * time.Second, nil, false, time.Duration(0)}, []any{infos[1].Duration, infos[1].Err, infos[1].Retry, infos[1].Delay})
	})
}

// The log tells when a target begins to fail and when it has recovered, not each attempt;
// and where a handler has panicked.
func TestLogOfFailingTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := New(&Options{Concurrency: 1, Retry: plain, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		calls := 0
		put(t, b, "r", Func("t", func(context.Context, Event) error {
			switch calls++; calls {
			case 1:
				panic("first")
			case 2:
				return errDown
			}
			return nil
		}))
		publish(t, b, 1, 2)
		require.NoError(t, b.Close(t.Context()))
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 3, log.String())
		assert.Contains(t, lines[0], `level=WARN msg="footbridge: a target begins to fail"`)
		assert.Contains(t, lines[1], `level=ERROR msg="footbridge: a handler has panicked"`)
		assert.Contains(t, lines[1], "observe_test.go:")
		assert.Contains(t, lines[2], `level=INFO msg="footbridge: a target has recovered"`)
	})
}

// An event that matches no rule is logged, at a level that is off by default.
func TestLogOfUnmatchedEvents(t *testing.T) {
	var log bytes.Buffer
	b := New(&Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	publish(t, b, 1)
	require.NoError(t, b.Close(t.Context()))
	assert.Contains(t, log.String(), `level=DEBUG msg="footbridge: an event matches no rule" bus=default event=e1 source=`)
}
