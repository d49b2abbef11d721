package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Error says why a pattern was refused and where.
type Error struct {
	Pointer string // JSON pointer (RFC 6901) of the value that was refused
	Offset  int    // of that value in the pattern's text, in bytes
	Reason  string // in the service's own words where it has them
}

// A place is where the compiler stands: a key, or an index, below another place.
// It is spelt out as a JSON pointer only when there is an error to report.
type place struct {
	parent *place // nil for the top level
	name   string
	number int // index, if name is unused
}

func (p *place) key(name string) *place { return &place{p, name, -1} }
func (p *place) index(i int) *place     { return &place{p, "", i} }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (p *place) pointer() string {
	var parts []string
	for ; p != nil; p = p.parent {
		if p.number >= 0 {
			parts = append(parts, strconv.Itoa(p.number))
		} else {
			parts = append(parts, pointerEscapes.Replace(p.name))
		}
	}
	if parts == nil {
		return ""
	}
	slices.Reverse(parts)
	return "/" + strings.Join(parts, "/")
}

func (p *place) errorf(offset int, format string, args ...any) *Error {
	return &Error{Pointer: p.pointer(), Offset: offset, Reason: fmt.Sprintf(format, args...)}
}
