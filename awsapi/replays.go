package awsapi

import (
	"context"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// A replayState is a replay that a request has started.
type replayState struct {
	name        string
	running     *archive.Replay  // nil when it has ended: it would keep its archive, with the events
	ended       archive.Progress // of one that has
	description string
	source      string // ARN of the archive
	destination replayDestination
	start, end  time.Time // of the events
	began       time.Time
}

type replayDestination struct {
	Arn        string   `aws:"Arn,required"`
	FilterArns []string `json:",omitempty" aws:"ReplayFilters"`
}

// maxReplays bounds how many are active at a time, as in the service.
const maxReplays = 10

func (r *replayState) progress() archive.Progress {
	if r.running == nil {
		return r.ended
	}
	return r.running.Progress()
}

func (r *replayState) active() bool {
	switch r.progress().State {
	case archive.Completed, archive.Cancelled, archive.Failed:
		return false
	}
	return true
}

type startReplayInput struct {
	ReplayName     string            `aws:"ReplayName,required"`
	Description    string            `aws:"Description"`
	EventSourceArn string            `aws:"ArchiveArn,required"`
	EventStartTime epoch             `aws:",required"`
	EventEndTime   epoch             `aws:",required"`
	Destination    replayDestination `aws:",required"`
}

type replayOutput struct {
	ReplayName            string `json:",omitempty"`
	ReplayArn             string `json:",omitempty"`
	Description           string `json:",omitempty"`
	State                 archive.State
	StateReason           string             `json:",omitempty"`
	EventSourceArn        string             `json:",omitempty"`
	Destination           *replayDestination `json:",omitempty"`
	EventStartTime        epoch              `json:",omitzero"`
	EventEndTime          epoch              `json:",omitzero"`
	EventLastReplayedTime epoch              `json:",omitzero"`
	ReplayStartTime       epoch              `json:",omitzero"`
	ReplayEndTime         epoch              `json:",omitzero"`
}

func (s *Server) startReplay(_ context.Context, in *startReplayInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	bus, a, err := s.replayedLocked(in)
	if err != nil {
		return nil, err
	}
	rules, err := s.ruleNames(bus, in.Destination.FilterArns)
	if err != nil {
		return nil, err
	}
	if s.replays[in.ReplayName] != nil { // of this archive, or of another
		return nil, &archive.ExistsError{Replay: in.ReplayName}
	}
	active := 0
	for _, r := range s.replays {
		if r.active() {
			active++
		}
	}
	if active >= maxReplays {
		return nil, &fault{code: footbridge.CodeLimitExceeded, message: "The requested resource exceeds the maximum number allowed."}
	}
	r := &replayState{name: in.ReplayName, description: in.Description, source: in.EventSourceArn, destination: in.Destination,
		start: in.EventStartTime.Time, end: in.EventEndTime.Time, began: time.Now()}
	r.running, err = a.NewReplay(bus, archive.ReplayOptions{Name: in.ReplayName, Start: r.start, End: r.end, Rules: rules})
	if err != nil {
		return nil, err
	}
	s.replays[in.ReplayName] = r
	running := r.running
	s.startLocked(func(ctx context.Context) { s.run(ctx, r, running) })
	return replayOutput{ReplayArn: s.arn("replay", in.ReplayName), State: archive.Starting, ReplayStartTime: epoch{r.began}}, nil
}

// run runs a replay to its end.
func (s *Server) run(ctx context.Context, r *replayState, running *archive.Replay) {
	_ = running.Run(ctx) // its Progress has the error
	s.mu.Lock()
	defer s.mu.Unlock()
	r.running, r.ended = nil, running.Progress()
}

// replayedLocked returns the bus and the archive that a request for a replay names.
func (s *Server) replayedLocked(in *startReplayInput) (*footbridge.Bus, *archiveState, error) {
	if !strings.Contains(in.Destination.Arn, ":event-bus/") {
		return nil, nil, invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
	}
	bus, err := s.busOfARN(in.Destination.Arn)
	if err != nil {
		return nil, nil, err
	}
	kind, name, _ := s.resource(in.EventSourceArn)
	a := s.archives[name]
	if kind != "archive" || a == nil {
		return nil, nil, invalid("Parameter EventSourceArn is not valid. Reason: Archive %s does not exist.", in.EventSourceArn[strings.LastIndex(in.EventSourceArn, "/")+1:])
	}
	return bus, a, nil
}

// ruleNames returns the names of the rules of b that ARNs are of.
func (s *Server) ruleNames(b *footbridge.Bus, arns []string) (names []string, err error) {
	for _, arn := range arns {
		name := arn[strings.LastIndex(arn, "/")+1:]
		if _, ok := b.Rule(name); !ok || arn != b.RuleARN(name) {
			return nil, invalid("Parameter Destination.FilterArns is not valid. Reason: %s is no rule of event bus %s.", arn, b.Name())
		}
		names = append(names, name)
	}
	return names, nil
}

// maxReason bounds a StateReason, in characters.
const maxReason = 512

// listed is what a list has of a replay.
func (r *replayState) listed() replayOutput {
	p := r.progress()
	o := replayOutput{ReplayName: r.name, State: p.State, EventSourceArn: r.source, EventStartTime: epoch{r.start}, EventEndTime: epoch{r.end},
		EventLastReplayedTime: epoch{p.EventTime}, ReplayStartTime: epoch{r.began}, ReplayEndTime: epoch{p.Ended}}
	if p.Err != nil {
		reason := []rune(p.Err.Error())
		o.StateReason = string(reason[:min(len(reason), maxReason)])
	}
	return o
}

func (s *Server) replayLocked(name string) (*replayState, error) {
	if r := s.replays[name]; r != nil {
		return r, nil
	}
	return nil, notFound("Replay %s does not exist.", name)
}

type replayInput struct {
	ReplayName string `aws:"ReplayName,required"`
}

func (s *Server) describeReplay(_ context.Context, in *replayInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.replayLocked(in.ReplayName)
	if err != nil {
		return nil, err
	}
	o := r.listed()
	o.ReplayArn, o.Description, o.Destination = s.arn("replay", r.name), r.description, &r.destination
	return o, nil
}

type listReplaysInput struct {
	paging
	NamePrefix     string `aws:"ReplayName"`
	EventSourceArn string `aws:"ArchiveArn"`
	State          string `aws:"ReplayState"`
}

func (s *Server) listReplays(_ context.Context, in *listReplaysInput) (any, error) {
	if err := oneFilter("ListReplays", in.NamePrefix, in.EventSourceArn, in.State); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []replayOutput{}
	for _, name := range sortedKeys(s.replays) {
		r := s.replays[name].listed()
		if strings.HasPrefix(name, in.NamePrefix) && among(in.EventSourceArn, r.EventSourceArn) && among(in.State, string(r.State)) {
			all = append(all, r)
		}
	}
	replays, next, err := page(in.paging, "ListReplays", all, func(r replayOutput) string { return r.ReplayName })
	return struct {
		Replays   []replayOutput
		NextToken string `json:",omitempty"`
	}{replays, next}, err
}

func (s *Server) cancelReplay(_ context.Context, in *replayInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.replayLocked(in.ReplayName)
	if err != nil {
		return nil, err
	}
	if state := r.progress().State; state != archive.Starting && state != archive.Running {
		return nil, &fault{code: codeIllegalStatus, message: "Replay " + in.ReplayName + " is not in a valid state for this operation."}
	}
	r.running.Cancel()
	return replayOutput{ReplayArn: s.arn("replay", in.ReplayName), State: archive.Cancelling}, nil
}
