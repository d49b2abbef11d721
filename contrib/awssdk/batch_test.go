package awssdk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// A gate is a batcher's send that waits for each request to be let through.
type gate struct {
	begun  chan []int // the entries of each request
	answer chan error // of the request that is let through
}

func newGate() *gate { return &gate{make(chan []int, 100), make(chan error)} }

func (g *gate) send(ctx context.Context, entries []int) ([]error, error) {
	g.begun <- entries
	select {
	case err := <-g.answer:
		return make([]error, len(entries)), err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sizes waits until all that can happen has, and returns the sizes of the requests that
// have begun since it was last called.
func (g *gate) sizes() (sizes []int) {
	synctest.Wait()
	for len(g.begun) > 0 {
		sizes = append(sizes, len(<-g.begun))
	}
	return sizes
}

// calls calls b for n entries, one after the other, and returns the channel of the results.
func calls(ctx context.Context, b *batcher[int], n, size int) <-chan error {
	results := make(chan error, n)
	for i := range n {
		go func() { results <- b.do(ctx, i, size) }()
		synctest.Wait() // so that the order is certain
	}
	return results
}

func TestBatchesForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := &batcher[int]{maxSize: 1000, send: g.send}
		results := calls(t.Context(), b, 24, 1)
		assert.Equal(t, []int{1, 10, 10}, g.sizes(), "the first at once, full ones beside it; three wait")
		g.answer <- nil
		assert.Empty(t, g.sizes(), "two are under way, and what waits does not fill one")
		g.answer <- nil
		g.answer <- nil
		assert.Equal(t, []int{3}, g.sizes(), "none was under way any more")
		g.answer <- nil
		for range 24 {
			assert.NoError(t, <-results)
		}
		last := calls(t.Context(), b, 1, 1)
		assert.Equal(t, []int{1}, g.sizes(), "a batcher at rest sends at once")
		g.answer <- nil
		assert.NoError(t, <-last)
	})
}

func TestBatchesHaveASize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := &batcher[int]{maxSize: 1000, send: g.send}
		calls(t.Context(), b, 1, 1)
		calls(t.Context(), b, 3, 500)
		assert.Equal(t, []int{1, 2}, g.sizes(), "1000 is allowed, and the third does not fit: the two are full")
		calls(t.Context(), b, 1, 501)
		assert.Equal(t, []int{1}, g.sizes(), "what waits, 500, is full since 501 does not fit")
		for range 3 {
			g.answer <- nil
		}
		assert.Equal(t, []int{1}, g.sizes())
		g.answer <- nil
	})
}

func TestACallThatWaitsIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := &batcher[int]{maxSize: 1000, send: g.send}
		first := calls(t.Context(), b, 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		waiting := calls(ctx, b, 2, 1)
		other := calls(t.Context(), b, 1, 1)
		cancel()
		assert.ErrorIs(t, <-waiting, context.Canceled)
		assert.ErrorIs(t, <-waiting, context.Canceled)
		assert.Equal(t, []int{1}, g.sizes())
		g.answer <- nil
		assert.Equal(t, []int{1}, g.sizes(), "the two are not sent")
		g.answer <- nil
		assert.NoError(t, <-first)
		assert.NoError(t, <-other)
	})
}

func TestACallThatWasSentLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := &batcher[int]{maxSize: 1000, send: g.send}
		calls(t.Context(), b, 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		left := calls(ctx, b, 1, 1)
		stays := calls(t.Context(), b, 1, 1)
		g.answer <- nil
		require.Equal(t, []int{1, 2}, g.sizes())
		cancel()
		assert.ErrorIs(t, <-left, context.Canceled)
		synctest.Wait()
		assert.Empty(t, stays, "the other waits on")
		g.answer <- nil
		assert.NoError(t, <-stays)
	})
}

type key struct{}

// A request ends when nobody waits for it. Otherwise its goroutine would stay here, and the
// bubble fail.
func TestARequestThatNobodyWaitsForEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		var value any
		b := &batcher[int]{maxSize: 1000, send: func(ctx context.Context, entries []int) ([]error, error) {
			value = ctx.Value(key{})
			return g.send(ctx, entries)
		}}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "of the caller"), time.Minute)
		defer cancel()
		assert.ErrorIs(t, b.do(ctx, 1, 1), context.DeadlineExceeded)
		synctest.Wait()
		assert.Equal(t, "of the caller", value)
	})
}

func TestClientsThatBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer func()
		b := &batcher[int]{maxSize: 1000, send: func(_ context.Context, entries []int) ([]error, error) {
			<-time.After(time.Second) // of the bubble, so that a batch forms
			answer()
			return make([]error, len(entries)), nil
		}}
		answer = func() { panic("oh") }
		results := calls(t.Context(), b, 3, 1)
		for range 3 {
			var panicked *footbridge.PanicError
			require.ErrorAs(t, <-results, &panicked)
			assert.Equal(t, "oh", panicked.Value)
			assert.Contains(t, string(panicked.Stack), "batch_test.go")
		}
		answer = runtime.Goexit
		assert.ErrorIs(t, b.do(t.Context(), 1, 1), errGoexit)
		answer = func() {}
		assert.NoError(t, b.do(t.Context(), 1, 1), "it goes on")
	})
}

var errRefused = &smithy.GenericAPIError{Code: "ValidationException", Fault: smithy.FaultClient}

// One bad entry does not spoil those beside it.
func TestRefusedRequestsAreSentApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent [][]int
		b := &batcher[int]{maxSize: 1000, send: func(_ context.Context, entries []int) ([]error, error) {
			sent = append(sent, entries)
			<-time.After(time.Second)
			for _, e := range entries {
				if e == 2 {
					return nil, errRefused
				}
			}
			return make([]error, len(entries)), nil
		}}
		var results [4]error
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i] = b.do(t.Context(), i, 1) })
			synctest.Wait()
		}
		wg.Wait()
		assert.Equal(t, [][]int{{0}, {1, 2, 3}, {1}, {2}, {3}}, sent)
		assert.Equal(t, [4]error{2: footbridge.Permanent(errRefused)}, results)
	})
}

// A request that fails without being refused is not sent again here.
func TestFailedRequestsFailTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := &batcher[int]{maxSize: 1000, send: g.send}
		results := calls(t.Context(), b, 11, 1)
		failure := &smithy.GenericAPIError{Code: "InternalFailure", Fault: smithy.FaultServer}
		require.Equal(t, []int{1, 10}, g.sizes())
		g.answer <- failure
		g.answer <- failure
		for range 11 {
			assert.Equal(t, failure, <-results, "not permanent")
		}
		assert.Empty(t, g.sizes())
	})
}

var (
	seed  = flag.Uint64("seed", 0, "the one seed to simulate; 0: as many as -seeds says")
	seeds = flag.Uint64("seeds", 100, "how many seeds to simulate")
)

// Random calls, contexts and answers: each call gets the result of its own entry, or its
// context's error, and requests are within their bounds.
func TestBatchSimulation(t *testing.T) {
	from, to := uint64(1), *seeds
	if *seed != 0 {
		from, to = *seed, *seed
	}
	for s := from; s <= to; s++ {
		t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, rand.New(rand.NewPCG(s, 0))) })
		})
	}
}

type simulatedEntry struct{ number, size int }

var errOdd, errLost = errors.New("odd"), errors.New("lost")

func simulate(t *testing.T, r *rand.Rand) {
	const calls, maxSize = 300, 100
	var mu sync.Mutex // guards r and the fields below
	sent, most := map[int]int{}, 0
	intN := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	lossy := intN(2) == 0
	b := &batcher[simulatedEntry]{maxSize: maxSize}
	b.send = func(ctx context.Context, entries []simulatedEntry) ([]error, error) {
		size, results := 0, make([]error, len(entries))
		mu.Lock()
		for i, e := range entries {
			size += e.size
			sent[e.number]++
			if e.number%2 == 1 {
				results[i] = errOdd
			}
		}
		most = max(most, len(entries))
		mu.Unlock()
		assert.LessOrEqual(t, len(entries), maxEntries)
		assert.LessOrEqual(t, size, maxSize)
		select {
		case <-time.After(time.Duration(intN(50)) * time.Millisecond):
		case <-ctx.Done():
		}
		if lossy && intN(10) == 0 {
			return nil, errLost
		}
		return results, nil
	}
	var results [calls]error
	var wg sync.WaitGroup
	for i := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(10+intN(500))*time.Millisecond)
		size := 1 + intN(maxSize)/(1+intN(20))
		wg.Go(func() {
			defer cancel()
			results[i] = b.do(ctx, simulatedEntry{i, size}, size)
		})
		<-time.After(time.Duration(intN(3)) * time.Millisecond)
	}
	wg.Wait()
	synctest.Wait() // for requests that nobody waits for any more
	checkResults(t, results[:], sent, lossy)
	assert.Greater(t, most, 1, "batches have formed")
	assert.Empty(t, b.waiting)
	assert.Zero(t, b.requests)
}

// checkResults checks each call's result, and how often its entry was sent.
func checkResults(t *testing.T, results []error, sent map[int]int, lossy bool) {
	for i, err := range results {
		switch {
		case errors.Is(err, errLost):
			assert.True(t, lossy)
		case errors.Is(err, context.DeadlineExceeded):
		case i%2 == 1:
			assert.Equal(t, errOdd, err, "call %d", i)
		default:
			assert.NoError(t, err, "call %d", i)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			assert.Equal(t, 1, sent[i], "call %d was sent once", i)
		}
		assert.LessOrEqual(t, sent[i], 1)
	}
}
