package footbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge/internal/match"
)

// An Entry is an event as PutEvents takes it: the service's PutEventsRequestEntry, with its
// names in JSON. Source, DetailType and Detail are needed.
type Entry struct {
	Time         time.Time // zero: the time of the call. In JSON seconds since 1970, or RFC 3339
	Source       string    // does not begin with "aws.", which is the service's own
	Resources    []string
	DetailType   string
	Detail       string // a JSON object
	EventBusName string // name or ARN; "": the bus itself, of a Hub the default bus
	TraceHeader  string // taken as the service takes it; no target receives it
}

// Limits of a request of PutEvents, the service's (API model, and its documentation since
// 2026-01-29). [Options].Strict enforces them.
const (
	MaxEntries     = 10      // entries
	MaxRequestSize = 1 << 20 // bytes, which the sum of the entries' sizes stays below
)

// Size is what the entry counts of [MaxRequestSize], as the service computes it: 14 bytes
// if Time is set, and the bytes of Source, DetailType, Detail and each of Resources.
func (e Entry) Size() int {
	n := len(e.Source) + len(e.DetailType) + len(e.Detail)
	if !e.Time.IsZero() {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// event returns the event that e is on its way to become.
func (e *Entry) event() Event {
	return Event{Source: e.Source, DetailType: e.DetailType, Time: e.Time, Resources: e.Resources, Detail: json.RawMessage(e.Detail)}
}

// A PutEventsResult says what became of each entry: the service's response, with its names
// in JSON.
type PutEventsResult struct {
	FailedEntryCount int
	Entries          []PutEventsResultEntry // in the order of the request
}

// A PutEventsResultEntry is an event's ID, or why its entry failed. As in the service, how
// the event fares later does not show in it.
type PutEventsResultEntry struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"` // one of the Code constants of entries
	ErrorMessage string `json:",omitempty"` // the service's text where it has one
}

// PutEvents publishes each entry, as the service's request of that name does: what is
// accepted has an ID in the result, what is not a code and a message. Entries fail or not
// independently of each other. Like [Bus.Publish] it waits for room in queues.
//
// EventBusName is "", the bus's name or its ARN. An event for another bus gets an ID and is
// dropped, as the service does, but counted in Stats, logged and told to the Observer; with
// [Options].Strict its entry fails with [CodeResourceNotFound]. Sources that begin with
// "aws." are refused here, and not by Publish, by which packages and tests may stand for
// the service.
//
// With an error nothing was accepted: a *RequestError if Strict refuses the number or the
// size of the entries, or a field of one that the service's API model bounds, an *OptionError, or one that wraps [ErrClosed] or the context's.
func (b *Bus) PutEvents(ctx context.Context, entries []Entry) (PutEventsResult, error) {
	return b.putEvents(ctx, entries, func(name string) *Bus {
		if name == "" || name == b.options.Name || name == b.ARN() {
			return b
		}
		return nil
	})
}

// putEvents is PutEvents with the bus that find returns for each entry's EventBusName, nil
// if there is none; then b counts it.
func (b *Bus) putEvents(ctx context.Context, entries []Entry, find func(name string) *Bus) (PutEventsResult, error) {
	if err := b.mayPublish(ctx); err != nil {
		return PutEventsResult{}, err
	}
	if b.options.Strict {
		if err := checkEntries(entries); err != nil {
			return PutEventsResult{}, err
		}
	}
	r := PutEventsResult{Entries: make([]PutEventsResultEntry, len(entries))}
	for i := range entries {
		e, err := &r.Entries[i], error(nil)
		if e.EventID, err = b.putEntry(ctx, &entries[i], find); err != nil {
			e.ErrorCode, e.ErrorMessage = entryFailure(err)
			r.FailedEntryCount++
			b.log.DebugContext(ctx, "footbridge: an entry of PutEvents is refused", slog.String("bus", b.options.Name), slog.Int("entry", i), slog.Any("error", err))
		}
	}
	return r, nil
}

// putEntry publishes an entry, or drops it if its bus does not exist.
func (b *Bus) putEntry(ctx context.Context, entry *Entry, find func(name string) *Bus) (id string, err error) {
	to, e := find(entry.EventBusName), entry.event()
	if err = e.check(); err == nil && strings.HasPrefix(e.Source, "aws.") {
		err = &RequestError{Code: CodeNotAuthorizedForSource, Message: "Not authorized for the source"}
	}
	switch {
	case to == nil:
		return b.drop(e, entry.EventBusName, err)
	case err != nil:
		to.refuse(e, err)
		return "", err
	}
	return to.publish(ctx, e, publication{})
}

// drop counts and tells that e is for a bus that does not exist, or refuses it, because of
// err or since b is strict.
func (b *Bus) drop(e Event, bus string, err error) (id string, _ error) {
	unknown := busNotFound(bus)
	if err == nil {
		if syntax := match.ValidDetail(e.Detail, MaxDetailDepth); syntax != nil {
			err = &EventError{Field: "Detail", Reason: detailMalformed, Err: syntax}
		} else if b.options.Strict {
			err = unknown
		}
	}
	if err != nil {
		b.refuse(e, err)
		return "", err
	}
	b.complete(&e, time.Now())
	b.counters.unknownBus.Add(1)
	b.log.Warn("footbridge: an event for a bus that does not exist is dropped", slog.String("bus", b.options.Name), slog.String("for", bus),
		slog.String("event", e.ID), slog.String("source", e.Source), slog.String("detail-type", e.DetailType))
	call(b, b.options.Observer.UnknownBus, RefusedInfo{Event: e, Err: unknown})
	return e.ID, nil
}

// entryFailure returns the code and the message of an entry that was refused.
func entryFailure(err error) (code, message string) {
	var event *EventError
	var request *RequestError
	var input *InputError
	switch {
	case errors.As(err, &event) && event.Reason == detailMalformed:
		return CodeMalformedDetail, detailMalformed + "."
	case errors.As(err, &event):
		return CodeInvalidArgument, fmt.Sprintf("Parameter %s is not valid. Reason: %s", event.Field, event.Reason)
	case errors.As(err, &request):
		return request.Code, request.Message
	case errors.As(err, &input):
		return CodeInvalidInput, err.Error()
	case errors.Is(err, ErrUnmatched):
		return CodeUnmatched, ErrUnmatched.Error()
	case errors.Is(err, ErrQueueFull):
		return CodeThrottling, err.Error()
	}
	return CodeInternalFailure, err.Error()
}

// entryJSON is an Entry on the wire.
type entryJSON struct {
	Time         json.RawMessage `json:",omitempty"`
	Source       string          `json:",omitempty"`
	Resources    []string        `json:",omitempty"`
	DetailType   string          `json:",omitempty"`
	Detail       string          `json:",omitempty"`
	EventBusName string          `json:",omitempty"`
	TraceHeader  string          `json:",omitempty"`
}

// MarshalJSON returns the entry as it is sent to the service: Time is a number of seconds,
// to the millisecond, and what is empty is left out.
func (e Entry) MarshalJSON() ([]byte, error) {
	j := entryJSON{nil, e.Source, e.Resources, e.DetailType, e.Detail, e.EventBusName, e.TraceHeader}
	if !e.Time.IsZero() {
		j.Time = strconv.AppendFloat(nil, float64(e.Time.UnixMilli())/1000, 'f', -1, 64)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what is sent to the service, and what its command line takes: Time
// may be a number or a string. Keys that it does not know are ignored, as in the service.
func (e *Entry) UnmarshalJSON(data []byte) error {
	var j entryJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("footbridge: entry: %w", ofType(err, "Entry"))
	}
	*e = Entry{time.Time{}, j.Source, j.Resources, j.DetailType, j.Detail, j.EventBusName, j.TraceHeader}
	if len(j.Time) == 0 || string(j.Time) == "null" {
		return nil
	}
	if json.Unmarshal(j.Time, &e.Time) == nil {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(j.Time), 64)
	if err != nil || math.Abs(seconds) > 1<<40 { // more than any year that an event may have
		return fmt.Errorf("footbridge: entry: Time: want a number of seconds or a time of RFC 3339, got %.40s", j.Time)
	}
	e.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}
