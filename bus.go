package footbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/footbridge-go/footbridge/internal/dispatch"
	"github.com/footbridge-go/footbridge/internal/match"
)

// A Bus routes the events that are published on it to the targets of the rules they
// match. All its methods may be called from any number of goroutines, handlers
// included, but for Wait and Close, which a handler of the bus cannot wait for.
type Bus struct {
	options    Options // defaults filled in
	invalid    error   // what is wrong with the options; nil: nothing
	log        *slog.Logger
	dispatcher *dispatch.Dispatcher
	counters   counters
	closed     atomic.Bool

	attempts     context.Context // ends when the bus is closed by force: of attempts
	stopAttempts context.CancelCauseFunc
	letters      context.Context // ends when that closing has had its time: of DLQs
	stopLetters  context.CancelCauseFunc

	matcher match.Set[*rule] // of the rules that are enabled

	mu      sync.Mutex // guards the fields below, and changes of matcher
	rules   map[string]*rule
	targets uint // made so far
}

// Options are what a [Bus] is made with. The zero value of each field is its default.
//
// Logger is told, at ERROR, of deliveries that are lost and of panics, with their stacks;
// at WARN of dead letters, of targets that begin to fail, of publishers that wait long, and of
// entries of PutEvents for a bus there is not; at INFO of targets that have recovered; at DEBUG
// of each attempt that failed, of entries that are refused, and of events that match no rule.
// A panic of its handler is ignored.
type Options struct {
	Name    string // 1 to 256 of A-Z a-z 0-9 . - _; "default"
	Account string // of events that name none, and in ARNs; "000000000000"
	Region  string // likewise; "us-east-1"

	Description string // for people; with Strict at most 512 characters

	Retry       RetryPolicy  // of targets that name none; nil: Backoff{}
	DLQ         DLQ          // of targets that name none; nil: none, and what cannot be delivered is reported as lost
	Concurrency int          // of targets that name none; 0: 16
	Queue       int          // of targets that name none; 0: 65,536
	Backlog     int          // of targets that name none; 0: 65,536
	Middleware  []Middleware // around every attempt, the first outermost
	Observer    *Observer    // nil: none
	Logger      *slog.Logger // nil: discards

	// Strict enforces the service's limits, so that what passes here passes there, and makes
	// errors of what it drops in silence. docs/design.md has the list.
	//
	//   - PutRule refuses a 301st rule, a 6th target, a pattern of more than 2,048 characters
	//     or 1,000 combinations of $or branches or of wildcards that are too complex, more than
	//     512 characters of a description, 8,192 of a constant input or of a template, 256 of a
	//     path or of its name, 100 paths, names of them that begin with AWS, and a Backoff of
	//     more than 185 retries or a MaxAge that is not from a minute to a day.
	//   - PutEvents refuses what is not 1 to 10 entries of less than 1 MiB together, or has a bus
	//     that is neither a name nor an ARN or is of more than 1,600 characters, a TraceHeader of
	//     more than 500, or a resource of more than 2,048; and an entry for a bus there is not;
	//     all that publish refuse an event of 1 MiB or with a
	//     detail-type of more than 128 characters, one of which a target's Input cannot be made
	//     (an *[InputError]), and, unless it is redriven or replayed, one that matches no rule
	//     ([ErrUnmatched]).
	//   - A Hub refuses a 101st bus.
	//   - New, as it does with wrong options, refuses an Account that is not 12 digits, and a
	//     Region that is none of the service's form.
	Strict bool
}

// Defaults of Options.
const (
	DefaultName        = "default"
	DefaultAccount     = "000000000000"
	DefaultRegion      = "us-east-1"
	DefaultConcurrency = 16
	DefaultQueue       = 65536
	DefaultBacklog     = 65536
)

const maxBusName = 256 // characters

// ErrClosed is returned by a bus that was closed.
var ErrClosed = errors.New("bus is closed")

// ErrInHandler is returned by Wait and Close when their context is that of a handler
// of the same bus: they would wait for that handler, and it for them.
var ErrInHandler = errors.New("called by a handler of the bus, which would wait for itself")

// An OptionError says which option is wrong. New cannot return it; it is what the
// bus's methods return instead.
type OptionError struct {
	Field  string // of Options, such as "Queue"
	Reason string
}

func (e *OptionError) Error() string { return "footbridge: Options." + e.Field + ": " + e.Reason }

// A QueueFullError says which target had no room for an event. Nothing of the event
// was delivered.
type QueueFullError struct{ Rule, Target string }

func (e *QueueFullError) Error() string {
	return fmt.Sprintf("footbridge: queue of target %s of rule %s is full", e.Target, e.Rule)
}

// Is reports whether target is [ErrQueueFull].
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }

// ErrQueueFull is what [errors.Is] finds in every [QueueFullError].
var ErrQueueFull = errors.New("queue is full")

// New returns a bus without rules. opts may be nil. What is wrong with opts is
// returned, as an *OptionError, by PutRule and by all that publish.
func New(opts *Options) *Bus {
	b := &Bus{dispatcher: dispatch.New(), rules: make(map[string]*rule)}
	if opts != nil {
		b.options = *opts
	}
	b.invalid = b.options.check()
	b.options.fill()
	b.log = b.options.Logger
	b.attempts, b.stopAttempts = context.WithCancelCause(context.Background())
	b.letters, b.stopLetters = context.WithCancelCause(context.Background())
	return b
}

func (o *Options) check() error {
	if field, reason := checkShared(o.Retry, o.DLQ, o.Concurrency, o.Queue, o.Backlog); reason != "" {
		return &OptionError{field, reason}
	}
	if strings.ContainsFunc(o.Name, func(r rune) bool { return !isNameRune(r) }) || len(o.Name) > maxBusName {
		return &OptionError{"Name", fmt.Sprintf(`want 1 to 256 characters of [\.\-_A-Za-z0-9]+, got %q`, o.Name)}
	}
	if slices.ContainsFunc(o.Middleware, func(m Middleware) bool { return m == nil }) {
		return &OptionError{"Middleware", "want functions, got nil"}
	}
	if o.Strict {
		if err := o.checkStrict(); err != nil {
			return err
		}
	}
	e := Event{Source: "-", DetailType: "-", Detail: []byte("{}"), Account: o.Account, Region: o.Region}
	var invalid *EventError
	if errors.As(e.check(), &invalid) {
		return &OptionError{invalid.Field, invalid.Reason}
	}
	return nil
}

func (o *Options) fill() {
	setDefault := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	setDefault(&o.Name, DefaultName)
	setDefault(&o.Account, DefaultAccount)
	setDefault(&o.Region, DefaultRegion)
	o.Concurrency = orZero(o.Concurrency, DefaultConcurrency)
	o.Queue = orZero(o.Queue, DefaultQueue)
	o.Backlog = orZero(o.Backlog, DefaultBacklog)
	if o.Retry == nil {
		o.Retry = Backoff{}
	}
	if o.Observer == nil {
		o.Observer = &Observer{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	} else {
		o.Logger = slog.New(containedLog{o.Logger.Handler()})
	}
}

// Name returns the bus's name.
func (b *Bus) Name() string { return b.options.Name }

// Description returns what Options says of the bus.
func (b *Bus) Description() string { return b.options.Description }

// ARN returns the bus's ARN.
func (b *Bus) ARN() string {
	return fmt.Sprintf("arn:aws:events:%s:%s:event-bus/%s", b.options.Region, b.options.Account, b.options.Name)
}

// RuleARN returns the ARN of the rule of that name, whether or not there is one.
func (b *Bus) RuleARN(name string) string { return b.arn("rule", name) }

// arn returns the ARN of a resource of the bus: kind "rule" and a rule's name, say.
// On other buses than the default one its name stands between the two.
func (b *Bus) arn(kind, name string) string {
	if b.options.Name != DefaultName {
		name = b.options.Name + "/" + name
	}
	return fmt.Sprintf("arn:aws:events:%s:%s:%s/%s", b.options.Region, b.options.Account, kind, name)
}

// Publish accepts an event for every target of every rule that it matches, or, with
// an error, for none, and returns the event's ID. It does not wait until they have
// handled it.
//
// The error is an *EventError, a *QueueFullError or an *OptionError, or it wraps
// [ErrClosed] or the context's error. A context that has ended is an error; one that
// ends later bounds how long Publish waits for room in queues. Its values reach the
// handlers, its cancellation does not.
//
// An event that matches no rule is accepted, and counted as unmatched.
func (b *Bus) Publish(ctx context.Context, e Event) (id string, err error) {
	return b.publish(ctx, e, publication{})
}

// PublishNotify is Publish, and calls done once when every matched target is decided:
// at once if there is none. done is called by a worker, which it should not hold up,
// or by the publisher; with an error it is not called.
func (b *Bus) PublishNotify(ctx context.Context, e Event, done func(Outcome)) (id string, err error) {
	return b.publish(ctx, e, publication{done: done})
}

// Deliver is Publish, and waits until every matched target is decided. If ctx ends
// first it returns the outcome's EventID alone with ctx's error; the deliveries go on.
// A handler that delivers to its own target waits in vain if its Concurrency is used up.
func (b *Bus) Deliver(ctx context.Context, e Event) (Outcome, error) {
	done := make(chan Outcome, 1)
	id, err := b.PublishNotify(ctx, e, func(o Outcome) { done <- o })
	if err != nil {
		return Outcome{}, err
	}
	select {
	case o := <-done:
		return o, nil
	case <-ctx.Done():
		return Outcome{EventID: id}, fmt.Errorf("footbridge: deliver: %w", ctx.Err())
	}
}

// Wait returns when everything accepted is decided, what handlers have published
// before they returned included. The error wraps the context's, or [ErrInHandler].
func (b *Bus) Wait(ctx context.Context) error {
	if b.isHandlers(ctx) {
		return fmt.Errorf("footbridge: wait: %w", ErrInHandler)
	}
	if err := b.dispatcher.Wait(ctx); err != nil {
		return fmt.Errorf("footbridge: wait: %w", err)
	}
	return nil
}
