package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/nils"
)

// A Publisher takes the events of a replay. A *footbridge.Bus is one. If it has a method
// Name() string, as a Bus has, that must return the name of the archive's bus.
type Publisher interface {
	Publish(ctx context.Context, e footbridge.Event) (id string, err error)
}

// A RulePublisher publishes an event to some rules alone.
type RulePublisher interface {
	PublishTo(ctx context.Context, e footbridge.Event, rules ...string) (id string, err error)
}

// ErrNoRulePublisher is returned for a replay to named rules on a [Publisher] that is no
// [RulePublisher].
var ErrNoRulePublisher = errors.New("publisher cannot publish to named rules")

// ErrCancelled is the error of a replay that was cancelled by [Replay.Cancel].
var ErrCancelled = errors.New("replay was cancelled")

// ErrHasRun is returned by [Replay.Run] when it is called a second time.
var ErrHasRun = errors.New("replay has run")

// An ExistsError says that an archive has a replay of that name already.
type ExistsError struct{ Replay string }

func (e *ExistsError) Error() string { return "archive: Replay " + e.Replay + " already exists." }

// errLeft is the error of a replay whose Run did not return.
var errLeft = errors.New("left by a panic or runtime.Goexit")

// ReplayOptions say what a [Replay] replays. Name, Start and End are needed.
type ReplayOptions struct {
	Name       string    // 1 to 64 of A-Z a-z 0-9 . - _; differs from those of the archive's other replays
	Start, End time.Time // events whose Time is at or behind Start and before End
	Rules      []string  // names of the rules that get the events, if they match; nil: all rules. Not empty else

	// Speed is how fast time passes: 1 is the original speed, 60 makes a minute of each
	// hour. The first event is sent at once, another as long behind it as the difference
	// of their Times, divided by Speed. A replay that a full bus has delayed catches up.
	// Zero: as fast as the bus accepts events.
	Speed float64

	// Report is told what became of each event, by Run's goroutine. It may cancel the
	// replay. Nil: no one is.
	Report func(Report)
}

// A Replay publishes events of an archive once more, with its name in ReplayName; they
// keep their ID and Time. [Archive.NewReplay] makes one. All methods may be called from
// any number of goroutines.
type Replay struct {
	archive *Archive
	options ReplayOptions
	to      Publisher
	publish func(context.Context, footbridge.Event) error

	mu       sync.Mutex // guards the fields below
	progress Progress
	cancel   context.CancelCauseFunc // of Run; nil: it was not called
}

// NewReplay returns a replay to the archive's bus, in the state STARTING. [Replay.Run]
// runs it. The error is a *ParameterError or an *ExistsError, or wraps
// [ErrNoRulePublisher]. A name stays taken when its replay has come to its end.
func (a *Archive) NewReplay(to Publisher, o ReplayOptions) (*Replay, error) {
	if err := a.check(to, o); err != nil {
		return nil, err
	}
	o.Rules = slices.Clone(o.Rules)
	r := &Replay{archive: a, options: o, to: to, progress: Progress{State: Starting, Total: -1}}
	r.publish = func(ctx context.Context, e footbridge.Event) error {
		_, err := to.Publish(ctx, e)
		return err
	}
	if len(o.Rules) > 0 {
		rules, ok := to.(RulePublisher)
		if !ok {
			return nil, fmt.Errorf("archive: replay %s: %T: %w", o.Name, to, ErrNoRulePublisher)
		}
		r.publish = func(ctx context.Context, e footbridge.Event) error {
			_, err := rules.PublishTo(ctx, e, r.options.Rules...)
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.ContainsFunc(a.replays, func(other *Replay) bool { return other.options.Name == o.Name }) {
		return nil, &ExistsError{Replay: o.Name}
	}
	a.replays = append(a.replays, r)
	return r, nil
}

// check returns a *ParameterError unless a replay may be made. The reasons of EventEndTime
// and Destination.Arn are the service's.
func (a *Archive) check(to Publisher, o ReplayOptions) error {
	if reason := nameReason(o.Name, 64); reason != "" {
		return &ParameterError{"ReplayName", reason}
	}
	if o.End.IsZero() {
		return &ParameterError{"EventEndTime", "want one, got the zero time"}
	}
	if !o.Start.Before(o.End) {
		return &ParameterError{"EventEndTime", "EventStartTime must be before EventEndTime."}
	}
	if o.Rules != nil && len(o.Rules) == 0 {
		return &ParameterError{"Destination.FilterArns", "want names of rules, or nil for all rules, got an empty list"}
	}
	for i, name := range o.Rules {
		if reason := nameReason(name, 64); reason != "" {
			return &ParameterError{fmt.Sprintf("Destination.FilterArns[%d]", i), reason}
		}
	}
	if !(o.Speed >= 0) || math.IsInf(o.Speed, 1) { // NaN is not >= 0
		return &ParameterError{"Speed", fmt.Sprintf("want a number, 0 or more, got %v", o.Speed)}
	}
	if nils.Is(to) {
		return &ParameterError{"Destination", "want a publisher, got " + nils.Text(to)}
	}
	if bus, ok := to.(interface{ Name() string }); ok && bus.Name() != a.options.Bus {
		return &ParameterError{"Destination.Arn", "Cross event bus replay is not permitted."}
	}
	return nil
}

// Name returns the replay's name.
func (r *Replay) Name() string { return r.options.Name }

// Progress returns how far the replay is.
func (r *Replay) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// Cancel ends the replay: no event is sent behind the one that is on its way. A replay
// that Run was not called for is CANCELLED at once, another when Run has returned; one
// that has come to its end stays as it is.
func (r *Replay) Cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.progress.State {
	case Starting, Running:
		if r.cancel == nil {
			r.progress.State, r.progress.Err, r.progress.Ended = Cancelled, ErrCancelled, time.Now()
			return
		}
		r.progress.State = Cancelling
		r.cancel(ErrCancelled)
	}
}

// Run publishes the events that the archive has when it is called, by the minute of their
// Time, and in a minute in the order they were archived. It returns nil when each was sent
// or has failed, an error that wraps [ErrCancelled] or the cause of ctx's end if the
// replay was cancelled, and another if it has failed: the store's, or one that wraps
// [footbridge.ErrClosed] or, of a rule that the replay names, [footbridge.ErrRuleNotFound].
// A panic of Report passes through, and leaves the replay FAILED. The values of ctx reach
// the handlers.
//
// An event that the bus refuses, or that cannot be read, has failed: it is counted,
// reported and logged, and the replay goes on. Sent is what the bus has accepted; its
// Wait tells when that is delivered. Run starts no goroutine.
func (r *Replay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := r.begin(cancel); err != nil {
		return fmt.Errorf("archive: replay %s: %w", r.options.Name, err)
	}
	state, err := Failed, fmt.Errorf("archive: replay %s: %w", r.options.Name, errLeft)
	defer func() { r.end(state, err) }()
	if err = r.run(ctx); err == nil {
		state = Completed
		return nil
	}
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		state, err = Cancelled, context.Cause(ctx)
	}
	err = fmt.Errorf("archive: replay %s: %w", r.options.Name, err)
	return err
}

func (r *Replay) begin(cancel context.CancelCauseFunc) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cancel != nil:
		return ErrHasRun
	case r.progress.State == Cancelled:
		return ErrCancelled
	}
	r.cancel, r.progress.Began = cancel, time.Now()
	return nil
}

func (r *Replay) end(s State, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.State, r.progress.Ended = s, time.Now()
	if err != nil {
		r.progress.Err = err
	}
}

func (r *Replay) run(ctx context.Context) (err error) {
	if err := r.missingRule(); err != nil {
		return err
	}
	_ = r.archive.Expire(ctx) // logged and counted: to replay what should be gone is the lesser evil
	cursor, err := r.archive.options.Store.Read(ctx, r.options.Start, r.options.End)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := cursor.Close(); closeErr != nil && err == nil {
			err = closeErr
		}
	}()
	r.found(cursor.Total())
	p := pace{speed: r.options.Speed}
	for {
		e, err := cursor.Next(ctx)
		var damaged *DamagedError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &damaged):
			r.note(footbridge.Event{}, err)
			continue
		case err != nil:
			return err
		}
		if err := p.wait(ctx, e.Time); err != nil {
			return err
		}
		e.ReplayName = r.options.Name
		err = r.publish(ctx, e)
		switch {
		case errors.Is(err, footbridge.ErrClosed), errors.Is(err, footbridge.ErrRuleNotFound):
			return err // which no later event can mend
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return err
		}
		r.note(e, err)
	}
}

// missingRule returns an error that wraps [footbridge.ErrRuleNotFound] if a rule that is named
// is not there, also where no event would show it; nil if the publisher cannot say.
func (r *Replay) missingRule() error {
	bus, ok := r.to.(interface {
		Rule(name string) (footbridge.Rule, bool)
	})
	if !ok {
		return nil
	}
	for _, name := range r.options.Rules {
		if _, found := bus.Rule(name); !found {
			return fmt.Errorf("rule %q: %w", name, footbridge.ErrRuleNotFound)
		}
	}
	return nil
}

// found notes that the events were found.
func (r *Replay) found(total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.Total = total
	if r.progress.State == Starting { // else it is Cancelling
		r.progress.State = Running
	}
}

// note notes what became of an event.
func (r *Replay) note(e footbridge.Event, err error) {
	r.mu.Lock()
	p := &r.progress
	if err == nil {
		p.Sent++
	} else {
		p.Failed++
		p.Err = err
	}
	if !e.Time.IsZero() {
		p.EventTime = e.Time
	}
	report := Report{Event: e, Err: err, Progress: *p}
	r.mu.Unlock()
	if err != nil {
		r.archive.options.Logger.Error("archive: an event was not replayed", slog.String("archive", r.archive.options.Name),
			slog.String("replay", r.options.Name), slog.String("event", e.ID), slog.Any("error", err))
	}
	if r.options.Report != nil {
		r.options.Report(report)
	}
}

// A pace says when events are sent. Times are counted from the first one, not from one to
// the next, so that delays do not add up.
type pace struct {
	speed float64 // 0: at once
	began time.Time
	first time.Time // the Time of the first event
}

// wait returns when an event of that Time is to be sent, or with the cause of ctx's end.
func (p *pace) wait(ctx context.Context, t time.Time) error {
	if p.speed != 0 && p.began.IsZero() {
		p.began, p.first = time.Now(), t
	}
	if delay := p.delay(t); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// delay returns how long it is until an event of that Time is to be sent.
func (p *pace) delay(t time.Time) time.Duration {
	after := t.Sub(p.first)
	if p.speed == 0 || after <= 0 { // an event may be before the first, within its minute
		return 0
	}
	if p.speed != 1 { // 1 is exact, also beyond the 53 bits of a float64
		scaled := float64(after) / p.speed
		after = math.MaxInt64
		if scaled < math.MaxInt64 {
			after = time.Duration(scaled)
		}
	}
	return after - time.Since(p.began)
}
