package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"time"

	"github.com/footbridge-go/footbridge/internal/uuid"
)

// An Outgoing is a message to send.
type Outgoing struct {
	Body       string // 1 character or more
	Attributes map[string]Attribute
	Delay      time.Duration // zero: the queue's; None: no delay; at most 15 minutes; not in FIFO queues

	Group       string // MessageGroupId: FIFO queues need one; in others it only comes along
	DedupID     string // MessageDeduplicationId: FIFO queues only
	TraceHeader string // AWSTraceHeader: comes along
}

// Sent tells of a message that was sent.
type Sent struct {
	ID       string
	Sequence string // FIFO queues only
	// Duplicate is that a message with that DedupID was sent within the last five minutes.
	// ID and Sequence are that one's; this one was dropped.
	Duplicate bool
}

// Send puts a message into the queue, or the error is an [*Error] and it is not there.
func (q *Queue) Send(m Outgoing) (Sent, error) {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err != nil {
		return Sent{}, err
	}
	defer q.service.settle(q, now)
	return q.send(m, now)
}

func (q *Queue) send(o Outgoing, now time.Time) (Sent, error) {
	if err := q.checkOutgoing(o); err != nil {
		return Sent{}, err
	}
	if q.fifo && o.DedupID == "" {
		sum := sha256.Sum256([]byte(o.Body))
		o.DedupID = hex.EncodeToString(sum[:])
	}
	m := &message{enqueued: now, Message: Message{
		ID: uuid.New(), Body: o.Body, Attributes: clone(o.Attributes), Group: o.Group, DedupID: o.DedupID, TraceHeader: o.TraceHeader, Sent: now,
	}}
	key := dedupKey{id: o.DedupID}
	if q.settings.DedupPerGroup {
		key.group = o.Group
	}
	if sent, ok := q.dedup.sent[key]; ok && q.fifo {
		sent.Duplicate = true
		return sent, nil
	}
	delay := o.Delay
	if delay == 0 || q.fifo {
		delay = q.settings.Delay
	}
	if delay > 0 {
		m.visible = now.Add(delay)
		q.add(m, delayed)
	} else {
		q.add(m, ready)
	}
	sent := Sent{ID: m.ID, Sequence: m.Sequence}
	if q.fifo {
		q.dedup.remember(key, sent, now)
	}
	return sent, nil
}

func (q *Queue) checkOutgoing(o Outgoing) error {
	switch {
	case o.Body == "":
		return q.refuse(CodeMissingParameter, "The request must contain the parameter MessageBody.")
	case q.fifo && o.Group == "":
		return q.refuse(CodeMissingParameter, "The request must contain the parameter MessageGroupId.")
	case !isToken(o.Group):
		return q.refuseValue("MessageGroupId", o.Group, "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case q.fifo && o.DedupID == "" && !q.settings.ContentBasedDedup:
		return q.refuse(CodeInvalidParameterValue, reasonNoDedupID)
	case !q.fifo && o.DedupID != "":
		return q.refuseValue("MessageDeduplicationId", o.DedupID, reasonNotForThisTypeOfQueue)
	case !isToken(o.DedupID):
		return q.refuseValue("MessageDeduplicationId", o.DedupID, "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case q.fifo && o.Delay > 0:
		return q.refuseValue("DelaySeconds", o.Delay.Seconds(), reasonNotForThisTypeOfQueue)
	case o.Delay > MaxDelay:
		return q.refuseValue("DelaySeconds", o.Delay.Seconds(), "DelaySeconds must be >= 0 and <= 900.")
	case !isText(o.Body):
		return q.refuse(CodeInvalidMessageContents, "Invalid characters found. Valid unicode characters are %s", textCharacters)
	}
	if err := q.checkAttributes(o.Attributes); err != nil {
		return err
	}
	if size(o.Body, o.Attributes) > q.settings.MaxMessageSize {
		return q.refuse(CodeInvalidParameterValue, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.settings.MaxMessageSize)
	}
	return nil
}

func clone(attributes map[string]Attribute) map[string]Attribute {
	c := maps.Clone(attributes)
	for name, a := range c {
		a.Binary = bytes.Clone(a.Binary)
		c[name] = a
	}
	return c
}

// A dedup knows what was sent to a FIFO queue within DedupInterval. The zero value is ready.
type dedup struct {
	sent  map[dedupKey]Sent
	order []dedupEntry // the same, oldest first
}

type dedupKey struct{ group, id string }

type dedupEntry struct {
	key dedupKey
	at  time.Time
}

func (d *dedup) remember(key dedupKey, sent Sent, now time.Time) {
	if d.sent == nil {
		d.sent = map[dedupKey]Sent{}
	}
	d.sent[key] = sent
	d.order = append(d.order, dedupEntry{key, now})
}

// forget forgets what was sent DedupInterval ago or before. When nothing is left, so are the
// table and the list, which do not shrink.
func (d *dedup) forget(now time.Time) {
	for len(d.order) > 0 && now.Sub(d.order[0].at) >= DedupInterval {
		delete(d.sent, d.order[0].key)
		d.order[0] = dedupEntry{}
		d.order = d.order[1:]
	}
	if len(d.order) == 0 {
		*d = dedup{}
	}
}
