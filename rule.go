package footbridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/dispatch"
	"github.com/footbridge-go/footbridge/internal/nils"
	"github.com/footbridge-go/footbridge/internal/transform"
)

// A Rule says which events go where: those that match Pattern go to every target.
type Rule struct {
	Name        string // 1 to 64 of A-Z a-z 0-9 . - _
	Description string
	Pattern     *Pattern
	Disabled    bool     // a disabled rule matches nothing
	Targets     []Target // their IDs differ
}

// Errors of rules.
var (
	ErrRuleNotFound   = errors.New("no such rule")
	ErrTargetNotFound = errors.New("no such target")
)

// A RuleError says why a rule was refused. What the bus had under its name stays.
type RuleError struct {
	Rule   string // its name
	Target string // the ID of the target that is wrong; "" if it is the rule
	Field  string // of Rule or Target, such as "Name"; "Rules" if the bus has as many as it may have
	Reason string // in the service's words where it has them
	More   string // what Reason does not say: where it is in Field, or what the bound is; "": there is no more
	Code   string // the service's, one of the Code constants of requests; "": it has none for this

	input *transform.Error // of a path or a template that is refused: its place
}

func (e *RuleError) Error() string {
	s := fmt.Sprintf("footbridge: rule %q refused: ", e.Rule)
	if e.Target != "" {
		s += fmt.Sprintf("target %q: ", e.Target)
	}
	return s + e.Field + ": " + e.Reason + inParentheses(e.More)
}

// inParentheses returns what stands behind a text, nothing if there is no more.
func inParentheses(more string) string {
	if more == "" {
		return ""
	}
	return " (" + more + ")"
}

// nameReason says what is wrong with the name of a rule or the ID of a target; ""
// is nothing. The grammar is the service's.
func nameReason(name string) string {
	if len(name) < 1 || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) {
		return fmt.Sprintf(`want 1 to 64 characters of [\.\-_A-Za-z0-9]+, got %q`, name)
	}
	return ""
}

// isNameRune reports whether r may stand in a name.
func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_", r)
}

// check returns a *RuleError unless r may be put.
func (r *Rule) check() error {
	if reason := nameReason(r.Name); reason != "" {
		return &RuleError{Rule: r.Name, Field: "Name", Reason: reason, Code: CodeValidation}
	}
	if r.Pattern == nil || r.Pattern.compiled == nil {
		return &RuleError{Rule: r.Name, Field: "Pattern", Reason: "want one that Compile has made"}
	}
	if !utf8.ValidString(r.Description) {
		return &RuleError{Rule: r.Name, Field: "Description", Reason: fmt.Sprintf("want UTF-8, got %.80q", r.Description), Code: CodeValidation}
	}
	seen := make(map[string]bool)
	for i := range r.Targets {
		if err := r.checkTarget(i, &r.Targets[i], seen); err != nil {
			return err
		}
	}
	return nil
}

// checkTarget returns a *RuleError unless r may be put with t as its target i, and notes the
// ID of t among those of the targets before it.
func (r *Rule) checkTarget(i int, t *Target, seen map[string]bool) error {
	e := t.check()
	if e == nil && seen[t.ID] {
		e = &RuleError{Target: t.ID, Field: "ID", Reason: "want one that no other target of the rule has"}
	}
	if e == nil {
		seen[t.ID] = true
		return nil
	}
	e.Rule = r.Name
	if e.Field == "ID" {
		e.More = fmt.Sprintf("Targets[%d]", i)
	}
	return e
}

// A rule is a Rule as the bus keeps it. It is immutable: a change makes a new one.
type rule struct {
	Rule
	targets []*target
}

// PutRule creates a rule or replaces the one of its name, whole. Publishers see the
// old rule or the new one, never both and never neither. Deliveries that the old
// rule's targets have accepted are finished as by RemoveRule; a target of the same ID in
// the new rule takes over the queue, with the order and the concurrency bound of
// what is in it. The error is a *RuleError or an *OptionError, or wraps [ErrClosed].
func (b *Bus) PutRule(r Rule) error {
	if b.invalid != nil {
		return b.invalid
	}
	if err := r.check(); err != nil {
		return err
	}
	if b.options.Strict {
		if err := r.checkStrict(); err != nil {
			return err
		}
	}
	r.Targets = cloneTargets(r.Targets)
	n := &rule{Rule: r}
	for i := range r.Targets {
		t, err := b.newTarget(r.Name, r.Targets[i])
		if err != nil {
			return err
		}
		n.targets = append(n.targets, t)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return fmt.Errorf("footbridge: put rule %q on bus %q: %w", r.Name, b.options.Name, ErrClosed)
	}
	old := b.rules[r.Name]
	if b.options.Strict && old == nil && len(b.rules) >= maxRules {
		return &RuleError{Rule: r.Name, Field: "Rules", Reason: limitExceeded, More: limit{n: maxRules + 1, most: maxRules, what: "rules"}.more(), Code: CodeLimitExceeded}
	}
	for _, t := range n.targets {
		b.setQueueLocked(t, old)
	}
	b.replaceLocked(old, n)
	for _, t := range old.without(n) {
		t.retire()
	}
	return nil
}

// cloneTargets returns a copy that shares no memory with targets but for their handlers,
// policies and queues.
func cloneTargets(targets []Target) []Target {
	targets = slices.Clone(targets)
	for i := range targets {
		targets[i].Input = targets[i].Input.clone()
	}
	return targets
}

// without returns the targets of r, which may be nil, whose queues n has not taken over.
func (r *rule) without(n *rule) (gone []*target) {
	if r == nil {
		return nil
	}
	for _, t := range r.targets {
		if n == nil || n.target(t.ID) == nil {
			gone = append(gone, t)
		}
	}
	return gone
}

// target returns the target of that ID, or nil.
func (r *rule) target(id string) *target {
	if r == nil {
		return nil
	}
	for _, t := range r.targets {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// replaceLocked puts n in old's place; each may be nil.
func (b *Bus) replaceLocked(old, n *rule) {
	switch {
	case n == nil:
		delete(b.rules, old.Name)
		b.matcher.Remove(old)
	case n.Disabled:
		b.rules[n.Name] = n
		b.matcher.Remove(old)
	default:
		b.rules[n.Name] = n
		b.matcher.Replace(old, n, n.Pattern.compiled)
	}
}

// RemoveRule removes a rule with its targets. No event that is published after it
// has returned reaches them; deliveries already accepted are finished, or become dead
// letters, as [Target].DeadLetterOnRemoval says. The error wraps [ErrRuleNotFound].
func (b *Bus) RemoveRule(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rules[name]
	if r == nil {
		return fmt.Errorf("footbridge: remove rule %q: %w", name, ErrRuleNotFound)
	}
	b.replaceLocked(r, nil)
	for _, t := range r.targets {
		t.retire()
	}
	return nil
}

// EnableRule lets a disabled rule match again. The error wraps [ErrRuleNotFound].
func (b *Bus) EnableRule(name string) error { return b.setDisabled(name, false) }

// DisableRule makes a rule match nothing until it is enabled. Deliveries already
// accepted are finished. The error wraps [ErrRuleNotFound].
func (b *Bus) DisableRule(name string) error { return b.setDisabled(name, true) }

func (b *Bus) setDisabled(name string, disabled bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.rules[name]
	if old == nil {
		verb := map[bool]string{false: "enable", true: "disable"}[disabled]
		return fmt.Errorf("footbridge: %s rule %q: %w", verb, name, ErrRuleNotFound)
	}
	n := *old
	n.Disabled = disabled
	b.replaceLocked(old, &n)
	for _, t := range n.targets {
		t.queue.Wake()
	}
	return nil
}

// Rule returns the rule of that name, and whether there is one.
func (b *Bus) Rule(name string) (r Rule, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.rules[name]
	if of == nil {
		return Rule{}, false
	}
	r = of.Rule
	r.Targets = cloneTargets(r.Targets)
	return r, true
}

// Rules returns the rules, sorted by name.
func (b *Bus) Rules() []Rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	rules := make([]Rule, 0, len(b.rules))
	for _, r := range b.sortedRulesLocked() {
		c := r.Rule
		c.Targets = cloneTargets(c.Targets)
		rules = append(rules, c)
	}
	return rules
}

// sortedRulesLocked returns the rules by name.
func (b *Bus) sortedRulesLocked() []*rule {
	rules := make([]*rule, 0, len(b.rules))
	for _, r := range b.rules {
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b *rule) int { return strings.Compare(a.Name, b.Name) })
	return rules
}

// newTarget makes a target ready but for its queue. It takes no lock, since it calls
// the middleware, which is the user's.
func (b *Bus) newTarget(rule string, t Target) (*target, error) {
	n := &target{Target: t, rule: rule, handler: t.Handler, retry: t.Retry, dlq: t.DLQ}
	for _, m := range slices.Backward(b.options.Middleware) {
		if n.handler = m(n.handler); nils.Is(n.handler) {
			return nil, &RuleError{Rule: rule, Target: t.ID, Field: "Handler", Reason: "a middleware has returned nil for it"}
		}
	}
	if n.input, _ = t.Input.compile(t.ID); n.input != nil {
		n.input.vars = transform.Vars{RuleARN: b.arn("rule", rule), RuleName: rule}
	} else {
		n.event = eventFuncOf(n.handler)
	}
	if n.retry == nil {
		n.retry = b.options.Retry
	}
	if n.dlq == nil {
		n.dlq = b.options.DLQ
	}
	return n, nil
}

// setQueueLocked gives t its counter, and the queue of old's target of the same ID, or a new one.
func (b *Bus) setQueueLocked(t *target, old *rule) {
	b.targets++
	t.counter = uint8(b.targets % uint(len(b.counters.succeeded)))
	config := dispatch.Config{
		Concurrency: orZero(t.Concurrency, b.options.Concurrency),
		Capacity:    orZero(t.Queue, b.options.Queue),
		Backlog:     orZero(t.Backlog, b.options.Backlog),
		Overflow:    dispatch.Overflow(t.Overflow),
	}
	if same := old.target(t.ID); same != nil {
		t.queue = same.queue
		t.queue.Configure(config)
	} else {
		t.queue = b.dispatcher.NewQueue(config)
	}
}

func orZero(n, zero int) int {
	if n == 0 {
		return zero
	}
	return n
}
