package transform

import (
	"fmt"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A piece of a template is text, or a variable.
type piece struct {
	text     string
	variable variable
	quoted   bool // the variable stands inside a string
}

// A variable is the index of a path, or one of the constants below.
type variable int

const (
	noVariable variable = -1 - iota
	ruleARN
	ruleName
	ingestionTime
	eventWithoutDetail
	wholeEvent
)

// reserved are the variables that every template has.
var reserved = map[string]variable{
	"aws.events.rule-arn":             ruleARN,
	"aws.events.rule-name":            ruleName,
	"aws.events.event.ingestion-time": ingestionTime,
	"aws.events.event":                eventWithoutDetail,
	"aws.events.event.json":           wholeEvent,
}

// Compile compiles an input transformer: paths by the names of their variables, and a
// template with variables in angle brackets. The error is an *Error.
//
// A template is JSON with variables for values and in strings, or text: one or more
// quoted lines. What is between angle brackets and cannot be a name is text.
func Compile(paths map[string]string, template string) (*Transformer, error) {
	compiled := make(map[string]*Path, len(paths))
	for name, path := range paths {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f || !isName(byte(r)) }) {
			return nil, &Error{Field: "InputPathsMap", Reason: fmt.Sprintf("has a bad name: want A-Z a-z 0-9 _ -, got %q.", name)}
		}
		p, offset, reason := parsePath(path)
		if reason != "" {
			return nil, &Error{Field: "InputPathsMap", Name: name, Offset: offset, Reason: "is not valid: " + reason + "."}
		}
		compiled[name] = p
	}
	c := compiler{template: template, skeleton: []byte(template), paths: compiled, indexes: make(map[string]variable), t: &Transformer{root: &node{}}}
	if err := c.compile(); err != nil {
		return nil, err
	}
	return c.t, nil
}

type compiler struct {
	template string
	paths    map[string]*Path
	indexes  map[string]variable // of those that are used
	t        *Transformer
	text     []byte // of the piece that is being read
	skeleton []byte // the template with "" and blanks for variables that are not in strings: offsets are the template's
}

func (c *compiler) compile() error {
	trimmed := strings.TrimLeft(c.template, " \t\r\n")
	c.t.text = strings.HasPrefix(trimmed, `"`)
	for i := 0; i < len(c.template); {
		var err error
		switch ch := c.template[i]; {
		case ch == '"':
			i, err = c.quotedString(i)
		case ch == '<':
			i, err = c.variable(i, false)
		case !c.t.text && strings.IndexByte(" \t\r\n", ch) >= 0: // JSON is delivered compact
			i++
		case c.t.text && strings.IndexByte(" \t\r\n", ch) < 0:
			return c.notJSON(i, fmt.Sprintf("want quoted lines only, got %.40q", c.template[i:]))
		default:
			c.add(ch)
			i++
		}
		if err != nil {
			return err
		}
	}
	c.flush()
	if c.t.text {
		return nil
	}
	return c.checkJSON()
}

// checkJSON returns an error if the template is no JSON even with values for its variables.
func (c *compiler) checkJSON() error {
	err := jsonwalk.Valid(c.skeleton, jsonwalk.MaxDepth)
	if err == nil {
		return nil
	}
	why, rest := err.Msg, c.template[err.Offset:]
	if want, ok := strings.CutSuffix(why, `got '"'`); ok && rest[0] == '<' { // what stands for a variable
		why = want + "got " + rest[:strings.IndexByte(rest, '>')+1]
	}
	return c.notJSON(err.Offset, why)
}

func (c *compiler) notJSON(offset int, why string) *Error {
	return &Error{Field: "InputTemplate", Offset: offset, Reason: fmt.Sprintf("is not a valid JSON text: %s.", why)}
}

// add adds a character to the text.
func (c *compiler) add(ch byte) { c.text = append(c.text, ch) }

// flush makes a piece of the text.
func (c *compiler) flush() {
	if len(c.text) > 0 {
		c.t.pieces = append(c.t.pieces, piece{text: string(c.text), variable: noVariable})
		c.t.fixed += len(c.text)
		c.text = c.text[:0]
	}
}

// quotedString reads the string at i and returns the position behind it.
func (c *compiler) quotedString(i int) (end int, err error) {
	start, before := i, len(c.t.pieces)
	c.add('"')
	for i++; i < len(c.template); {
		switch ch := c.template[i]; {
		case ch == '"':
			c.add('"')
			i++
			if len(c.t.pieces) > before {
				return i, c.checkNoKey(i)
			}
			return i, nil
		case ch == '<':
			if i, err = c.variable(i, true); err != nil {
				return i, err
			}
		case ch == '\\' && i+1 < len(c.template):
			c.add(ch)
			c.add(c.template[i+1])
			i += 2
		default:
			c.add(ch)
			i++
		}
	}
	return i, c.notJSON(start, "a string has no end")
}

// variable reads the variable at i, or the bracket alone if there is none.
func (c *compiler) variable(i int, quoted bool) (end int, err error) {
	end = i + 1
	for end < len(c.template) && (isName(c.template[end]) || c.template[end] == '.') {
		end++
	}
	if end == i+1 || end == len(c.template) || c.template[end] != '>' {
		if !quoted {
			return i, c.notJSON(i, fmt.Sprintf("want a placeholder, got %.40q", c.template[i:]))
		}
		c.add('<')
		return i + 1, nil
	}
	name := c.template[i+1 : end]
	v, ok := c.resolve(name)
	if !ok {
		return end, &Error{Field: "InputTemplate", Offset: i, Reason: fmt.Sprintf("contains invalid placeholder %s.", name)}
	}
	c.flush()
	c.t.pieces = append(c.t.pieces, piece{variable: v, quoted: quoted})
	if !quoted {
		copy(c.skeleton[i:], `""`+strings.Repeat(" ", end-1-i))
		return end + 1, c.checkNoKey(end + 1)
	}
	return end + 1, nil
}

// resolve returns the variable of a name.
func (c *compiler) resolve(name string) (variable, bool) {
	if v, ok := reserved[name]; ok {
		return v, true
	}
	if v, ok := c.indexes[name]; ok {
		return v, true
	}
	p := c.paths[name]
	if p == nil {
		return 0, false
	}
	v := variable(len(c.t.paths))
	c.indexes[name] = v
	c.t.paths = append(c.t.paths, p)
	c.t.root.add(p.steps, int(v))
	return v, true
}

// checkNoKey returns an error if what ends at i is the key of an object.
func (c *compiler) checkNoKey(i int) error {
	rest := strings.TrimLeft(c.template[i:], " \t\r\n")
	if !c.t.text && strings.HasPrefix(rest, ":") {
		return c.notJSON(i, "a placeholder cannot be an object key")
	}
	return nil
}
