// Package queue is an SQS-shaped queue in memory: a target of rules to consume from, and a
// dead-letter queue. With it bus, queue and worker, which is how the cloud makes handling of
// events durable, can be built and tested in one process; here nothing survives it.
//
// There are only a few types:
//
//   - A [Service] has queues by name, as an account of the cloud has.
//   - A [Queue] takes messages, [Queue.Send], and gives them out, [Queue.Receive], until they
//     are deleted, [Queue.Delete].
//   - [Settings] are what a queue is made with.
//   - A [Message] is what is received; an [Outgoing] is what is sent.
//   - An [Error] has the service's code.
//
// [Queue.Target] and [Queue.Handler] make the queue a target of a rule, [Queue.DLQ] its
// dead-letter queue. [Queue.Consume] runs workers.
//
// # Promises
//
// Each names, in parentheses, the tests that hold it.
//
// A message may be received again from the very moment on at which its visibility timeout
// ends, goes to the dead-letter queue when it would be received once too often, and is gone at
// the end of its retention. (TestScripts, TestSimulation)
//
// Order: a standard queue gives out what became ready first; the cloud's may do otherwise. A
// FIFO queue gives out each group's messages as they were sent, and locks the group while one is
// in flight; a message whose deduplication ID was sent within five minutes is dropped, and the
// sender told. (TestScripts, TestSimulation)
//
// Waiting is exact: who waits gets a message the moment it is ready, in the order in which they
// came, and what goes to somebody who has just left is not lost. (TestScripts, TestSimulation,
// TestWaitersThatLeave, TestWaitersThatLeaveAsAMessageComes)
//
// Idle costs nothing: a queue has no goroutine, and a timer only while somebody waits for a
// moment that is due. What was deleted or has expired is not kept; expiry, and the end of the
// five minutes, are seen when the queue is next used. (TestIdleQueueHasNothing,
// TestNothingIsKept)
//
// Nothing vanishes in silence: what a queue does not take is an error; what expires is counted,
// and what a bus cannot send is a dead letter. (TestScripts, TestTargetRefused)
//
// Bad input gets a clear error, in the service's words where they are known. (TestScripts,
// TestBatches)
//
// Time is package time: it runs under testing/synctest.
//
// # Not as in the cloud
//
// Sampling, and with it receives that return less than there is; duplicates; the minute in which
// a deleted queue's name may not be used, or a change is not seen; receive request attempt IDs;
// fairness between the groups of a standard queue; encryption and policies.
package queue
