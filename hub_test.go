package footbridge

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/facts"
)

var repeated = regexp.MustCompile(`"([^"]*)"(?:x(\d+))?`)

// unquote replaces "text" and "text"xN by what they stand for.
func unquote(s string) string {
	return repeated.ReplaceAllStringFunc(s, func(q string) string {
		m := repeated.FindStringSubmatch(q)
		n, err := strconv.Atoi(m[2])
		if err != nil {
			n = 1
		}
		return strings.Repeat(m[1], n)
	})
}

// A hub answers as testdata/service/buses.txt says.
func TestHubAnswers(t *testing.T) {
	h := NewHub(&Options{Account: "123456789012", Region: "eu-west-1", Strict: true})
	answer, at := "", ""
	for _, f := range facts.Read(t, "testdata/service/buses.txt") {
		text := unquote(f.Text)
		var info BusInfo
		var names []string
		var err error
		switch f.Word {
		case "create":
			var b *Bus
			if b, err = h.Create(text, nil); err == nil {
				info = BusInfo{Name: b.Name(), ARN: b.ARN()}
			}
		case "describe":
			info, err = h.Describe(text)
		case "list":
			for _, b := range h.List(text) {
				names = append(names, b.Name)
			}
		case "delete":
			err = h.Delete(t.Context(), text)
		case "rule":
			b, busErr := h.Bus(text)
			require.NoError(t, busErr)
			err = b.PutRule(Rule{Name: "r", Pattern: everything})
		case "ok", "refuse":
			assert.Equal(t, strings.TrimSpace(f.Word+" "+text), answer, "%s, and %s", at, f.At)
			answer = ""
			continue
		default:
			assert.Fail(t, "bad line", f.At)
		}
		assert.Empty(t, answer, "%s: want an answer above", f.At)
		at = f.At
		answer = strings.TrimSpace("ok " + strings.Join(append(names, info.Name, info.ARN), " "))
		if err != nil {
			var refused *RequestError
			require.ErrorAs(t, err, &refused, at)
			answer = "refuse " + refused.Code + " " + refused.Message
		}
	}
	assert.Empty(t, answer)
	require.NoError(t, h.Close(t.Context()))
}

// There are at most 100 buses with Strict, and more without.
func TestHubLimit(t *testing.T) {
	for _, strict := range []bool{true, false} {
		h := NewHub(&Options{Strict: strict})
		for n := range 99 {
			_, err := h.Create(fmt.Sprint("b", n), nil)
			require.NoError(t, err)
		}
		_, err := h.Create("more", nil)
		if strict {
			assert.EqualError(t, err, "footbridge: LimitExceededException: The requested resource exceeds the maximum number allowed. (with Strict: want at most 100 buses, got 101)")
		} else {
			assert.NoError(t, err)
		}
	}
}

// A bus has the hub's options or its own, and the hub's account.
func TestHubOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(&Options{Name: "ignored", Account: "1", Region: "r", Queue: 7, Description: "all"})
		<-time.After(time.Minute)
		_, err := h.Create("a", nil)
		require.NoError(t, err)
		_, err = h.Create("b", &Options{Name: "ignored", Account: "2", Region: "s", Queue: 8, Description: "own"})
		require.NoError(t, err)
		var got []string
		for _, info := range h.List("") {
			got = append(got, fmt.Sprintf("%s %s %d %v", info.ARN, info.Bus.Description(), info.Bus.options.Queue, time.Since(info.Created)))
		}
		assert.Equal(t, []string{"arn:aws:events:r:1:event-bus/a all 7 0s", "arn:aws:events:r:1:event-bus/b own 8 0s",
			"arn:aws:events:r:1:event-bus/default all 7 1m0s"}, got)
		assert.Equal(t, "own", h.List("b")[0].Description)
		assert.Same(t, h.Default(), h.List("default")[0].Bus)
	})
	h := NewHub(&Options{Queue: -1})
	_, err := h.PutEvents(t.Context(), nil)
	var option *OptionError
	assert.ErrorAs(t, err, &option)
	_, err = h.Create("a", nil)
	assert.ErrorAs(t, err, &option)
	_, err = h.Create("a", &Options{})
	assert.NoError(t, err)
}

// PutEvents goes by EventBusName.
func TestHubPutEvents(t *testing.T) {
	var dropped []string
	h := NewHub(&Options{Observer: &Observer{UnknownBus: func(i RefusedInfo) { dropped = append(dropped, i.Err.Error()) }}})
	orders, err := h.Create("orders", nil)
	require.NoError(t, err)
	var got []string
	for _, b := range []*Bus{h.Default(), orders} {
		put(t, b, "r", Target{ID: "t", Concurrency: 1, Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
			got = append(got, d.Bus+string(d.Event.Detail))
			return nil
		})})
	}
	for n, name := range []string{"", "orders", "default", orders.ARN(), h.Default().ARN(), "nowhere", "arn:aws:events:us-east-1:000000000000:event-bus/nowhere",
		"arn:aws:events:us-east-1:1:event-bus/orders"} {
		r, err := h.PutEvents(t.Context(), []Entry{{Source: "s", DetailType: "d", Detail: fmt.Sprintf(`{"n":%d}`, n), EventBusName: name}})
		require.NoError(t, err)
		assert.NotEmpty(t, r.Entries[0].EventID)
		require.NoError(t, h.Wait(t.Context()))
	}
	assert.Equal(t, []string{`default{"n":0}`, `orders{"n":1}`, `default{"n":2}`, `orders{"n":3}`, `default{"n":4}`}, got)
	assert.Len(t, dropped, 3)
	assert.EqualValues(t, 3, h.Default().Stats().UnknownBus)
	require.NoError(t, h.Close(t.Context()))
}

// What is deleted is an unknown bus from then on, and has finished what it had.
func TestHubDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(nil)
		b, err := h.Create("orders", nil)
		require.NoError(t, err)
		blocked := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: blocked})
		publish(t, b, 1)
		synctest.Wait()
		require.NoError(t, b.RemoveRule("r"))
		deleted := make(chan error)
		go func() { deleted <- h.Delete(t.Context(), "orders") }()
		synctest.Wait()
		_, err = h.Bus("orders")
		assert.EqualError(t, err, "footbridge: ResourceNotFoundException: Event bus orders does not exist.")
		_, err = b.Publish(t.Context(), event(2))
		assert.ErrorIs(t, err, ErrClosed)
		_, err = h.Create("orders", nil) // another of that name
		assert.NoError(t, err)
		close(blocked.gate)
		require.NoError(t, <-deleted)
		assert.EqualValues(t, 1, blocked.handled.Load())
	})
}

// What is removed is an unknown bus from then on, and finishes what it has until it is closed.
func TestHubRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(nil)
		b, err := h.Create("orders", nil)
		require.NoError(t, err)
		blocked := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: blocked})
		publish(t, b, 1)
		synctest.Wait()
		_, err = h.Remove("orders")
		assert.EqualError(t, err, "footbridge: ValidationException: Event bus orders can't be deleted since it has rules.")
		require.NoError(t, b.RemoveRule("r"))
		removed, err := h.Remove("orders")
		require.NoError(t, err)
		assert.Same(t, b, removed)
		_, err = h.Remove("orders")
		assert.EqualError(t, err, "footbridge: ResourceNotFoundException: Event bus orders does not exist.")
		err = b.PutRule(Rule{Name: "r", Pattern: everything})
		assert.ErrorIs(t, err, ErrClosed)
		assert.EqualError(t, err, `footbridge: put rule "r" on bus "orders": bus is closed`)
		close(blocked.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 1, blocked.handled.Load())
	})
}

// A hookedContext calls a function whenever it is asked for a value, which Close and Delete
// do when they look whether a handler has called them.
type hookedContext struct {
	context.Context
	hook func()
}

func (c hookedContext) Value(key any) any {
	c.hook()
	return c.Context.Value(key)
}

// A bus that is created while the hub is being closed is closed, too, or is not created.
func TestHubCreateWhileClosing(t *testing.T) {
	h := NewHub(nil)
	var created []*Bus
	require.NoError(t, h.Close(hookedContext{t.Context(), func() {
		if b, err := h.Create(fmt.Sprint("b", len(created)), nil); err == nil {
			created = append(created, b)
		} else {
			assert.ErrorIs(t, err, ErrClosed)
		}
	}}))
	require.NotEmpty(t, created)
	for _, b := range created {
		_, err := b.Publish(t.Context(), event(1))
		assert.ErrorIs(t, err, ErrClosed, b.Name())
	}
}

// A rule that is put while its bus is being deleted keeps the bus, or is refused.
func TestHubPutRuleWhileDeleting(t *testing.T) {
	h := NewHub(nil)
	b, err := h.Create("b", nil)
	require.NoError(t, err)
	calls := 0
	require.NoError(t, h.Delete(hookedContext{t.Context(), func() {
		if calls++; calls > 1 { // the first is before the look at the rules
			assert.ErrorIs(t, b.PutRule(Rule{Name: "r", Pattern: everything}), ErrClosed)
		}
	}}, "b"))
	assert.Greater(t, calls, 1)
	assert.Empty(t, b.Rules())

	b, err = h.Create("b", nil)
	require.NoError(t, err)
	err = h.Delete(hookedContext{t.Context(), func() { put(t, b, "r") }}, "b")
	assert.EqualError(t, err, "footbridge: ValidationException: Event bus b can't be deleted since it has rules.")
	publish(t, b, 1)
	require.NoError(t, h.Close(t.Context()))
}

// The hops can be listed; an event passes one, so that a loop does not go round.
func TestHubHops(t *testing.T) {
	h, dlq := NewHub(nil), &MemoryDLQ{}
	a, err := h.Create("a", &Options{DLQ: dlq})
	require.NoError(t, err)
	b, err := h.Create("b", &Options{DLQ: dlq})
	require.NoError(t, err)
	outside := New(&Options{Name: "outside"})
	put(t, h.Default(), "r", Forward("to-a", a), Forward("out", outside))
	put(t, a, "loop", Forward("to-b", b))
	put(t, b, "loop", Forward("to-a", a))
	put(t, b, "self", Forward("me", b), Target{ID: "no-hop", Handler: failing(0, nil)})
	require.NoError(t, b.DisableRule("self"))
	assert.Equal(t, []Hop{
		{Bus: "a", Rule: "loop", Target: "to-b", To: "b"},
		{Bus: "b", Rule: "loop", Target: "to-a", To: "a"},
		{Bus: "b", Rule: "self", Target: "me", To: "b"},
		{Bus: "default", Rule: "r", Target: "to-a", To: "a"},
		{Bus: "default", Rule: "r", Target: "out", To: "outside", Foreign: true},
	}, h.Hops())

	for _, from := range []*Bus{h.Default(), a, b} {
		publish(t, from, 1)
		require.NoError(t, h.Wait(t.Context()))
	}
	var letters []string
	for _, d := range dlq.Letters() {
		letters = append(letters, d.Bus+" "+d.Target+" "+d.ErrorCode)
	}
	assert.Equal(t, []string{"a to-b THIRD_ACCOUNT_HOP_DETECTED", "b to-a THIRD_ACCOUNT_HOP_DETECTED", "a to-b THIRD_ACCOUNT_HOP_DETECTED"}, letters)
	assert.EqualValues(t, []int64{1, 3, 2}, []int64{h.Default().Stats().Published, a.Stats().Published, b.Stats().Published})
	require.NoError(t, h.Close(t.Context()))
	require.NoError(t, outside.Close(t.Context()))
}

// Wait waits for what handlers publish on buses that were at rest before.
func TestHubWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(nil)
		names := []string{"a", "b", "c"}
		for i, name := range names {
			b, err := h.Create(name, nil)
			require.NoError(t, err)
			put(t, b, "r", Target{ID: "t", Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
				<-time.After(time.Second)
				assert.ErrorIs(t, h.Wait(ctx), ErrInHandler)
				assert.ErrorIs(t, h.Close(ctx), ErrInHandler)
				assert.ErrorIs(t, h.Delete(ctx, name), ErrInHandler)
				if len(d.Event.ID) > 9 {
					return nil
				}
				next, err := h.Bus(names[(i+2)%3]) // c, b, a, c, ...
				require.NoError(t, err)
				e := d.Event
				e.ID += "x"
				_, err = next.Publish(ctx, e)
				return err
			})})
		}
		c, err := h.Bus("c")
		require.NoError(t, err)
		start := time.Now()
		publish(t, c, 1)
		require.NoError(t, h.Wait(t.Context()))
		assert.Equal(t, 9*time.Second, time.Since(start))
		require.NoError(t, h.Close(t.Context()))
		_, err = h.Create("d", nil)
		assert.ErrorIs(t, err, ErrClosed)
		assert.EqualError(t, err, `footbridge: create bus "d": hub is closed`)
		_, err = h.PutEvents(t.Context(), nil)
		assert.ErrorIs(t, err, ErrClosed)
	})
}

// Wait is exact also when a bus is deleted meanwhile, whose deliveries count no more.
func TestHubWaitWhileDeleting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, handled := NewHub(nil), 0
		first, err := h.Create("a", nil)
		require.NoError(t, err)
		second, err := h.Create("b", nil)
		require.NoError(t, err)
		gone, err := h.Create("c", nil)
		require.NoError(t, err)
		put(t, gone, "r", Target{ID: "t", Handler: failing(0, nil)})
		publish(t, gone, 1)
		require.NoError(t, h.Wait(t.Context()))
		require.NoError(t, gone.RemoveRule("r"))
		put(t, first, "r", Func("t", func(context.Context, Event) error {
			<-time.After(time.Second)
			handled++
			return nil
		}))
		put(t, second, "r", Func("t", func(ctx context.Context, e Event) error {
			<-time.After(time.Second)
			_, err := first.Publish(ctx, e)
			return errors.Join(err, h.Delete(ctx, "c"))
		}))
		publish(t, second, 1)
		require.NoError(t, h.Wait(t.Context()))
		assert.Equal(t, 1, handled)
		require.NoError(t, h.Close(t.Context()))
	})
}

// Close drains buses that forward before those they forward to, and by force all at once.
func TestHubClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(nil)
		a, err := h.Create("a", nil) // forwarded to by z, which comes behind it by name
		require.NoError(t, err)
		z, err := h.Create("z", nil)
		require.NoError(t, err)
		h2 := newBlocker()
		close(h2.gate)
		put(t, a, "r", Target{ID: "t", Handler: h2})
		put(t, z, "r", Forward("to-a", a))
		publish(t, z, 1, 2, 3)
		require.NoError(t, h.Close(t.Context()))
		assert.EqualValues(t, 3, h2.handled.Load())
	})
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(nil)
		stuck := newBlocker()
		for n := range 20 {
			b, err := h.Create(fmt.Sprint("b", n), nil)
			require.NoError(t, err)
			put(t, b, "r", Target{ID: "t", Handler: stuck})
			publish(t, b, 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		err := h.Close(ctx)
		assert.Equal(t, time.Minute+2*closeGrace, time.Since(start).Round(closeGrace))
		var gaveUp *CloseError
		require.ErrorAs(t, err, &gaveUp)
		assert.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 20)
		close(stuck.gate)
	})
}
