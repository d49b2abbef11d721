package queue_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/queue"
)

var (
	seeds = flag.Int("seeds", 300, "simulations to run")
	seed  = flag.Int("seed", -1, "the one simulation to run; with -v it prints what happens")
)

// TestSimulation runs random users of a queue and its dead-letter queue, waiting ones
// included, and compares all that they get, and when, with the model.
func TestSimulation(t *testing.T) {
	if *seed >= 0 {
		simulate(t, *seed)
		return
	}
	for n := range *seeds {
		if !simulate(t, n) {
			return
		}
	}
}

func simulate(t *testing.T, seed int) bool {
	return t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSimulation(t, seed)
			defer func() {
				if t.Failed() {
					t.Logf("go test ./queue -run 'TestSimulation' -seed %d -v", seed)
				}
			}()
			for range 150 {
				s.step()
			}
			s.sleep(20 * time.Second) // all waits end
		})
	})
}

type simulation struct {
	t        *testing.T
	rand     *rand.Rand
	began    time.Time
	queues   []*queue.Queue // the source, and its dead-letter queue
	models   []*model
	receipts []receipt
	sent     int
	waiters  int
	returned map[int]waited // by waiter
	results  chan waited
}

type receipt struct {
	queue   int
	receipt string
	body    string
	total   int // how often it had been received then
}

type waited struct {
	id       int
	at       time.Time
	messages []queue.Message
}

func newSimulation(t *testing.T, seed int) *simulation {
	s := &simulation{t: t, rand: rand.New(rand.NewPCG(uint64(seed), 0)), began: time.Now(), returned: map[int]waited{}, results: make(chan waited, 1000)}
	service, suffix := &queue.Service{}, ""
	fifo := s.rand.IntN(2) == 0
	if fifo {
		suffix = ".fifo"
	}
	dlq, err := service.Create("dlq"+suffix, queue.Settings{VisibilityTimeout: s.seconds(1, 7, 7), Retention: s.seconds(1, 120, 120)})
	require.NoError(t, err)
	settings := queue.Settings{VisibilityTimeout: s.seconds(0, 1, 20), Retention: s.seconds(0, 60, 200), DedupPerGroup: fifo && s.rand.IntN(2) == 0}
	if s.rand.IntN(3) > 0 {
		settings.DeadLetterARN, settings.MaxReceiveCount = dlq.ARN(), 1+s.rand.IntN(3)
	}
	q, err := service.Create("q"+suffix, settings)
	require.NoError(t, err)
	s.queues = []*queue.Queue{q, dlq}
	for _, q := range s.queues {
		s.models = append(s.models, &model{fifo: fifo, settings: q.Settings(), dedup: map[string]modelSent{}})
	}
	if settings.MaxReceiveCount > 0 {
		s.models[0].dlq = s.models[1]
	}
	return s
}

// seconds returns whole seconds for the source, so that much happens in one moment, and for
// the dead-letter queue some nanoseconds more: which of two queues comes first in one moment
// is not promised.
func (s *simulation) seconds(i, from, to int) time.Duration {
	return time.Duration(from+s.rand.IntN(to-from+1))*time.Second + time.Duration(i*s.rand.IntN(1e6))
}

func (s *simulation) log(format string, args ...any) {
	if *seed >= 0 {
		s.t.Logf("%v %s", time.Since(s.began), fmt.Sprintf(format, args...))
	}
}

// step does something that a user does.
func (s *simulation) step() {
	i := 0
	if s.rand.IntN(4) == 0 {
		i = 1
	}
	s.models[i].advance(time.Now())
	switch n := s.rand.IntN(100); {
	case n < 30:
		s.send(i)
	case n < 50:
		s.receive(i)
	case n < 58:
		s.wait(i)
	case n < 70 && len(s.receipts) > 0:
		s.delete(s.receipts[s.rand.IntN(len(s.receipts))])
	case n < 80 && len(s.receipts) > 0:
		r := s.receipts[max(0, len(s.receipts)-1-s.rand.IntN(8))]
		s.change(r, s.seconds(r.queue, 0, 8))
	case n < 82:
		s.configure(i)
	default:
		s.sleep(s.seconds(0, 0, 9))
	}
	s.settle()
	s.compare()
}

func (s *simulation) send(i int) {
	q, m := s.queues[i], s.models[i]
	s.sent++
	body := fmt.Sprintf("m%d", s.sent)
	o := queue.Outgoing{Body: body, Group: string(rune('a' + s.rand.IntN(3)))}
	if m.fifo {
		if o.DedupID = body; s.rand.IntN(3) == 0 {
			o.DedupID = fmt.Sprint(s.rand.IntN(10))
		}
	} else if s.rand.IntN(3) == 0 {
		o.Delay = s.seconds(i, 0, 10)
	}
	s.log("send %+v to %s", o, q.Name())
	sent, err := q.Send(o)
	require.NoError(s.t, err)
	there := m.send(body, o.Group, o.DedupID, o.Delay, time.Now())
	require.Equal(s.t, there != body, sent.Duplicate)
}

func (s *simulation) receive(i int) {
	o := queue.ReceiveOptions{Max: 1 + s.rand.IntN(4), Visibility: s.visibility(i)}
	got, err := s.queues[i].Receive(context.Background(), o)
	require.NoError(s.t, err)
	s.log("receive %+v from %s: %v", o, s.queues[i].Name(), bodies(got))
	s.same(i, s.models[i].take(o.Max, o.Visibility, time.Now()), got)
}

func (s *simulation) visibility(i int) time.Duration {
	if s.rand.IntN(2) == 0 {
		return 0
	}
	return s.seconds(i, 1, 15)
}

func (s *simulation) wait(i int) {
	s.waiters++
	id := s.waiters
	o := queue.ReceiveOptions{Max: 1 + s.rand.IntN(4), Visibility: s.visibility(i), Wait: s.seconds(i, 1, 19)}
	s.log("waiter %d: %+v at %s", id, o, s.queues[i].Name())
	go func() {
		got, err := s.queues[i].Receive(s.t.Context(), o)
		if err == nil { // else the test has failed
			s.results <- waited{id, time.Now(), got}
		}
	}()
	m := s.models[i]
	m.waiters = append(m.waiters, &modelWaiter{id, o.Max, o.Visibility, time.Now().Add(o.Wait)})
}

func (s *simulation) delete(r receipt) {
	s.log("delete %+v", r)
	err := s.queues[r.queue].Delete(r.receipt)
	m := s.models[r.queue]
	if err != nil {
		require.True(s.t, m.fifo && m.find(r.body, r.total) == nil, "%v", err)
		return
	}
	if found := m.find(r.body, r.total); found != nil {
		m.remove(found)
	}
}

func (s *simulation) change(r receipt, d time.Duration) {
	s.log("change %+v %v", r, d)
	err := s.queues[r.queue].ChangeVisibility(r.receipt, d)
	m := s.models[r.queue]
	found := m.find(r.body, r.total)
	require.Equal(s.t, found == nil, err != nil, "%v", err)
	switch {
	case found == nil || !found.inFlight:
	case d > 0:
		found.visible = time.Now().Add(d)
	default:
		m.makeReady(found)
	}
}

func (s *simulation) configure(i int) {
	q, m := s.queues[i], s.models[i]
	settings := q.Settings()
	settings.Retention, settings.Delay = s.seconds(i, 60, 200), s.seconds(i, 0, 5)
	s.log("configure %s %+v", q.Name(), settings)
	require.NoError(s.t, q.Configure(settings))
	m.settings = settings
	for _, message := range m.messages {
		if m.fifo && message.ready == 0 && !message.inFlight {
			message.visible = message.enqueued.Add(settings.Delay)
		}
	}
	m.advance(time.Now())
}

// sleep lets time pass, for the queues at once, and for the models from moment to moment.
func (s *simulation) sleep(d time.Duration) {
	s.log("sleep %v", d)
	s.settle()
	until := time.Now().Add(d)
	for time.Now().Before(until) {
		next := until
		for _, m := range s.models {
			for _, message := range m.messages {
				if due := m.due(message); due.Before(next) {
					next = due
				}
			}
			for _, w := range m.waiters {
				if w.until.Before(next) {
					next = w.until
				}
			}
		}
		<-time.After(time.Until(next))
		s.settle()
	}
}

// settle compares what those who waited got until now.
func (s *simulation) settle() {
	synctest.Wait()
	for len(s.results) > 0 {
		w := <-s.results
		s.log("waiter %d: %v", w.id, bodies(w.messages))
		s.returned[w.id] = w
	}
	now := time.Now()
	for i, m := range s.models { // the source first: what it moves is for those who wait at the other
		m.advance(now)
		for len(m.waiters) > 0 {
			w := m.waiters[0]
			got := m.take(w.max, w.visibility, now)
			if len(got) == 0 {
				break
			}
			s.finish(i, w, got)
		}
	}
	for i, m := range s.models {
		for _, w := range slices.Clone(m.waiters) {
			if !w.until.After(now) {
				s.finish(i, w, nil)
			}
		}
	}
	require.Empty(s.t, s.returned, "waiters that should still wait")
}

// finish ends the wait of w, which should have got that now.
func (s *simulation) finish(i int, w *modelWaiter, want []modelGot) {
	m := s.models[i]
	m.waiters = slices.DeleteFunc(m.waiters, func(other *modelWaiter) bool { return other == w })
	got, ok := s.returned[w.id]
	require.True(s.t, ok, "waiter %d still waits, want %v", w.id, want)
	delete(s.returned, w.id)
	require.Equal(s.t, time.Since(s.began), got.at.Sub(s.began), "when waiter %d returned", w.id)
	s.same(i, want, got.messages)
}

func (s *simulation) same(i int, want []modelGot, got []queue.Message) {
	var have []modelGot
	for _, m := range got {
		have = append(have, modelGot{m.Body, m.ReceiveCount})
		s.receipts = append(s.receipts, receipt{i, m.Receipt, m.Body, m.ReceiveCount})
	}
	require.Equal(s.t, want, have, "messages from %s", s.queues[i].Name())
}

func (s *simulation) compare() {
	for i, m := range s.models {
		m.advance(time.Now())
		want := queue.Stats{Expired: m.expired}
		for _, message := range m.messages {
			switch {
			case message.ready > 0:
				want.Ready++
			case message.inFlight:
				want.InFlight++
			default:
				want.Delayed++
			}
		}
		got := s.queues[i].Stats()
		want.Created, want.Modified = got.Created, got.Modified
		require.Equal(s.t, want, got, "stats of %s", s.queues[i].Name())
	}
}

func bodies(messages []queue.Message) (all []string) {
	for _, m := range messages {
		all = append(all, m.Body)
	}
	return all
}
