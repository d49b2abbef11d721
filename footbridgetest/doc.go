// Package footbridgetest is for testing code that publishes and handles events.
//
//	func TestOrderIsPaid(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			bus := footbridgetest.New(t, nil)
//			shop.Register(bus) // the code under test puts its rules
//			paid := footbridgetest.Record(t, bus, `{"detail-type":["Order Paid"]}`)
//			footbridgetest.Publish(t, bus, "shop", "Order Placed", shop.Order{ID: "O-1"})
//			paid.Expect(`{"detail":{"id":["O-1"]}}`)
//		})
//	}
//
// # A bus for a test
//
// [New] returns a bus that logs to the test. When the test ends it closes the bus and
// fails the test on what nobody expected: dead letters, lost deliveries, handlers that do
// not return. [Publish] publishes or fails the test.
//
// # Expectations
//
// A [Recorder] is a target that keeps what it gets; [Record] puts one under a rule of its
// own. [ExpectPublished] is about all that was published, [ExpectDeadLetters] about what
// could not be delivered, [ExpectLost] about what no one has taken, and [ExpectRouted] about where an event would go, without
// delivering it. A failed expectation says why the nearest event does not match.
//
// Expectations wait until the bus has nothing undecided, by [footbridge.Bus.Wait]: what
// handlers publish is included, nothing is polled, and that something did not happen is
// certain. Publish before you expect: what a goroutine may publish later is on no bus's
// books; in a bubble, synctest.Wait comes first. A bus that is not idle after ten seconds
// fails the test; where handlers take longer, call its Wait first.
//
// A bus may forward to another, and a handler may publish to one: expectations wait until
// all buses that [New] has made for the test are idle at once. A bus that New has not made,
// such as one of a [footbridge.Hub], is waited for by its own Wait.
//
// # Time
//
// All of this works in a bubble of testing/synctest, where a day of retries takes no time.
// Outside of one, retries take the time their policies say: there, give Options.Retry a
// policy without delays, such as footbridge.Backoff{Base: 1, MaxRetries: 3}.
//
// # Faults
//
// [FailTimes], [FailMatching], [PanicTimes] and [Gate] are handlers that fail, panic, and
// block until they are released, in front of one that works, or of none. To make handlers
// of the code under test fail put them into Options.Middleware.
//
// # Patterns
//
// [RunPatternFiles] tests patterns against the events that they are to match and to
// reject, all in text files.
//
// # Suites
//
// [TestHandler], [TestRetryPolicy], [TestDLQ] and [TestStore] test implementations of
// footbridge's interfaces. A failure says what is promised and why it matters.
//
// All functions take a [TB], which a *testing.T, B or F is, and may be called by any number
// of goroutines, but for those that fail at once ([TB.Fatalf]): these only by the test's own.
package footbridgetest
