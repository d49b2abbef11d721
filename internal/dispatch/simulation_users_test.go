package dispatch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Those who use the dispatcher of a simulation.

func randomConfig(r *rand.Rand) Config {
	c := Config{Concurrency: 1 + r.IntN(4), Capacity: 1 + r.IntN(8), Backlog: 1 + r.IntN(8)}
	if chance(r, 50) {
		c.Overflow = Overflow(r.IntN(3))
	}
	return c
}

func (s *simulation) newQueue(r *rand.Rand) {
	c := randomConfig(r)
	q := &simQueue{Queue: s.d.NewQueue(c), config: c, keys: make(map[string]*simKey)}
	q.configured(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	q.name = string(rune('A' + len(s.queues)))
	s.noteLocked("%s: %+v", q.name, c)
	s.queues = append(s.queues, q)
}

// change configures, retires and adds queues, time and again.
func (s *simulation) change(r *rand.Rand) {
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(upTo(r, 3*time.Second) + 1):
		}
		s.mu.Lock()
		q := s.queues[r.IntN(len(s.queues))]
		s.mu.Unlock()
		switch n := r.IntN(13); {
		case n == 12:
			s.mu.Lock()
			s.noteLocked("RetryNow")
			s.woken = time.Now()
			s.mu.Unlock()
			s.d.RetryNow()
		case n == 11:
			s.mu.Lock()
			s.noteLocked("%s is discarded", q.name)
			if q.retired = true; q.discarded.IsZero() {
				q.discarded = time.Now()
			}
			s.mu.Unlock()
			q.Discard()
		case n == 10:
			q.Wake()
		case n == 0:
			s.newQueue(r)
		case n < 3:
			s.mu.Lock()
			s.noteLocked("%s retires", q.name)
			q.retired = true
			s.mu.Unlock()
			q.Retire()
		default:
			c := randomConfig(r)
			s.mu.Lock()
			s.noteLocked("%s: %+v", q.name, c)
			q.configured(c)
			s.mu.Unlock()
			q.Configure(c)
		}
	}
}

// newJobs returns works for some queues, one for each. Their keys are the publisher's
// own, who alone knows their order; it has none for works without.
func (s *simulation) newJobs(r *rand.Rand, depth int, publisher string) (jobs []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range r.Perm(len(s.queues))[:1+r.IntN(min(3, len(s.queues)))] {
		j := &job{b: &s.books, q: s.queues[i], id: s.jobs}
		s.jobs++
		if publisher != "" && chance(r, 60) {
			j.ordered, j.key = true, publisher+string(rune('k'+r.IntN(2)))
		}
		failures := 0
		if chance(r, 40) {
			failures = 1 + r.IntN(4)
		}
		for n := range failures + 1 {
			a := try{takes: upTo(r, 2*time.Second), exit: chance(r, 5), further: s.further(r, depth)}
			if n < failures {
				a.verdict = Verdict{Again: true, Delay: upTo(r, 4*time.Second)}
			}
			j.script = append(j.script, a)
		}
		for range 4 {
			l := try{exit: chance(r, 5), further: s.further(r, depth)}
			if chance(r, 30) {
				l.takes = upTo(r, 2*time.Second)
			}
			if chance(r, 30) {
				l.verdict = Verdict{Again: true, Delay: upTo(r, 4*time.Second)}
			}
			j.losses = append(j.losses, l)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// further returns what a handler or a dead letter brings about, which is seldom more
// than nothing: works that are put in if there is room.
func (s *simulation) further(r *rand.Rand, depth int) func() {
	if depth == 2 || !chance(r, 15) {
		return func() {}
	}
	r = fork(r)
	return func() {
		jobs := s.newJobs(r, depth+1, "")
		force := InWorker()
		s.mu.Lock()
		for _, j := range jobs {
			j.q.loose = j.q.loose || force
		}
		s.mu.Unlock()
		batch := s.batch(jobs)
		if s.d.Reserve(batch, force) == nil {
			s.put(batch, 0)
		}
	}
}

// batch returns the deliveries of jobs to those queues that are not retired.
func (s *simulation) batch(jobs []*job) (batch []Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		if !j.q.retired {
			batch = append(batch, Delivery{Queue: j.q.Queue, Work: j, Key: j.key, Ordered: j.ordered})
		}
	}
	return batch
}

// publish publishes some batches, one after the other.
func (s *simulation) publish(r *rand.Rand, name string) {
	slow := time.Duration(r.Int64N(int64(3 * time.Second)))
	for range 1 + r.IntN(20) {
		<-time.After(upTo(r, slow))
		jobs := s.newJobs(r, 0, name)
		patience := time.Duration(-1)
		if chance(r, 80) {
			patience = upTo(r, 20*time.Second)
		}
		pause := time.Duration(0)
		if chance(r, 10) {
			pause = upTo(r, 5*time.Second)
		}
		for errors.Is(s.publishOne(jobs, patience, pause), ErrRetired) {
		}
	}
}

// publishOne publishes one batch as a bus does.
func (s *simulation) publishOne(jobs []*job, patience, pause time.Duration) error {
	batch := s.batch(jobs)
	err := s.d.Reserve(batch, false)
	var full *FullError
	if errors.As(err, &full) && full.Queue.Overflow() == Block && patience >= 0 {
		batch, err = s.waitForRoom(jobs, full, patience)
	}
	if err == nil {
		s.put(batch, pause)
	}
	return err
}

func (s *simulation) waitForRoom(jobs []*job, full *FullError, patience time.Duration) ([]Delivery, error) {
	start, slow := time.Now(), 0
	end := start.Add(patience)
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	prepare := func() ([]Delivery, error) { return s.batch(jobs), nil }
	batch, err := s.d.ReserveWait(ctx, full, prepare, func(*FullError) {
		slow++
		s.mu.Lock()
		defer s.mu.Unlock()
		s.holdLocked(time.Since(start) == 5*time.Second, "slow after %v", time.Since(start))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	waited := time.Since(start)
	s.noteLocked("waited %v for room for %v: %v", waited, jobs, err)
	s.holdLocked(slow == 1 || slow == 0 && waited <= 5*time.Second, "slow %d times in %v", slow, waited)
	s.holdLocked(waited <= patience, "waited for %v with a patience of %v", waited, patience)
	var e *FullError
	switch {
	case err == nil, errors.Is(err, ErrRetired), errors.Is(err, ErrClosed):
	case errors.Is(err, context.DeadlineExceeded):
		s.holdLocked(waited == patience, "gave up after %v", waited)
	case errors.As(err, &e):
		for _, q := range s.queues {
			s.holdLocked(q.Queue != e.Queue || q.overflows[Reject], "%s refuses, though it blocks", q.name)
		}
	default:
		s.faultLocked("ReserveWait: %v", err)
	}
	return batch, err
}
