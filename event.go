package footbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/match"
)

// MaxDetailDepth is how many levels of objects and arrays a Detail may nest. It is
// the service's limit.
const MaxDetailDepth = 1000

// An Event is what is published: EventBridge's envelope, as a struct.
//
// Source, DetailType and Detail are needed; [Bus.Publish] fills in what else is
// zero. An event is shared by the publisher and all targets it reaches: once it is
// published, neither may change what Resources and Detail refer to.
type Event struct {
	ID         string          // zero: a random UUID
	Source     string          // who publishes, such as "com.example.orders"
	DetailType string          // what happened, such as "Order Placed"
	Time       time.Time       // when; zero: now. The envelope has whole seconds, in UTC
	Account    string          // zero: the bus's
	Region     string          // zero: the bus's
	Resources  []string        // ARNs that the event is about; may be empty
	Detail     json.RawMessage // a JSON object
	ReplayName string          // of the replay that published the event; zero: none
}

// NewEvent returns an event whose Detail is detail's JSON. The error is an
// *EventError if that cannot be made or is not an object.
func NewEvent(source, detailType string, detail any) (Event, error) {
	data, err := json.Marshal(detail)
	if err != nil {
		return Event{}, &EventError{Field: "Detail", Reason: "Detail cannot be marshalled", Err: err}
	}
	if data[0] != '{' {
		return Event{}, &EventError{Field: "Detail", Reason: fmt.Sprintf("Detail is malformed: want a JSON object, got %.40s", data)}
	}
	return Event{Source: source, DetailType: detailType, Detail: data}, nil
}

// Decode unmarshals Detail into v, as [json.Unmarshal] does.
func (e Event) Decode(v any) error {
	if err := json.Unmarshal(e.Detail, v); err != nil {
		return fmt.Errorf("footbridge: detail of event %s (%s): %w", e.ID, e.DetailType, err)
	}
	return nil
}

// MarshalJSON returns the envelope as the service delivers it: compact, with its
// key order, a "resources" that is never null and a time in whole seconds UTC.
// Nothing is escaped for HTML. (json.Marshal does escape what it gets from here.) What
// is not UTF-8 becomes U+FFFD, since JSON cannot hold it.
func (e Event) MarshalJSON() ([]byte, error) {
	var envelope bytes.Buffer
	if err := e.writeEnvelope(&envelope); err != nil {
		return nil, err
	}
	return envelope.Bytes(), nil
}

// writeEnvelope writes what MarshalJSON returns; with an error nothing.
func (e *Event) writeEnvelope(envelope *bytes.Buffer) error {
	envelope.Grow(256 + len(e.Detail))
	b := appendMember(envelope.AvailableBuffer(), `{"version":"0","id":`, e.ID)
	b = appendMember(b, `,"detail-type":`, e.DetailType)
	b = appendMember(b, `,"source":`, e.Source)
	b = appendMember(b, `,"account":`, e.Account)
	b = append(b, `,"time":"`...)
	b = e.Time.UTC().AppendFormat(b, match.TimeFormat)
	b = appendMember(b, `","region":`, e.Region)
	if e.ReplayName != "" {
		b = appendMember(b, `,"replay-name":`, e.ReplayName)
	}
	b = append(b, `,"resources":[`...)
	for i, r := range e.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMember(b, "", r)
	}
	b = append(b, `],"detail":`...)
	detail := []byte(e.Detail)
	if len(detail) == 0 {
		detail = []byte("null")
	} else if !utf8.Valid(detail) {
		detail = bytes.ToValidUTF8(detail, []byte("\uFFFD"))
	}
	envelope.Write(b)
	if err := json.Compact(envelope, detail); err != nil {
		envelope.Reset()
		return &EventError{Field: "Detail", Reason: detailMalformed, Err: err}
	}
	envelope.WriteByte('}')
	return nil
}

// String returns the envelope, as MarshalJSON does, for logs and tests. A Detail that is no
// JSON is shown as a string.
func (e Event) String() string {
	data, err := e.MarshalJSON()
	if err != nil {
		e.Detail, _ = json.Marshal(string(e.Detail)) // of a string it never fails
		data, _ = e.MarshalJSON()
	}
	return string(data)
}

// appendMember appends key as it is, and value as a JSON string.
func appendMember(b []byte, key, value string) []byte {
	b = append(b, key...)
	b = append(b, '"')
	for i, r := range value {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		case r == utf8.RuneError:
			b = append(b, "\uFFFD"...) // also for a byte that is not UTF-8, which JSON cannot hold
		default:
			b = append(b, value[i:i+utf8.RuneLen(r)]...)
		}
	}
	return append(b, '"')
}

// UnmarshalJSON reads an envelope. Keys that it does not know are ignored.
func (e *Event) UnmarshalJSON(data []byte) error {
	var envelope envelopeJSON
	if err := json.Unmarshal(data, &envelope); err != nil {
		return fmt.Errorf("footbridge: event envelope: %w", ofType(err, "Event"))
	}
	*e = Event(envelope)
	return nil
}

// ofType names the type that was read in an error of reading what stands for it in JSON.
func ofType(err error, name string) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		wrong.Struct = name
	}
	return err
}

// envelopeJSON is an Event with the envelope's keys.
type envelopeJSON struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Time       time.Time       `json:"time"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
	ReplayName string          `json:"replay-name"`
}

// An EventError says why an event was refused. Nothing of it was delivered.
type EventError struct {
	Field  string // of Event, such as "Source"
	Reason string
	Err    error // what is wrong with the JSON of Detail, and where; may be nil
}

func (e *EventError) Error() string {
	s := fmt.Sprintf("footbridge: Parameter %s is not valid. Reason: %s", e.Field, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *EventError) Unwrap() error { return e.Err }

const detailMalformed = "Detail is malformed" // the service's words

func required(field string) *EventError {
	return &EventError{Field: field, Reason: field + " is a required argument."}
}

// check returns an *EventError unless e may be published. What is wrong with the
// JSON of Detail is found later, when it is matched.
func (e *Event) check() error {
	switch {
	case e.Source == "":
		return required("Source")
	case e.DetailType == "":
		return required("DetailType")
	case len(e.Detail) == 0:
		return required("Detail")
	}
	if !utf8.ValidString(e.Source) || !utf8.ValidString(e.DetailType) || e.ID != "" && !utf8.ValidString(e.ID) ||
		e.Account != "" && !utf8.ValidString(e.Account) || e.Region != "" && !utf8.ValidString(e.Region) ||
		e.ReplayName != "" && !utf8.ValidString(e.ReplayName) {
		return e.notUTF8()
	}
	if !e.Time.IsZero() {
		if year := e.Time.UTC().Year(); year < 0 || year > 9999 {
			return &EventError{Field: "Time", Reason: fmt.Sprintf("want a year from 0 to 9999, got %d", year)}
		}
	}
	for i, r := range e.Resources {
		if !utf8.ValidString(r) {
			return notUTF8(fmt.Sprintf("Resources[%d]", i), r)
		}
	}
	return nil
}

// notUTF8 says which text of e is not UTF-8.
func (e *Event) notUTF8() error {
	for _, f := range [...]struct{ field, value string }{
		{"Source", e.Source}, {"DetailType", e.DetailType}, {"ID", e.ID}, {"Account", e.Account}, {"Region", e.Region},
	} {
		if !utf8.ValidString(f.value) {
			return notUTF8(f.field, f.value)
		}
	}
	return notUTF8("ReplayName", e.ReplayName)
}

func notUTF8(field, value string) error {
	return &EventError{Field: field, Reason: fmt.Sprintf("want UTF-8, got %q", value)}
}
