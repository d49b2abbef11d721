package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"
)

// This file has publishers that wait for room in queues.

// ReserveWait is what follows a Reserve that returned full: it waits for room and
// tries again, with the batch made anew each time, until all is accepted, ctx ends
// or the dispatcher is closed. It calls slow once if it has waited for long.
func (d *Dispatcher) ReserveWait(ctx context.Context, full *FullError, prepare func() ([]Delivery, error), slow func(*FullError)) ([]Delivery, error) {
	long := time.NewTimer(slowAfter)
	defer long.Stop()
	for {
		batch, err := d.waitAndReserve(ctx, full, prepare, long.C, slow)
		var again *FullError
		if !errors.As(err, &again) || again.Queue.Overflow() == Reject {
			return batch, err
		}
		full = again
	}
}

// waitAndReserve is one round of ReserveWait. Whatever ends it, prepare and slow among
// that, which are the user's in part, the room that it was woken for is passed on.
func (d *Dispatcher) waitAndReserve(ctx context.Context, full *FullError, prepare func() ([]Delivery, error), long <-chan time.Time, slow func(*FullError)) ([]Delivery, error) {
	defer full.Queue.passRoom()
	if err := d.waitForRoom(ctx, full, long, slow); err != nil {
		return nil, err
	}
	batch, err := prepare()
	if err == nil {
		err = d.Reserve(batch, false)
	}
	return batch, err
}

// slowAfter is how long a publisher waits for room before that is logged.
const slowAfter = 5 * time.Second

func (d *Dispatcher) waitForRoom(ctx context.Context, full *FullError, long <-chan time.Time, slow func(*FullError)) error {
	q := full.Queue
	room := q.roomSignal(full.wakes)
	defer q.forget(room)
	for {
		select {
		case <-room:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-d.closing:
			return ErrClosed
		case <-long:
			slow(full)
		}
	}
}

// roomSignal returns a channel that is closed when there may be room: at once if there
// is, or if all publishers were woken since wakes.
func (q *Queue) roomSignal(wakes errFull) chan struct{} {
	room := make(chan struct{})
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fullLocked() && q.wakes == wakes {
		q.publishers = append(q.publishers, room)
	} else {
		close(room)
	}
	return room
}

// forget gives up waiting for room.
func (q *Queue) forget(room chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.publishers = slices.DeleteFunc(q.publishers, func(c chan struct{}) bool { return c == room })
}

// passRoom wakes the next publisher if there is room. One that was woken calls it
// when it has tried, since it may have left the room unused.
func (q *Queue) passRoom() {
	q.mu.Lock()
	p := q.nextPublisherLocked()
	q.mu.Unlock()
	wake(p)
}

// nextPublisherLocked takes the publisher out that is to be woken, nil if none is.
func (q *Queue) nextPublisherLocked() chan struct{} {
	if len(q.publishers) == 0 || q.fullLocked() {
		return nil
	}
	p := q.publishers[0]
	q.publishers = q.publishers[1:]
	return p
}

func wake(publisher chan struct{}) {
	if publisher != nil {
		close(publisher)
	}
}
