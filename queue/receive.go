package queue

import (
	"container/list"
	"context"
	"time"
)

// ReceiveOptions say what is to be received. The zero value of each field is its default.
type ReceiveOptions struct {
	Max        int           // messages; zero: 1; at most 10
	Wait       time.Duration // for a first message; zero: the queue's ReceiveWait; None: no wait; at most 20 seconds
	Visibility time.Duration // how long they are hidden; zero: the queue's VisibilityTimeout; None: they are not; at most 12 hours
}

// maxReceive is the most that one Receive returns.
const maxReceive = 10

// A waiter is a Receive that waits.
type waiter struct {
	max        int
	visibility time.Duration
	patient    bool           // it waits, too, while there are MaxInFlight messages in flight
	got        chan []Message // takes what it gets, once; closed if the queue is deleted
}

// Receive returns messages that are ready, those that became so first in front, and hides
// them from others. If there are none it waits for some; when the wait ends without it returns
// none and no error, and when ctx ends, its error. Those who wait are served in the order in
// which they came.
//
// From a FIFO queue it returns messages of a group in the order in which they were sent, as
// many of one group as there are before those of the next, and none of a group of which one is
// in flight.
//
// A message that was received MaxReceiveCount times is moved to the dead-letter queue instead.
func (q *Queue) Receive(ctx context.Context, o ReceiveOptions) ([]Message, error) {
	if o.Max == 0 {
		o.Max = 1
	}
	switch {
	case o.Max < 1 || o.Max > maxReceive:
		return nil, q.refuseValue("MaxNumberOfMessages", o.Max, "Must be between 1 and 10, if provided.")
	case o.Wait > MaxWait:
		return nil, q.refuseValue("WaitTimeSeconds", o.Wait.Seconds(), "Must be >= 0 and <= 20, if provided.")
	case o.Visibility > MaxVisibilityTimeout:
		return nil, q.refuseValue("VisibilityTimeout", o.Visibility.Seconds(), "Must be >= 0 and <= 43200, if provided.")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Wait == 0 {
		o.Wait = q.Settings().ReceiveWait
	}
	if o.Wait <= 0 {
		got, _, err := q.receiveNow(o, nil)
		return got, err
	}
	timer := time.NewTimer(o.Wait)
	defer timer.Stop()
	return q.await(ctx, o, timer.C)
}

// await receives what it can, and waits for it until ctx or wait end; with a nil wait, which
// never ends, also for messages in flight to become fewer.
func (q *Queue) await(ctx context.Context, o ReceiveOptions, wait <-chan time.Time) ([]Message, error) {
	w := &waiter{max: o.Max, visibility: o.Visibility, patient: wait == nil, got: make(chan []Message, 1)}
	messages, place, err := q.receiveNow(o, w)
	if len(messages) > 0 || err != nil {
		return messages, err
	}
	select {
	case messages, ok := <-w.got:
		if !ok {
			return nil, q.errGone()
		}
		return messages, nil
	case <-wait:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if messages := q.leave(w, place); len(messages) > 0 {
		return messages, nil
	}
	return nil, err
}

// receiveNow returns what is ready. If that is nothing w is in line, unless it is nil.
func (q *Queue) receiveNow(o ReceiveOptions, w *waiter) (got []Message, place *list.Element, err error) {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err != nil {
		return nil, nil, err
	}
	if !q.fifo && q.counts[inFlight] >= MaxInFlight && (w == nil || !w.patient) {
		return nil, nil, q.refuse(CodeOverLimit, "Too many messages in flight: want fewer than %d, got %d.", MaxInFlight, q.counts[inFlight])
	}
	q.serve(now) // those who came before, with what enter has brought
	if got = q.take(now, o.Max, o.Visibility); len(got) == 0 && w != nil {
		place = q.waiters.PushBack(w)
	}
	q.service.settle(q, now)
	return got, place, nil
}

// leave ends a wait. It returns what w was given meanwhile, if anything, or what has become
// ready in this moment.
func (q *Queue) leave(w *waiter, place *list.Element) []Message {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	if now, err := q.enter(); err == nil {
		q.serve(now)
		q.waiters.Remove(place)
		q.service.settle(q, now)
	}
	select {
	case messages := <-w.got:
		return messages
	default:
		return nil
	}
}

// serve gives those who wait what is ready.
func (q *Queue) serve(now time.Time) {
	for e := q.waiters.Front(); e != nil; e = q.waiters.Front() {
		w := e.Value.(*waiter)
		got := q.take(now, w.max, w.visibility)
		if len(got) == 0 {
			return
		}
		q.waiters.Remove(e)
		w.got <- got
	}
}

// take receives up to max messages.
func (q *Queue) take(now time.Time, max int, visibility time.Duration) []Message {
	if visibility == 0 {
		visibility = q.settings.VisibilityTimeout
	}
	max = min(max, MaxInFlight-q.counts[inFlight])
	dlq := q.service.byARN(q.settings.DeadLetterARN)
	var got []Message
	for len(got) < max && q.open.Len() > 0 {
		g := q.open.Front().Value.(*group)
		for len(got) < max && g.ready.Len() > 0 {
			m := g.ready.Front().Value.(*message)
			if dlq != nil && m.receives >= q.settings.MaxReceiveCount {
				q.bury(m, dlq, now)
				continue
			}
			m.receives++
			m.ReceiveCount++
			if m.ReceiveCount == 1 {
				m.FirstReceive = now
			}
			m.received, m.visible = now, now.Add(visibility)
			q.move(m, inFlight)
			received := m.Message
			received.Receipt = q.receipt(m)
			got = append(got, received)
		}
	}
	return got
}

// bury moves m to the dead-letter queue. Its retention counts from when it was sent, but in a
// FIFO queue from now, as in the service.
func (q *Queue) bury(m *message, dlq *Queue, now time.Time) {
	q.move(m, absent)
	m.receives, m.DeadLetterSource = 0, q.ARN()
	if q.fifo {
		m.enqueued = now
	}
	dlq.advance(now)
	dlq.add(m, ready)
	q.service.touched = append(q.service.touched, dlq)
}

// arm sets the timer to the next moment at which there may be something for those who wait;
// without such, it stops it.
func (q *Queue) arm(now time.Time) {
	switch {
	case q.waiters.Len() == 0 || len(q.schedule) == 0:
		if q.timer != nil {
			q.timer.Stop()
			q.timer = nil
		}
	case q.timer == nil:
		q.timer = time.AfterFunc(q.schedule[0].next.Sub(now), q.wake)
	default:
		q.timer.Reset(q.schedule[0].next.Sub(now))
	}
}

func (q *Queue) wake() {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	if now, err := q.enter(); err == nil {
		q.service.settle(q, now)
	}
}
