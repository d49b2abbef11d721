package match

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// A table is a hash table for one writer and any number of readers at a time. Readers
// take no lock; they see an entry once it is complete. The zero value is empty.
//
// It is open addressing with linear probing. Entries are never removed: an index is
// made anew when much of it is dead. At most 3/4 of the slots are taken, so that a
// probe ends at an empty one.
type table[K tableKey, V any] struct {
	slots atomic.Pointer[[]atomic.Pointer[entry[K, V]]] // its length is a power of two
	count int                                           // of entries; the writer's
}

type entry[K tableKey, V any] struct {
	key   K
	value V
}

type tableKey interface {
	comparable
	hash() uint64
}

// The keys that tables have.
type (
	textKey   string
	numberKey uint64
)

// Seeds of the hashes, drawn once: nobody outside knows which keys collide.
var (
	seed    = maphash.MakeSeed()
	numSeed = maphash.String(seed, "numbers")
)

func (k textKey) hash() uint64 { return maphash.String(seed, string(k)) }

func (k numberKey) hash() uint64 {
	high, low := bits.Mul64(uint64(k)^numSeed, 0x9e3779b97f4a7c15)
	return high ^ low
}

// used reports whether there is an entry.
func (t *table[K, V]) used() bool { return t.slots.Load() != nil }

// get returns the entry of key, whose hash is h, or nil.
func (t *table[K, V]) get(h uint64, key K) *entry[K, V] {
	slots := t.slots.Load()
	if slots == nil {
		return nil
	}
	mask := uint64(len(*slots) - 1)
	for i := h; ; i++ {
		e := (*slots)[i&mask].Load()
		if e == nil || e.key == key {
			return e
		}
	}
}

// find is get for those who do not have the hash.
func (t *table[K, V]) find(key K) *entry[K, V] { return t.get(key.hash(), key) }

// insert puts in an entry whose key the table does not have.
func (t *table[K, V]) insert(e *entry[K, V]) {
	slots := t.slots.Load()
	if slots == nil || 4*(t.count+1) > 3*len(*slots) {
		slots = grown(slots)
		t.slots.Store(slots)
	}
	putSlot(*slots, e)
	t.count++
}

// grown returns slots of twice the number with the same entries.
func grown[K tableKey, V any](old *[]atomic.Pointer[entry[K, V]]) *[]atomic.Pointer[entry[K, V]] {
	if old == nil {
		slots := make([]atomic.Pointer[entry[K, V]], 2)
		return &slots
	}
	slots := make([]atomic.Pointer[entry[K, V]], 2*len(*old))
	for i := range *old {
		if e := (*old)[i].Load(); e != nil {
			putSlot(slots, e)
		}
	}
	return &slots
}

func putSlot[K tableKey, V any](slots []atomic.Pointer[entry[K, V]], e *entry[K, V]) {
	mask := uint64(len(slots) - 1)
	for i := e.key.hash(); ; i++ {
		if slot := &slots[i&mask]; slot.Load() == nil {
			slot.Store(e)
			return
		}
	}
}

// each calls f for each entry.
func (t *table[K, V]) each(f func(*entry[K, V])) {
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
