package awsapi

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// These tests are of what goes on while requests change rules, and between requests.

// The program's Middleware, which is called while a request puts a rule, may ask the server.
// It is told of the rule as it was.
func TestMiddlewareThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails, rather than hang
		w := &world{}
		var told []string
		ask := func(next footbridge.Handler) footbridge.Handler {
			for _, operation := range []string{"ListRules", "ListArchives"} {
				told = append(told, w.ok(t, operation, `{}`))
			}
			return next
		}
		w.hub = footbridge.NewHub(&footbridge.Options{Account: "123456789012", Region: "eu-west-1", Middleware: []footbridge.Middleware{ask}})
		w.Server = Handler(w.hub, &Options{Resolve: w.resolve})
		defer w.close(t)
		archived := `{"ArchiveName":"a","EventSourceArn":"` + eu + `event-bus/default"}`
		scheduled := func(minutes string) string { return `{"Name":"r","ScheduleExpression":"rate(` + minutes + `)"}` }
		for _, request := range [][2]string{
			{"PutRule", scheduled("2 minutes")},
			{"PutTargets", `{"Rule":"r","Targets":[{"Id":"t","Arn":"` + functions + `f"},{"Id":"u","Arn":"` + functions + `g"}]}`},
			{"RemoveTargets", `{"Rule":"r","Ids":["u"]}`},
			{"CreateArchive", archived},
			{"UpdateArchive", `{"ArchiveName":"a","Description":"d"}`},
		} {
			w.ok(t, request[0], request[1])
		}
		told = nil
		w.ok(t, "PutRule", scheduled("1 minute"))
		require.Len(t, told, 2)
		assert.Contains(t, told[0], "rate(2 minutes)")
		assert.Contains(t, w.ok(t, "ListRules", `{}`), "rate(1 minute)")
		assert.Contains(t, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`), functions+"f")
		<-time.After(time.Minute)
		synctest.Wait()
		assert.Len(t, w.take(), 1, "the new schedule alone")
	})
}

// A rule is described as it was put as soon as the bus has it.
func TestRulesThatAreBeingPut(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	w.ok(t, "PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"shop\"]}"}`)
	w.ok(t, "PutTargets", `{"Rule":"r","Targets":[{"Id":"t","Arn":"`+functions+`f"}]}`)
	r, err := w.preparePut(&putRuleInput{Name: "r", ScheduleExpression: "rate(1 hour)", RoleArn: "role"}, nil)
	require.NoError(t, err)
	assert.NotContains(t, w.ok(t, "DescribeRule", `{"Name":"r"}`), "role")
	require.NoError(t, r.bus.PutRule(r.Rule))
	assert.Contains(t, w.ok(t, "DescribeRule", `{"Name":"r"}`), `"ScheduleExpression":"rate(1 hour)","State":"ENABLED","RoleArn":"role"`)
	assert.Contains(t, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`), functions+"f")
}

// Requests that change a rule at the same time all count, whoever lists it meanwhile.
func TestChangesAtATime(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	const n = 20
	put := `{"Name":"r","EventPattern":"{\"source\":[\"shop\"]}"}`
	w.ok(t, "PutRule", put)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			w.ask("PutTargets", fmt.Sprintf(`{"Rule":"r","Targets":[{"Id":"t%d","Arn":"%sf"}]}`, i, functions))
		})
		all.Go(func() {
			w.ask("TagResource", fmt.Sprintf(`{"ResourceARN":"%srule/r","Tags":[{"Key":"k%d","Value":"v"}]}`, eu, i))
		})
		all.Go(func() { w.ask("PutRule", put) })
	}
	changed := make(chan struct{})
	go func() { all.Wait(); close(changed) }()
	for ended := false; !ended; {
		select {
		case <-changed:
			ended = true
		default:
			assert.NotContains(t, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`), "target/r/", "none is the program's")
		}
	}
	assert.Equal(t, n, strings.Count(w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`), functions))
	assert.Equal(t, n, strings.Count(w.ok(t, "ListTagsForResource", `{"ResourceARN":"`+eu+`rule/r"}`), `"Key"`))
}

// A rule with a schedule that requests disable and the program or requests enable has one
// schedule that runs.
func TestSchedulesOfRulesThatAreEnabledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		defer w.close(t)
		w.ok(t, "PutRule", `{"Name":"r","ScheduleExpression":"rate(5 minutes)","State":"DISABLED"}`)
		w.ok(t, "PutTargets", `{"Rule":"r","Targets":[{"Id":"f","Arn":"`+functions+`f"}]}`)
		fired := func() int {
			<-time.After(10 * time.Minute)
			synctest.Wait()
			return len(w.take())
		}
		assert.Zero(t, fired())
		require.NoError(t, w.hub.Default().EnableRule("r"))
		assert.Equal(t, 2, fired(), "enabled by the program")
		w.ok(t, "DisableRule", `{"Name":"r"}`)
		assert.Zero(t, fired())
		<-time.After(2 * time.Minute)
		w.ok(t, "EnableRule", `{"Name":"r"}`)
		w.ok(t, "EnableRule", `{"Name":"r"}`)
		<-time.After(4 * time.Minute)
		synctest.Wait()
		assert.Empty(t, w.take(), "its rate counts from when a request has enabled it")
		assert.Equal(t, 2, fired(), "by one schedule")
	})
}

// A replay that has ended is described, and keeps nothing of an archive that is deleted.
func TestEndedReplaysForgetTheirArchive(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	w.ok(t, "CreateArchive", `{"ArchiveName":"a","EventSourceArn":"`+eu+`event-bus/default"}`)
	w.publish(t)
	w.ok(t, "StartReplay", `{"ReplayName":"x","EventSourceArn":"`+eu+`archive/a","EventStartTime":0,"EventEndTime":2000000000,"Destination":{"Arn":"`+eu+`event-bus/default"}}`)
	w.running.Wait()
	kept := weak.Make(w.archives["a"].store)
	w.ok(t, "DeleteArchive", `{"ArchiveName":"a"}`)
	for range 200 { // so that the bus, too, forgets the archive's rule
		require.NoError(t, w.hub.Default().PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"source":["shop"]}`)}))
		require.NoError(t, w.hub.Default().RemoveRule("r"))
	}
	runtime.GC()
	runtime.GC()
	assert.Nil(t, kept.Value())
	assert.Contains(t, w.ok(t, "DescribeReplay", `{"ReplayName":"x"}`), `"State":"COMPLETED"`)
}
