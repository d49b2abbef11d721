package dispatch

// A Link is what a work needs to wait in a list. A type is a [Work] by embedding one. It
// belongs to the queue that has the work, whose lock guards it.
//
// Optimization: works that wait take no memory of their own, and to put them in and to
// take them out moves none (BenchmarkPublish). A ring of works, which grows and shrinks,
// took as much again.
type Link struct {
	next Work  // behind it in its list
	lane *lane // nil: it has no order
}

func (l *Link) link() *Link { return l }

// A list is works that wait, first come first.
type list struct {
	first, last Work
	count       int
}

func (l *list) len() int { return l.count }

func (l *list) pushBack(w Work) {
	if l.count == 0 {
		l.first = w
	} else {
		l.last.link().next = w
	}
	l.last = w
	l.count++
}

func (l *list) popFront() Work {
	w := l.first
	k := w.link()
	if l.first, k.next = k.next, nil; l.first == nil {
		l.last = nil
	}
	l.count--
	return w
}

// cut takes out all but the first n works, and returns them, last first.
func (l *list) cut(n int) []Work {
	all := make([]Work, l.count)
	for i := range all {
		all[len(all)-1-i] = l.popFront()
	}
	cut := all[:len(all)-n]
	for i := range n {
		l.pushBack(all[len(all)-1-i])
	}
	return cut
}
