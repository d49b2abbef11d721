// Package footbridge is Amazon EventBridge's routing model inside a Go process.
//
// Rules say, as EventBridge event patterns, which events they want; publishers
// publish JSON events; every target of every rule that an event matches receives it,
// concurrently, with retries and dead letters. There is no server to run.
//
// There are only a few types:
//
//   - An [Event] is EventBridge's envelope: who published it, what happened, a detail.
//   - A [Pattern] says which events are wanted; [Compile] makes one. A [Matcher] finds
//     which of many patterns an event matches, without a bus.
//   - A [Rule] is a Pattern with the Targets of the events that match it.
//   - A [Target] is a [Handler] with how it is to be called. [Func], [Typed], [Chan]
//     and [Forward] make the usual ones.
//   - An [Input] says what a target receives of an event: all of it, a constant, a part, or
//     a template filled with parts.
//   - A [Bus] has rules, and takes events: [Bus.Publish], or the service's request,
//     [Bus.PutEvents], which takes each [Entry] as the service does.
//   - A [Hub] has several buses by name, as an account of the service has.
//   - A [RetryPolicy] says when a failed delivery is attempted again: [Backoff].
//   - A [DLQ] keeps deliveries that will not be attempted again: dead letters.
//     [MemoryDLQ] is one.
//   - An [Observer] is told what happens to events and deliveries; [Bus.Stats] counts it.
//
// # Promises
//
// Each names, in parentheses, the tests that hold it.
//
// Nothing vanishes. Every delivery (an accepted event, a target it matches) ends
// exactly once: its handler returned nil, or a DLQ has taken it, or it is reported
// as lost, to the Observer, in Stats and in the log, because there is no DLQ or it
// failed for good. An event that matches no rule is counted and observed.
// (TestStats, TestLostDeliveriesAreReported, TestTraceFailingDLQ,
// TestRedriveKeepsWhatIsRefused, TestSimulation, also in internal/dispatch, TestSoak)
//
// All or none. Publish accepts an event for all the targets it matches or, with an
// error, for none of them; PublishTo for those of the rules it names.
// (TestPublishIsAllOrNone, TestTraceAllOrNone, TestPublishTo,
// TestPublishToWaitsByTheRulesOfTheMoment, TestPublishRefusesBadEvents,
// TestReplacingARuleIsAtomic)
//
// A bad target hurts itself only. A panic is an error with its stack. A delivery that
// waits for a retry is outside of the target's queue and holds no worker; how many
// may wait is bounded, and beyond the bound they become dead letters. Within a target,
// retries and first attempts take turns, so that events that fail keep no new one waiting
// for ever. (TestIsolation, TestPanicsAreContained, TestPanicsAreRetried,
// TestErrorsThatPanic, TestGoexitAnywhere, TestPanicsOfPoliciesAndKeysAreContained,
// TestLoggersAreContained, TestBacklogIsBounded, TestTraceBacklog,
// TestLettersThatWaitAreBounded, TestRetriesDoNotStarveNewEvents)
//
// Backpressure is a choice. A target has room for so many deliveries that wait; when
// it is full, Publish waits, refuses the event, or makes a dead letter of the
// delivery, as [Overflow] says. A publisher that has waited for five seconds logs the
// target. (TestTraceOverflow, TestDefaultQueue, TestPublishLogsALongWait)
//
// No deadlock by publishing. A handler may publish to its own bus and its own target
// while every queue is full, and change the rules, also with a lock in hand that
// publishers want. (TestHandlersNeverDeadlock, TestTargetsThatPublishToEachOther,
// TestHandlerHoldsALockThatPublishersWant, TestPublisherHoldsALockThatHandlersWant,
// TestHandlersChangeTheirOwnRule, TestTracePublishInAHandler, TestForwardRetriesAFullBus)
//
// Concurrency is bounded: by [Target].Concurrency for each target.
// (TestConcurrency, TestReplacedTargetsKeepTheirQueue)
//
// Idle costs nothing: a target without work has no goroutine and no timer. A delivery that
// waits, for its turn or for a retry, has no goroutine either, and takes at most 200 bytes
// beside its event, which all targets share; a key of its own, and that somebody asks for
// the outcome, add about 100 each. Publishing allocates twice for an event with one target.
// (TestIdleBusHasNothing, TestMemoryOfWaitingDeliveries, TestManyRetriesWait,
// TestAllocationsOfPublish, TestRemovalOfIdleTargetsStartsNothing; TestIdle in
// internal/dispatch)
//
// Order is what was asked for. None by default. With OrderBy, events of one key are
// handled in the order they were published, one at a time, and one that fails holds
// back its key alone. With Concurrency 1 and no OrderBy, deliveries that need no retry
// are attempted in the order they were accepted. (TestOrder, TestTraceOrderBy,
// TestAFailingKeyTakesNoRoom)
//
// Retries come when the policy says, or when [Bus.RetryNow] does. (TestTraceRetry,
// TestTraceErrorsThatSayMore, TestTraceMaxAge, TestOwnPolicies, TestADayOfRetries,
// TestManyRetriesWait, TestTraceRetryNow)
//
// Changes are atomic. Publishers see a rule before or after a change; what was
// accepted before is finished, or becomes dead letters if the target says so.
// (TestReplacingARuleIsAtomic, TestTraceReplacing, TestRemovedRulesFinishWhatTheyHave,
// TestTraceRemoval, TestReplacedTargetsMayLeaveLetters, TestRemovalIsBetweenMatchAndQueue,
// TestPublishWaitsByTheRulesOfTheMoment)
//
// Wait is exact: it includes what handlers published before they returned. Close
// drains, and when its context ends it makes dead letters of the rest and says how
// many. Afterwards no goroutine of the bus is left, but those of handlers that do not
// return. (TestWaitIsExact, TestDeliverAndNotify, TestTraceCompletion,
// TestTraceCloseDrains, TestTraceCloseByForce, TestCloseWithFiveHundredQueued,
// TestCloseLeavesStuckHandlersBehind, TestCloseWithAStuckObserver, TestSoak)
//
// Contexts carry values, not cancellation, from publishers to handlers, and tell rule,
// target and attempt. An attempt's ends with its Timeout, or when the bus is closed by
// force. (TestValuesOfTheFirstPublisher, TestDeliveryFromContext, TestMiddleware,
// TestTraceContexts)
//
// Time is package time. Under testing/synctest a day of retries takes no time, and an
// idle bus has nothing that keeps a bubble from ending. (TestADayOfRetries, and all
// tests named TestTrace)
//
// Bad input gets a clear error: what, where, want, got; with a type or a sentinel for
// [errors.As] and [errors.Is]. The bus goes on. (TestPublishRefusesBadEvents,
// TestPutRuleRefuses, TestPatternErrors, TestBadOptions, TestRefusals)
//
// Explanations are true: the verdict of Explain is Match's, and Bus.Explain names the rules
// that Publish would find. (TestVerdictsConformance, TestVerdictsStanzas, TestExplain,
// TestBusExplainIsWhatPublishDoes)
//
// Rules are data, but for what is code of their targets: LoadRules and SaveRules. What a file
// has too much, or wrong, is refused with its place. (TestLoadRules, TestSaveRules,
// TestLoadRulesRefuses)
//
// Patterns mean what they mean in EventBridge: footbridge agrees with all of 8,500
// cases whose verdicts two other matchers, one of them the service's own engine, agree
// on. (TestConformance, TestStanzas in internal/match)
//
// A target receives what its Input says, to the byte. An event of which that cannot be made
// is a dead letter that says why. (TestInput, TestTraceInput, TestPutRuleRefusesInputs,
// TestTemplates in internal/transform)
//
// PutEvents answers as the service does, code and text, entry by entry. An event for a bus
// there is not is dropped as there, but counted and observed; Strict makes it an error.
// (TestPutEventsEntries, TestPutEventsResultsAreInOrder, TestPutEventsRefusesRequests,
// TestUnknownBus)
//
// Buses may forward to each other. An event passes one hop, with its ID and time; a second
// is a dead letter, so that no loop goes round. A Hub routes by name or ARN, and its Wait
// waits for what goes from bus to bus. (TestTraceForward, TestHubHops, TestHubPutEvents,
// TestHubAnswers, TestHubWait, TestHubClose, TestHubDelete)
//
// What passes with Strict passes in the service: its limits hold, and what it drops in silence
// is an error. (TestStrictLimits, TestStrictWords, TestStrictUnmatched, TestStrictInput,
// TestUnknownBus, TestComplexity in internal/strict)
//
// The service's model is held fact by fact: testdata/service has what is known of it, with
// where it is known from. (TestModel, also in archive and schedule, TestModelInputs,
// TestPutEventsEntries, TestHubAnswers, TestStrictLimits; TestStandInsFireDisabledRules and
// the others of its file have what users of local stand-ins miss)
//
// # Not promised
//
// A delivery is attempted at least once, not at most once: a handler that times out,
// or that Close leaves behind, may have done its work. Nothing survives the process:
// a bus keeps its deliveries in memory. Publishers that wait for room are woken in turn, but
// one that comes in that moment may be faster; and one that needs room in several full queues
// at once may wait for long while others, who need room in one, pass.
package footbridge
