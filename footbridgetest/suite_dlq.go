package footbridgetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

// TestDLQ tests what the interface [footbridge.DLQ] promises: that a letter is kept, whole,
// if Send returns nil and only then, and that any number of goroutines may send. open
// returns a new, empty queue, with a function that returns the letters that it has, in any
// order. A letter is whole if its JSON form is the same, escapes and white space in the
// event's detail apart, and the text of its Err. Run it with the race detector: without it a
// queue that does not lock may pass.
func TestDLQ(t TB, open func() (q footbridge.DLQ, letters func() ([]footbridge.DeadLetter, error))) {
	t.Helper()
	opened := func() (footbridge.DLQ, func() ([]footbridge.DeadLetter, error)) {
		q, letters := open()
		return limitedDLQ{q}, func() ([]footbridge.DeadLetter, error) { return valued("letters", letters) }
	}
	runSuite(t, "dead-letter queue", []suiteCase{
		{"it keeps letters whole", "what is lost here is lost for good, and a letter is redriven from what is kept", func(ctx context.Context) error {
			q, letters := opened()
			for i := range wholeLetters {
				if err := q.Send(ctx, letterOf(i)); err != nil {
					return fmt.Errorf("letter %d: %w", i, err)
				}
			}
			return sameLetters(letters, wholeLetters)
		}},
		{"several goroutines may send", "deliveries fail at the same time", func(ctx context.Context) error {
			q, letters := opened()
			const n = 50
			if err := together(n, func(i int) error { return q.Send(ctx, letterOf(i)) }); err != nil {
				return err
			}
			return sameLetters(letters, n)
		}},
		{"it keeps a letter if Send returns nil, and only then", "after an error the bus sends the letter again, or reports it as lost", func(ctx context.Context) error {
			q, letters := opened()
			taken := 0
			err := q.Send(ended(ctx), letterOf(0))
			if errors.Is(err, errHangs) {
				return err
			}
			if err == nil {
				taken = 1
			}
			return sameLetters(letters, taken)
		}},
		{"it does not change the event", "an event is shared by its publisher and all its targets", func(ctx context.Context) error {
			q, _ := opened()
			d, want := letterOf(0), letterOf(0)
			if err := q.Send(ctx, d); err != nil {
				return err
			}
			if wholeLetter(d) != wholeLetter(want) {
				return errors.New("it has changed the letter")
			}
			return nil
		}},
	})
}

// A limitedDLQ is a queue whose Send returns.
type limitedDLQ struct{ footbridge.DLQ }

func (q limitedDLQ) Send(ctx context.Context, d footbridge.DeadLetter) error {
	send := func() error { return q.DLQ.Send(ctx, d) }
	if ctx.Err() != nil {
		return returnsWithin(suiteWait, "Send with a context that has ended", send)
	}
	return returns("Send", send)
}

// wholeLetters is how many of letterOf's letters are not alike.
const wholeLetters = 5

// letterOf returns the letter of a number: that of 1 is large, that of 2 has everything,
// that of 3 is about the event of 0 at another target, and that of 4 has JSON whose value
// changes if it is decoded and encoded again. Times are not whole seconds.
func letterOf(i int) footbridge.DeadLetter {
	d := footbridge.DeadLetter{
		Event: eventAt(fmt.Sprint(i), suiteTime), Bus: "default", Rule: "rule", Target: "target", RuleARN: "arn:rule", TargetARN: "arn:target",
		ErrorCode: footbridge.CodeErrorFromTarget, ErrorMessage: "failed", Accepted: suiteTime.Add(1), Time: suiteTime.Add(time.Second + 1), Err: errors.New("failed"),
	}
	switch i {
	case 1:
		d.Event.Detail = detailOf(longText)
	case 2:
		d.Event.Resources, d.Event.ReplayName, d.Input = []string{"arn:1", ""}, "replay", []byte("input\n\"ü\"")
		d.ErrorMessage, d.RetryAttempts, d.ExhaustedRetryCondition, d.Forwarded = "ü\n\"", 185, footbridge.ConditionMaxRetries, true
		d.Err = errors.New(d.ErrorMessage)
	case 3:
		d.Event, d.Target, d.TargetARN = letterOf(0).Event, "another", "arn:another"
	case 4:
		d.Event.Detail = []byte(`{"z":9007199254740993,"a":[1.0,1e3,-0],"html":"<&>","z":null}`)
	}
	return d
}

// A kept is something that is to be kept, in a form that can be compared.
type kept struct{ id, text string }

func keptLetter(d footbridge.DeadLetter) kept {
	return kept{fmt.Sprintf("letter of event %s at %s", d.Event.ID, d.Target), wholeLetter(d)}
}

// wholeLetter returns all of a letter that is to be kept: its JSON form, which has the time
// of the event in whole seconds, and the text of its Err.
func wholeLetter(d footbridge.DeadLetter) string {
	text, err := json.Marshal(d)
	if err != nil {
		return err.Error()
	}
	failure := "none"
	if d.Err != nil {
		failure = d.Err.Error()
	}
	return string(text) + " Err: " + failure
}

// sameLetters reports how the letters that a queue has differ from the first n of letterOf.
func sameLetters(letters func() ([]footbridge.DeadLetter, error), n int) error {
	all, err := letters()
	if err != nil {
		return err
	}
	var got, want []kept
	for _, d := range all {
		got = append(got, keptLetter(d))
	}
	for i := range n {
		want = append(want, keptLetter(letterOf(i)))
	}
	return sameKept(got, want)
}

// sameKept compares what is kept, in any order, and tells the first differences.
func sameKept(got, want []kept) error {
	const most = 3
	var faults []string
	left := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(left, func(k kept) bool { return k.id == w.id })
		switch {
		case i < 0:
			faults = append(faults, fmt.Sprintf("%s is missing", w.id))
			continue
		case left[i].text != w.text:
			faults = append(faults, fmt.Sprintf("%s has changed: %s", w.id, firstDifference(w.text, left[i].text)))
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, k := range left {
		faults = append(faults, fmt.Sprintf("%s is not expected", k.id))
	}
	if len(faults) == 0 {
		return nil
	}
	if more := len(faults) - most; more > 0 {
		faults = append(faults[:most], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("want %d, got %d\n  %s", len(want), len(got), strings.Join(faults, "\n  "))
}

// firstDifference shows where two texts begin to differ.
func firstDifference(want, got string) string {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	around := func(s string) string { return strings.ToValidUTF8(s[max(0, i-20):min(len(s), i+20)], "") }
	return fmt.Sprintf("want …%s…, got …%s…", around(want), around(got))
}

// suiteTime is a time in the middle of a minute.
var suiteTime = time.Date(2000, 1, 1, 12, 0, 30, 0, time.UTC)

func eventAt(id string, at time.Time) footbridge.Event {
	return footbridge.Event{
		ID: id, Source: "test", DetailType: "Test", Time: at, Account: "123456789012", Region: "eu-west-1", Detail: detailOf(id),
	}
}

func detailOf(text string) []byte {
	detail, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		panic(err) // a string has JSON
	}
	return detail
}
