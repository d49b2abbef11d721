package footbridge

import (
	"bytes"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// This file has how SaveRules lays out what it writes: each key of a rule begins a line, and
// what fits on the rest of it is not broken.

const (
	maxLine  = 100 // bytes
	brokenTo = 2   // levels that are always broken: the array, and each rule
)

// appendLaidOut appends value, compact JSON, behind what stands on the last line of dst. Its
// lines but the first are indented for a value that is depth levels deep.
func appendLaidOut(dst, value []byte, depth int) []byte {
	column := len(dst) - bytes.LastIndexByte(dst, '\n') - 1
	open := value[0]
	if open != '{' && open != '[' || len(value) == len("{}") {
		return append(dst, value...)
	}
	if depth >= brokenTo && column+len(value) <= maxLine {
		if line := appendSpaced(dst, value); len(line)-len(dst)+column <= maxLine {
			return line
		}
	}
	newline := "\n" + strings.Repeat("  ", depth)
	closing := open + 2 // in ASCII
	dst = append(dst, open)
	for i, more := jsonwalk.Open(value, 0, closing); more; { // of what is JSON no error comes
		dst = append(dst, newline+"  "...)
		if open == '{' {
			end, _, _ := jsonwalk.String(value, i)
			dst = append(append(dst, value[i:end]...), ": "...)
			i, _ = jsonwalk.Colon(value, end)
		}
		end, _ := jsonwalk.Pass(value, i)
		dst = appendLaidOut(dst, value[i:end], depth+1)
		if i, more, _ = jsonwalk.Next(value, end, closing); more {
			dst = append(dst, ',')
		}
	}
	return append(append(dst, newline...), closing)
}

// appendSpaced appends value, compact JSON, with a blank behind each colon and comma.
func appendSpaced(dst, value []byte) []byte {
	for i := 0; i < len(value); {
		if value[i] == '"' {
			end, _, _ := jsonwalk.String(value, i)
			dst = append(dst, value[i:end]...)
			i = end
			continue
		}
		dst = append(dst, value[i])
		if value[i] == ',' || value[i] == ':' {
			dst = append(dst, ' ')
		}
		i++
	}
	return dst
}
