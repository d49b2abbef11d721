package footbridgetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A suiteCase is something that an implementation of an interface promises.
type suiteCase struct {
	name string // the promise
	why  string // why it matters
	run  func(ctx context.Context) error
}

// runSuite runs cases one after the other. A panic fails its case, and so does a call that
// does not return.
func runSuite(t TB, what string, cases []suiteCase) {
	t.Helper()
	for _, c := range cases {
		if err := contained(func() error { return c.run(t.Context()) }); err != nil {
			t.Errorf("footbridgetest: %s: %s: %v\n  why: %s", what, c.name, err, c.why)
		}
	}
}

func contained(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return fn()
}

// together calls fn n times at once, with 0 to n-1. Of the errors it returns one.
func together(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = contained(func() error { return fn(i) }) })
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d calls failed: %w", len(errs), n, errs[0])
}

// suiteWait is how long a call may take whose context has ended, or ends.
const suiteWait = 5 * time.Second

var (
	errHangs  = errors.New("has not returned")
	errGoexit = errors.New("it has ended its goroutine, as FailNow does")
)

// returns calls fn, of which a failure speaks as what, and waits for it as long as an
// expectation would.
func returns(what string, fn func() error) error {
	if inBubble() {
		return returnsWithin(bubblePatience, what, fn)
	}
	return returnsWithin(patience, what, fn)
}

func returnsWithin(most time.Duration, what string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		err = contained(fn)
	}()
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return fmt.Errorf("%s %w after %v", what, errHangs, most)
	}
}

// valued is returns for a function with a value.
func valued[T any](what string, fn func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	got := make(chan result, 1) // not a variable, since fn may go on
	if err := returns(what, func() error {
		value, err := fn()
		got <- result{value, err}
		return nil
	}); err != nil {
		var none T
		return none, err
	}
	r := <-got
	return r.value, r.err
}

// ended returns a context that has ended.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// TestRetryPolicy tests what the interface [footbridge.RetryPolicy] promises: that p is a
// pure function that any number of goroutines may call, for early and late attempts alike.
// Run it with the race detector: without it a policy that shares what it writes may pass.
func TestRetryPolicy(t TB, p footbridge.RetryPolicy) {
	t.Helper()
	attempts := suiteAttempts()
	type answer struct {
		delay time.Duration
		retry bool
	}
	ask := func(a footbridge.Attempt) (answer, error) {
		return valued("Next", func() (answer, error) {
			delay, retry := p.Next(a)
			return answer{delay, retry}, nil
		})
	}
	first := make([]answer, len(attempts))
	each := func(fn func(i int, a footbridge.Attempt) error) error {
		for i, a := range attempts {
			if err := fn(i, a); err != nil {
				return fmt.Errorf("%d retries, age %v: %w", a.Retries, a.Age, err)
			}
		}
		return nil
	}
	same := func(i int, a footbridge.Attempt) error {
		got, err := ask(a)
		if err == nil && got != first[i] {
			return fmt.Errorf("it has answered %v, %v, and now answers %v, %v", first[i].delay, first[i].retry, got.delay, got.retry)
		}
		return err
	}
	runSuite(t, "retry policy", []suiteCase{
		{"it answers for every attempt", "a policy that panics ends the retries of its delivery", func(context.Context) error {
			return each(func(i int, a footbridge.Attempt) (err error) {
				first[i], err = ask(a)
				return err
			})
		}},
		{"it is a pure function", "one policy serves all deliveries, and who observes it must change nothing", func(context.Context) error {
			return each(same)
		}},
		{"it may be called by several goroutines", "deliveries fail at the same time", func(context.Context) error {
			return together(8, func(int) error { return each(same) })
		}},
		{"its delays are not negative", "a delay that has overflowed means at once, which is the opposite of what was meant", func(context.Context) error {
			return each(func(i int, _ footbridge.Attempt) error {
				if a := first[i]; a.retry && a.delay < 0 {
					return fmt.Errorf("the delay is %v", a.delay)
				}
				return nil
			})
		}},
		{"Exhausted, if it has that, says why it does not retry", "dead letters have it as their ExhaustedRetryCondition", func(context.Context) error {
			e, ok := p.(interface {
				Exhausted(footbridge.Attempt) string
			})
			if !ok {
				return nil
			}
			return each(func(i int, a footbridge.Attempt) error {
				if why := e.Exhausted(a); (why == "") != first[i].retry {
					return fmt.Errorf("it retries: %v, and is exhausted: %q", first[i].retry, why)
				}
				return nil
			})
		}},
	})
}

// suiteAttempts returns early and late attempts. A delay that doubles with each overflows in
// one of them.
func suiteAttempts() (attempts []footbridge.Attempt) {
	for i := range 201 {
		retries := i
		if i == 200 {
			retries = 1 << 30
		}
		for _, age := range []time.Duration{0, time.Second, 24 * time.Hour, 1<<63 - 1} {
			attempts = append(attempts, footbridge.Attempt{EventID: "1", Rule: "rule", Target: "target", Retries: retries, Age: age, Err: errors.New("failed")})
		}
	}
	return attempts
}

// longText is a text that needs escapes and more than one byte a character.
var longText = "ü\u2028\n\"\\<&>" + strings.Repeat("0123456789", 20_000)
