package queue

import (
	"cmp"
	"container/list"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A Service has queues by name, as an account of the cloud's service has in a region. The
// zero value is ready to use. Its methods, and those of its queues, may be called from any
// number of goroutines.
//
// One lock serves all queues of a service, since moving a message to a dead-letter queue
// touches two of them, and these may be each other's.
type Service struct {
	Account string // in ARNs; "": footbridge.DefaultAccount. Set it, and Region, before use
	Region  string // "": footbridge.DefaultRegion

	mu      sync.Mutex // guards the fields below, and all that queues hold
	queues  map[string]*Queue
	touched []*Queue // that messages were moved to, and whose waiters were not served since
}

// Create makes a queue. A name has 1 to 80 of A-Z a-z 0-9 - _, and ends in .fifo, which
// counts, if the queue is to be a FIFO queue. If there is a queue of that name, it is returned
// if all fields of settings that are not zero are as it has them; else the error has the code
// QueueNameExists.
//
// Unlike in the cloud, a name may be used again as soon as its queue is deleted.
func (s *Service) Create(name string, settings Settings) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		if d := q.settings.difference(settings); d != "" {
			return nil, q.refuse(CodeQueueNameExists, "A queue already exists with the same name and a different value for attribute %s", d)
		}
		return q, nil
	}
	now := time.Now()
	q := &Queue{
		service: s, name: name, fifo: strings.HasSuffix(name, ".fifo"), nonce: rand.Uint64(), created: now, modified: now,
		messages: map[uint64]*message{}, groups: map[string]*group{}, open: list.New(), waiters: list.New(),
	}
	if err := q.checkName(); err != nil {
		return nil, err
	}
	settings = settings.normal()
	if err := q.checkSettings(settings); err != nil {
		return nil, err
	}
	q.settings = settings
	if s.queues == nil {
		s.queues = map[string]*Queue{}
	}
	s.queues[name] = q
	return q, nil
}

func (q *Queue) checkName() error {
	if !isName(strings.TrimSuffix(q.name, ".fifo")) || len(q.name) > 80 {
		return q.refuse(CodeInvalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// isName reports whether s may be the name of a queue, or the ID of a batch entry.
func isName(s string) bool {
	return s != "" && len(s) <= 80 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// Queue returns the queue of that name, or an error with the code QueueDoesNotExist.
func (s *Service) Queue(name string) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, (&Queue{name: name}).errGone()
}

// Queues returns the queues whose names begin with prefix, by name.
func (s *Service) Queues(prefix string) []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*Queue
	for name, q := range s.queues {
		if strings.HasPrefix(name, prefix) {
			found = append(found, q)
		}
	}
	slices.SortFunc(found, func(a, b *Queue) int { return cmp.Compare(a.name, b.name) })
	return found
}

// Delete deletes the queue and its messages. Whoever waits for one gets an error with the
// code QueueDoesNotExist, as everybody who uses the queue later.
func (s *Service) Delete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return (&Queue{name: name}).errGone()
	}
	delete(s.queues, name)
	q.deleted = true
	q.clear()
	for e := q.waiters.Front(); e != nil; e = e.Next() {
		close(e.Value.(*waiter).got)
	}
	q.waiters.Init()
	q.arm(time.Now())
	return nil
}

// byARN returns the queue of that ARN, or nil. The lock is held.
func (s *Service) byARN(arn string) *Queue {
	q := s.queues[arn[strings.LastIndexByte(arn, ':')+1:]]
	if q == nil || q.ARN() != arn {
		return nil
	}
	return q
}

func (s *Service) arn(name string) string {
	return "arn:aws:sqs:" + cmp.Or(s.Region, footbridge.DefaultRegion) + ":" + cmp.Or(s.Account, footbridge.DefaultAccount) + ":" + name
}

// settle serves those who wait at q, and at the queues that messages went to from there on.
// Whatever changes a queue ends with it. The lock is held.
func (s *Service) settle(q *Queue, now time.Time) {
	s.touched = append(s.touched, q)
	for n := len(s.touched); n > 0; n = len(s.touched) {
		q, s.touched = s.touched[n-1], s.touched[:n-1]
		q.advance(now)
		q.serve(now)
		q.arm(now)
	}
}
