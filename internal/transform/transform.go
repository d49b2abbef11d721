// Package transform makes of an event what a target is to receive: a part of it, by an
// input path, or a template filled with parts of it, by an input transformer.
//
// The facts are EventBridge's (its User Guide, "Input transformation", and what was
// recorded of the service); testdata/transform.txt says of each where it is known from.
//
// This package is structured in the following way: path.go reads paths, template.go reads
// templates, find.go walks an event once and finds what all paths of a template point at,
// render.go writes what a template becomes. It knows no rules and no bus.
package transform

import (
	"fmt"
	"time"
)

// A Transformer is a compiled input transformer. It is immutable, and may be used by any
// number of goroutines.
type Transformer struct {
	pieces []piece
	text   bool // quoted lines, not JSON
	paths  []*Path
	root   *node // of what paths point at
	fixed  int   // bytes of the pieces that are text
}

// Vars are the values of the variables that every template has.
type Vars struct {
	RuleARN, RuleName string
	IngestionTime     time.Time // when the bus accepted the event
}

// An Error says why a path or a template was refused. Where the service has words for it
// they are the service's: see [Error.For].
type Error struct {
	Field  string // "InputPath", "InputPathsMap" or "InputTemplate"
	Name   string // in InputPathsMap, of the variable whose path it is; "" otherwise
	Offset int    // in the path or the template, in bytes; 0 for a name that is bad
	Reason string // follows the field: "contains invalid placeholder x."
}

func (e *Error) Error() string {
	s := e.Field + " " + e.Reason
	if place := e.Place(); place != "" {
		s += " (" + place + ")"
	}
	return s
}

// For returns the text of the error with the target it is about, as the service gives it.
func (e *Error) For(target string) string { return e.Field + " for target " + target + " " + e.Reason }

// Place returns where it is, which the service does not say; "" for a name that is bad.
func (e *Error) Place() string {
	switch {
	case e.Name != "":
		return fmt.Sprintf("path of %q, offset %d", e.Name, e.Offset)
	case e.Field == "InputPathsMap":
		return ""
	}
	return fmt.Sprintf("offset %d", e.Offset)
}

// A RenderError says why an event cannot be rendered.
type RenderError struct {
	Reason string
	Err    error // what is wrong with the JSON, and where; may be nil
}

func (e *RenderError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

func (e *RenderError) Unwrap() error { return e.Err }
