package footbridge

import (
	"errors"
	"fmt"
)

// An Outcome says how an event ended at each target.
type Outcome struct {
	EventID string
	Targets []TargetOutcome // by rule, in the order of its targets
}

// Err returns nil if every target was delivered to, else what became of the others.
// An event that matched no rule has no targets: there it is nil.
func (o Outcome) Err() error {
	var errs []error
	for _, t := range o.Targets {
		if t.Result != Delivered {
			errs = append(errs, fmt.Errorf("footbridge: event %s: target %s of rule %s: %s: %w", o.EventID, t.Target, t.Rule, t.Result, t.Err))
		}
	}
	return errors.Join(errs...)
}

// A TargetOutcome says how an event ended at one target.
type TargetOutcome struct {
	Rule, Target string
	Result       Result
	Attempts     int
	Err          error // of the last attempt, or why there was none; nil if delivered
}

// A Result is an end of a delivery.
type Result int

const (
	Delivered    Result = iota + 1 // the handler returned nil
	DeadLettered                   // a DLQ has it
	Lost                           // there is no DLQ, or it failed for good
)

func (r Result) String() string {
	switch r {
	case Delivered:
		return "delivered"
	case DeadLettered:
		return "dead-lettered"
	case Lost:
		return "lost"
	}
	return fmt.Sprintf("Result(%d)", int(r))
}
