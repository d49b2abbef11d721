package explain

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A field is a leaf of a pattern: where it is and the values it may have.
type field struct {
	path    string   // keys joined with dots
	keys    []string // no key has a dot
	pointer string   // JSON pointer in the pattern
	values  []value
	owner   *branch // that it stands in
}

// mayBeAbsent reports whether one of the values is {"exists":false}.
func (f *field) mayBeAbsent() bool { return slices.ContainsFunc(f.values, isAbsence) }

func isAbsence(v value) bool {
	return v.kind == '{' && v.keys[0] == "exists" && v.kids[0].kind == 'f'
}

func (f *field) holds(leaf *value) bool {
	return slices.ContainsFunc(f.values, func(want value) bool { return holds(want, leaf) })
}

// A branch is a pattern, or one of the objects of a $or in it: its fields, and the $ors
// that stand in it, at any depth.
type branch struct {
	fields []*field
	ors    []*or
}

// An or is a $or.
type or struct {
	path, pointer string
	branches      []*branch
}

// A combination is the fields that hold together for one choice of $or branches, by path.
type combination struct {
	fields   map[string]*field
	branches []*branch // that are chosen
}

// sorted returns the fields in byte order of their paths: the order absence is judged in.
func (c *combination) sorted() []*field {
	return slices.SortedFunc(maps.Values(c.fields), func(a, b *field) int { return strings.Compare(a.path, b.path) })
}

// parsePattern reads a pattern that Compile has accepted. all is its disjunction.
func parsePattern(source string) (top *branch, all []combination) {
	data := []byte(source)
	v, _ := parse(source, data, jsonwalk.Space(data, 0))
	top = &branch{}
	return top, top.add([]combination{{fields: make(map[string]*field)}}, v, "", "")
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// add adds an object of the pattern to b, and to each of the combinations so far. A field
// that is set already, by an earlier key or branch, is replaced.
func (b *branch) add(all []combination, v value, prefix, pointer string) []combination {
	for i, key := range v.keys {
		kid, at := v.kids[i], pointer+"/"+pointerEscapes.Replace(key)
		switch {
		case key == "$or":
			all = b.addOr(all, kid, prefix, at)
		case kid.kind == '{':
			all = b.add(all, kid, prefix+key+".", at)
		default:
			path := prefix + key
			f := &field{path: path, keys: strings.Split(path, "."), pointer: at, values: kid.kids, owner: b}
			b.fields = append(b.fields, f)
			for _, c := range all {
				c.fields[path] = f
			}
		}
	}
	return all
}

func (b *branch) addOr(all []combination, v value, prefix, pointer string) (out []combination) {
	o := &or{path: prefix + "$or", pointer: pointer}
	b.ors = append(b.ors, o)
	for i, kid := range v.kids {
		chosen := &branch{}
		o.branches = append(o.branches, chosen)
		var copies []combination
		for _, c := range all {
			copies = append(copies, combination{maps.Clone(c.fields), append(slices.Clip(c.branches), chosen)})
		}
		out = append(out, chosen.add(copies, kid, prefix, pointer+"/"+strconv.Itoa(i))...)
	}
	return out
}
