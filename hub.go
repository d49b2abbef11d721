package footbridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Hub has several buses by name, as an account of the service has: the default bus,
// which is always there, and those that are created. [NewHub] makes one. Its methods may
// be called from any number of goroutines, but for Wait, Close and Delete, which a handler
// of the buses in question cannot wait for.
//
// Its errors are those of the service, a *RequestError each, unless they say otherwise.
type Hub struct {
	options Options
	home    *Bus // the default one

	mu     sync.Mutex // guards the fields below; no other lock is taken under it
	buses  map[string]hubBus
	closed bool
}

type hubBus struct {
	*Bus
	created time.Time
}

// maxBuses is how many buses an account of the service may have, by its documentation.
const maxBuses = 100

// NewHub returns a hub with the default bus. opts, which may be nil, are those of every
// bus that is created without its own; Name is ignored. As with [New], what is wrong with
// them is returned by the buses.
func NewHub(opts *Options) *Hub {
	h := &Hub{buses: make(map[string]hubBus)}
	if opts != nil {
		h.options = *opts
	}
	h.options.Name = DefaultName
	h.home = New(&h.options)
	h.buses[DefaultName] = hubBus{h.home, time.Now()}
	return h
}

// Default returns the default bus.
func (h *Hub) Default() *Bus { return h.home }

// A BusInfo describes a bus of a Hub.
type BusInfo struct {
	Name, ARN   string
	Description string
	Created     time.Time
	Bus         *Bus
}

func (b hubBus) info() BusInfo {
	return BusInfo{b.options.Name, b.ARN(), b.options.Description, b.created, b.Bus}
}

// Create creates a bus. opts are its options, nil for the hub's; Name, Account and Region
// are ignored, since the hub has the two. It refuses, with CodeValidation, a name that is
// not of 1 to 256 of A-Z a-z 0-9 . - _; with CodeResourceAlreadyExists one that is taken,
// as "default" always is; and with Strict, with CodeLimitExceeded, a 101st bus. It also
// returns the *OptionError of opts, or an error that wraps [ErrClosed].
func (h *Hub) Create(name string, opts *Options) (*Bus, error) {
	if err := checkBusName(name); err != nil {
		return nil, err
	}
	o := h.options
	if opts != nil {
		o = *opts
		o.Account, o.Region = h.options.Account, h.options.Region
	}
	o.Name = name
	b := New(&o)
	if b.invalid != nil {
		return nil, b.invalid
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, exists := h.buses[name]
	switch {
	case h.closed:
		return nil, &hubClosedError{name}
	case exists:
		return nil, &RequestError{Code: CodeResourceAlreadyExists, Message: fmt.Sprintf("Event bus %s already exists.", name)}
	case h.options.Strict && len(h.buses) >= maxBuses:
		return nil, &RequestError{CodeLimitExceeded, limitExceeded, limit{n: maxBuses + 1, most: maxBuses, what: "buses"}.more()}
	}
	h.buses[name] = hubBus{b, time.Now()}
	return b, nil
}

// A hubClosedError refuses to create a bus.
type hubClosedError struct{ bus string }

func (e *hubClosedError) Error() string {
	return fmt.Sprintf("footbridge: create bus %q: hub is closed", e.bus)
}

// Is reports whether target is [ErrClosed].
func (e *hubClosedError) Is(target error) bool { return target == ErrClosed }

// checkBusName returns a *RequestError unless name may be a bus's. As in the service's
// model a slash is in the grammar, and refused by another rule.
func checkBusName(name string) error {
	switch {
	case name == "":
		return unfit(name, "name", "have length greater than or equal to 1")
	case len(name) > maxBusName:
		return unfit(name, "name", fmt.Sprintf("have length less than or equal to %d", maxBusName))
	case strings.ContainsFunc(name, func(r rune) bool { return r != '/' && !isNameRune(r) }):
		return unfit(name, "name", `satisfy regular expression pattern: [/\.\-_A-Za-z0-9]+`)
	case strings.Contains(name, "/"):
		return invalid("Event bus name must not contain '/'.")
	}
	return nil
}

// Describe returns what there is to know of a bus, by its name or ARN, "" for the default
// one. It refuses with CodeResourceNotFound.
func (h *Hub) Describe(name string) (BusInfo, error) {
	b, err := h.find(name)
	if err != nil {
		return BusInfo{}, err
	}
	return b.info(), nil
}

// Bus returns the bus of a name or an ARN, "" for the default one. It refuses with
// CodeResourceNotFound.
func (h *Hub) Bus(name string) (*Bus, error) {
	b, err := h.find(name)
	return b.Bus, err
}

// find returns the bus of a name or an ARN, "" for the default one.
func (h *Hub) find(name string) (hubBus, error) {
	plain := name
	switch {
	case name == "":
		plain = DefaultName
	case strings.HasPrefix(name, "arn:"): // as no name does
		plain = strings.TrimPrefix(name, strings.TrimSuffix(h.home.ARN(), DefaultName))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if b, ok := h.buses[plain]; ok {
		return b, nil
	}
	return hubBus{}, busNotFound(name)
}

// List returns the buses whose names begin with prefix, sorted by name.
func (h *Hub) List(prefix string) []BusInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []BusInfo
	for name, b := range h.buses {
		if strings.HasPrefix(name, prefix) {
			all = append(all, b.info())
		}
	}
	slices.SortFunc(all, func(a, b BusInfo) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Delete closes a bus, by its name or ARN, and removes it: from now on it is an unknown
// bus, and what it has accepted is finished as [Bus.Close] says, whose error it returns.
// It refuses as [Hub.Remove] does, and with [ErrInHandler] as Close does.
func (h *Hub) Delete(ctx context.Context, name string) error {
	if b, err := h.Bus(name); err == nil && b.isHandlers(ctx) {
		return fmt.Errorf("footbridge: delete bus %q: %w", b.options.Name, ErrInHandler)
	}
	b, err := h.Remove(name)
	if err != nil {
		return err
	}
	return b.Close(ctx)
}

// Remove is [Hub.Delete] without the wait: it removes a bus and returns it, and leaves it to
// the caller to close it. From now on it is an unknown bus, which refuses events and rules.
// It refuses, with CodeValidation, the default bus and one that has rules; with
// CodeResourceNotFound one that does not exist, where the service is silent. A rule that
// is put meanwhile keeps the bus, or is refused with [ErrClosed].
func (h *Hub) Remove(name string) (*Bus, error) {
	b, err := h.Bus(name)
	switch {
	case err != nil:
		return nil, err
	case b == h.home:
		return nil, invalid("Cannot delete event bus %s.", DefaultName)
	case !b.closeEmpty():
		return nil, invalid("Event bus %s can't be deleted since it has rules.", b.options.Name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.buses[b.options.Name].Bus != b { // someone else has removed it meanwhile
		return nil, busNotFound(name)
	}
	delete(h.buses, b.options.Name)
	return b, nil
}

// closeEmpty lets b, if it has no rules, refuse rules and events from now on, and reports
// whether it has none: a rule is put before, and keeps b, or not at all.
func (b *Bus) closeEmpty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rules) > 0 {
		return false
	}
	b.closed.Store(true)
	return true
}

// PutEvents publishes each entry on the bus that its EventBusName names, by name or ARN,
// "" being the default one. In all else it is [Bus.PutEvents] of the default bus: that is
// where an event for a bus there is not is counted and observed, and whose Strict counts.
func (h *Hub) PutEvents(ctx context.Context, entries []Entry) (PutEventsResult, error) {
	return h.home.putEvents(ctx, entries, func(name string) *Bus {
		b, _ := h.Bus(name)
		return b
	})
}

// A Hop is a target that is a bus: what [Forward] makes.
type Hop struct {
	Bus, Rule, Target string // where it is
	To                string // the name of the bus it publishes on
	Foreign           bool   // which is none of the hub's
}

// Hops returns all hops of the hub's buses, disabled rules included, sorted. They are the
// edges of a graph, in which there may be loops: an event passes one hop only, and a
// second is a dead letter, so that no loop goes round.
func (h *Hub) Hops() []Hop {
	hops := h.hops()
	all := make([]Hop, 0, len(hops))
	for _, hop := range hops {
		all = append(all, hop.Hop)
	}
	return all
}

// A busHop is a Hop with its buses.
type busHop struct {
	Hop
	from, to *Bus
}

func (h *Hub) hops() (all []busHop) {
	buses := h.all()
	for _, b := range buses {
		for _, r := range b.Rules() {
			for _, t := range r.Targets {
				if f, ok := t.Handler.(forward); ok {
					hop := Hop{b.Name(), r.Name, t.ID, f.to.Name(), !slices.Contains(buses, f.to)}
					all = append(all, busHop{hop, b, f.to})
				}
			}
		}
	}
	return all
}

// all returns the buses, sorted by name.
func (h *Hub) all() (buses []*Bus) {
	for _, info := range h.List("") {
		buses = append(buses, info.Bus)
	}
	return buses
}

// Wait returns when everything that the hub's buses have accepted is decided, what
// handlers have published on others of these buses included. A bus that [Hub.Remove] has
// taken out is none of them: to wait for it is the caller's. Its errors are those of
// [Bus.Wait].
func (h *Hub) Wait(ctx context.Context) error {
	for {
		buses := h.all()
		before := deliveries(buses)
		for _, b := range buses {
			if err := b.Wait(ctx); err != nil {
				return err
			}
		}
		// Each bus was at rest for a moment. If none has accepted anything since before the
		// first of these moments, and there is no other, all are at rest now.
		if deliveries(buses) == before && slices.Equal(h.all(), buses) {
			return nil
		}
	}
}

// deliveries returns how many the buses have accepted. It never gets less.
func deliveries(buses []*Bus) (n int64) {
	for _, b := range buses {
		n += b.counters.deliveries.Load()
	}
	return n
}

// Close closes all buses as [Bus.Close] does, those that forward before those they forward
// to, and refuses to create others. Buses that are left when ctx ends are closed by force,
// all at once. A bus that [Hub.Remove] has taken out is the caller's to close. The error joins
// those of the buses, each a *CloseError.
func (h *Hub) Close(ctx context.Context) error {
	for _, b := range h.all() {
		if b.isHandlers(ctx) {
			return fmt.Errorf("footbridge: close: %w", ErrInHandler)
		}
	}
	h.mu.Lock() // no bus comes behind this
	h.closed = true
	h.mu.Unlock()
	buses := h.sorted()
	errs := make([]error, len(buses))
	var wg sync.WaitGroup
	for i, b := range buses {
		if ctx.Err() == nil {
			errs[i] = b.Close(ctx)
		} else {
			wg.Go(func() { errs[i] = b.Close(ctx) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sorted returns the buses, those that forward before those they forward to where there is
// no loop, and else by name.
func (h *Hub) sorted() (sorted []*Bus) {
	hops, left := h.hops(), h.all()
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(b *Bus) bool {
			return !slices.ContainsFunc(hops, func(hop busHop) bool {
				return hop.to == b && hop.from != b && slices.Contains(left, hop.from)
			})
		})
		i = max(i, 0) // in a loop
		sorted = append(sorted, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return sorted
}
