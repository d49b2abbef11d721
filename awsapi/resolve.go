package awsapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/footbridge-go/footbridge"
)

// This file has what the ARNs of targets stand for.

// resolve returns the target that t asks for. What its Retry and DLQ are if t names none is
// left to the bus or, of a target of the program's, to that.
func (s *Server) resolve(t *target) (made footbridge.Target, err error) {
	if made, err = s.targetOf(t); err != nil {
		return made, err
	}
	made.ID, made.Input = t.Id, t.input()
	if t.RetryPolicy != nil {
		made.Retry = t.RetryPolicy.policy()
	}
	if t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != "" {
		dlq, err := s.dlqOf(t.DeadLetterConfig.Arn)
		if err != nil {
			return made, err
		}
		made.DLQ = targetDLQ{dlq, t.Arn}
	}
	return made, nil
}

// targetOf returns a target of what t's ARN stands for: a bus of the hub, a target of the
// program's, a queue, or what Options.Resolve knows.
func (s *Server) targetOf(t *target) (made footbridge.Target, err error) {
	kind, name, _ := s.resource(t.Arn)
	switch {
	case kind == "event-bus":
		b, err := s.hub.Bus(name)
		return footbridge.Forward(t.Id, b), err
	case kind == "target":
		return s.goTargetOf(t.Arn, name)
	case isQueue(t.Arn):
		group := ""
		if t.SqsParameters != nil {
			group = t.SqsParameters.MessageGroupId
		}
		if made.Handler, err = s.queues.handler(t.Arn, group); made.Handler != nil || err != nil {
			return made, err
		}
	}
	made.Handler, err = s.ask(t.Arn)
	return made, err
}

// goTargetOf returns the target of an ARN that goTargetARN has made.
func (s *Server) goTargetOf(arn, name string) (footbridge.Target, error) {
	path := strings.Split(name, "/") // rule/id, or bus/rule/id
	if n := len(path); n == 2 || n == 3 {
		b, err := s.hub.Bus(strings.Join(path[:n-2], ""))
		if err != nil {
			return footbridge.Target{}, err
		}
		r, _ := b.Rule(path[n-2])
		for _, t := range r.Targets {
			if t.ID == path[n-1] {
				return t, nil
			}
		}
	}
	return footbridge.Target{}, notFound("Target %s does not exist.", arn)
}

// ask asks Options.Resolve.
func (s *Server) ask(arn string) (footbridge.Handler, error) {
	if s.options.Resolve == nil {
		return nil, notFound("Target %s does not exist: it is no bus, queue or target of this process, and there is no Options.Resolve.", arn)
	}
	h, err := s.options.Resolve(arn)
	if err == nil && h == nil {
		err = notFound("Target %s does not exist: Options.Resolve knows none of that ARN.", arn)
	} else if err != nil {
		err = notFound("Target %s does not exist: %v", arn, err)
	}
	return h, err
}

// dlqOf returns the dead-letter queue of an ARN: a queue, or a handler of Options.Resolve
// that is one.
func (s *Server) dlqOf(arn string) (footbridge.DLQ, error) {
	if dlq, err := s.queues.dlq(arn); dlq != nil || err != nil {
		return dlq, err
	}
	h, err := s.ask(arn)
	if err != nil {
		return nil, err
	}
	dlq, ok := h.(footbridge.DLQ)
	if !ok {
		return nil, invalid("Parameter DeadLetterConfig.Arn is not valid. Reason: %s takes no dead letters: %s", arn, fmt.Sprintf("%T is no footbridge.DLQ.", h))
	}
	return dlq, nil
}

// A targetDLQ gives dead letters the target's ARN that requests know.
type targetDLQ struct {
	footbridge.DLQ
	arn string
}

func (q targetDLQ) Send(ctx context.Context, d footbridge.DeadLetter) error {
	d.TargetARN = q.arn
	return q.DLQ.Send(ctx, d)
}

// goTargetARN returns the ARN of a target of the program's, which the service has none for:
// the one that dead letters have, too.
func goTargetARN(b *footbridge.Bus, rule string, t footbridge.Target) string {
	if h, ok := t.Handler.(interface{ ARN() string }); ok {
		return h.ARN()
	}
	return strings.Replace(b.RuleARN(rule), ":rule/", ":target/", 1) + "/" + t.ID
}
