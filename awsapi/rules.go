package awsapi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/schedule"
)

// States of a rule.
const (
	enabled               = "ENABLED"
	disabled              = "DISABLED"
	enabledWithCloudTrail = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" // here as enabled
)

// A ruleState is what requests have said of a rule and the bus does not keep. The bus has
// the rule itself: the program, too, may put, change and remove it.
type ruleState struct {
	pattern  *footbridge.Pattern  // what the bus had when this was said: with another the rule is another
	text     string               // of the pattern that was asked for; "": none
	schedule *schedule.Expression // nil: none
	stop     context.CancelFunc   // of the schedule, if it runs
	state    string
	roleARN  string
	tags     map[string]string
	targets  map[string]target // by ID, as they were asked for
}

// A rule is one that a bus has, with its state.
type rule struct {
	footbridge.Rule
	*ruleState
	bus *busState
}

// ruleOnLocked returns b's rule of that name, and whether there is one. What was said of one
// that is gone is forgotten.
func (b *busState) ruleOnLocked(name string) (rule, bool) {
	r, ok := b.Rule(name)
	if !ok {
		b.forgetLocked(name)
		return rule{}, false
	}
	return b.withStateLocked(r), true
}

func (b *busState) withStateLocked(r footbridge.Rule) rule {
	if b.putting != nil && b.putting.pattern == r.Pattern { // the bus has it already
		return rule{r, b.putting, b}
	}
	state := b.rules[r.Name]
	if state == nil || state.pattern != r.Pattern {
		b.forgetLocked(r.Name)
		state = &ruleState{pattern: r.Pattern, text: r.Pattern.String(), state: enabled, tags: make(map[string]string), targets: make(map[string]target)}
	}
	return rule{r, state, b}
}

// forgetLocked ends what was said of a rule.
func (b *busState) forgetLocked(name string) {
	if old := b.rules[name]; old != nil {
		old.end()
		delete(b.rules, name)
	}
}

// keepLocked lets the state of r stay, which is new for a new rule and for one of the
// program's, and lets its schedule run.
func (s *Server) keepLocked(r *rule) {
	if old := r.bus.rules[r.Name]; old != r.ruleState {
		r.bus.forgetLocked(r.Name)
		r.bus.rules[r.Name] = r.ruleState
	}
	s.scheduleLocked(r)
}

// end ends the schedule, if there is one.
func (s *ruleState) end() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// ruleLocked returns the rule of that name on a bus, which is named as requests do.
func (s *Server) ruleLocked(bus, name string) (rule, error) {
	b, err := s.busLocked(bus)
	if err != nil {
		return rule{}, err
	}
	r, ok := b.ruleOnLocked(name)
	if !ok {
		return rule{}, notFound("Rule %s does not exist on EventBus %s.", name, b.Name())
	}
	return r, nil
}

// changeable is ruleLocked for who wants to change the rule. REQUIRES: s.changing is held.
func (s *Server) changeable(bus, name string) (rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleLocked(bus, name)
	if err == nil && s.managedLocked(r.bus.Bus, name) {
		err = managed(name)
	}
	return r, err
}

func managed(name string) error {
	return &fault{code: codeManagedRule, message: fmt.Sprintf("Rule %s is managed by an archive: change that.", name)}
}

type putRuleInput struct {
	Name               string `aws:"RuleName,required"`
	ScheduleExpression string `aws:"ScheduleExpression"`
	EventPattern       string `aws:"EventPattern"`
	State              string `aws:"RuleState"`
	Description        string `aws:"Description"`
	RoleArn            string `aws:"Arn"`
	Tags               tagList
	EventBusName       string `aws:"EventBusNameOrArn"`
}

// putRule replaces all of a rule but its targets and, as in the service, its tags.
func (s *Server) putRule(_ context.Context, in *putRuleInput) (any, error) {
	tags, err := in.Tags.set()
	if err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	r, err := s.preparePut(in, tags)
	if err != nil {
		return nil, err
	}
	err = r.bus.PutRule(r.Rule)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.bus.putting = nil
	if err != nil {
		return nil, besideSchedule(in, err)
	}
	s.keepLocked(&r)
	return map[string]string{"RuleArn": r.bus.RuleARN(in.Name)}, nil
}

// preparePut returns the rule that in asks for, which its bus is putting from now on.
func (s *Server) preparePut(in *putRuleInput, tags map[string]string) (rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.busLocked(in.EventBusName)
	if err != nil {
		return rule{}, err
	}
	expression, pattern, err := s.patternOf(in, b)
	switch {
	case err != nil:
		return rule{}, err
	case s.managedLocked(b.Bus, in.Name):
		return rule{}, managed(in.Name)
	case expression != nil && s.closed:
		return rule{}, errClosed
	}
	n := footbridge.Rule{Name: in.Name, Description: in.Description, Pattern: pattern, Disabled: in.State == disabled}
	state := &ruleState{pattern: pattern, text: in.EventPattern, schedule: expression, state: in.State,
		roleARN: in.RoleArn, tags: tags, targets: make(map[string]target)}
	if old, ok := b.ruleOnLocked(in.Name); ok {
		n.Targets, state.targets, state.tags = old.Targets, old.targets, old.tags
	}
	b.putting = state
	return rule{n, state, b}, nil
}

// patternOf returns the schedule and the pattern of the rule that in asks for. Either may be
// asked for; the pattern matches the events of the schedule, too.
func (s *Server) patternOf(in *putRuleInput, b *busState) (*schedule.Expression, *footbridge.Pattern, error) {
	if in.EventPattern == "" && in.ScheduleExpression == "" {
		return nil, nil, invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	text := in.EventPattern
	if in.ScheduleExpression == "" {
		pattern, err := footbridge.Compile(text)
		return nil, pattern, err
	}
	if b.Name() != footbridge.DefaultName {
		return nil, nil, invalid("ScheduleExpression is supported only on the default event bus.")
	}
	expression, err := schedule.Parse(in.ScheduleExpression)
	if err != nil {
		return nil, nil, invalid("%s", strings.TrimPrefix(err.Error(), "schedule: "))
	}
	scheduled := fmt.Sprintf(`{"source":["aws.events"],"detail-type":["Scheduled Event"],"resources":[%q]}`, b.RuleARN(in.Name))
	if text == "" {
		text = scheduled
	} else if _, err := footbridge.Compile(text); err != nil { // by itself, for its offsets
		return nil, nil, err
	} else {
		text = `{"$or":[` + text + `,` + scheduled + `]}`
	}
	pattern, err := footbridge.Compile(text)
	return expression, pattern, besideSchedule(in, err)
}

// besideSchedule returns err, which may be nil, and says more if it is about a pattern that
// may be good by itself, but not beside that of a schedule's events: fields in it may not have
// the names of operators, and it must leave room for the other one.
func besideSchedule(in *putRuleInput, err error) error {
	var pattern *footbridge.PatternError
	var rule *footbridge.RuleError
	if in.EventPattern == "" || in.ScheduleExpression == "" || !errors.As(err, &pattern) && !(errors.As(err, &rule) && rule.Field == "Pattern") {
		return err
	}
	return invalid("Parameter EventPattern is not valid. Reason: with a ScheduleExpression it is kept below $or, beside the pattern of the schedule's events: %s", strings.TrimPrefix(faultOf(err).message, "Event pattern is not valid. Reason: "))
}

// scheduleLocked lets r's schedule run if it has one that does not. It runs if the rule is
// disabled, too, and then publishes nothing: the program may enable it.
func (s *Server) scheduleLocked(r *rule) {
	if r.schedule == nil || r.stop != nil || s.closed {
		return
	}
	of, rules := scheduledRule{r.bus.Bus, r.Name, r.pattern}, []schedule.Rule{{Name: r.Name, Expression: r.schedule}}
	r.stop = s.startLocked(func(ctx context.Context) {
		err := schedule.Run(ctx, of, rules, &schedule.Options{Logger: s.log})
		if err != nil && ctx.Err() == nil && !errors.Is(err, footbridge.ErrClosed) {
			s.log.Error("awsapi: schedule", "rule", of.name, "error", err)
		}
	})
}

// A scheduledRule publishes the events of a rule's schedule, until the rule is another.
type scheduledRule struct {
	*footbridge.Bus
	name    string
	pattern *footbridge.Pattern
}

func (s scheduledRule) Publish(ctx context.Context, e footbridge.Event) (string, error) {
	r, ok := s.Rule(s.name)
	switch {
	case !ok || r.Pattern != s.pattern: // the program has removed or replaced it
		return "", footbridge.ErrClosed
	case r.Disabled:
		return "", nil
	}
	return s.Bus.Publish(ctx, e)
}

type ruleInput struct {
	Name         string `aws:"RuleName,required"`
	EventBusName string `aws:"EventBusNameOrArn"`
}

type ruleOutput struct {
	Name               string
	Arn                string
	EventPattern       string `json:",omitempty"`
	ScheduleExpression string `json:",omitempty"`
	State              string
	Description        string `json:",omitempty"`
	RoleArn            string `json:",omitempty"`
	ManagedBy          string `json:",omitempty"`
	EventBusName       string
	CreatedBy          string `json:",omitempty"`
}

// managedBy is who manages the rules of archives.
const managedBy = "prod.vhs.events.aws.internal"

func (s *Server) outputLocked(r rule) ruleOutput {
	o := ruleOutput{Name: r.Name, Arn: r.bus.RuleARN(r.Name), EventPattern: r.text, State: r.state,
		Description: r.Description, RoleArn: r.roleARN, EventBusName: r.bus.Name()}
	if r.schedule != nil {
		o.ScheduleExpression = r.schedule.String()
	}
	if r.Disabled {
		o.State = disabled
	} else if r.state != enabledWithCloudTrail {
		o.State = enabled
	}
	if s.managedLocked(r.bus.Bus, r.Name) {
		o.ManagedBy = managedBy
	}
	return o
}

func (s *Server) describeRule(_ context.Context, in *ruleInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleLocked(in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	o := s.outputLocked(r)
	o.CreatedBy = strings.Split(o.Arn, ":")[4]
	return o, nil
}

type listRulesInput struct {
	paging
	NamePrefix   string `aws:"RuleName"`
	EventBusName string `aws:"EventBusNameOrArn"`
}

func (s *Server) listRules(_ context.Context, in *listRulesInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.busLocked(in.EventBusName)
	if err != nil {
		return nil, err
	}
	all := []ruleOutput{}
	for _, r := range b.Rules() {
		if strings.HasPrefix(r.Name, in.NamePrefix) {
			all = append(all, s.outputLocked(b.withStateLocked(r)))
		}
	}
	rules, next, err := page(in.paging, "ListRules", all, func(r ruleOutput) string { return r.Name })
	return struct {
		Rules     []ruleOutput
		NextToken string `json:",omitempty"`
	}{rules, next}, err
}

type deleteRuleInput struct {
	ruleInput
	Force bool
}

// deleteRule deletes a rule without targets. That there is none is no error, as in the
// service.
func (s *Server) deleteRule(_ context.Context, in *deleteRuleInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.busLocked(in.EventBusName)
	if err != nil {
		return nil, err
	}
	r, ok := b.ruleOnLocked(in.Name)
	switch {
	case !ok:
		return nil, nil
	case s.managedLocked(b.Bus, in.Name):
		return nil, managed(in.Name)
	case len(r.Targets) > 0:
		return nil, invalid("Rule can't be deleted since it has targets.")
	}
	b.forgetLocked(in.Name)
	if err := b.RemoveRule(in.Name); err != nil && !errors.Is(err, footbridge.ErrRuleNotFound) {
		return nil, err
	}
	return nil, nil
}

func (s *Server) enableRule(_ context.Context, in *ruleInput) (any, error) {
	return s.setState(in, enabled)
}

func (s *Server) disableRule(_ context.Context, in *ruleInput) (any, error) {
	return s.setState(in, disabled)
}

func (s *Server) setState(in *ruleInput, state string) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	r, err := s.changeable(in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set := r.bus.EnableRule
	switch {
	case state == disabled:
		set = r.bus.DisableRule
	case r.schedule != nil && s.closed:
		return nil, errClosed
	}
	if err := set(in.Name); err != nil {
		return nil, notFound("Rule %s does not exist on EventBus %s.", in.Name, r.bus.Name())
	}
	r.ruleState.state = state
	if r.Disabled && state == enabled {
		r.end() // its rate counts from now
	}
	s.keepLocked(&r)
	return nil, nil
}
