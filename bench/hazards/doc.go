// Package hazards tries what goes wrong in buses inside a process, on footbridge and its
// peers, and prints what each does as a table:
//
//	go test -run TestHazards -v ./hazards
//
// Each try runs in a process of its own, since some of them end it, leak, or never come
// back. What footbridge does is also asserted.
package hazards
