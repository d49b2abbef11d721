package dispatch

// A deque is a queue with two ends, in a ring that grows and shrinks with it.
type deque struct {
	ring  []item // its length is zero or a power of two
	first int
	count int
}

func (d *deque) len() int { return d.count }

// at returns the place of the item that is i behind the first.
func (d *deque) at(i int) *item { return &d.ring[(d.first+i)&(len(d.ring)-1)] }

func (d *deque) pushBack(it item) {
	d.fit(d.count + 1)
	*d.at(d.count) = it
	d.count++
}

func (d *deque) popFront() item {
	it := *d.at(0)
	*d.at(0) = item{}
	d.first = (d.first + 1) & (len(d.ring) - 1)
	d.count--
	d.fit(d.count)
	return it
}

func (d *deque) popBack() item {
	d.count--
	it := *d.at(d.count)
	*d.at(d.count) = item{}
	d.fit(d.count)
	return it
}

// smallRing is the length from which rings shrink: to half when a quarter is used.
const smallRing = 64

// fit makes the ring long enough for n items, and shorter if it is far too long.
func (d *deque) fit(n int) {
	size := len(d.ring)
	switch {
	case n > size:
		size = max(4, 2*size)
	case size > smallRing && n <= size/4:
		size /= 2
	default:
		return
	}
	ring := make([]item, size)
	for i := range d.count {
		ring[i] = *d.at(i)
	}
	d.ring, d.first = ring, 0
}
