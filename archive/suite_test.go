package archive_test

import (
	"testing"
	"time"

	"github.com/footbridge-go/footbridge/archive"
	"github.com/footbridge-go/footbridge/footbridgetest"
)

// The stores pass the suite that others run against theirs.
func TestStoresPassTheSuite(t *testing.T) {
	for name, open := range map[string]func() (archive.Store, error){
		"memory": func() (archive.Store, error) { return &archive.MemoryStore{}, nil },
		"file":   func() (archive.Store, error) { return archive.OpenFiles(t.TempDir(), nil) },
		"small windows": func() (archive.Store, error) {
			return archive.OpenFiles(t.TempDir(), &archive.FileOptions{Window: time.Minute, NoSync: true})
		},
	} {
		t.Run(name, func(t *testing.T) { footbridgetest.TestStore(t, open) })
	}
}
