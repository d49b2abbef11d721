// Package archive keeps the events of a bus and replays them, as EventBridge's archives
// and replays do.
//
//   - An [Archive] keeps the events of one bus that match a pattern, for a time. It is
//     attached by a rule: bus.PutRule(a.Rule()).
//   - A [Store] is where it keeps them: [MemoryStore], bounded by count and bytes, or
//     [FileStore], files of JSON lines in a directory.
//   - A [Replay] publishes a time range of the archive on the same bus once more, at
//     full, original or scaled speed, with [Progress] and the service's states.
//
// # Why a rule
//
// An archive is a target like any other, so that the promises of the bus are its own.
// Each names, in parentheses, the tests that hold it.
//
//   - Nothing vanishes: an event that the store refuses is retried, then a dead letter of
//     the archive's rule, which can be redriven; without a DLQ it is reported as lost.
//     What a store gives up to keep its bounds is counted and told.
//     (TestNothingVanishesInTheArchive, TestMemoryStoreIsBoundedByCount)
//   - All or none: Publish accepts an event for the archive and all other targets, or
//     for none of them. (TestArchiveIsAllOrNone)
//   - Order: events are kept in the order they were published. One that the store
//     refuses holds back those behind it until it is decided.
//     (TestArchiveKeepsOrderWhileTheStoreFails)
//   - Wait and Close wait for the archive. (TestReplayOnABus)
//
// A function of Observer could neither retry nor keep an event from being accepted; a
// middleware sees attempts, and so an event once for every target and not at all if
// there is none.
//
// As every target, an archive is called at least once: an event may be kept twice if the
// bus was closed by force while the store was at it and the dead letter is redriven.
//
// Events that carry a replay's name are not archived. (TestReplayedEventsAreNotArchived)
//
// # What survives
//
// A MemoryStore ends with its process. Of a FileStore no event is lost that was kept: not
// when the process is killed, not when a write fails or ends anywhere within a line, and,
// without NoSync, not when the machine loses its power, as far as its disk keeps what it
// was told to sync. (TestKilledProcess, TestFailingDisk, TestTornFiles, TestSync)
//
// # Time
//
// A range, and the order of a replay, go by the events' own times; retention goes by when
// they were kept, so that an event that is published late is not expired at once. Time is
// package time, and nothing here starts a goroutine: under testing/synctest a day is
// replayed at its original speed in milliseconds. (TestRetention, TestReplayAtEverySpeed,
// TestADayAtOriginalSpeed)
package archive
