package match

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// reserved are the names that may not be fields directly inside a $or branch.
var reserved = []string{
	"exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists",
	"<", "<=", "=", ">=", ">",
}

// compileValues compiles the array of a field: the values it may have.
func compileValues(t tree, at *place) (*values, *Error) {
	m := &moreValues{}
	if len(t.kids) == 0 {
		return nil, at.errorf(t.offset, "Empty arrays are not allowed")
	}
	for i, kid := range t.kids {
		at := at.index(i)
		var err *Error
		switch kid.kind {
		case object:
			err = m.addOperator(kid, at)
		case array:
			err = at.errorf(kid.offset, "Match value must be String, number, true, false, or null")
		case str:
			m.addString(kid)
		default:
			m.addLiteral(kid)
		}
		if err != nil {
			return nil, err
		}
	}
	v := m.values()
	return &v, nil
}

// addOperator adds a match expression such as {"prefix":"a"}.
func (m *moreValues) addOperator(t tree, at *place) *Error {
	if len(t.keys) == 0 {
		return at.errorf(t.offset, "Match expression name not found")
	}
	if len(t.keys) > 1 {
		return at.errorf(t.offset, "Only one key allowed in match expression")
	}
	name, arg := t.keys[0], t.kids[0]
	at = at.key(name)
	switch name {
	case "exists":
		if arg.kind != boolTrue && arg.kind != boolFalse {
			return at.errorf(arg.offset, "exists match pattern must be either true or false.")
		}
		if arg.kind == boolFalse {
			m.absent = true
		} else {
			m.tests = append(m.tests, exists{})
		}
		return nil
	case "exactly":
		if arg.kind != str {
			return at.errorf(arg.offset, "exact match pattern must be a string")
		}
		m.addLiteral(arg) // the text: not an address in other spellings
		return nil
	}
	test, err := compileTest(name, arg, at)
	if err != nil {
		return err
	}
	m.tests = append(m.tests, test)
	return nil
}

func compileTest(name string, arg tree, at *place) (test, *Error) {
	switch name {
	case "prefix", "suffix":
		if arg.kind == object {
			return compileAffixFold(name, arg, at)
		}
		return compileText(name, arg, at)
	case "equals-ignore-case", "wildcard":
		return compileText(name, arg, at)
	case "cidr":
		return compileCIDR(arg, at)
	case "numeric":
		return compileNumeric(arg, at)
	case "anything-but":
		return compileAnythingBut(arg, at)
	}
	return nil, at.errorf(arg.offset, "Unrecognized match type %s", name)
}

// compileAffixFold compiles {"prefix":{"equals-ignore-case":"a"}} and the same for suffix.
func compileAffixFold(name string, arg tree, at *place) (test, *Error) {
	if len(arg.keys) == 0 {
		return nil, at.errorf(arg.offset, "%s expression name not found", map[string]string{"prefix": "Prefix", "suffix": "Suffix"}[name])
	}
	if len(arg.keys) > 1 {
		return nil, at.errorf(arg.offset, "Only one key allowed in match expression")
	}
	if arg.keys[0] != "equals-ignore-case" {
		return nil, at.key(arg.keys[0]).errorf(arg.kids[0].offset, "Unsupported %s pattern: %s", name, arg.keys[0])
	}
	at, arg = at.key(arg.keys[0]), arg.kids[0]
	if arg.kind != str {
		return nil, at.errorf(arg.offset, "equals-ignore-case match pattern must be a string")
	}
	if name == "prefix" {
		return prefixFold(arg.text), nil
	}
	return suffixFold(arg.text), nil
}

// compileText compiles the operators whose argument is one string.
func compileText(name string, arg tree, at *place) (test, *Error) {
	if arg.kind != str {
		return nil, at.errorf(arg.offset, "%s match pattern must be a string", name)
	}
	switch name {
	case "prefix":
		return prefix(arg.text), nil
	case "suffix":
		return suffix(arg.text), nil
	case "equals-ignore-case":
		return equalsFold(arg.text), nil
	default:
		return compileWildcard(arg, at)
	}
}

// compileWildcard splits the text at its stars; \* and \\ stand for * and \. The
// positions in its errors are the service's: in bytes, the opening quote counted.
func compileWildcard(arg tree, at *place) (test, *Error) {
	w := wildcard{}
	var part strings.Builder
	text := arg.text
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*':
			if i+1 < len(text) && text[i+1] == '*' {
				return nil, at.errorf(arg.offset, "Consecutive wildcard characters at pos %d", i+1)
			}
			w.parts = append(w.parts, part.String())
			part.Reset()
			continue
		case '\\':
			i++
			if i >= len(text) || text[i] != '*' && text[i] != '\\' {
				return nil, at.errorf(arg.offset, "Invalid escape character at pos %d", i)
			}
		}
		part.WriteByte(text[i])
	}
	w.parts = append(w.parts, part.String())
	return w, nil
}

func compileCIDR(arg tree, at *place) (test, *Error) {
	if arg.kind != str {
		return nil, at.errorf(arg.offset, "prefix match pattern must be a string") // the service says prefix here
	}
	address, bits, _ := strings.Cut(arg.text, "/")
	if bits == "" || strings.Contains(bits, "/") {
		return nil, at.errorf(arg.offset, "Malformed CIDR, one '/' required")
	}
	n, err := strconv.Atoi(bits)
	if err != nil {
		return nil, at.errorf(arg.offset, "Malformed CIDR, mask bits must be an integer")
	}
	if n < 0 {
		return nil, at.errorf(arg.offset, "Malformed CIDR, mask bits must not be negative")
	}
	addr, ok := parseIP(address)
	if !ok {
		return nil, at.errorf(arg.offset, "Nonstandard IP address: %s", address)
	}
	if n >= addr.BitLen() {
		return nil, at.errorf(arg.offset, "IPv%d mask bits must be < %d", map[int]int{32: 4, 128: 6}[addr.BitLen()], addr.BitLen())
	}
	return cidr{netip.PrefixFrom(addr, n).Masked()}, nil
}

func compileNumeric(arg tree, at *place) (test, *Error) {
	if arg.kind != array {
		return nil, at.errorf(arg.offset, "Value of numeric must be an array.")
	}
	if len(arg.kids) == 0 {
		return nil, at.errorf(arg.offset, "Invalid member in numeric match: the array is empty")
	}
	op, bound, err := compileBound(arg, 0, at)
	if err != nil {
		return nil, err
	}
	bottom := bound
	r := numeric{math.Inf(-1), math.Inf(1)}
	switch op {
	case "=":
		r = numeric{bound, bound}
	case "<", "<=":
		r.high = highest(op, bound)
	case ">":
		r.low = math.Nextafter(bound, math.Inf(1))
	case ">=":
		r.low = bound
	}
	if len(arg.kids) == 2 {
		return r, nil
	}
	extra := arg.kids[2]
	if op != ">" && op != ">=" {
		return nil, at.index(2).errorf(extra.offset, "Too many elements in numeric expression")
	}
	upper, bound, err := compileBound(arg, 2, at)
	if err != nil {
		return nil, err
	}
	if upper != "<" && upper != "<=" {
		return nil, at.index(2).errorf(extra.offset, "Bad numeric range operator: %s", upper)
	}
	if len(arg.kids) > 4 {
		return nil, at.index(4).errorf(arg.kids[4].offset, "Too many terms in numeric range expression")
	}
	if r.high = highest(upper, bound); bottom >= bound {
		return nil, at.errorf(arg.offset, "Bottom must be less than top")
	}
	return r, nil
}

// highest is the highest float64 that is op, < or <=, than bound.
func highest(op string, bound float64) float64 {
	if op == "<" {
		return math.Nextafter(bound, math.Inf(-1))
	}
	return bound
}

// notExactReason refuses a number that is to be compared by value but has no exact one.
const notExactReason = "Value of %s must be exactly representable as a 64-bit float, got %s"

// compileBound compiles the operator at element i of a numeric's array and the number behind it.
func compileBound(arg tree, i int, at *place) (op string, bound float64, err *Error) {
	op = arg.kids[i].text
	switch {
	case arg.kids[i].kind != str:
		return "", 0, at.index(i).errorf(arg.kids[i].offset, "Invalid member in numeric match: want an operator, got %s", arg.kids[i].kind)
	case op != "=" && op != "<" && op != "<=" && op != ">" && op != ">=":
		return "", 0, at.index(i).errorf(arg.kids[i].offset, "Unrecognized numeric range operator: %s", op)
	case i+1 >= len(arg.kids):
		return "", 0, at.index(i).errorf(arg.kids[i].offset, "Value of %s must be numeric", op)
	case arg.kids[i+1].kind != number:
		return "", 0, at.index(i+1).errorf(arg.kids[i+1].offset, "Value of %s must be numeric", op)
	}
	bound = parseFloat(arg.kids[i+1].text)
	if !isExact(bound, arg.kids[i+1].text) {
		return "", 0, at.index(i+1).errorf(arg.kids[i+1].offset, notExactReason, op, arg.kids[i+1].text)
	}
	return op, bound, nil
}

const (
	anythingButValue = "Value of anything-but must be an array or single string/number value."
	anythingButMixed = "Inside anything but list, either all values are number or string, mixed type is not supported"
)

// compileAnythingBut compiles the values that a field may not have.
func compileAnythingBut(arg tree, at *place) (test, *Error) {
	if arg.kind == object {
		return compileAnythingButText(arg, at)
	}
	list := []tree{arg}
	if arg.kind == array {
		list = arg.kids
	}
	var m moreValues
	for i, kid := range list {
		kidAt := at
		if arg.kind == array {
			kidAt = at.index(i)
		}
		switch {
		case kid.kind != str && kid.kind != number:
			return nil, kidAt.errorf(kid.offset, anythingButValue)
		case kid.kind != list[0].kind:
			return nil, kidAt.errorf(kid.offset, anythingButMixed)
		case kid.kind == number && !isExact(parseFloat(kid.text), kid.text):
			return nil, kidAt.errorf(kid.offset, notExactReason, "anything-but", kid.text)
		}
		m.addLiteral(kid)
	}
	if len(list) == 0 {
		return nil, at.errorf(arg.offset, anythingButMixed)
	}
	return &anythingBut{m.values()}, nil
}

// anythingButNotString is what the service says of an argument that is not a string.
var anythingButNotString = map[string]string{
	"prefix":             "prefix/suffix match pattern must be a string",
	"suffix":             "prefix/suffix match pattern must be a string",
	"equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
	"wildcard":           "wildcard match pattern must be a string",
}

// compileAnythingButText compiles {"anything-but":{"prefix":"a"}} and its relatives.
func compileAnythingButText(arg tree, at *place) (test, *Error) {
	if len(arg.keys) == 0 {
		return nil, at.errorf(arg.offset, "Anything-But expression name not found")
	}
	if len(arg.keys) > 1 {
		return nil, at.errorf(arg.offset, "Only one key allowed in match expression")
	}
	name := arg.keys[0]
	outer, outerOffset := at, arg.offset
	at, arg = at.key(name), arg.kids[0]
	switch {
	case name == "wildcard" || name == "equals-ignore-case":
	case name == "prefix" || name == "suffix":
		if arg.kind == object {
			return nil, outer.errorf(outerOffset, anythingButValue)
		}
	default:
		return nil, at.errorf(arg.offset, "Unsupported anything-but pattern: %s", name)
	}
	list := []tree{arg}
	if arg.kind == array {
		list = arg.kids
	}
	if len(list) == 0 {
		return nil, at.errorf(arg.offset, "Empty arrays are not allowed")
	}
	var m moreValues
	for i, kid := range list {
		kidAt := at
		if arg.kind == array {
			kidAt = at.index(i)
		}
		if kid.kind == str && kid.text == "" && (name == "prefix" || name == "suffix") {
			return nil, kidAt.errorf(kid.offset, "Null prefix/suffix not allowed")
		}
		if kid.kind != str {
			return nil, kidAt.errorf(kid.offset, "%s", anythingButNotString[name])
		}
		test, err := compileText(name, kid, kidAt)
		if err != nil {
			return nil, err
		}
		m.tests = append(m.tests, test)
	}
	return &anythingBut{m.values()}, nil
}
