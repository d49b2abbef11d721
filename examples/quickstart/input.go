package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/footbridge-go/footbridge"
)

//go:embed events.jsonl
var sampleEvents []byte

//go:embed rules.json
var sampleRules []byte

// input returns the name and the contents of the file that argument i names, or the sample.
func input(args []string, i int, name string, sample []byte) (string, []byte, error) {
	if i >= len(args) {
		return name, sample, nil
	}
	data, err := os.ReadFile(args[i])
	return args[i], data, err
}

// An eventLine is an event and where it is from.
type eventLine struct {
	footbridge.Event
	place string // file:line
}

// readEvents reads the events file: an envelope a line.
func readEvents(args []string) ([]eventLine, error) {
	name, data, err := input(args, 0, "events.jsonl", sampleEvents)
	if err != nil {
		return nil, err
	}
	var events []eventLine
	for i, line := range bytes.Split(data, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e footbridge.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		events = append(events, eventLine{e, fmt.Sprintf("%s:%d", name, i+1)})
	}
	return events, nil
}

// A ruleEntry is a rule as the rules file has it.
type ruleEntry struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Pattern     json.RawMessage `json:"pattern"`
	Targets     []string        `json:"targets"`

	file string // that it is from
}

// readRules reads the rules file: a JSON array of rules.
func readRules(args []string) ([]ruleEntry, error) {
	name, data, err := input(args, 1, "rules.json", sampleRules)
	if err != nil {
		return nil, err
	}
	var rules []ruleEntry
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rules); err != nil {
		return nil, fmt.Errorf("%s: want a JSON array of rules: %w", name, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: want nothing behind the array of rules", name)
	}
	seen := make(map[string]bool)
	for i := range rules {
		if rules[i].file = name; seen[rules[i].Name] {
			return nil, fmt.Errorf("%s: rule %q: want a name that no other rule has", name, rules[i].Name)
		}
		seen[rules[i].Name] = true
	}
	return rules, nil
}

// compile makes a rule of r, with those of the targets that it names.
func (r ruleEntry) compile(targets map[string]footbridge.Target) (footbridge.Rule, error) {
	rule := footbridge.Rule{Name: r.Name, Description: r.Description}
	var err error
	if rule.Pattern, err = footbridge.Compile(string(r.Pattern)); err != nil {
		return rule, fmt.Errorf("%s: rule %q: %w", r.file, r.Name, err)
	}
	for _, id := range r.Targets {
		target, ok := targets[id]
		if !ok {
			ids := slices.Sorted(maps.Keys(targets))
			return rule, fmt.Errorf("%s: rule %q: want one of the targets %s, got %q", r.file, r.Name, strings.Join(ids, ", "), id)
		}
		rule.Targets = append(rule.Targets, target)
	}
	return rule, nil
}
