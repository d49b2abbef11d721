package queue

// HasTimer reports whether q has a timer.
func (q *Queue) HasTimer() bool {
	q.service.mu.Lock()
	defer q.service.mu.Unlock()
	return q.timer != nil
}
