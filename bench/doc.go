// Package bench measures footbridge beside buses and matchers of other projects, in
// one run on one machine. It has nothing but benchmarks; README.md tells the commands.
package bench
