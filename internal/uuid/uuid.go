// Package uuid makes the IDs of events, messages and requests.
package uuid

import (
	"encoding/binary"
	"math/rand/v2"
)

// New returns a random UUID (version 4, RFC 9562). An ID is no secret: the
// runtime's generator, ChaCha8 seeded by the system, is random enough and costs a
// tenth of reading the system's.
func New() string {
	hi, lo := rand.Uint64(), rand.Uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 1<<63
	var hex [32]byte
	putHex(hex[0:], uint32(hi>>32))
	putHex(hex[8:], uint32(hi))
	putHex(hex[16:], uint32(lo>>32))
	putHex(hex[24:], uint32(lo))
	var id [36]byte
	copy(id[0:], hex[0:8])
	copy(id[9:], hex[8:12])
	copy(id[14:], hex[12:16])
	copy(id[19:], hex[16:20])
	copy(id[24:], hex[20:32])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return string(id[:])
}

// putHex writes the eight digits of x.
//
// Optimization: all at once, each in a byte of its own (BenchmarkNew).
func putHex(b []byte, x uint32) {
	v := uint64(x)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (v + 0x0606060606060606) >> 4 & 0x0101010101010101 // 1 where it is 10 or more
	binary.BigEndian.PutUint64(b, v+0x3030303030303030+letters*('a'-'0'-10))
}
