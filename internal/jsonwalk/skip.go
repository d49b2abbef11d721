package jsonwalk

import "math/bits"

// Skip returns the position behind the value at i, which it validates. The value
// stands inside depth objects and arrays, of at most limit.
func Skip(data []byte, i, depth, limit int) (int, *SyntaxError) {
	if end := skip(data, i, limit-depth); end >= 0 {
		return end, nil
	}
	return skipPlain(data, i, depth, limit)
}

// Valid returns nil if data is one JSON value with at most limit levels of nesting.
func Valid(data []byte, limit int) *SyntaxError {
	i, err := Skip(data, Space(data, 0), 0, limit)
	if err != nil {
		return err
	}
	return End(data, i)
}

// skip is Skip for most values, the fast twin of skipPlain: it returns -1 for one that
// is not valid, nests deeper than room, or deeper than there are bits in a word; then
// skipPlain is to look at it.
//
// Optimization: one loop with what is frequent in line, words of eight bytes, and no
// errors. BenchmarkSkip prices it.
func skip(data []byte, i, room int) int {
	objects, level := uint64(0), 0 // bit 0: the innermost is an object
	for {
		// A value, at i.
		if i >= len(data) {
			return -1
		}
		switch c := data[i]; c {
		case '"':
			if i+9 <= len(data) {
				if m := stops(load(data, i+1)); m != 0 {
					if end := i + 1 + bits.TrailingZeros64(m)/8; data[end] == '"' {
						i = end + 1
						break
					}
				}
			}
			if i = stringEnd(data, i); i < 0 {
				return -1
			}
		case '{', '[':
			if level == 64 || level >= room {
				return -1
			}
			level++
			objects <<= 1
			if i++; i < len(data) && data[i] <= ' ' {
				i = Space(data, i)
			}
			if c == '{' {
				objects |= 1
				if i < len(data) && data[i] == '"' {
					if i = keyEnd(data, i); i < 0 {
						return -1
					}
					continue
				}
			}
			if i >= len(data) || data[i] != c+2 {
				if c == '{' {
					return -1
				}
				continue
			}
			i++
			level--
			objects >>= 1
		case 't', 'n':
			if i+4 > len(data) || string(data[i:i+4]) != "true" && string(data[i:i+4]) != "null" {
				return -1
			}
			i += 4
		case 'f':
			if i+5 > len(data) || string(data[i:i+5]) != "false" {
				return -1
			}
			i += 5
		default:
			if i = numberEnd(data, i); i < 0 {
				return -1
			}
		}
		// Behind a value: close what ends here, up to a comma.
		for {
			if level == 0 {
				return i
			}
			if i < len(data) && data[i] <= ' ' {
				i = Space(data, i)
			}
			if i >= len(data) {
				return -1
			}
			c := data[i]
			i++
			if c == ',' {
				break
			}
			if c != ']'+byte(objects&1)<<5 { // '}' of an object
				return -1
			}
			level--
			objects >>= 1
		}
		if i < len(data) && data[i] <= ' ' {
			i = Space(data, i)
		}
		if objects&1 != 0 {
			if i = keyEnd(data, i); i < 0 {
				return -1
			}
		}
	}
}

// stringEnd returns the position behind the string whose opening quote is data[i], or
// -1 if it is none.
func stringEnd(data []byte, i int) int {
	for j := i + 1; j+8 <= len(data); j += 8 {
		if m := stops(load(data, j)); m != 0 {
			if j += bits.TrailingZeros64(m) / 8; data[j] == '"' {
				return j + 1
			}
			break
		}
	}
	end, _, err := String(data, i)
	if err != nil {
		return -1
	}
	return end
}

// keyEnd returns the position of the value whose key begins at i, or -1 if there is
// none. That it branches by the key's length, and does not compute with it, lets the
// processor run ahead where keys come in the same order again and again.
func keyEnd(data []byte, i int) int {
	if i+11 <= len(data) && data[i] == '"' {
		end := i
		switch bits.TrailingZeros64(stops(load(data, i+1))) / 8 {
		case 0:
			end = i + 1
		case 1:
			end = i + 2
		case 2:
			end = i + 3
		case 3:
			end = i + 4
		case 4:
			end = i + 5
		case 5:
			end = i + 6
		case 6:
			end = i + 7
		case 7:
			end = i + 8
		default:
			if i+20 <= len(data) {
				end = i + 9 + bits.TrailingZeros64(stops(load(data, i+9)))/8
			}
		}
		if end > i && data[end] == '"' && data[end+1] == ':' && data[end+2] > ' ' {
			return end + 2
		}
	}
	i, err := key(data, i)
	if err != nil {
		return -1
	}
	return i
}

// skipPlain is the readable twin of skip. It keeps one bit for each open object or
// array, 64 levels to a stack frame, so that hostile nesting costs little stack.
func skipPlain(data []byte, i, depth, limit int) (int, *SyntaxError) {
	objects := uint64(0) // bit 0: the innermost is an object
	for level := 0; ; {
		var err *SyntaxError
		switch {
		case i >= len(data) || data[i] != '{' && data[i] != '[':
			if i, err = Scalar(data, i); err != nil {
				return i, err
			}
		case depth+level >= limit:
			return i, ErrorDepth(i, limit)
		case level == 64:
			if i, err = Skip(data, i, depth+level, limit); err != nil {
				return i, err
			}
		default:
			object := data[i] == '{'
			var more bool
			if i, more = Open(data, i, closer(object)); more {
				objects <<= 1
				if object {
					objects |= 1
					if i, err = key(data, i); err != nil {
						return i, err
					}
				}
				level++
				continue
			}
		}
		// A value ends at i: close what ends with it, then go to the next.
		for more := false; !more; {
			if level == 0 {
				return i, nil
			}
			object := objects&1 != 0
			if i, more, err = Next(data, i, closer(object)); err != nil {
				return i, err
			}
			if !more {
				objects >>= 1
				level--
			} else if object {
				if i, err = key(data, i); err != nil {
					return i, err
				}
			}
		}
	}
}

// key returns the position of the value whose key begins at i.
func key(data []byte, i int) (int, *SyntaxError) {
	i, _, err := String(data, i)
	if err != nil {
		return i, err
	}
	return Colon(data, i)
}

func closer(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}
