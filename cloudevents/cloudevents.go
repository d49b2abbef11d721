// Package cloudevents turns events into CloudEvents 1.0 and back, in their structured
// JSON form.
//
//	footbridge.Event        CloudEvent
//	ID, Source, Time        id, source, time
//	DetailType              type
//	Detail                  data, which is JSON
//	Account, Region         the extensions awsaccount and awsregion
//	Resources, at most one  subject
//
// Nothing is dropped: an event, or a CloudEvent, that has more than this is refused by an
// [AttributeError] that names what cannot be mapped. What [Unmarshal] takes, [Marshal]
// gives back.
//
// The facts are those of the CloudEvents specification 1.0.2 and of its JSON event
// format.
package cloudevents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// ContentType is the media type of what [Marshal] returns.
const ContentType = "application/cloudevents+json; charset=UTF-8"

// An AttributeError says which attribute of a CloudEvent cannot be mapped. For an event it
// is the one that would have held the value; a ReplayName would have none, and is
// called replay-name.
type AttributeError struct {
	Attribute string // such as "subject"; "": the text as a whole
	Reason    string // "want X, got Y"
	Err       error  // what is wrong with the JSON, and where; may be nil
}

func (e *AttributeError) Error() string {
	s := "cloudevents: "
	if e.Attribute != "" {
		s += "attribute " + e.Attribute + " cannot be mapped: "
	}
	s += e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *AttributeError) Unwrap() error { return e.Err }

// attributes are those that can be mapped, in the order in which they are written.
type attributes struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            string          `json:"time,omitempty"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	Account         string          `json:"awsaccount,omitempty"`
	Region          string          `json:"awsregion,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
}

// Marshal returns the event as a CloudEvent in compact JSON. It needs ID, Source,
// DetailType and Detail, all of which an event that was published has; the zero Time,
// Account and Region are left out. The error is an *AttributeError.
func Marshal(e footbridge.Event) ([]byte, error) {
	a := attributes{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.DetailType, DataContentType: "application/json",
		Account: e.Account, Region: e.Region, Data: e.Detail,
	}
	switch {
	case len(e.Resources) > 1:
		return nil, &AttributeError{Attribute: "subject", Reason: fmt.Sprintf("want at most one resource, got %d", len(e.Resources))}
	case len(e.Resources) == 1 && e.Resources[0] == "":
		return nil, &AttributeError{Attribute: "subject", Reason: `want a resource that is not empty, got ""`}
	case len(e.Resources) == 1:
		a.Subject = e.Resources[0]
	}
	if e.ReplayName != "" {
		return nil, &AttributeError{Attribute: "replay-name", Reason: fmt.Sprintf("want an event that is not replayed, got %.64q", e.ReplayName)}
	}
	if !e.Time.IsZero() {
		if year := e.Time.UTC().Year(); year < 0 || year > 9999 {
			return nil, &AttributeError{Attribute: "time", Reason: fmt.Sprintf("want a year from 0 to 9999, got %d", year)}
		}
		a.Time = e.Time.UTC().Format(time.RFC3339Nano)
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a); err != nil {
		return nil, &AttributeError{Reason: "want what can be marshalled", Err: err}
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Unmarshal reads a CloudEvent. One without data has the Detail {}, one without a time
// the zero Time, which Publish sets. The error is an *AttributeError.
func Unmarshal(data []byte) (footbridge.Event, error) {
	var a attributes
	if err := a.read(data); err != nil {
		return footbridge.Event{}, err
	}
	if a.SpecVersion != "1.0" {
		return footbridge.Event{}, &AttributeError{Attribute: "specversion", Reason: fmt.Sprintf(`want "1.0", got %.64q`, a.SpecVersion)}
	}
	if err := checkJSONType(a.DataContentType); err != nil {
		return footbridge.Event{}, err
	}
	if a.Data == nil {
		a.Data = json.RawMessage("{}")
	}
	if err := a.check(); err != nil {
		return footbridge.Event{}, err
	}
	e := footbridge.Event{ID: a.ID, Source: a.Source, DetailType: a.Type, Account: a.Account, Region: a.Region, Detail: a.Data}
	if a.Subject != "" {
		e.Resources = []string{a.Subject}
	}
	if a.Time != "" {
		t, err := time.Parse(time.RFC3339, a.Time)
		if t = t.UTC(); err != nil || !rfc3339.MatchString(a.Time) || t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
			return footbridge.Event{}, &AttributeError{Attribute: "time", Reason: fmt.Sprintf("want a time as RFC 3339 has it, later than 0001-01-01T00:00:00Z, got %.64q", a.Time)}
		}
		e.Time = t
	}
	return e, nil
}

// rfc3339 is the form of times. time.Parse takes more: a comma before fractions, hours of
// one digit, and offsets of more than a day.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// read reads the attributes from a JSON object. It goes from key to key, since a map
// or a struct would drop what it does not know and all but one of equal keys.
func (a *attributes) read(data []byte) error {
	if !utf8.Valid(data) {
		return &AttributeError{Reason: "want UTF-8"}
	}
	if err := jsonwalk.Valid(data, jsonwalk.MaxDepth); err != nil {
		return &AttributeError{Reason: "want JSON", Err: err}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return &AttributeError{Reason: fmt.Sprintf("want a JSON object, got %.40q", bytes.TrimSpace(data)), Err: err}
	}
	text := map[string]*string{
		"specversion": &a.SpecVersion, "id": &a.ID, "source": &a.Source, "type": &a.Type, "subject": &a.Subject, "time": &a.Time,
		"datacontenttype": &a.DataContentType, "awsaccount": &a.Account, "awsregion": &a.Region,
	}
	seen := make(map[string]bool)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return &AttributeError{Reason: "want JSON", Err: err}
		}
		name := key.(string) // of valid JSON: it stands where a key stands
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return &AttributeError{Attribute: name, Reason: "want JSON", Err: err}
		}
		switch {
		case seen[name]:
			return &AttributeError{Attribute: name, Reason: "want it once, got it again"}
		case name == "data":
			a.Data = value
		case text[name] == nil && string(value) != "null":
			return &AttributeError{Attribute: name, Reason: fmt.Sprintf("want no attribute of this name, got %.40q", value)}
		case string(value) == "null": // the format's other way to leave an attribute out
		default:
			if json.Unmarshal(value, text[name]) != nil || *text[name] == "" {
				return &AttributeError{Attribute: name, Reason: fmt.Sprintf("want a string that is not empty, got %.40q", value)}
			}
		}
		seen[name] = true
	}
	return nil
}

// checkJSONType returns an error unless s, which may be empty, says that data is JSON.
func checkJSONType(s string) error {
	if s == "" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(s)
	charset, found := parameters["charset"]
	if err != nil || media != "application/json" || len(parameters) > 1 || found && !strings.EqualFold(charset, "utf-8") || !found && len(parameters) > 0 {
		return &AttributeError{Attribute: "datacontenttype", Reason: fmt.Sprintf("want application/json, got %.64q", s)}
	}
	return nil
}

// check returns an *AttributeError unless the attributes are what a CloudEvent may have
// and footbridge's event can hold. Both ways go through it.
func (a *attributes) check() error {
	for _, t := range [...]struct {
		name, value string
		needed      bool
	}{
		{"id", a.ID, true}, {"source", a.Source, true}, {"type", a.Type, true},
		{"subject", a.Subject, false}, {"awsaccount", a.Account, false}, {"awsregion", a.Region, false},
	} {
		if t.needed && t.value == "" {
			return &AttributeError{Attribute: t.name, Reason: "want one, got none"}
		}
		if !isText(t.value) {
			return &AttributeError{Attribute: t.name, Reason: fmt.Sprintf("want text without control characters, got %.64q", t.value)}
		}
	}
	if !isURIReference(a.Source) {
		return &AttributeError{Attribute: "source", Reason: fmt.Sprintf("want a URI reference, got %.64q", a.Source)}
	}
	if !utf8.Valid(a.Data) {
		return &AttributeError{Attribute: "data", Reason: "want UTF-8"}
	}
	if err := jsonwalk.Valid(a.Data, jsonwalk.MaxDepth); err != nil {
		return &AttributeError{Attribute: "data", Reason: "want a JSON object", Err: err}
	}
	if data := bytes.TrimSpace(a.Data); data[0] != '{' {
		return &AttributeError{Attribute: "data", Reason: fmt.Sprintf("want a JSON object, got %.40q", data)}
	}
	return nil
}

// isText reports whether s is a String of the specification: UTF-8 without control
// characters and noncharacters.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
	})
}

// isURIReference reports whether s is a URI reference (RFC 3986, section 4.1).
func isURIReference(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("-._~:/?#[]@!$&'()*+,;=%", r)
	}) {
		return false
	}
	_, err := url.Parse(s)
	return err == nil
}
