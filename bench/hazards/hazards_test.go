package hazards

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/footbridge-go/footbridge/bench/peer"
)

// deadline bounds a try's process. What has not come back by then is stuck.
const deadline = 40 * time.Second

// A hazard tries something with a bus and says in a few words what it did.
type hazard struct {
	name string
	try  func(t *testing.T, newBus func() peer.Bus) string
	ours string          // what footbridge is held to: the words' beginning; "" is anything
	most int             // likewise, bytes; 0 is any
	bus  func() peer.Bus // footbridge where the hazard needs other options; nil: the defaults
	note string          // what these options are
	only bool            // peers have nothing like it
}

// TestHazards prints the table. It also runs single tries, in processes that it starts
// itself: the environment tells which.
func TestHazards(t *testing.T) {
	if name, found := os.LookupEnv("HAZARD"); found {
		tryOne(t, name, os.Getenv("PEER"))
		return
	}
	peers := peer.All()
	if testing.Short() { // the others take a minute
		peers = slices.DeleteFunc(peers, func(p peer.Peer) bool { return p.Name != peer.Footbridge })
	}
	var table strings.Builder
	row := func(cells []string) { fmt.Fprintf(&table, "| %s |\n", strings.Join(cells, " | ")) }
	head, rule := []string{"hazard"}, []string{"---"}
	for _, p := range peers {
		head, rule = append(head, p.Name), append(rule, "---")
	}
	row(head)
	row(rule)
	for _, h := range hazards {
		cells := []string{h.name}
		for _, p := range peers {
			if h.only && p.Name != peer.Footbridge {
				cells = append(cells, "-")
				continue
			}
			got := start(t, h.name, p.Name)
			if p.Name == peer.Footbridge {
				if !strings.HasPrefix(got, h.ours) || h.most > 0 && bytesOf(got) > h.most {
					t.Errorf("%s: footbridge: want %q, at most %d bytes, got %q", h.name, h.ours, h.most, got)
				}
				if h.note != "" {
					got += " (" + h.note + ")"
				}
			}
			cells = append(cells, got)
		}
		row(cells)
	}
	fmt.Println(table.String())
}

// bytesOf returns the number of bytes that the words begin with.
func bytesOf(words string) (n int) {
	_, _ = fmt.Sscanf(words, "%d B", &n) // 0 if they begin otherwise
	return n
}

// start runs one try in a process of its own and returns what it says.
func start(t *testing.T, hazard, peer string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHazards$")
	command.Env = append(os.Environ(), "HAZARD="+hazard, "PEER="+peer)
	out, err := command.CombinedOutput()
	if _, said, found := strings.Cut(string(out), "SAYS "); found {
		said, _, _ = strings.Cut(said, "\n")
		return said
	}
	switch {
	case ctx.Err() != nil:
		return "never comes back"
	case strings.Contains(string(out), "blocked goroutines remain"):
		return "fails: goroutines remain"
	case strings.Contains(string(out), "panic:"):
		return "process dies"
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("%s: %s: says nothing: %v\n%s", hazard, peer, err, out)
	}
	return "fails"
}

func tryOne(t *testing.T, name, peerName string) {
	for _, h := range hazards {
		for _, p := range peer.All() {
			if h.name != name || p.Name != peerName {
				continue
			}
			if p.Name == peer.Footbridge && h.bus != nil {
				p.New = h.bus
			}
			fmt.Println("SAYS " + h.try(t, p.New))
			os.Exit(0) // what is stuck or leaks must not keep the process
		}
	}
	t.Fatalf("no hazard %q of peer %q", name, peerName)
}

// eventually waits until done reports true, at most for limit. It looks every
// millisecond: peers have nothing else to wait on.
func eventually(limit time.Duration, done func() bool) bool {
	timeout, tick := time.After(limit), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-timeout:
			return done()
		case <-tick.C:
		}
	}
	return true
}
