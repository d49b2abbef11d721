package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"

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

// readRules reads the rules file, with those of the targets that it names.
func readRules(args []string, targets map[string]footbridge.Target) ([]footbridge.Rule, error) {
	name, data, err := input(args, 1, "rules.json", sampleRules)
	if err != nil {
		return nil, err
	}
	rules, err := footbridge.LoadRules(bytes.NewReader(data), targets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rules, nil
}
