package dispatch

import "time"

// check compares the dispatcher with the books. Nothing runs meanwhile: whoever is
// in the bubble waits for a time or for another.
func (b *books) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.d
	b.holdLocked(d.Undecided() == b.undecided, "%d undecided, want %d", d.Undecided(), b.undecided)
	d.pool.mu.Lock()
	b.holdLocked(!d.pool.searching && d.pool.first == nil, "a worker searches for ever")
	d.pool.mu.Unlock()
	d.mu.Lock()
	b.holdLocked(int(d.waiting.Load()) == len(d.waiters), "%d wait, want %d", d.waiting.Load(), len(d.waiters))
	retries := make(map[*Queue]int)
	firsts := make(map[*lane]int) // how often a lane's first was found
	for _, r := range d.retries {
		retries[r.queue]++
		firsts[r.work.link().lane]++
		b.holdLocked(r.at > time.Since(d.made), "a retry of %v is overdue since %v", r.work, r.at)
		b.holdLocked(r.work.link().lane == nil || r.work.link().lane.failing, "the lane of %v does not know that it is failing", r.work)
	}
	busy := 0
	for _, q := range b.queues {
		if q.undecided > 0 {
			busy++
		}
	}
	b.holdLocked(int(d.busy.Load()) == busy, "%d busy, want %d", d.busy.Load(), busy)
	b.holdLocked(b.undecided > 0 || len(d.waiters) == 0, "%d wait for nothing", len(d.waiters))
	for _, q := range b.queues {
		_, known := d.queues[q.Queue]
		q.mu.Lock()
		if b.aborted.IsZero() {
			b.holdLocked(known == (!q.retired || q.undecided > 0), "%s: known %v, retired %v, undecided %d", q.name, known, q.retired, q.undecided)
		}
		b.checkLocked(q, retries[q.Queue], firsts)
		q.mu.Unlock()
	}
	d.mu.Unlock()
}

// checkLocked holds the invariants of a queue.
func (b *books) checkLocked(q *simQueue, retrying int, firsts map[*lane]int) {
	ready, held := 0, 0
	for _, w := range q.ready.contents() {
		ready++
		firsts[w.link().lane]++
	}
	for _, w := range q.due.contents() {
		retrying++
		firsts[w.link().lane]++
	}
	running := 0
	for at, w := range q.workers {
		b.holdLocked(w.at == at, "%s: a worker is not where it says", q.name)
		if w.work == nil { // it is abandoning what it has attempted
			b.holdLocked(q.abandoning > 0, "%s: a worker does nothing", q.name)
			continue
		}
		running++
		firsts[w.work.link().lane]++
	}
	for _, l := range q.lanes {
		none := q.abandoning > 0 || !b.aborted.IsZero()
		b.holdLocked(firsts[l] == 1 || none && firsts[l] == 0, "%s: lane %q has %d firsts", q.name, l.key, firsts[l])
		if l.failing {
			retrying += l.held.len()
		} else {
			held += l.held.len()
		}
	}
	b.holdLocked(q.waiting == ready+held, "%s: waiting %d, want %d and %d held", q.name, q.waiting, ready, held)
	b.holdLocked(q.Queue.backlog == retrying, "%s: backlog %d, want %d", q.name, q.Queue.backlog, retrying)
	most := q.backlog
	if q.asked {
		most *= 2
	}
	b.holdLocked(q.Queue.backlog <= most, "%s: backlog %d, at most %d may be", q.name, q.Queue.backlog, most)
	b.holdLocked(q.Queue.running == running && running == q.running, "%s: running %d, workers %d, want %d", q.name, q.Queue.running, running, q.running)
	b.holdLocked(q.Queue.undecided == q.undecided, "%s: %d undecided, want %d", q.name, q.Queue.undecided, q.undecided)
	b.holdLocked(q.reserved <= q.pending, "%s: %d reserved for %d works", q.name, q.reserved, q.pending)
	b.holdLocked(!q.listed && q.behind == nil, "%s: listed for ever", q.name)
	b.holdLocked(!q.readyLocked() || len(q.workers) >= q.config.Concurrency, "%s: works are ready, and a worker is free", q.name)
	b.holdLocked(len(q.publishers) == 0 || q.fullLocked(), "%s: %d wait for room, and there is some", q.name, len(q.publishers))
	b.holdLocked(q.loose || q.waiting <= q.config.Capacity, "%s: %d wait, at most %d may", q.name, q.waiting, q.config.Capacity)
	if q.Queue.config != q.config {
		b.faultLocked("%s: config %+v, want %+v", q.name, q.Queue.config, q.config)
	}
}
