package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A Publisher takes events. A *footbridge.Bus is one.
type Publisher interface {
	Publish(ctx context.Context, e footbridge.Event) (id string, err error)
}

// A Rule publishes an event whenever its expression fires: the service's, with source
// "aws.events", detail-type "Scheduled Event", the rule's ARN as its one resource, the
// time of the firing, and a detail.
type Rule struct {
	Name       string          // 1 to 64 of A-Z a-z 0-9 . - _; differs from those of the other rules
	Expression *Expression     // when
	Detail     json.RawMessage // the rule's constant input: a JSON object; nil: {}

	// After is the time up to which all is done: firings behind it are due. Who keeps
	// the Time of the last Report can go on there after a restart. Zero: the time at
	// which Run begins.
	After time.Time
}

// Options are what [Run] is called with. The zero value of each field is its default.
type Options struct {
	Account string // of events, and in ARNs; footbridge.DefaultAccount
	Region  string // likewise; footbridge.DefaultRegion

	// CatchUp is how many firings of a rule are published, the latest ones, when
	// several are due at once. 0: 1.
	CatchUp int

	Report func(Report) // told what becomes of each firing, by Run's goroutine; nil: no one
	Logger *slog.Logger // of firings that are skipped or fail; nil: discards
}

// A Report tells what became of a firing, or of several that were skipped.
type Report struct {
	Rule    string
	Time    time.Time // of the firing; of those skipped, the last
	EventID string    // of the event that was published; "": none was
	Skipped int       // how many were skipped
	Err     error     // why the publisher did not take the event
}

// A RuleError says why a rule was refused. Nothing was published.
type RuleError struct {
	Rule   string // its name
	Field  string // of Rule, such as "Name"
	Reason string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("schedule: rule %q refused: %s: %s", e.Rule, e.Field, e.Reason)
}

// An OptionError says which option is wrong. Nothing was published.
type OptionError struct {
	Field  string // of Options
	Reason string
}

func (e *OptionError) Error() string { return "schedule: Options." + e.Field + ": " + e.Reason }

// lookAgain is how long Run sleeps at most. A timer does not count while the machine
// sleeps, and does not know that the clock was set: who looks each minute is at most a
// minute late.
const lookAgain = time.Minute

// Run publishes an event to "to" each time a rule fires, until ctx ends, which is an
// error that wraps its cause, or the publisher is closed, an error that wraps
// [footbridge.ErrClosed]. It returns nil when no rule will fire any more; a *RuleError or
// an *OptionError, before it publishes anything, if one is refused. opts may be nil.
//
// Firings are published one after the other, by their times, and of one time in the
// order of rules. A Publish that waits for room delays those behind it. One that fails is
// reported, and not tried again.
//
// While the machine sleeps, the clock is set forward or a Publish waits, firings are
// missed. Of those of a rule that are due at once the latest is published, or as many as
// Options.CatchUp says; the others are skipped, and reported. When the clock is set
// back, nothing is published twice: a rule goes on when the clock has reached the time of
// its next firing again.
//
// Run starts no goroutine, and while it waits there is one timer.
func Run(ctx context.Context, to Publisher, rules []Rule, opts *Options) error {
	r, err := newRunner(to, rules, opts)
	if err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, err := r.step(ctx, time.Now())
		if err != nil || next.IsZero() {
			return err
		}
		timer.Reset(min(time.Until(next), lookAgain))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// A runner is the state of a Run.
type runner struct {
	to      Publisher
	options Options
	rules   []*scheduled
}

// A scheduled is a rule with the time at which it fires next; zero is never.
type scheduled struct {
	Rule
	resources []string
	next      time.Time
}

// A firing is a time at which a rule fires.
type firing struct {
	rule *scheduled
	time time.Time
}

func newRunner(to Publisher, rules []Rule, opts *Options) (*runner, error) {
	r := &runner{to: to}
	if opts != nil {
		r.options = *opts
	}
	o := &r.options
	if o.CatchUp < 0 {
		return nil, &OptionError{Field: "CatchUp", Reason: fmt.Sprintf("want 0 or more, got %d", o.CatchUp)}
	}
	o.CatchUp = max(o.CatchUp, 1)
	if o.Account == "" {
		o.Account = footbridge.DefaultAccount
	}
	if o.Region == "" {
		o.Region = footbridge.DefaultRegion
	}
	if o.Report == nil {
		o.Report = func(Report) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	names := make(map[string]bool)
	for _, rule := range rules {
		if field, reason := rule.check(); reason != "" {
			return nil, &RuleError{Rule: rule.Name, Field: field, Reason: reason}
		}
		if names[rule.Name] {
			return nil, &RuleError{Rule: rule.Name, Field: "Name", Reason: "want one that no other rule has"}
		}
		names[rule.Name] = true
		if rule.Detail == nil {
			rule.Detail = json.RawMessage("{}")
		}
		if rule.After.IsZero() {
			rule.After = time.Now()
		}
		r.rules = append(r.rules, &scheduled{
			Rule:      rule,
			resources: []string{fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", o.Region, o.Account, rule.Name)},
			next:      rule.Expression.Next(rule.After),
		})
	}
	return r, nil
}

// check returns the field that is wrong and why, or "" and "".
func (r *Rule) check() (field, reason string) {
	bad := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c)
	}
	var detail map[string]json.RawMessage
	switch {
	case len(r.Name) < 1 || len(r.Name) > 64 || strings.ContainsFunc(r.Name, bad):
		return "Name", fmt.Sprintf(`want 1 to 64 characters of [\.\-_A-Za-z0-9]+, got %q`, r.Name)
	case r.Expression == nil || r.Expression.text == "":
		return "Expression", "want one that Parse has made"
	case r.Detail != nil && (json.Unmarshal(r.Detail, &detail) != nil || detail == nil):
		return "Detail", fmt.Sprintf("want a JSON object, got %.40q", r.Detail)
	}
	return "", ""
}

// step publishes what is due at now, and returns the time of what comes next; zero is
// never.
func (r *runner) step(ctx context.Context, now time.Time) (next time.Time, err error) {
	if ctx.Err() != nil {
		return next, fmt.Errorf("schedule: %w", context.Cause(ctx))
	}
	closed := false
	for _, f := range r.due(now) {
		if err := r.fire(ctx, f); errors.Is(err, footbridge.ErrClosed) {
			closed = true
		}
	}
	if closed {
		return next, fmt.Errorf("schedule: %w", footbridge.ErrClosed)
	}
	for _, s := range r.rules {
		if next.IsZero() || !s.next.IsZero() && s.next.Before(next) {
			next = s.next
		}
	}
	return next, nil
}

// due takes the firings up to now from the rules, reports those that are skipped, and
// returns the others by their times.
func (r *runner) due(now time.Time) (all []firing) {
	for _, s := range r.rules {
		var latest []firing
		skip := Report{Rule: s.Name}
		for ; !s.next.IsZero() && !s.next.After(now); s.next = s.Expression.Next(s.next) {
			if len(latest) == r.options.CatchUp {
				skip.Time = latest[0].time
				skip.Skipped++
				latest = latest[1:]
			}
			latest = append(latest, firing{s, s.next})
		}
		if skip.Skipped > 0 {
			r.options.Logger.Warn("schedule: missed firings were skipped", slog.String("rule", s.Name),
				slog.Int("skipped", skip.Skipped), slog.Time("last", skip.Time))
			r.options.Report(skip)
		}
		all = append(all, latest...)
	}
	slices.SortStableFunc(all, func(a, b firing) int { return a.time.Compare(b.time) })
	return all
}

// fire publishes the event of a firing.
func (r *runner) fire(ctx context.Context, f firing) error {
	id, err := r.to.Publish(ctx, footbridge.Event{
		Source:     "aws.events",
		DetailType: "Scheduled Event",
		Time:       f.time,
		Account:    r.options.Account,
		Region:     r.options.Region,
		Resources:  f.rule.resources,
		Detail:     f.rule.Detail,
	})
	if err != nil {
		id = ""
		r.options.Logger.Error("schedule: a firing was not published", slog.String("rule", f.rule.Name),
			slog.Time("time", f.time), slog.Any("error", err))
	}
	r.options.Report(Report{Rule: f.rule.Name, Time: f.time, EventID: id, Err: err})
	return err
}
