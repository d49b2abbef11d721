package awsapi

import (
	"context"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A busState is a bus with what requests have said of it and the bus itself does not keep.
type busState struct {
	*footbridge.Bus
	modified    time.Time // zero: never
	description *string   // nil: the bus's own
	kmsKey      string
	deadLetter  *deadLetterConfig // of events that cannot be decrypted, which here are none
	logConfig   *logConfig
	tags        map[string]string
	rules       map[string]*ruleState // by name
	putting     *ruleState            // of the rule that a request is putting, if there is one
}

type deadLetterConfig struct {
	Arn string `json:",omitempty" aws:"Arn"`
}

type logConfig struct {
	IncludeDetail string `json:",omitempty" aws:"IncludeDetail"`
	Level         string `json:",omitempty" aws:"Level"`
}

// busLocked returns the bus of a name or an ARN, "" for the default one.
func (s *Server) busLocked(name string) (*busState, error) {
	info, err := s.hub.Describe(name)
	if err != nil {
		return nil, err
	}
	b := s.buses[info.Name]
	if b == nil || b.Bus != info.Bus { // one of that name was, and was deleted by the program
		b = &busState{Bus: info.Bus, tags: make(map[string]string), rules: make(map[string]*ruleState)}
		s.buses[info.Name] = b
	}
	return b, nil
}

// resource returns the kind and the name of what an ARN of the hub's account and region is
// of: "event-bus" and a bus's, say. ok is false if it is of others.
func (s *Server) resource(arn string) (kind, name string, ok bool) {
	prefix := strings.TrimSuffix(s.hub.Default().ARN(), "event-bus/"+footbridge.DefaultName)
	if arn, ok = strings.CutPrefix(arn, prefix); !ok {
		return "", "", false
	}
	return strings.Cut(arn, "/")
}

// arn returns the ARN of a resource of the hub.
func (s *Server) arn(kind, name string) string {
	return strings.TrimSuffix(s.hub.Default().ARN(), "event-bus/"+footbridge.DefaultName) + kind + "/" + name
}

// busOfARN returns the bus that an ARN is of. Errors name it by its name if it has one.
func (s *Server) busOfARN(arn string) (*footbridge.Bus, error) {
	if kind, name, ok := s.resource(arn); ok && kind == "event-bus" {
		return s.hub.Bus(name)
	}
	return nil, notFound("Event bus %s does not exist.", arn)
}

type createEventBusInput struct {
	Name             string  `aws:"EventBusName,required"`
	EventSourceName  string  `aws:"EventSourceName"`
	Description      *string `aws:"Description"`
	KmsKeyIdentifier string  `aws:"KmsKeyIdentifier"`
	DeadLetterConfig *deadLetterConfig
	LogConfig        *logConfig
	Tags             tagList
}

type busOutput struct {
	EventBusArn      string            `json:",omitempty"`
	Name             string            `json:",omitempty"`
	Arn              string            `json:",omitempty"`
	Description      string            `json:",omitempty"`
	KmsKeyIdentifier string            `json:",omitempty"`
	DeadLetterConfig *deadLetterConfig `json:",omitempty"`
	LogConfig        *logConfig        `json:",omitempty"`
	CreationTime     epoch             `json:",omitzero"`
	LastModifiedTime epoch             `json:",omitzero"`
}

// settings returns what a request may set of b.
func (b *busState) settings() busOutput {
	o := busOutput{Description: b.Description(), KmsKeyIdentifier: b.kmsKey, DeadLetterConfig: b.deadLetter, LogConfig: b.logConfig}
	if b.description != nil {
		o.Description = *b.description
	}
	return o
}

func (s *Server) createEventBus(_ context.Context, in *createEventBusInput) (any, error) {
	if in.EventSourceName != "" {
		return nil, notFound("Event source %s does not exist.", in.EventSourceName)
	}
	tags, err := in.Tags.set()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.hub.Create(in.Name, nil); err != nil {
		return nil, err
	}
	b, err := s.busLocked(in.Name)
	if err != nil {
		return nil, err
	}
	b.description, b.kmsKey, b.deadLetter, b.logConfig, b.tags = in.Description, in.KmsKeyIdentifier, in.DeadLetterConfig, in.LogConfig, tags
	o := b.settings()
	o.EventBusArn = b.ARN()
	return o, nil
}

type describeEventBusInput struct {
	Name string `aws:"EventBusNameOrArn"`
}

func (s *Server) describeEventBus(_ context.Context, in *describeEventBusInput) (any, error) {
	info, err := s.hub.Describe(in.Name)
	if err != nil {
		return nil, err
	}
	return s.describe(info)
}

// describe returns what there is to know of a bus.
func (s *Server) describe(info footbridge.BusInfo) (busOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.busLocked(info.Name)
	if err != nil {
		return busOutput{}, err
	}
	o := b.settings()
	o.Name, o.Arn, o.CreationTime, o.LastModifiedTime = info.Name, info.ARN, epoch{info.Created}, epoch{info.Created}
	if !b.modified.IsZero() {
		o.LastModifiedTime = epoch{b.modified}
	}
	return o, nil
}

type listEventBusesInput struct {
	paging
	NamePrefix string `aws:"EventBusName"`
}

func (s *Server) listEventBuses(_ context.Context, in *listEventBusesInput) (any, error) {
	infos, next, err := page(in.paging, "ListEventBuses", s.hub.List(in.NamePrefix), func(b footbridge.BusInfo) string { return b.Name })
	if err != nil {
		return nil, err
	}
	all := []busOutput{}
	for _, info := range infos {
		o, err := s.describe(info)
		if err != nil {
			continue // deleted meanwhile
		}
		o.KmsKeyIdentifier, o.DeadLetterConfig, o.LogConfig = "", nil, nil
		all = append(all, o)
	}
	return struct {
		EventBuses []busOutput
		NextToken  string `json:",omitempty"`
	}{all, next}, nil
}

type updateEventBusInput struct {
	Name             string  `aws:"EventBusName"`
	Description      *string `aws:"Description"`
	KmsKeyIdentifier *string `aws:"KmsKeyIdentifier"`
	DeadLetterConfig *deadLetterConfig
	LogConfig        *logConfig
}

// updateEventBus changes what the request has, and keeps what it has not.
func (s *Server) updateEventBus(_ context.Context, in *updateEventBusInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.busLocked(in.Name)
	if err != nil {
		return nil, err
	}
	if in.Description != nil {
		b.description = in.Description
	}
	set(&b.kmsKey, in.KmsKeyIdentifier)
	if in.DeadLetterConfig != nil {
		b.deadLetter = in.DeadLetterConfig
	}
	if in.LogConfig != nil {
		b.logConfig = in.LogConfig
	}
	b.modified = time.Now()
	o := b.settings()
	o.Name, o.Arn = b.Name(), b.ARN()
	return o, nil
}

type deleteEventBusInput struct {
	Name string `aws:"EventBusName,required"`
}

// deleteEventBus removes a bus, which finishes what it has in the background. That there is
// none is no error, as in the service.
func (s *Server) deleteEventBus(_ context.Context, in *deleteEventBusInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	b, err := s.hub.Remove(in.Name)
	if err != nil {
		if faultOf(err).code == footbridge.CodeResourceNotFound {
			return nil, nil
		}
		return nil, err
	}
	delete(s.buses, b.Name())
	s.startLocked(func(ctx context.Context) {
		if err := b.Close(ctx); err != nil {
			s.log.Error("awsapi: a deleted bus did not finish", "bus", b.Name(), "error", err)
		}
	})
	return nil, nil
}
