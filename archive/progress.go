package archive

import (
	"encoding/json"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A State is a state of a replay. The names are the service's.
type State string

// States of a replay.
const (
	Starting   State = "STARTING"   // Run was not called, or has not found the events yet
	Running    State = "RUNNING"    // events are published
	Cancelling State = "CANCELLING" // it was cancelled, and Run has not returned yet
	Completed  State = "COMPLETED"  // every event of the range was sent or has failed
	Cancelled  State = "CANCELLED"
	Failed     State = "FAILED" // the store cannot be read, the bus is closed, or a named rule is gone
)

// A Report tells what became of an event.
type Report struct {
	Event    footbridge.Event // the zero Event if it cannot be read
	Err      error            // why it was not sent: the bus refused it, or a *DamagedError; nil: it was
	Progress Progress         // with this event
}

// Progress is how far a replay is. At any time Sent + Failed <= Total, if Total is known,
// and they are equal when it is COMPLETED.
type Progress struct {
	State     State
	Total     int       // events in the range; -1: not known, for one until the replay is RUNNING
	Sent      int       // events that the bus has accepted
	Failed    int       // events that it has refused, or that cannot be read
	EventTime time.Time `json:",omitzero"` // of the last of these; zero: there is none
	Began     time.Time `json:",omitzero"` // when Run was called; zero: it was not
	Ended     time.Time `json:",omitzero"` // when the replay came to its end; zero: it has not
	Err       error     // why it is CANCELLED or FAILED, else the last of those of events
}

// MarshalJSON returns the progress as an object with the names of the fields: Err as its text,
// and without what is zero of it and of the times.
func (p Progress) MarshalJSON() ([]byte, error) {
	type fields Progress
	j := struct {
		fields
		Err string `json:",omitempty"` // hides that of fields
	}{fields: fields(p)}
	if p.Err != nil {
		j.Err = p.Err.Error()
	}
	return json.Marshal(j)
}
