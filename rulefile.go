package footbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/footbridge-go/footbridge/internal/nils"
	"github.com/footbridge-go/footbridge/internal/transform"
)

// This file has rules as data: the JSON that LoadRules reads and SaveRules writes. How it
// is read with the places of what is in it is in rulenode.go.

// A RulesError says what of a rules file was refused, and where. Nothing of it was loaded.
type RulesError struct {
	Rule         string // the name of the rule it is in; "" if that is not known
	Pointer      string // JSON pointer (RFC 6901) of what was refused; "" for the whole file and faults of its JSON
	Offset       int    // of that in the file, in bytes; of a template, a path or a pattern, of what is wrong in it
	Line, Column int    // the same, both from 1, the column in characters; 0: there is no file
	Reason       string
	Err          error // a *PatternError or a *RuleError; may be nil
}

func (e *RulesError) Error() string {
	s := "footbridge: rules: "
	if e.Rule != "" {
		s += fmt.Sprintf("rule %q: ", e.Rule)
	}
	s += e.Reason
	if e.Line == 0 {
		return s
	}
	at := ""
	if e.Pointer != "" {
		at = "at " + e.Pointer + ", "
	}
	return s + fmt.Sprintf(" (%sline %d, column %d, offset %d)", at, e.Line, e.Column, e.Offset)
}

func (e *RulesError) Unwrap() error { return e.Err }

// LoadRules reads rules from r, a JSON array of them:
//
//	[{
//	  "name": "orders",
//	  "description": "orders of some size",
//	  "pattern": {"source": ["shop"], "detail": {"total": [{"numeric": [">=", 1000]}]}},
//	  "state": "ENABLED",
//	  "targets": ["audit", {
//	    "id": "email",
//	    "inputTransformer": {"inputPathsMap": {"id": "$.detail.id"}, "inputTemplate": "{\"order\": <id>}"},
//	    "retry": {"maxRetries": 3, "maxAge": "1h", "base": "1s", "maxDelay": "1m", "noJitter": true}
//	  }]
//	}]
//
// "name" and "pattern" are needed, "state" may be DISABLED. A target is an ID, or an object
// with one. The ID is a key of targets, which has what cannot be data, a Handler for one;
// what the file says of the target replaces what targets does: "input" (any JSON value,
// which is received compact), "inputPath" or "inputTransformer", as in [Input]; and
// "retry", as in [Backoff], with durations above 0 as [time.ParseDuration] reads them. What is
// left out of it is the default; 0 "maxRetries" are none, as in the service.
//
// The error is a *RulesError, also for keys and IDs that are unknown, keys and names that
// come twice, and what PutRule would refuse; or it wraps one of r.
func LoadRules(r io.Reader, targets map[string]Target) ([]Rule, error) {
	if nils.Is(r) {
		return nil, &RulesError{Reason: "want a reader, got " + nils.Text(r)}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("footbridge: rules: %w", err)
	}
	file, d := parseDocument(data)
	rules := make([]Rule, 0)
	names := make(map[string]bool)
	for _, entry := range file.elements("rules") {
		rule := loadRule(entry, targets)
		if names[rule.Name] {
			entry.at("name").refuse("want a name that no other rule has, got %q", rule.Name)
		}
		if d.err != nil {
			d.err.Rule = rule.Name
			break
		}
		names[rule.Name] = true
		rules = append(rules, rule)
	}
	if d.err != nil {
		d.err.Line, d.err.Column = position(data, d.err.Offset)
		return nil, d.err
	}
	return rules, nil
}

func loadRule(entry *node, targets map[string]Target) (r Rule) {
	members := entry.members("name", "description", "pattern", "state", "targets")
	r.Name, r.Description = members["name"].text(""), members["description"].text("")
	switch state := members["state"]; state.text("ENABLED") {
	case "ENABLED":
	case "DISABLED":
		r.Disabled = true
	default:
		state.want("ENABLED or DISABLED")
	}
	r.Pattern = loadPattern(entry, members["pattern"])
	var refused *RuleError
	seen := make(map[string]bool)
	for i, e := range members["targets"].elements("targets") {
		t := loadTarget(e, targets)
		// Each by itself: r.check looks at all there are, and does not know their places.
		if errors.As(r.checkTarget(i, &t, seen), &refused) {
			e.refuseTarget(refused)
		}
		r.Targets = append(r.Targets, t)
	}
	if errors.As(r.check(), &refused) {
		entry.at(strings.ToLower(refused.Field)).refuse("%s: %s", refused.Field, refused.Reason).Err = refused
	}
	return r
}

// refuseTarget refuses n, a target, at the place that e is about, as far as n has it.
func (n *node) refuseTarget(e *RuleError) {
	place, reason := n, e.Field+": "+e.Reason
	switch {
	case e.Field == "ID":
		place = n.at("id")
	case e.Field == "Retry":
		place = n.at("retry")
	case e.input != nil:
		place = n.at(inputKeys(e.input)...)
	}
	offset := 0
	switch {
	case e.input == nil:
	case place.raw[0] == '"' && place != n: // not of an Input that the program has
		offset = offsetIn(place.raw, e.input.Offset)
	default:
		reason += inParentheses(e.More)
	}
	refused := place.refuse("%s", reason)
	refused.Offset, refused.Err = refused.Offset+offset, e
}

// inputKeys returns the keys that lead from a target to the text that e refuses.
func inputKeys(e *transform.Error) []string {
	switch {
	case e.Field == "InputPath":
		return []string{"inputPath"}
	case e.Field == "InputTemplate":
		return []string{"inputTransformer", "inputTemplate"}
	case e.Name == "":
		return []string{"inputTransformer", "inputPathsMap"}
	}
	return []string{"inputTransformer", "inputPathsMap", e.Name}
}

func loadPattern(entry, pattern *node) *Pattern {
	if pattern == nil {
		entry.refuse("want a pattern")
		return nil
	}
	p, err := Compile(string(pattern.raw))
	var refused *PatternError
	if errors.As(err, &refused) {
		e := pattern.refuse("Event pattern is not valid. Reason: %s", refused.Reason)
		e.Pointer, e.Offset, e.Err = e.Pointer+refused.Pointer, e.Offset+refused.Offset, refused
	}
	return p
}

// loadTarget returns the target that entry, an ID or an object with one, stands for.
func loadTarget(entry *node, targets map[string]Target) Target {
	place, members := entry, map[string]*node(nil)
	if entry.raw[0] == '{' {
		members = entry.members("id", "input", "inputPath", "inputTransformer", "retry")
		if place = members["id"]; place == nil {
			entry.refuse("want an id")
			return Target{}
		}
	}
	id := place.text("")
	t, ok := targets[id]
	if !ok {
		place.refuse("want one of the targets %s, got %.80q", slices.Sorted(maps.Keys(targets)), id)
	}
	t.ID, t.Input = id, t.Input.clone()
	if in := loadInput(members); in != nil {
		t.Input = *in
	}
	if m := members["retry"].members("maxRetries", "maxAge", "base", "maxDelay", "noJitter"); m != nil {
		b := Backoff{Base: m["base"].duration(), MaxDelay: m["maxDelay"].duration(), MaxAge: m["maxAge"].duration()}
		if n := m["maxRetries"]; n != nil {
			n.decode(&b.MaxRetries, "a whole number")
			switch {
			case b.MaxRetries < 0:
				n.want("0 or more")
			case b.MaxRetries == 0:
				b.MaxRetries = -1 // 0 is the default
			}
		}
		m["noJitter"].decode(&b.NoJitter, "true or false")
		t.Retry = b
	}
	return t
}

// loadInput returns the input of a target's members, nil if there is none.
func loadInput(members map[string]*node) *Input {
	constant, path, transformer := members["input"], members["inputPath"], members["inputTransformer"]
	if constant == nil && path == nil && transformer == nil {
		return nil
	}
	in := &Input{Path: path.text("")}
	if constant != nil {
		var compact bytes.Buffer
		_ = json.Compact(&compact, constant.raw) // which is JSON
		in.Constant = compact.Bytes()
	}
	parts := transformer.members("inputPathsMap", "inputTemplate")
	in.Transformer.InputTemplate = parts["inputTemplate"].text("")
	if paths := parts["inputPathsMap"].members(); len(paths) > 0 {
		in.Transformer.InputPathsMap = make(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(paths)) {
			in.Transformer.InputPathsMap[name] = paths[name].text("")
		}
	}
	if in.isZero() { // "" or {}
		path.refuse("want a path")
		transformer.refuse("want a template")
	}
	return in
}

// The JSON of rules, as LoadRules reads it.
type (
	ruleJSON struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Pattern     json.RawMessage `json:"pattern"`
		State       string          `json:"state,omitempty"`
		Targets     []any           `json:"targets,omitempty"` // IDs or *targetJSON
	}
	targetJSON struct {
		ID               string           `json:"id"`
		Input            json.RawMessage  `json:"input,omitempty"`
		InputPath        string           `json:"inputPath,omitempty"`
		InputTransformer *transformerJSON `json:"inputTransformer,omitempty"`
		Retry            *retryJSON       `json:"retry,omitempty"`
	}
	transformerJSON struct {
		InputPathsMap map[string]string `json:"inputPathsMap,omitempty"`
		InputTemplate string            `json:"inputTemplate"`
	}
	retryJSON struct {
		MaxRetries *int   `json:"maxRetries,omitempty"` // nil: the default
		MaxAge     string `json:"maxAge,omitempty"`
		Base       string `json:"base,omitempty"`
		MaxDelay   string `json:"maxDelay,omitempty"`
		NoJitter   bool   `json:"noJitter,omitempty"`
	}
)

// SaveRules writes rules to w, as LoadRules reads them: what is data of them. Handlers,
// policies other than [Backoff], DLQs, bounds and OrderBy are not, and come from the
// targets that are given to LoadRules. White space in patterns and constants is not kept: what
// fits on a line of 100 bytes stands on one.
//
// The error is a *RuleError for a rule that PutRule would refuse or whose name comes twice,
// or wraps one of w.
func SaveRules(w io.Writer, rules []Rule) error {
	all := make([]ruleJSON, 0, len(rules))
	names := make(map[string]bool)
	for i := range rules {
		r := &rules[i]
		if err := r.check(); err != nil {
			return err
		}
		if names[r.Name] {
			return &RuleError{Rule: r.Name, Field: "Name", Reason: "want one that no other rule has", Code: CodeValidation}
		}
		names[r.Name] = true
		j := ruleJSON{Name: r.Name, Description: r.Description, Pattern: json.RawMessage(r.Pattern.String())}
		if r.Disabled {
			j.State = "DISABLED"
		}
		for i := range r.Targets {
			j.Targets = append(j.Targets, r.Targets[i].data())
		}
		all = append(all, j)
	}
	var compact bytes.Buffer
	encoder := json.NewEncoder(&compact)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(all)
	if err == nil {
		text := appendLaidOut(nil, bytes.TrimSpace(compact.Bytes()), 0)
		_, err = w.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("footbridge: rules: %w", err)
	}
	return nil
}

// data returns the target's ID, or a *targetJSON if there is more to say.
func (t *Target) data() any {
	j := &targetJSON{ID: t.ID, Input: t.Input.Constant, InputPath: t.Input.Path}
	if tr := t.Input.Transformer; !tr.isZero() {
		j.InputTransformer = &transformerJSON{tr.InputPathsMap, tr.InputTemplate}
	}
	b, isBackoff := backoffOf(t.Retry)
	if isBackoff {
		j.Retry = &retryJSON{nil, durationText(b.MaxAge), durationText(b.Base), durationText(b.MaxDelay), b.NoJitter}
		if b.MaxRetries != 0 {
			n := max(b.MaxRetries, 0) // none, if it is negative
			j.Retry.MaxRetries = &n
		}
	}
	if t.Input.isZero() && !isBackoff {
		return t.ID
	}
	return j
}
