package queue

import "time"

// MaxBatch is how many entries a batch may have.
const MaxBatch = 10

// A SendEntry is an entry of a [Queue.SendBatch].
type SendEntry struct {
	ID      string // 1 to 80 of A-Z a-z 0-9 - _; differs from those of the batch's other entries
	Message Outgoing
}

// A ReceiptEntry is an entry of a [Queue.DeleteBatch] or a [Queue.ChangeVisibilityBatch].
type ReceiptEntry struct {
	ID         string // as that of a SendEntry
	Receipt    string
	Visibility time.Duration // not of a DeleteBatch
}

// A BatchResult is what became of an entry.
type BatchResult struct {
	ID   string // the entry's
	Sent Sent   // of a SendBatch, if Err is nil
	Err  error  // what the method for one message would return
}

// SendBatch sends up to ten messages, of 1 MiB together, in their order and with no other
// between them. The results are in the order of the entries. If the error is not nil nothing
// was sent: then the batch itself is wrong, or one for a FIFO queue has an entry without
// Group, or without the DedupID that it needs.
func (q *Queue) SendBatch(entries []SendEntry) ([]BatchResult, error) {
	ids, total := make([]string, len(entries)), 0
	for i, e := range entries {
		ids[i] = e.ID
		total += size(e.Message.Body, e.Message.Attributes)
	}
	check := func() error {
		if total > MaxMessageSize {
			return q.refuse(CodeBatchRequestTooLong, "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", MaxMessageSize, total)
		}
		for _, e := range entries {
			switch {
			case q.fifo && e.Message.Group == "":
				return q.refuse(CodeInvalidParameterValue, "The request must contain the parameter MessageGroupId.")
			case q.fifo && e.Message.DedupID == "" && !q.settings.ContentBasedDedup:
				return q.refuse(CodeInvalidParameterValue, reasonNoDedupID)
			}
		}
		return nil
	}
	return q.batch(ids, check, func(i int, now time.Time) (Sent, error) { return q.send(entries[i].Message, now) })
}

// DeleteBatch deletes up to ten messages. If the error is not nil the batch itself is wrong,
// and nothing was deleted.
func (q *Queue) DeleteBatch(entries []ReceiptEntry) ([]BatchResult, error) {
	return q.batch(receiptIDs(entries), nil, func(i int, _ time.Time) (Sent, error) {
		return Sent{}, q.delete(entries[i].Receipt)
	})
}

// ChangeVisibilityBatch changes how long up to ten messages are hidden. If the error is not
// nil the batch itself is wrong, and nothing was changed.
func (q *Queue) ChangeVisibilityBatch(entries []ReceiptEntry) ([]BatchResult, error) {
	return q.batch(receiptIDs(entries), nil, func(i int, now time.Time) (Sent, error) {
		return Sent{}, q.changeVisibility(entries[i].Receipt, entries[i].Visibility, now)
	})
}

func receiptIDs(entries []ReceiptEntry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

// batch does the entries of these IDs, if they, and check, which may be nil, allow it.
func (q *Queue) batch(ids []string, check func() error, do func(i int, now time.Time) (Sent, error)) ([]BatchResult, error) {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	now, err := q.enter()
	if err == nil {
		err = q.checkBatch(ids)
	}
	if err == nil && check != nil {
		err = check()
	}
	if err != nil {
		return nil, err
	}
	results := make([]BatchResult, len(ids))
	for i, id := range ids {
		results[i].ID = id
		results[i].Sent, results[i].Err = do(i, now)
	}
	q.service.settle(q, now)
	return results, nil
}

func (q *Queue) checkBatch(ids []string) error {
	switch {
	case len(ids) == 0:
		return q.refuse(CodeEmptyBatchRequest, "There should be at least one entry in the request.")
	case len(ids) > MaxBatch:
		return q.refuse(CodeTooManyEntries, "Maximum number of entries per request are %d. You have sent %d.", MaxBatch, len(ids))
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			return q.refuse(CodeBatchEntryIDsNotUnique, "Id %s repeated.", id)
		}
		seen[id] = true
		if !isName(id) {
			return q.refuse(CodeInvalidBatchEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
	}
	return nil
}
