package bench

import (
	"os"
	"strings"
	"testing"
)

// The workloads are copies, since a test's package cannot be imported.
func TestWorkloadsAreTheSame(t *testing.T) {
	code := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, code, found := strings.Cut(string(text), "\nfunc workloadRand()")
		if !found {
			t.Fatalf("%s: no workloadRand", name)
		}
		return code
	}
	if code("workload_test.go") != code("../internal/match/workload_test.go") {
		t.Error("workload_test.go differs from ../internal/match/workload_test.go: copy what has changed")
	}
}
