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
	"github.com/footbridge-go/footbridge/internal/nils"
)

// A Publisher takes events. A *footbridge.Bus is one.
type Publisher interface {
	Publish(ctx context.Context, e footbridge.Event) (id string, err error)
}

// A Rule publishes an event whenever its expression fires: the service's, with source
// "aws.events", detail-type "Scheduled Event", the rule's ARN as its one resource, the
// time of the firing, and a detail.
type Rule struct {
	Name       string      // 1 to 64 of A-Z a-z 0-9 . - _; differs from those of the other rules
	Expression *Expression // when

	// Detail is the event's detail, a JSON object; nil: {}, as the service's is. Another
	// has no counterpart in the service, where a target's input replaces the whole
	// envelope; for that see footbridge.Target.Input.
	Detail json.RawMessage

	// After is the time up to which all is done: firings behind it are due. Who keeps the
	// Time of the rule's last Report that has no Err can go on there after a restart; one
	// of firings that were skipped has none. Zero: the time at which Run begins.
	After time.Time
}

// Options are what [Run] is called with. The zero value of each field is its default.
type Options struct {
	// Account and Region are those of events, and in ARNs. Empty, they are left to the
	// publisher: a bus fills in its own in events, and its RuleARN says those in ARNs. The
	// ARNs for a publisher that has no RuleARN have footbridge.DefaultAccount and
	// footbridge.DefaultRegion.
	Account, Region string

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

// ErrNoPublisher is returned for a publisher that is nil.
var ErrNoPublisher = errors.New("schedule: want a publisher, got nil")

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
// [footbridge.ErrClosed]. It returns nil when no rule will fire any more; a *RuleError, an
// *OptionError or [ErrNoPublisher], before it publishes anything, if one is refused. opts
// may be nil.
//
// Firings are published one after the other, by their times, and of one time in the
// order of rules. A Publish that waits for room delays those behind it. One that fails is
// reported, and not tried again. What is due but was not tried when Run ends is not
// reported.
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
	if nils.Is(to) {
		return nil, ErrNoPublisher
	}
	r := &runner{to: to}
	if opts != nil {
		r.options = *opts
	}
	o := &r.options
	if o.CatchUp < 0 {
		return nil, &OptionError{Field: "CatchUp", Reason: fmt.Sprintf("want 0 or more, got %d", o.CatchUp)}
	}
	o.CatchUp = max(o.CatchUp, 1)
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
			resources: []string{r.ruleARN(rule.Name)},
			next:      rule.Expression.Next(rule.After),
		})
	}
	return r, nil
}

// ruleARN returns the ARN of a rule: the publisher's, if it has them, but for what the
// options name.
func (r *runner) ruleARN(name string) string {
	arn := fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", footbridge.DefaultRegion, footbridge.DefaultAccount, name)
	if to, ok := r.to.(interface{ RuleARN(name string) string }); ok {
		arn = to.RuleARN(name)
	}
	parts := strings.SplitN(arn, ":", 6)
	for i, part := range map[int]string{3: r.options.Region, 4: r.options.Account} {
		if part != "" && i < len(parts) {
			parts[i] = part
		}
	}
	return strings.Join(parts, ":")
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
	due := r.due(ctx, now)
	for _, f := range due {
		if ctx.Err() != nil {
			break
		}
		if err := r.fire(ctx, f); errors.Is(err, footbridge.ErrClosed) {
			return next, fmt.Errorf("schedule: %w", footbridge.ErrClosed)
		}
	}
	if ctx.Err() != nil {
		return next, fmt.Errorf("schedule: %w", context.Cause(ctx))
	}
	for _, s := range r.rules {
		if next.IsZero() || !s.next.IsZero() && s.next.Before(next) {
			next = s.next
		}
	}
	return next, nil
}

// due takes the firings up to now from the rules, reports those that are skipped, and
// returns the others by their times. When ctx ends it returns early, and what it has taken
// is not to be published.
func (r *runner) due(ctx context.Context, now time.Time) (all []firing) {
	for _, s := range r.rules {
		latest, skip := r.missed(ctx, s, now)
		if ctx.Err() != nil {
			return nil
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

// lookForEnd is after how many firings of a rule that are due at once missed looks whether
// its context has ended.
const lookForEnd = 256

// missed takes the firings up to now from s, and returns the latest of them, as many as are
// published at once, and the report of the others. When ctx ends it returns early.
func (r *runner) missed(ctx context.Context, s *scheduled, now time.Time) (latest []firing, skip Report) {
	skip.Rule = s.Name
	// Optimization: of a rate those to skip are counted, not walked: a rate of a minute has
	// half a million in a year. It is a loop, since a Duration holds no more than 292 years.
	for period := s.Expression.period; period > 0; {
		n := int(now.Sub(s.next)/period) + 1 - r.options.CatchUp
		if n <= 0 {
			break
		}
		skip.Skipped += n
		s.next = s.next.Add(time.Duration(n) * period)
		skip.Time = s.next.Add(-period)
	}
	for n := 1; !s.next.IsZero() && !s.next.After(now); n++ {
		if n%lookForEnd == 0 && ctx.Err() != nil {
			break
		}
		if len(latest) == r.options.CatchUp {
			skip.Time = latest[0].time
			skip.Skipped++
			latest = latest[1:]
		}
		latest = append(latest, firing{s, s.next})
		s.next = s.Expression.Next(s.next)
	}
	return latest, skip
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
