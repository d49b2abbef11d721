package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/nils"
)

// An Archive keeps the events of one bus. All its methods may be called from any number
// of goroutines. [New] makes one.
type Archive struct {
	options Options // defaults filled in
	pattern *footbridge.Pattern

	archived, replayed, expireFailures atomic.Int64

	mu      sync.Mutex // guards the field below
	replays []*Replay  // in the order they were made
}

// Options are what an [Archive] is made with. All but Name may be zero.
type Options struct {
	Name    string              // 1 to 48 of A-Z a-z 0-9 . - _
	Bus     string              // name of the bus whose events it keeps, and no other's, in a bus's grammar; "": footbridge.DefaultName
	Pattern *footbridge.Pattern // of the events that it keeps; nil: all

	// Retention is how long events are kept, from when the archive got them. The
	// service counts it in days: N of them are N*24*time.Hour. Zero, as there, is for
	// ever. What is older is removed when an event is archived, when a replay begins,
	// and by [Archive.Expire]; a FileStore removes it by whole files.
	Retention time.Duration

	Store  Store        // where it keeps them, and they alone; nil: a new MemoryStore
	Logger *slog.Logger // of what cannot be expired or replayed; nil: discards
}

// A ParameterError says what is wrong with the Options of an archive or a replay, in the
// service's form. Nothing was made.
type ParameterError struct {
	Parameter string // the service's name of it, such as "EventEndTime"
	Reason    string
}

func (e *ParameterError) Error() string {
	return fmt.Sprintf("archive: Parameter %s is not valid. Reason: %s", e.Parameter, e.Reason)
}

// A BusError says that an archive was given an event of another bus than its own: its
// rule was put there.
type BusError struct{ Archive, Want, Got string }

func (e *BusError) Error() string {
	return fmt.Sprintf("archive: archive %s keeps events of bus %q, got one of bus %q", e.Archive, e.Want, e.Got)
}

// New returns an archive. It keeps nothing until its [Archive.Rule] is put on a bus. The
// error is a *ParameterError, or the *footbridge.PatternError of a pattern that cannot be
// combined with that of its rule.
func New(o Options) (*Archive, error) {
	if reason := nameReason(o.Name, 48); reason != "" {
		return nil, &ParameterError{"ArchiveName", reason}
	}
	if o.Bus == "" {
		o.Bus = footbridge.DefaultName
	}
	if reason := nameReason(o.Bus, 256); reason != "" {
		return nil, &ParameterError{"EventSourceArn", reason}
	}
	if o.Store != nil && nils.Is(o.Store) {
		return nil, &ParameterError{"Store", "want one or none, got " + nils.Text(o.Store)}
	}
	if o.Retention < 0 {
		return nil, &ParameterError{"RetentionDays", fmt.Sprintf("want 0 or more, got %v", o.Retention)}
	}
	pattern, err := withoutReplays(o.Pattern)
	if err != nil {
		return nil, fmt.Errorf("archive: pattern of archive %s: %w", o.Name, err)
	}
	if o.Store == nil {
		o.Store = &MemoryStore{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Archive{options: o, pattern: pattern}, nil
}

// nameReason says what is wrong with a name; "" is nothing. The grammar is the service's.
func nameReason(name string, longest int) string {
	bad := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c)
	}
	if len(name) < 1 || len(name) > longest || strings.ContainsFunc(name, bad) {
		return fmt.Sprintf(`want 1 to %d characters of [\.\-_A-Za-z0-9]+, got %q`, longest, name)
	}
	return ""
}

// withoutReplays returns the pattern of the events that match p and are not replayed, so
// that a replay does not even queue at the archive. A pattern that speaks of replay-name
// itself stays as it is: the handler passes replayed events over.
func withoutReplays(p *footbridge.Pattern) (*footbridge.Pattern, error) {
	const noReplay = `{"replay-name":[{"exists":false}]`
	if p == nil {
		return footbridge.Compile(noReplay + "}")
	}
	var fields map[string]json.RawMessage
	text := bytes.TrimSpace([]byte(p.String()))
	if json.Unmarshal(text, &fields) != nil || len(fields) == 0 || fields["replay-name"] != nil {
		return p, nil // the zero Pattern, which PutRule refuses, comes here too
	}
	return footbridge.Compile(noReplay + "," + string(text[1:]))
}

// Name returns the archive's name.
func (a *Archive) Name() string { return a.options.Name }

// Rule returns the rule that archives: put it on the bus, and remove it to archive no
// more. As the service's managed rule it is one among those of its bus: an event that the
// archive keeps is one that matches a rule, and with Strict it is one of the 300, and its
// pattern, which excludes replayed events beside what [Options].Pattern says, is at most
// 2,048 characters.
//
// Its name is "Events-Archive-" and the archive's. Its one target, "archive", has an OrderBy
// and else the bus's defaults, Retry, DLQ and Queue among them; they may be set before the
// rule is put. A store that is slower than the publishers makes them wait when that queue is
// full.
func (a *Archive) Rule() footbridge.Rule {
	return footbridge.Rule{
		Name:        "Events-Archive-" + a.options.Name,
		Description: "keeps events in the archive " + a.options.Name,
		Pattern:     a.pattern,
		Targets: []footbridge.Target{{
			ID:      "archive",
			Handler: footbridge.HandlerFunc(a.handle),
			OrderBy: func(footbridge.Event) string { return "" }, // one key: one order for all
		}},
	}
}

// handle keeps the event of a delivery.
func (a *Archive) handle(ctx context.Context, d footbridge.Delivery) error {
	if d.Bus != a.options.Bus {
		return footbridge.Permanent(&BusError{Archive: a.options.Name, Want: a.options.Bus, Got: d.Bus})
	}
	if d.Event.ReplayName != "" {
		a.replayed.Add(1)
		return nil
	}
	_ = a.Expire(ctx) // logged and counted: that old events stay is no reason to lose a new one
	e := d.Event
	e.Time = e.Time.UTC() // the same from every store: no zone, no monotonic reading
	err := a.options.Store.Append(ctx, e)
	if errors.Is(err, ErrStoreClosed) {
		return footbridge.Permanent(err)
	}
	if err == nil {
		a.archived.Add(1)
	}
	return err
}

// Expire removes events that are older than the retention. An archive does so itself
// whenever it gets an event; one that gets none for long may be helped. The error is the
// store's; it is logged and counted, too.
func (a *Archive) Expire(ctx context.Context) error {
	if a.options.Retention == 0 {
		return nil
	}
	err := a.options.Store.Expire(ctx, time.Now().Add(-a.options.Retention))
	if err != nil {
		a.expireFailures.Add(1)
		a.options.Logger.Error("archive: old events were not removed", slog.String("archive", a.options.Name), slog.Any("error", err))
	}
	return err
}

// Stats are counts since the archive was made. What its store holds and has dropped is in
// the store's.
type Stats struct {
	Archived       int64 // events the store has taken
	Replayed       int64 // events passed over, since they carry a replay's name
	ExpireFailures int64 // times that the store has failed to remove old events
}

// Stats returns the archive's counts.
func (a *Archive) Stats() Stats {
	return Stats{Archived: a.archived.Load(), Replayed: a.replayed.Load(), ExpireFailures: a.expireFailures.Load()}
}

// Replays returns the replays that were made, in that order.
func (a *Archive) Replays() []*Replay {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*Replay(nil), a.replays...)
}
