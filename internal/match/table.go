package match

import (
	"hash/maphash"
	"sync/atomic"
)

// A table is a hash table with strings for keys, for one writer and any number of
// readers at a time. Readers take no lock; they see an entry once it is complete.
// The zero value is empty.
//
// It is open addressing with linear probing. Entries are never removed: an index is
// made anew when much of it is dead. At most 3/4 of the slots are taken, so that a
// probe ends at an empty one.
type table[V any] struct {
	slots atomic.Pointer[[]atomic.Pointer[entry[V]]] // its length is a power of two
	count int                                        // of entries; the writer's
}

type entry[V any] struct {
	key   string
	value V
}

var seed = maphash.MakeSeed()

func hash(key []byte) uint64 { return maphash.Bytes(seed, key) }

// used reports whether there is an entry.
func (t *table[V]) used() bool { return t.slots.Load() != nil }

// get returns the entry of key, or nil. h is key's hash.
func (t *table[V]) get(h uint64, key []byte) *entry[V] {
	slots := t.slots.Load()
	if slots == nil {
		return nil
	}
	mask := uint64(len(*slots) - 1)
	for i := h; ; i++ {
		e := (*slots)[i&mask].Load()
		if e == nil || e.key == string(key) {
			return e
		}
	}
}

// find is get for a key that is a string.
func (t *table[V]) find(key string) *entry[V] { return t.get(maphash.String(seed, key), []byte(key)) }

// insert puts in an entry whose key the table does not have.
func (t *table[V]) insert(e *entry[V]) {
	slots := t.slots.Load()
	if slots == nil || 4*(t.count+1) > 3*len(*slots) {
		slots = grown(slots)
		t.slots.Store(slots)
	}
	putSlot(*slots, e)
	t.count++
}

// grown returns slots of twice the number with the same entries.
func grown[V any](old *[]atomic.Pointer[entry[V]]) *[]atomic.Pointer[entry[V]] {
	if old == nil {
		slots := make([]atomic.Pointer[entry[V]], 2)
		return &slots
	}
	slots := make([]atomic.Pointer[entry[V]], 2*len(*old))
	for i := range *old {
		if e := (*old)[i].Load(); e != nil {
			putSlot(slots, e)
		}
	}
	return &slots
}

func putSlot[V any](slots []atomic.Pointer[entry[V]], e *entry[V]) {
	mask := uint64(len(slots) - 1)
	for i := maphash.String(seed, e.key); ; i++ {
		if slot := &slots[i&mask]; slot.Load() == nil {
			slot.Store(e)
			return
		}
	}
}

// each calls f for each entry.
func (t *table[V]) each(f func(*entry[V])) {
	if slots := t.slots.Load(); slots != nil {
		for i := range *slots {
			if e := (*slots)[i].Load(); e != nil {
				f(e)
			}
		}
	}
}

// A list is a slice that grows while it is read. Readers have the part of it that
// was there when they loaded it.
type list[V any] struct{ items atomic.Pointer[[]V] }

func (l *list[V]) load() []V {
	if items := l.items.Load(); items != nil {
		return *items
	}
	return nil
}

// add appends v; one writer at a time. It writes behind what readers have.
func (l *list[V]) add(v V) {
	items := append(l.load(), v)
	l.items.Store(&items)
}
