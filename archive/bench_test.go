package archive

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// detail makes events of about 512 bytes.
var detail = []byte(`{"x":"` + strings.Repeat("x", 300) + `"}`)

// BenchmarkAppend keeps events of about 512 bytes.
func BenchmarkAppend(b *testing.B) {
	for name, open := range map[string]func() Store{
		"memory": func() Store { return &MemoryStore{} },
		"nosync": func() Store { return openFiles(b, b.TempDir(), &FileOptions{NoSync: true}) },
		"sync":   func() Store { return openFiles(b, b.TempDir(), nil) },
	} {
		b.Run(name, func(b *testing.B) {
			s := open()
			e := eventAt("b", midnight)
			e.Detail = detail
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Append(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead finds and reads 10,000 events; an operation is one of them. BenchmarkOpen
// opens the files that they are in.
func BenchmarkRead(b *testing.B) {
	const n = 10000
	for _, name := range []string{"memory", "file"} {
		b.Run(name, func(b *testing.B) {
			s := stores[name](b)
			fill(b, s, n)
			b.ReportAllocs()
			var c Cursor
			for b.Loop() {
				var err error
				if c == nil {
					if c, err = s.Read(b.Context(), always[0], always[1]); err != nil {
						b.Fatal(err)
					}
				}
				if _, err = c.Next(b.Context()); err == io.EOF {
					err = c.Close()
					c = nil
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			if c != nil {
				require.NoError(b, c.Close())
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := OpenFiles(dir, &FileOptions{NoSync: true})
	require.NoError(b, err)
	fill(b, s, 10000)
	b.SetBytes(s.Stats().Bytes)
	require.NoError(b, s.Close())
	for b.Loop() {
		s, err := OpenFiles(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func fill(b *testing.B, s Store, n int) {
	for i := range n {
		e := eventAt(fmt.Sprint(i), midnight)
		e.Detail = detail
		require.NoError(b, s.Append(b.Context(), e))
	}
}
