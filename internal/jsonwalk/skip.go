package jsonwalk

// Skip returns the position behind the value at i, which it validates. The value
// stands inside depth objects and arrays. It keeps one bit for each open object or
// array instead of a stack frame, so hostile nesting costs no stack.
func Skip(data []byte, i, depth, limit int) (int, *SyntaxError) {
	var open nesting
	for {
		var err *SyntaxError
		// A value begins at i.
		switch {
		case i < len(data) && (data[i] == '{' || data[i] == '['):
			if depth+open.n >= limit {
				return i, ErrorDepth(i, limit)
			}
			object := data[i] == '{'
			var more bool
			if i, more = Open(data, i, closer(object)); more {
				open.push(object)
				if object {
					if i, err = key(data, i); err != nil {
						return i, err
					}
				}
				continue
			}
		default:
			if i, err = Scalar(data, i); err != nil {
				return i, err
			}
		}
		// A value ends at i: close what ends with it, then go to the next.
		for {
			if open.n == 0 {
				return i, nil
			}
			object := open.top()
			var more bool
			if i, more, err = Next(data, i, closer(object)); err != nil {
				return i, err
			}
			if !more {
				open.n--
				continue
			}
			if object {
				if i, err = key(data, i); err != nil {
					return i, err
				}
			}
			break
		}
	}
}

// Valid returns nil if data is one JSON value with at most limit levels of nesting.
func Valid(data []byte, limit int) *SyntaxError {
	i, err := Skip(data, Space(data, 0), 0, limit)
	if err != nil {
		return err
	}
	return End(data, i)
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

// nesting is a stack of bits: true for an object, false for an array.
type nesting struct {
	n    int
	bits [(MaxDepth + 63) / 64]uint64
}

func (s *nesting) push(object bool) {
	word, bit := s.n/64, uint64(1)<<(s.n%64)
	if object {
		s.bits[word] |= bit
	} else {
		s.bits[word] &^= bit
	}
	s.n++
}

func (s *nesting) top() bool { return s.bits[(s.n-1)/64]&(1<<((s.n-1)%64)) != 0 }
