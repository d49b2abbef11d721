package footbridge

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// PublishTo reaches the named rules that the event matches, and no others.
func TestPublishTo(t *testing.T) {
	var mu sync.Mutex // guards got, which targets of several rules append to
	var got []string
	b := New(&Options{Concurrency: 1})
	add := func(name, pattern string) {
		require.NoError(t, b.PutRule(Rule{Name: name, Pattern: MustCompile(pattern), Targets: []Target{{ID: "t",
			Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, d.Rule)
				return nil
			})}}}))
	}
	add("a", `{"source":["test"]}`)
	add("b", `{"source":["test"]}`)
	add("other", `{"source":["other"]}`)
	add("off", `{"source":["test"]}`)
	require.NoError(t, b.DisableRule("off"))
	for _, c := range []struct {
		rules, want []string
	}{
		{[]string{"b"}, []string{"b"}},
		{[]string{"b", "other", "off", "b"}, []string{"b"}}, // named twice, received once
		{[]string{"other"}, nil},
		{[]string{"off"}, nil},
	} {
		got = nil
		id, err := b.PublishTo(t.Context(), event(1), c.rules...)
		require.NoError(t, err)
		assert.Equal(t, "e1", id)
		require.NoError(t, b.Wait(t.Context()))
		assert.Equal(t, c.want, got, "%q", c.rules)
	}
	assert.EqualValues(t, 2, b.Stats().Unmatched)
	got = nil
	_, err := b.PublishTo(t.Context(), event(1))
	require.NoError(t, err)
	require.NoError(t, b.Wait(t.Context()))
	assert.ElementsMatch(t, []string{"a", "b"}, got)

	_, err = b.PublishTo(t.Context(), event(1), "a", "none")
	assert.ErrorIs(t, err, ErrRuleNotFound)
	assert.ErrorContains(t, err, `"none"`)
	require.NoError(t, b.Close(t.Context()))
	assert.Len(t, got, 2, "a name that is refused refuses the event for all")
	assert.EqualValues(t, 1, b.Stats().Refused)
	checkBooks(t, b)
}

// A rule that is removed while PublishTo waits for room at one of its targets is an error.
func TestPublishToWaitsByTheRulesOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		h := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 1, Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		returned := make(chan error, 1)
		go func() { _, err := b.PublishTo(context.Background(), event(3), "r"); returned <- err }()
		synctest.Wait()
		assert.Empty(t, returned)
		require.NoError(t, b.RemoveRule("r"))
		assert.ErrorIs(t, <-returned, ErrRuleNotFound)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2, h.handled.Load())
	})
}
