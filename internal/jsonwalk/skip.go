package jsonwalk

// Skip returns the position behind the value at i, which it validates. The value
// stands inside depth objects and arrays, of at most limit. It keeps one bit for each
// open object or array, 64 levels to a stack frame, so that hostile nesting costs
// little stack.
func Skip(data []byte, i, depth, limit int) (int, *SyntaxError) {
	objects := uint64(0) // bit n: level n is an object
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
