package footbridgetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

func order(id, json string) footbridge.Event {
	return footbridge.Event{ID: id, Source: "shop", DetailType: "Order Placed", Detail: []byte(json)}
}

func mustPublish(t TB, bus *footbridge.Bus, events ...footbridge.Event) {
	t.Helper()
	for _, e := range events {
		if _, err := bus.Publish(t.Context(), e); err != nil {
			t.Fatalf("%v", err)
		}
	}
}

func mustPut(t TB, bus *footbridge.Bus, name, pattern string, targets ...footbridge.Target) {
	t.Helper()
	if err := bus.PutRule(footbridge.Rule{Name: name, Pattern: footbridge.MustCompile(pattern), Targets: targets}); err != nil {
		t.Fatalf("%v", err)
	}
}

// stuck is a handler that heeds no context, for 30 seconds.
func stuck(context.Context, footbridge.Event) error {
	<-time.After(30 * time.Second)
	return nil
}

const all = `{"source":["shop"]}`

// realTime is when a bubble's time begins to be taken for the real one.
var realTime = bubblesBegin.AddDate(20, 0, 0)

// The failures of the kit's own expectations: each has a golden file of its name.
var failures = map[string]func(t *recordingTB){
	"expect": func(t *recordingTB) {
		bus := New(t, nil)
		r := Record(t, bus, all)
		mustPublish(t, bus, order("1", `{"id":"O-1","total":5}`), order("2", `{"id":"O-2","total":7}`))
		r.Expect(`{"detail":{"id":["O-1"]}}`, `{"detail":{"id":["O-2"],"total":[{"numeric":[">",10]}]}}`)
	},
	"expect-too-few": func(t *recordingTB) {
		bus := New(t, nil)
		r := Record(t, bus, all)
		mustPublish(t, bus, order("1", `{"id":"O-1"}`))
		r.Expect(all, all)
		r.Expect(all)
	},
	"expect-too-many": func(t *recordingTB) {
		bus := New(t, nil)
		r := Record(t, bus, all)
		mustPublish(t, bus, order("1", `{"id":"O-1"}`), order("2", `{"id":"O-2","text":"`+strings.Repeat("é", 200)+`"}`))
		r.Expect(`{"detail":{"id":["O-1"]}}`)
	},
	"expect-bad-pattern": func(t *recordingTB) {
		NewRecorder(t, New(t, nil)).Expect(`{"detail":{"id":[]}}`)
	},
	"expect-none": func(t *recordingTB) {
		bus := New(t, nil)
		r := Record(t, bus, all)
		mustPublish(t, bus, order("1", "{\n  \"id\": \"O-1\"\n}"))
		r.ExpectNone(`{"detail":{"id":["O-2"]}}`, `{"detail":{"id":["O-1"]}}`)
		r.ExpectNone()
	},
	"wait": func(t *recordingTB) {
		bus := New(t, nil)
		r := NewRecorder(t, bus)
		mustPut(t, bus, "orders", all, r.Target("r"))
		mustPublish(t, bus, order("1", `{"id":"O-1"}`))
		r.Wait(2)
	},
	"wait-no-end": func(t *recordingTB) {
		bus := New(t, nil)
		r := NewRecorder(t, bus)
		gate := &Gate{}
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "gate", Handler: gate, Concurrency: 1})
		mustPublish(t, bus, order("1", `{}`), order("2", `{}`))
		t.Cleanup(gate.Release)
		r.Wait(1)
	},
	"record-bad-pattern": func(t *recordingTB) { Record(t, New(t, nil), `{"detail":5}`) },
	"expect-not-idle": func(t *recordingTB) {
		bus := New(t, nil)
		r := NewRecorder(t, bus)
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(1, errors.New("mail server is down"), nil), Retry: footbridge.Backoff{Base: time.Hour, NoJitter: true, MaxDelay: time.Hour}})
		mustPublish(t, bus, order("1", `{}`))
		time.AfterFunc(time.Minute, t.cancel)
		r.ExpectNone()
	},
	"expect-other-not-idle": func(t *recordingTB) {
		bus, other := New(t, nil), New(t, &footbridge.Options{Name: "other"})
		gate := &Gate{}
		t.Cleanup(gate.Release)
		mustPut(t, other, "orders", all, footbridge.Target{ID: "gate", Handler: gate})
		mustPublish(t, other, order("1", `{}`))
		Record(t, bus, all).ExpectNone()
	},
	"expect-not-idle-in-real-time": func(t *recordingTB) {
		<-time.After(time.Until(realTime))
		bus := New(t, nil)
		gate := &Gate{}
		t.Cleanup(gate.Release)
		late := footbridge.Backoff{Base: time.Hour, NoJitter: true, MaxDelay: time.Hour}
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "gate", Handler: gate}, footbridge.Target{ID: "mail", Handler: FailTimes(1, errors.New("mail server is down"), nil), Retry: late})
		mustPublish(t, bus, order("1", `{}`))
		ExpectPublished(t, bus, all)
	},
	"record-too-late": func(t *recordingTB) {
		bus := New(t, nil)
		mustPublish(t, bus, order("1", `{"id":"O-1"}`))
		Record(t, bus, all).Wait(1)
	},
	"record-none": func(t *recordingTB) {
		bus := New(t, nil)
		r := Record(t, bus, `{"source":["shop"],"detail-type":["Order placed"]}`)
		r.Expect(all)
		mustPublish(t, bus, order("1", `{"id":"O-1"}`), footbridge.Event{ID: "0b57e20a-7d0c-4b4f-8c8c-111111111111", Source: "bank", DetailType: "Paid", Detail: []byte(`{}`)})
		r.Expect(all)
	},
	"expect-published": func(t *recordingTB) {
		bus := New(t, nil)
		ExpectPublished(t, bus, all)
		mustPublish(t, bus, order("1", `{"id":"O-1"}`), order("2", `{"id":"O-2"}`))
		ExpectPublished(t, bus, all, `{"detail-type":["order placed"]}`, `{"source":["bank"],"detail":{"id":["O-2"]}}`)
	},
	"expect-published-other-bus": func(t *recordingTB) { ExpectPublished(t, footbridge.New(nil), all) },
	"expect-dead-letters": func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Retry: footbridge.Backoff{MaxRetries: 2}})
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(9, errors.New("mail server is down"), nil)})
		mustPublish(t, bus, order("1", `{"id":"O-1"}`), order("2", `{"id":"O-2"}`))
		ExpectDeadLetters(t, bus, "orders/charge")
		ExpectDeadLetters(t, bus, "orders/mail")
	},
	"expect-routed": func(t *recordingTB) {
		bus := New(t, nil)
		r := NewRecorder(t, bus)
		mustPut(t, bus, "orders", all, r.Target("journal"), r.Target("mail"))
		mustPut(t, bus, "dear", `{"source":["shop"],"detail":{"total":[{"numeric":[">=",1000]}]}}`, r.Target("call"))
		mustPut(t, bus, "off", all, r.Target("x"))
		if err := bus.DisableRule("off"); err != nil {
			t.Fatalf("%v", err)
		}
		ExpectRouted(t, bus, order("1", `{"total":"2450"}`), "orders/journal", "orders/journal", "orders/post", "dear/call", "off/x", "cheap/mail", "dear")
		ExpectRouted(t, bus, footbridge.Event{})
	},
	"expect-routed-strict": func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Strict: true})
		r := NewRecorder(t, bus)
		mustPut(t, bus, "orders", all, r.Target("journal"))
		unknown := footbridge.Event{ID: "1", Source: "Shop", DetailType: "Order Placed", Detail: []byte(`{}`)}
		ExpectRouted(t, bus, unknown)
		ExpectRouted(t, bus, unknown, "orders/journal")
	},
	"gate": func(t *recordingTB) {
		bus := New(t, nil)
		gate := &Gate{}
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "gate", Handler: gate})
		mustPublish(t, bus, order("1", `{}`))
		t.Cleanup(gate.Release)
		gate.Wait(t, 2)
	},
	"publish": func(t *recordingTB) { Publish(t, New(t, nil), "", "Order Placed", struct{}{}) },
	"publish-no-object": func(t *recordingTB) {
		Publish(t, New(t, nil), "shop", "Order Placed", "text")
	},
	"close-dead-letters": func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Retry: footbridge.Backoff{MaxRetries: 3}})
		mustPut(t, bus, "orders", all,
			footbridge.Func("mail", func(context.Context, footbridge.Event) error { return errors.New("mail server is down") }),
			footbridge.Func("charge", func(context.Context, footbridge.Event) error { panic("nil map") }))
		mustPublish(t, bus, order("1", `{"id":"O-1"}`))
	},
	"close-lost": func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Retry: footbridge.NoRetry, DLQ: &footbridge.MemoryDLQ{Capacity: 1}})
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(2, errors.New("mail server is down"), nil), Concurrency: 1})
		mustPublish(t, bus, order("1", `{}`))
		ExpectDeadLetters(t, bus, "orders/mail")
		mustPublish(t, bus, order("2", `{}`))
	},
	"expect-in-handler": func(t *recordingTB) {
		bus := New(t, nil)
		r := Record(t, bus, all)
		mustPut(t, bus, "orders", all, footbridge.Func("expect", func(context.Context, footbridge.Event) error {
			r.ExpectNone()
			return nil
		}))
		mustPublish(t, bus, order("1", `{}`))
		ExpectDeadLetters(t, bus, "orders/expect")
	},
	"expect-many": func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Retry: footbridge.NoRetry})
		r := Record(t, bus, all)
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(99, errors.New("mail server is down"), nil)})
		var patterns []string
		for i := range 13 {
			mustPublish(t, bus, order(fmt.Sprintf("%02d", i), `{}`))
			patterns = append(patterns, `{"source":["bank"]}`)
		}
		r.ExpectNone()
		r.Expect(patterns...)
		ExpectDeadLetters(t, bus)
		for i := range 12 {
			mustPublish(t, bus, order(fmt.Sprintf("%02d", i), `{}`))
		}
	},
	"expect-published-to": func(t *recordingTB) {
		bus := New(t, nil)
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(0, nil, nil)})
		r := Record(t, bus, all)
		if _, err := bus.PublishTo(t.Context(), order("1", `{}`), "orders"); err != nil {
			t.Fatalf("%v", err)
		}
		r.Wait(1)
	},
	"expect-lost": func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Retry: footbridge.NoRetry, DLQ: &footbridge.MemoryDLQ{Capacity: 1}})
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(9, errors.New("mail server is down"), nil), Concurrency: 1})
		mustPublish(t, bus, order("1", `{}`), order("2", `{}`))
		ExpectDeadLetters(t, bus, "orders/mail")
		ExpectLost(t, bus, "orders/charge")
	},
	"close-stuck": func(t *recordingTB) { // of the two, one returns
		bus := New(t, nil)
		mustPut(t, bus, "orders", all, footbridge.Func("mail", stuck), footbridge.Target{ID: "gate", Handler: &Gate{}})
		mustPublish(t, bus, order("1", `{}`))
	},
	"close-running": func(t *recordingTB) {
		<-time.After(time.Until(realTime))
		bus := New(t, nil)
		mustPut(t, bus, "orders", all, footbridge.Func("mail", stuck), footbridge.Target{ID: "gate", Handler: &Gate{}})
		mustPublish(t, bus, order("1", `{}`))
	},
	"patterns": func(t *recordingTB) {
		RunPatternFiles(t, fstest.MapFS{
			"a.txt": {Data: []byte("# Orders\npattern {\"total\":[5]}\nmatch   {\"total\":\"5\"}\nreject  {\"total\":5}\nreject  {\"total\":6}\nmatch {\"total\"}\n\n" +
				"pattern {\"total\":[]}\nmatch {}\n\npattern {\"total\":[5]}\nerror /total@9: no\n")},
			"b.txt": {Data: []byte("match {}\n")},
			"d.txt": {Data: []byte("# pattern {\"total\":[5]}\n")},
			"e.txt": {Data: []byte("pattern\t{\"total\":[5]}\nmatch\t{\"total\":5}\nmatch {\"total\":5,}\nmtach {}\n\n" +
				"pattern {\"total\":[6]}\n\npattern {\"total\":[7]}\nmatch {\"total\":8}\n\npattern {}\nwant {}\n")},
			"c.md": {Data: []byte("not read")},
		}, "*.txt")
		RunPatternFiles(t, fstest.MapFS{}, "*.txt")
	},
}

// Each expectation that fails says so in the words of its golden file.
func TestFailures(t *testing.T) {
	names := make(map[string]bool)
	for name, test := range failures {
		names[name+".txt"] = true
		t.Run(name, func(t *testing.T) {
			got, _ := run(t, test)
			require.NotEmpty(t, got)
			golden(t, "failures/"+name+".txt", got)
		})
	}
	files, err := filepath.Glob("testdata/failures/*.txt")
	require.NoError(t, err)
	for _, file := range files {
		assert.True(t, names[filepath.Base(file)] || strings.HasPrefix(filepath.Base(file), "suite-"), "%s is of no test", file)
	}
}

// A bus logs to its test as long as that lasts, and not later: few lines of a target that
// fails for a day, events that go nowhere, and a panic's stack in lines of its own.
func TestLog(t *testing.T) {
	var w *logWriter
	_, log := run(t, func(t *recordingTB) {
		bus := New(t, nil)
		w = &booksOf(t, bus).log
		mail := FailTimes(1000, errors.New("mail server is down"), nil)
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: mail}, footbridge.Target{ID: "charge", Handler: PanicTimes(1, "nil map", nil)})
		mustPublish(t, bus, order("1", `{}`), footbridge.Event{ID: "2", Source: "bank", DetailType: "Paid", Detail: []byte(`{}`)})
		ExpectDeadLetters(t, bus, "orders/mail")
	})
	assert.Regexp(t, `(?m)^level=WARN msg="footbridge: a target begins to fail" .* target=mail .*error="mail server is down"$`, log, "no times, which would differ from run to run")
	assert.Regexp(t, `(?m)^level=ERROR msg="footbridge: a handler has panicked" .* panic="nil map"\ngoroutine \d+ `, log)
	assert.Contains(t, log, "level=INFO msg=\"footbridgetest: no rule matches event 2 (bank, Paid) {}\"\n")
	assert.Equal(t, 6, strings.Count(log, "level="), "%s", log)
	n, err := w.Write([]byte("late\n"))
	require.NoError(t, err)
	assert.Equal(t, 5, n)
}
