package queue_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/footbridge-go/footbridge/queue"
)

// A model is a queue as one would write it that need not be fast: it looks at all messages
// each time. TestSimulation compares the two.
type model struct {
	fifo     bool
	settings queue.Settings
	dlq      *model // nil: none
	messages []*modelMessage
	open     []string // groups that a message may be received from, the longest open first
	dedup    map[string]modelSent
	waiters  []*modelWaiter
	sent     int // messages so far
	stamps   int // moments at which a message became ready so far
	expired  int
}

type modelMessage struct {
	body, group     string
	number          int // in its queue
	ready           int // the stamp of when it became ready; 0: it is delayed or in flight
	inFlight        bool
	receives, total int
	enqueued        time.Time
	visible         time.Time
	received        time.Time
}

type modelSent struct {
	body string
	at   time.Time
}

type modelWaiter struct {
	id, max    int
	visibility time.Duration
	until      time.Time
}

// A modelGot is a message that was received.
type modelGot struct {
	body  string
	total int
}

func (q *model) expiry(m *modelMessage) time.Time { return m.enqueued.Add(q.settings.Retention) }

// due returns when m changes by itself.
func (q *model) due(m *modelMessage) time.Time {
	if m.ready == 0 && m.visible.Before(q.expiry(m)) {
		return m.visible
	}
	return q.expiry(m)
}

// advance does what is due until now, one after the other.
func (q *model) advance(now time.Time) {
	for {
		var next *modelMessage
		for _, m := range q.messages {
			if !q.due(m).After(now) && (next == nil || cmp.Or(q.due(m).Compare(q.due(next)), cmp.Compare(m.number, next.number)) < 0) {
				next = m
			}
		}
		if next == nil {
			break
		}
		if q.due(next).Before(q.expiry(next)) {
			q.makeReady(next)
		} else {
			q.expired++
			q.remove(next)
		}
	}
	for key, sent := range q.dedup {
		if now.Sub(sent.at) >= 5*time.Minute {
			delete(q.dedup, key)
		}
	}
}

func (q *model) makeReady(m *modelMessage) {
	q.stamps++
	m.ready, m.inFlight = q.stamps, false
	q.reopen()
}

func (q *model) remove(m *modelMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(other *modelMessage) bool { return other == m })
	q.reopen()
}

// reopen brings the list of open groups up to date.
func (q *model) reopen() {
	for _, m := range q.messages {
		if g := q.groupOf(m); q.isOpen(g) && !slices.Contains(q.open, g) {
			q.open = append(q.open, g)
		}
	}
	q.open = slices.DeleteFunc(q.open, func(g string) bool { return !q.isOpen(g) })
}

func (q *model) groupOf(m *modelMessage) string {
	if q.fifo {
		return m.group
	}
	return ""
}

func (q *model) isOpen(group string) bool {
	locked := slices.ContainsFunc(q.messages, func(m *modelMessage) bool { return q.groupOf(m) == group && m.inFlight })
	return q.first(group) != nil && !(q.fifo && locked)
}

// first returns the group's first message that is ready.
func (q *model) first(group string) *modelMessage {
	var first *modelMessage
	for _, m := range q.messages {
		if m.ready == 0 || q.groupOf(m) != group {
			continue
		}
		before := first == nil || m.ready < first.ready
		if q.fifo {
			before = first == nil || m.number < first.number
		}
		if before {
			first = m
		}
	}
	return first
}

// send returns the body of the message that is there: another's, if it is a duplicate.
func (q *model) send(body, group, dedup string, delay time.Duration, now time.Time) string {
	if q.fifo {
		key := dedup
		if q.settings.DedupPerGroup {
			key = group + "/" + dedup
		}
		if sent, ok := q.dedup[key]; ok {
			return sent.body
		}
		q.dedup[key] = modelSent{body, now}
		delay = 0
	}
	if delay == 0 {
		delay = q.settings.Delay
	}
	q.add(&modelMessage{body: body, group: group, enqueued: now, visible: now.Add(delay)}, delay > 0)
	return body
}

func (q *model) add(m *modelMessage, delayed bool) {
	q.sent++
	m.number = q.sent
	m.ready, m.inFlight = 0, false
	q.messages = append(q.messages, m)
	if !delayed {
		q.makeReady(m)
	}
}

func (q *model) take(limit int, visibility time.Duration, now time.Time) []modelGot {
	if visibility == 0 {
		visibility = q.settings.VisibilityTimeout
	}
	var got []modelGot
	for len(got) < limit && len(q.open) > 0 {
		group := q.open[0]
		for m := q.first(group); m != nil && len(got) < limit; m = q.first(group) {
			if q.dlq != nil && m.receives >= q.settings.MaxReceiveCount {
				q.remove(m)
				if m.receives = 0; q.fifo {
					m.enqueued = now
				}
				q.dlq.advance(now)
				q.dlq.add(m, false)
				continue
			}
			m.receives++
			m.total++
			m.ready, m.inFlight = 0, true
			m.received, m.visible = now, now.Add(visibility)
			q.reopen()
			got = append(got, modelGot{m.body, m.total})
		}
	}
	return got
}

// find returns the message that was received with a handle, if that would be one to change it.
func (q *model) find(body string, total int) *modelMessage {
	for _, m := range q.messages {
		if m.body == body && m.total == total && m.receives > 0 && !(q.fifo && !m.inFlight) {
			return m
		}
	}
	return nil
}
