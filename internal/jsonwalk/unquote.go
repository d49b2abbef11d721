package jsonwalk

import (
	"unicode/utf16"
	"unicode/utf8"
)

// AppendUnquoted appends the characters of a valid JSON string to dst. s is what
// stands between its quotes. Raw bytes are kept as they are, invalid UTF-8 too; a
// \u escape that is half of a surrogate pair without its other half becomes
// U+FFFD, as in encoding/json.
func AppendUnquoted(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if i+6 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
					low = hex4(s[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // one of " \ /
			dst = append(dst, s[i])
		}
	}
	return dst
}

// hex4 is the value of four hexadecimal digits.
func hex4(s []byte) (r rune) {
	for _, c := range s[:4] {
		r = r<<4 | hexValue(c)
	}
	return r
}

// hexValue is the value of a hexadecimal digit, or -1.
func hexValue(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
