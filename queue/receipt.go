package queue

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A receipt handle names a queue, a message in it, and which of its receives it stands for.

const receiptSize = 24 // bytes, before they are encoded

func (q *Queue) receipt(m *message) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, receiptSize), q.nonce)
	b = binary.BigEndian.AppendUint64(b, m.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(m.receives))
	return base64.StdEncoding.EncodeToString(b)
}

// find returns the message that a handle names, nil if it is gone, and whether the handle is
// of its last receive. In a FIFO queue it may not be of another, or be used after the
// visibility timeout.
func (q *Queue) find(receipt string) (m *message, last bool, err error) {
	b, err := base64.StdEncoding.DecodeString(receipt) // which passes over line ends
	long := len(receipt) > base64.StdEncoding.EncodedLen(receiptSize)
	if err != nil || long || len(b) != receiptSize || binary.BigEndian.Uint64(b) != q.nonce {
		return nil, false, q.refuse(CodeReceiptHandleIsInvalid, "The input receipt handle %.100q is not a valid receipt handle.", receipt)
	}
	m = q.messages[binary.BigEndian.Uint64(b[8:])]
	if m == nil {
		return nil, false, nil
	}
	last = binary.BigEndian.Uint64(b[16:]) == uint64(m.receives)
	if q.fifo && (!last || m.state != inFlight) {
		return nil, false, q.refuseValue("ReceiptHandle", receipt, "The receipt handle has expired.")
	}
	return m, last, nil
}

// Delete deletes the message that was received with that handle. If it is gone already there
// is no error.
//
// In a standard queue the handle may be used after the visibility timeout; when the message
// was received again since, there is no error, but the message stays. In a FIFO queue a handle
// expires with the visibility timeout, and the error has the code InvalidParameterValue.
func (q *Queue) Delete(receipt string) error {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err != nil {
		return err
	}
	defer q.service.settle(q, now)
	return q.delete(receipt)
}

func (q *Queue) delete(receipt string) error {
	m, last, err := q.find(receipt)
	if m != nil && last {
		q.move(m, absent)
	}
	return err
}

// ChangeVisibility hides the message that was received with that handle for d from now; zero,
// or less, makes it ready. With what has passed since it was received that may be 12 hours at
// most. The handle must be of the last receive. In a standard queue, after the visibility
// timeout, there is no error, and the message stays ready; in a FIFO queue the handle has
// expired, as with Delete.
func (q *Queue) ChangeVisibility(receipt string, d time.Duration) error {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err != nil {
		return err
	}
	defer q.service.settle(q, now)
	return q.changeVisibility(receipt, d, now)
}

func (q *Queue) changeVisibility(receipt string, d time.Duration, now time.Time) error {
	m, last, err := q.find(receipt)
	switch {
	case err != nil:
		return err
	case m == nil || !last:
		return q.refuseValue("ReceiptHandle", receipt, "Message does not exist or is not available for visibility timeout change.")
	case d > MaxVisibilityTimeout:
		return q.refuseValue("VisibilityTimeout", d.Seconds(), "Must be >= 0 and <= 43200, if provided.")
	case now.Add(d).Sub(m.received) > MaxVisibilityTimeout:
		return q.refuseValue("VisibilityTimeout", d.Seconds(), "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	case m.state != inFlight: // ready again, and anybody's
	case d > 0:
		m.visible = now.Add(d)
		q.move(m, inFlight)
	default:
		q.move(m, ready)
	}
	return nil
}
