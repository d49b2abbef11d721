package queue

import (
	"container/heap"
	"container/list"
	"time"
)

// A Queue holds messages until they are received and deleted. [Service.Create] makes one.
//
// A message is in one of three states. It is delayed from when it is sent, if there is a
// delay; then it is ready, and may be received; received, it is in flight, until it is deleted
// or its visibility timeout ends, and it is ready again. Whatever its state, it expires at the
// end of its retention.
//
// Nothing happens by itself in a queue: each method begins with what time has brought about.
// Only while somebody waits for a message, and some moment is due, there is a timer.
type Queue struct {
	service *Service
	name    string
	fifo    bool
	nonce   uint64 // in receipt handles, which a queue of the same name made later refuses
	created time.Time

	// The fields below are guarded by service.mu.

	deleted  bool
	settings Settings // normal
	modified time.Time
	purged   time.Time
	expired  int

	sent     uint64              // messages so far; the last one's seq
	messages map[uint64]*message // by seq
	schedule schedule            // the same
	counts   [states]int         // of messages by state
	groups   map[string]*group   // those that have messages; in a standard queue "" alone
	open     *list.List          // of *group: those that a message may be received from, the longest open first
	dedup    dedup               // of FIFO queues

	waiters *list.List  // of *waiter, the longest waiting first
	timer   *time.Timer // nil: nothing is due that somebody waits for
}

type state int

const (
	absent state = iota // not in the queue
	delayed
	ready
	inFlight
	states
)

// A message is a message in its queue.
type message struct {
	Message         // what receivers get, but for the receipt
	seq      uint64 // order of sending
	state    state
	receives int           // from this queue; the last receipt has this number
	received time.Time     // last
	enqueued time.Time     // retention counts from here
	visible  time.Time     // if it is delayed or in flight, the end of that
	next     time.Time     // when it changes by itself
	index    int           // in the schedule
	group    *group        // that it belongs to
	place    *list.Element // in group.ready, if it is ready
}

// A group has messages in order. Those of a FIFO queue's group are in the order of sending,
// and none may be received while one of them is in flight. A standard queue has one group, in
// which messages are in the order in which they became ready.
type group struct {
	id       string
	ready    list.List // of *message
	members  int       // messages, ready or not
	inFlight int
	place    *list.Element // in Queue.open, if it is there
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// ARN returns the queue's ARN.
func (q *Queue) ARN() string { return q.service.arn(q.name) }

// FIFO reports whether it is a FIFO queue.
func (q *Queue) FIFO() bool { return q.fifo }

// Settings returns the queue's settings, with the defaults in place of zeros.
func (q *Queue) Settings() Settings {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	return q.settings
}

// Configure replaces the queue's settings, at once.
func (q *Queue) Configure(settings Settings) error {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err != nil {
		return err
	}
	settings = settings.normal()
	if err := q.checkSettings(settings); err != nil {
		return err
	}
	q.settings, q.modified = settings, now
	for _, m := range q.schedule {
		if q.fifo && m.state == delayed {
			m.visible = m.enqueued.Add(settings.Delay)
		}
		m.next = q.nextOf(m)
	}
	heap.Init(&q.schedule)
	q.service.settle(q, now)
	return nil
}

// Stats are figures of a queue.
type Stats struct {
	Ready             int // ApproximateNumberOfMessages: in no other state, whether their group is locked or not
	InFlight          int // ApproximateNumberOfMessagesNotVisible
	Delayed           int // ApproximateNumberOfMessagesDelayed
	Expired           int // messages that nobody deleted before the end of their retention, so far
	Created, Modified time.Time
}

// Stats returns the queue's figures, which are exact.
func (q *Queue) Stats() Stats {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	if now, err := q.enter(); err == nil {
		q.service.settle(q, now)
	}
	return Stats{q.counts[ready], q.counts[inFlight], q.counts[delayed], q.expired, q.created, q.modified}
}

// Purge deletes all messages, those in flight included. It may be called once in a minute:
// else the error has the code PurgeQueueInProgress.
func (q *Queue) Purge() error {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err != nil {
		return err
	}
	if !q.purged.IsZero() && now.Sub(q.purged) < PurgeInterval {
		return q.refuse(CodePurgeQueueInProgress, "Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)
	}
	q.purged = now
	q.clear()
	q.service.settle(q, now)
	return nil
}

func (q *Queue) errGone() error {
	return q.refuse(CodeQueueDoesNotExist, "The specified queue does not exist.")
}

// enter begins each method that is about messages: it brings the queue up to now. Like all
// below, it is called with the lock held.
func (q *Queue) enter() (now time.Time, err error) {
	if q.deleted {
		return now, q.errGone()
	}
	now = time.Now()
	q.advance(now)
	return now, nil
}

// advance does what was due until now, in the order in which it was.
func (q *Queue) advance(now time.Time) {
	for len(q.schedule) > 0 && !q.schedule[0].next.After(now) {
		m := q.schedule[0]
		if m.next.Before(q.expiry(m)) {
			q.move(m, ready)
		} else {
			q.expired++
			q.move(m, absent)
		}
	}
	q.dedup.forget(now)
}

// nextOf returns when m changes by itself.
func (q *Queue) nextOf(m *message) time.Time {
	expiry := q.expiry(m)
	if m.state != ready && m.visible.Before(expiry) {
		return m.visible
	}
	return expiry
}

func (q *Queue) expiry(m *message) time.Time { return m.enqueued.Add(q.settings.Retention) }

// add puts a message into the queue, behind all others.
func (q *Queue) add(m *message, to state) {
	q.sent++
	m.seq = q.sent
	id := ""
	if q.fifo {
		id, m.Sequence = m.Group, sequence(m.seq)
	}
	m.group = q.groups[id]
	if m.group == nil {
		m.group = &group{id: id}
		q.groups[id] = m.group
	}
	q.move(m, to)
}

// move puts m into a state. What the state says is then so everywhere in the queue.
func (q *Queue) move(m *message, to state) {
	from, g := m.state, m.group
	switch from {
	case absent:
		q.messages[m.seq] = m
		g.members++
	case ready:
		g.ready.Remove(m.place)
	case inFlight:
		g.inFlight--
	}
	q.counts[from]--
	q.counts[to]++
	m.state = to
	m.next = q.nextOf(m)
	switch to {
	case absent:
		delete(q.messages, m.seq)
		heap.Remove(&q.schedule, m.index)
		g.members--
	case ready:
		m.place = q.line(m)
	case inFlight:
		g.inFlight++
	}
	if from == absent {
		heap.Push(&q.schedule, m)
	} else if to != absent {
		heap.Fix(&q.schedule, m.index)
	}
	q.list(g)
}

// line puts m into its group's line. A message that comes back to a FIFO queue was received
// before those that are in line, and so has few before it.
func (q *Queue) line(m *message) *list.Element {
	ready := &m.group.ready
	if last := ready.Back(); last == nil || !q.fifo || last.Value.(*message).seq < m.seq {
		return ready.PushBack(m)
	}
	e := ready.Front()
	for e.Value.(*message).seq < m.seq {
		e = e.Next()
	}
	return ready.InsertBefore(m, e)
}

// list opens or closes g, as it is now, and forgets it when it is empty.
func (q *Queue) list(g *group) {
	open := g.ready.Len() > 0 && (!q.fifo || g.inFlight == 0)
	if open && g.place == nil {
		g.place = q.open.PushBack(g)
	} else if !open && g.place != nil {
		q.open.Remove(g.place)
		g.place = nil
	}
	if g.members == 0 {
		delete(q.groups, g.id)
	}
}

// clear removes all messages.
func (q *Queue) clear() {
	clear(q.messages)
	clear(q.groups)
	q.open.Init()
	q.schedule, q.counts = nil, [states]int{}
}

// A schedule is a heap of messages: first what changes next, of equals what was sent first.
type schedule []*message

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	if c := s[i].next.Compare(s[j].next); c != 0 {
		return c < 0
	}
	return s[i].seq < s[j].seq
}
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}
func (s *schedule) Push(x any) {
	m := x.(*message)
	m.index = len(*s)
	*s = append(*s, m)
}
func (s *schedule) Pop() any {
	last := len(*s) - 1
	m := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return m
}
