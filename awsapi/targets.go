package awsapi

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A target is one as requests have it. Of what belongs to targets that are none here,
// nothing is said, and all is kept: a request for the targets gets what was put.
type target struct {
	Id               string            `aws:"TargetId,required"`
	Arn              string            `aws:"Arn,required"`
	RoleArn          string            `json:",omitempty" aws:"Arn"`
	Input            string            `json:",omitempty" aws:"TargetInput"`
	InputPath        string            `json:",omitempty" aws:"TargetInputPath"`
	InputTransformer *inputTransformer `json:",omitempty"`
	SqsParameters    *sqsParameters    `json:",omitempty"`
	DeadLetterConfig *deadLetterConfig `json:",omitempty"`
	RetryPolicy      *retryPolicy      `json:",omitempty"`

	AppSyncParameters           any `json:",omitempty"`
	BatchParameters             any `json:",omitempty"`
	EcsParameters               any `json:",omitempty"`
	HttpParameters              any `json:",omitempty"`
	KinesisParameters           any `json:",omitempty"`
	RedshiftDataParameters      any `json:",omitempty"`
	RunCommandParameters        any `json:",omitempty"`
	SageMakerPipelineParameters any `json:",omitempty"`
}

type inputTransformer struct {
	InputPathsMap map[string]string `json:",omitempty" aws:"TransformerPaths"`
	InputTemplate string            `aws:"TransformerInput,required"`
}

type sqsParameters struct {
	MessageGroupId string `json:",omitempty" aws:"MessageGroupId"`
}

type retryPolicy struct {
	MaximumRetryAttempts     *int `json:",omitempty" aws:"MaximumRetryAttempts"`
	MaximumEventAgeInSeconds *int `json:",omitempty" aws:"MaximumEventAgeInSeconds"`
}

// policy returns the policy that p asks for: a Backoff with the default delays.
func (p *retryPolicy) policy() footbridge.RetryPolicy {
	var b footbridge.Backoff
	if n := p.MaximumRetryAttempts; n != nil {
		b.MaxRetries = *n
		if *n == 0 {
			b.MaxRetries = -1
		}
	}
	if n := p.MaximumEventAgeInSeconds; n != nil {
		b.MaxAge = time.Duration(*n) * time.Second
	}
	return b
}

// input returns what t's deliveries hold.
func (t *target) input() (in footbridge.Input) {
	if t.Input != "" {
		in.Constant = json.RawMessage(t.Input)
	}
	in.Path = t.InputPath
	if tr := t.InputTransformer; tr != nil {
		in.Transformer = footbridge.InputTransformer{InputPathsMap: tr.InputPathsMap, InputTemplate: tr.InputTemplate}
	}
	return in
}

// goTarget returns how a target is listed that the program has put on rule r.
func (r *rule) goTarget(t footbridge.Target) target {
	o := target{Id: t.ID, Arn: goTargetARN(r.bus.Bus, r.Name, t), Input: string(t.Input.Constant), InputPath: t.Input.Path}
	if tr := t.Input.Transformer; tr.InputTemplate != "" {
		o.InputTransformer = &inputTransformer{tr.InputPathsMap, tr.InputTemplate}
	}
	return o
}

// listed returns r's targets as requests have them, sorted by ID.
func (r *rule) listed() []target {
	all := make([]target, 0, len(r.Targets))
	for _, t := range r.Targets {
		o, ok := r.targets[t.ID]
		if !ok {
			o = r.goTarget(t)
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b target) int { return strings.Compare(a.Id, b.Id) })
	return all
}

// A failedEntry says why a target was not put.
type failedEntry struct {
	TargetId     string
	ErrorCode    string
	ErrorMessage string
}

type targetsOutput struct {
	FailedEntryCount int
	FailedEntries    []failedEntry
}

type putTargetsInput struct {
	Rule         string   `aws:"RuleName,required"`
	EventBusName string   `aws:"EventBusNameOrArn"`
	Targets      []target `aws:"TargetList,required"`
}

// putTargets adds targets to a rule, or replaces those of the same IDs. What is wrong with
// the form of one refuses all; one whose ARN resolves to nothing fails alone. Of several with
// the same ID the last counts.
func (s *Server) putTargets(_ context.Context, in *putTargetsInput) (any, error) {
	out := targetsOutput{FailedEntries: []failedEntry{}}
	resolved := make(map[string]footbridge.Target)
	asked := make(map[string]target)
	for i, t := range in.Targets {
		if err := t.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(in.Targets[i+1:], func(later target) bool { return later.Id == t.Id }) {
			continue
		}
		made, err := s.resolve(&t) // without the lock: it may call the program
		if err != nil {
			f := faultOf(err)
			out.FailedEntries = append(out.FailedEntries, failedEntry{t.Id, f.code, f.message})
			continue
		}
		resolved[t.Id], asked[t.Id] = made, t
	}
	out.FailedEntryCount = len(out.FailedEntries)
	s.changing.Lock()
	defer s.changing.Unlock()
	r, err := s.changeable(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	targets := slices.DeleteFunc(slices.Clone(r.Targets), func(t footbridge.Target) bool { _, ok := resolved[t.ID]; return ok })
	for _, id := range sortedKeys(resolved) {
		targets = append(targets, resolved[id])
	}
	n := r.Rule
	n.Targets = targets
	before := r.targets // which only who holds s.changing sets
	after := maps.Clone(before)
	maps.Copy(after, asked)
	s.setTargets(&r, after) // for who lists them as soon as the bus has them
	if err := r.bus.PutRule(n); err != nil {
		s.setTargets(&r, before)
		return nil, err
	}
	return out, nil
}

// setTargets sets what requests have said of r's targets.
func (s *Server) setTargets(r *rule, targets map[string]target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.targets = targets
	s.keepLocked(r)
}

// check returns a fault if t has not the form of a target.
func (t *target) check() error {
	if !strings.HasPrefix(t.Arn, "arn:") || strings.Count(t.Arn, ":") < 5 {
		return invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.Arn)
	}
	if isQueue(t.Arn) && strings.HasSuffix(t.Arn, ".fifo") && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == "") {
		return invalid("Parameter(s) SqsParameters must be specified for target: %s.", t.Id)
	}
	return nil
}

// isQueue reports whether an ARN is that of a queue.
func isQueue(arn string) bool { return strings.Split(arn, ":")[2] == "sqs" }

type removeTargetsInput struct {
	Rule         string   `aws:"RuleName,required"`
	EventBusName string   `aws:"EventBusNameOrArn"`
	Ids          []string `aws:"TargetIdList,required"`
	Force        bool
}

// removeTargets removes targets of these IDs, of which there may be none.
func (s *Server) removeTargets(_ context.Context, in *removeTargetsInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	r, err := s.changeable(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	n := r.Rule
	n.Targets = slices.DeleteFunc(slices.Clone(r.Targets), func(t footbridge.Target) bool { return slices.Contains(in.Ids, t.ID) })
	if err := r.bus.PutRule(n); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range in.Ids {
		delete(r.targets, id)
	}
	return targetsOutput{FailedEntries: []failedEntry{}}, nil
}

type listTargetsByRuleInput struct {
	paging
	Rule         string `aws:"RuleName,required"`
	EventBusName string `aws:"EventBusNameOrArn"`
}

func (s *Server) listTargetsByRule(_ context.Context, in *listTargetsByRuleInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleLocked(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	targets, next, err := page(in.paging, "ListTargetsByRule", r.listed(), func(t target) string { return t.Id })
	return struct {
		Targets   []target
		NextToken string `json:",omitempty"`
	}{targets, next}, err
}

type listRuleNamesByTargetInput struct {
	paging
	TargetArn    string `aws:"Arn,required"`
	EventBusName string `aws:"EventBusNameOrArn"`
}

func (s *Server) listRuleNamesByTarget(_ context.Context, in *listRuleNamesByTargetInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.busLocked(in.EventBusName)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, of := range b.Rules() {
		r := b.withStateLocked(of)
		if slices.ContainsFunc(r.listed(), func(t target) bool { return t.Arn == in.TargetArn }) {
			names = append(names, r.Name)
		}
	}
	names, next, err := page(in.paging, "ListRuleNamesByTarget", names, func(name string) string { return name })
	return struct {
		RuleNames []string
		NextToken string `json:",omitempty"`
	}{names, next}, err
}
