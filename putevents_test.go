package footbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/facts"
)

// Each entry of testdata/service/putevents.txt fares as the service lets it.
func TestPutEventsEntries(t *testing.T) {
	lax, strict := New(nil), New(&Options{Strict: true})
	put(t, lax, "r", Target{ID: "t", Handler: failing(0, nil)})
	put(t, strict, "r", Target{ID: "t", Handler: failing(0, nil)})
	fates := make(map[*Bus]string) // of the entry above
	for _, f := range facts.Read(t, "testdata/service/putevents.txt") {
		at := f.At
		switch f.Word {
		case "entry":
			assert.Empty(t, fates, "%s: want a fate above", at)
			var e Entry
			require.NoError(t, json.Unmarshal([]byte(f.Text), &e), at)
			for _, b := range []*Bus{lax, strict} {
				fates[b] = fate(t, b, e)
			}
		case "accepted", "fails":
			want := strings.TrimSpace(f.Word + " " + f.Text)
			assert.Equal(t, want, fates[lax], at)
			if fates[strict] == want {
				clear(fates)
			} else {
				delete(fates, lax)
			}
		case "strict":
			assert.Equal(t, map[*Bus]string{strict: f.Text}, fates, at)
			clear(fates)
		case "size":
			var want int
			var text string
			n, err := fmt.Sscanf(f.Text, "%d %s", &want, &text)
			require.Equal(t, 2, n, "%s: %v", at, err)
			var e Entry
			require.NoError(t, json.Unmarshal([]byte(text), &e), at)
			assert.Equal(t, want, e.Size(), at)
		default:
			assert.Fail(t, "bad line", at)
		}
	}
	assert.Empty(t, fates)
	require.NoError(t, lax.Close(t.Context()))
	checkBooks(t, lax)
}

// fate says what becomes of an entry.
func fate(t *testing.T, b *Bus, e Entry) string {
	t.Helper()
	r, err := b.PutEvents(t.Context(), []Entry{e})
	require.NoError(t, err)
	require.Len(t, r.Entries, 1)
	got := r.Entries[0]
	if got.EventID == "" {
		assert.Equal(t, 1, r.FailedEntryCount)
		return fmt.Sprintf("fails %s %s", got.ErrorCode, got.ErrorMessage)
	}
	assert.Equal(t, PutEventsResult{Entries: []PutEventsResultEntry{{EventID: got.EventID}}}, r)
	return "accepted"
}

// Results come in the order of the entries, and one that fails harms no other.
func TestPutEventsResultsAreInOrder(t *testing.T) {
	target, got := received("t", Input{Path: "$.detail"})
	b := New(nil)
	put(t, b, "r", target)
	entries := []Entry{
		{Source: "s", DetailType: "d", Detail: `{"n":0}`},
		{Source: "s", DetailType: "d", Detail: `{`},
		{Source: "s", DetailType: "d", Detail: `{"n":2}`},
		{Source: "s", Detail: `{"n":3}`},
		{Source: "s", DetailType: "d", Detail: `{"n":4}`},
	}
	r, err := b.PutEvents(t.Context(), entries)
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []string{`{"n":0}`, `{"n":2}`, `{"n":4}`}, *got)
	for i := range r.Entries {
		r.Entries[i].EventID = strings.Repeat("x", min(1, len(r.Entries[i].EventID)))
	}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Equal(t, `{"FailedEntryCount":2,"Entries":[{"EventId":"x"},{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."},{"EventId":"x"},`+
		`{"ErrorCode":"InvalidArgument","ErrorMessage":"Parameter DetailType is not valid. Reason: DetailType is a required argument."},{"EventId":"x"}]}`, string(data))
	s := b.Stats()
	assert.EqualValues(t, []int64{3, 2}, []int64{s.Published, s.Refused})
}

// The ID of the result is the event's, and the envelope is the service's.
func TestPutEventsEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, got := received("t", Input{})
		b := New(&Options{Account: "123456789012", Region: "eu-west-1"})
		put(t, b, "one", target)
		put(t, b, "two", target) // two rules with the same target: delivered twice
		r, err := b.PutEvents(t.Context(), []Entry{
			{Source: "s", DetailType: "d", Detail: `{ "a" : 1 }`},
			{Source: "s", DetailType: "d", Detail: `{}`, Resources: []string{"r1", "r2"}, Time: time.Date(2022, 1, 1, 1, 0, 0, 999, time.FixedZone("", 3600))},
		})
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		first := `{"version":"0","id":"` + r.Entries[0].EventID + `","detail-type":"d","source":"s","account":"123456789012","time":"2000-01-01T00:00:00Z",` +
			`"region":"eu-west-1","resources":[],"detail":{"a":1}}`
		second := `{"version":"0","id":"` + r.Entries[1].EventID + `","detail-type":"d","source":"s","account":"123456789012","time":"2022-01-01T00:00:00Z",` +
			`"region":"eu-west-1","resources":["r1","r2"],"detail":{}}`
		assert.ElementsMatch(t, []string{first, first, second, second}, *got)
	})
}

// Requests that Strict refuses as a whole, with the service's texts.
func TestPutEventsRefusesRequests(t *testing.T) {
	entry := Entry{Source: "s", DetailType: "d", Detail: "{}"}
	sized := func(size int) Entry {
		e := entry
		e.Detail = `{"a":"` + strings.Repeat("x", size-2-len(`{"a":""}`)) + `"}`
		require.Equal(t, size, e.Size())
		return e
	}
	many := func(n int) (entries []Entry) {
		for range n {
			entries = append(entries, entry)
		}
		return entries
	}
	strict, lax := New(&Options{Strict: true}), New(nil)
	put(t, strict, "r", Target{ID: "t", Handler: failing(0, nil)})
	for _, c := range []struct {
		entries []Entry
		want    string
	}{
		{nil, "footbridge: ValidationException: 1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{many(11), "footbridge: ValidationException: 1 validation error detected: Value '...' at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10 (got 11)"},
		{[]Entry{sized(1 << 20)}, "footbridge: ValidationException: Total size of the entries in the request is over the limit."},
		{[]Entry{entry, sized(1<<20 - entry.Size())}, "footbridge: ValidationException: Total size of the entries in the request is over the limit."},
		{[]Entry{sized(1<<20 - 1)}, ""},
		{[]Entry{entry, sized(1<<20 - entry.Size() - 1)}, ""},
		{many(10), ""},
	} {
		r, err := strict.PutEvents(t.Context(), c.entries)
		if c.want != "" {
			var refused *RequestError
			require.ErrorAs(t, err, &refused)
			assert.EqualError(t, err, c.want)
			assert.Equal(t, CodeValidation, refused.ErrorCode())
			assert.Empty(t, r)
		} else {
			require.NoError(t, err)
			assert.Len(t, r.Entries, len(c.entries))
			assert.Zero(t, r.FailedEntryCount)
		}
		r, err = lax.PutEvents(t.Context(), c.entries)
		require.NoError(t, err)
		assert.Len(t, r.Entries, len(c.entries))
		assert.Zero(t, r.FailedEntryCount)
	}
	assert.EqualValues(t, 1+2+10, strict.Stats().Published)
}

// An event for a bus there is not is dropped, and counted and told; Strict refuses it.
func TestUnknownBus(t *testing.T) {
	for _, strict := range []bool{false, true} {
		var dropped, refused []RefusedInfo
		var log strings.Builder
		b := New(&Options{Strict: strict, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Observer: &Observer{
			UnknownBus: func(i RefusedInfo) { dropped = append(dropped, i) },
			Refused:    func(i RefusedInfo) { refused = append(refused, i) },
		}})
		target, got := received("t", Input{})
		put(t, b, "r", target)
		r, err := b.PutEvents(t.Context(), []Entry{
			{Source: "s", DetailType: "d", Detail: "{}", EventBusName: "nowhere"},
			{Source: "s", DetailType: "d", Detail: "{", EventBusName: "nowhere"},
			{Source: "aws.s3", DetailType: "d", Detail: "{}", EventBusName: "nowhere"},
		})
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		assert.Empty(t, *got)
		told := dropped
		if strict {
			told = refused[:1]
		}
		require.Len(t, told, 1)
		assert.EqualError(t, told[0].Err, "footbridge: ResourceNotFoundException: Event bus nowhere does not exist.")
		assert.Equal(t, r.Entries[0].EventID, told[0].Event.ID)
		assert.Equal(t, len(dropped), strings.Count(log.String(), `level=WARN msg="footbridge: an event for a bus that does not exist is dropped" bus=default for=nowhere event=`))
		assert.Equal(t, len(refused), strings.Count(log.String(), `level=DEBUG msg="footbridge: an entry of PutEvents is refused" bus=default entry=`))
		assert.Contains(t, log.String(), `entry=1 error="footbridge: Parameter Detail is not valid. Reason: Detail is malformed: invalid JSON: want a string, got the end of the text (offset 1)"`)
		s := b.Stats()
		assert.EqualValues(t, len(dropped), s.UnknownBus)
		assert.EqualValues(t, len(refused), s.Refused)
		assert.EqualValues(t, 3, s.UnknownBus+s.Refused)
		assert.Equal(t, []string{CodeMalformedDetail, CodeNotAuthorizedForSource}, []string{r.Entries[1].ErrorCode, r.Entries[2].ErrorCode})
	}
}

// What a bus cannot take is an error as long as nothing is accepted; behind that it is the
// entry's.
func TestPutEventsErrors(t *testing.T) {
	entry := Entry{Source: "s", DetailType: "d", Detail: "{}"}
	b := New(nil)
	ctx, cancel := context.WithCancel(t.Context())
	put(t, b, "r", Target{ID: "t", Concurrency: 1, Queue: 1, Overflow: OverflowReject, Handler: HandlerFunc(func(context.Context, Delivery) error {
		<-ctx.Done()
		return nil
	})})
	var codes []string
	for range 3 {
		r, err := b.PutEvents(t.Context(), []Entry{entry, entry, entry})
		require.NoError(t, err)
		codes = append(codes, r.Entries[2].ErrorCode)
	}
	assert.Contains(t, codes, CodeThrottling)

	cancel()
	_, err := b.PutEvents(ctx, []Entry{entry})
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, b.Close(t.Context()))
	_, err = b.PutEvents(t.Context(), []Entry{entry})
	assert.ErrorIs(t, err, ErrClosed)
	_, err = New(&Options{Queue: -1}).PutEvents(t.Context(), []Entry{entry})
	var option *OptionError
	assert.ErrorAs(t, err, &option)
}

// A context that ends while PutEvents waits fails the entries that are left.
func TestPutEventsWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		h := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 1, Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		entry := Entry{Source: "s", DetailType: "d", Detail: "{}"}
		r, err := b.PutEvents(ctx, []Entry{entry, entry, entry})
		require.NoError(t, err)
		assert.Equal(t, 2, r.FailedEntryCount)
		assert.NotEmpty(t, r.Entries[0].EventID)
		assert.Equal(t, PutEventsResultEntry{ErrorCode: CodeInternalFailure, ErrorMessage: "footbridge: publish: waiting for room in the queue of target t of rule r: context deadline exceeded"}, r.Entries[1])
		assert.Equal(t, CodeInternalFailure, r.Entries[2].ErrorCode)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2, h.handled.Load())
	})
}

func TestEntryJSON(t *testing.T) {
	at := time.Date(2022, 1, 31, 23, 59, 59, 500e6, time.UTC)
	for text, want := range map[string]time.Time{
		`{"Time":1643673599.5}`:                    at,
		`{"Time":1.6436735995E9}`:                  at,
		`{"Time":"2022-01-31T23:59:59.5Z"}`:        at,
		`{"Time":"2022-02-01T00:59:59.500+01:00"}`: at,
		`{"Time":1643673599}`:                      at.Truncate(time.Second),
		`{"Time":-0.5}`:                            time.Unix(0, -500e6),
		`{"Time":null}`:                            {},
		`{}`:                                       {},
	} {
		var e Entry
		require.NoError(t, json.Unmarshal([]byte(text), &e), text)
		assert.True(t, want.Equal(e.Time), "%s: %v", text, e.Time)
	}
	for _, text := range []string{`{"Time":"yesterday"}`, `{"Time":true}`, `{"Time":1e300}`, `{"Source":1}`} {
		assert.ErrorContains(t, json.Unmarshal([]byte(text), new(Entry)), "footbridge: entry: ", text)
	}
	assert.EqualError(t, json.Unmarshal([]byte(`{"Source":1}`), new(Entry)), "footbridge: entry: json: cannot unmarshal number into Go struct field Entry.Source of type string")
	assert.NoError(t, json.Unmarshal([]byte(`{"Sources":1}`), new(Entry)), "what is not known is ignored")
	e := Entry{Time: at, Source: "s", Resources: []string{"r"}, DetailType: "d", Detail: `{"a":1}`, EventBusName: "b", TraceHeader: "t"}
	data, err := json.Marshal(e)
	require.NoError(t, err)
	assert.Equal(t, `{"Time":1643673599.5,"Source":"s","Resources":["r"],"DetailType":"d","Detail":"{\"a\":1}","EventBusName":"b","TraceHeader":"t"}`, string(data))
	var back Entry
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, e, back)
	data, err = json.Marshal(Entry{})
	require.NoError(t, err)
	assert.Equal(t, `{}`, string(data))
}

// An event needs what every envelope has, and then means what it means to a Pattern.
func TestTestEventPattern(t *testing.T) {
	envelope, err := json.Marshal(Event{ID: "1", Account: "a", Source: "s", Region: "r", DetailType: "d", Detail: []byte(`{"n":1}`)})
	require.NoError(t, err)
	for pattern, want := range map[string]bool{`{"source":["s"]}`: true, `{"detail":{"n":[2]}}`: false} {
		got, err := TestEventPattern(pattern, string(envelope))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, key := range []string{"id", "account", "source", "time", "region", "detail-type"} {
		for _, bad := range []string{`"other":"`, `"` + key + `":1,"x":"`} {
			_, err := TestEventPattern(`{"source":["s"]}`, strings.Replace(string(envelope), `"`+key+`":"`, bad, 1))
			assert.EqualError(t, err, "footbridge: ValidationException: Parameter Event is not valid.", "%s %s", key, bad)
		}
	}
	for _, event := range []string{``, `[]`, `null`, string(envelope) + "x"} {
		_, err := TestEventPattern(`{"source":["s"]}`, event)
		assert.EqualError(t, err, "footbridge: ValidationException: Parameter Event is not valid.", "%q", event)
	}
	_, err = TestEventPattern(`{"source":[]}`, string(envelope))
	var refused *PatternError
	assert.ErrorAs(t, err, &refused)
}
