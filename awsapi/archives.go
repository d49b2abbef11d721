package awsapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// An archiveState is an archive that requests have created. It keeps events in memory, as
// many as an archive.MemoryStore does.
type archiveState struct {
	*archive.Archive
	store   *archive.MemoryStore
	bus     *footbridge.Bus
	created time.Time
	archiveSettings
}

// archiveSettings are what a request may change of an archive.
type archiveSettings struct {
	description string
	pattern     string // "": all events
	days        int    // 0: for ever
	kmsKey      string
}

// maxDays bounds RetentionDays by what a Duration holds.
const maxDays = 100_000

// make returns an archive with these settings.
func (o archiveSettings) make(name string, b *footbridge.Bus, store archive.Store, s *Server) (*archive.Archive, error) {
	if o.days > maxDays {
		return nil, invalid("Parameter RetentionDays is not valid. Reason: want at most %d, got %d.", maxDays, o.days)
	}
	options := archive.Options{Name: name, Bus: b.Name(), Retention: time.Duration(o.days) * 24 * time.Hour, Store: store, Logger: s.log}
	if o.pattern != "" {
		var err error
		if options.Pattern, err = footbridge.Compile(o.pattern); err != nil {
			return nil, err
		}
	}
	return archive.New(options)
}

// managedLocked reports whether a rule is that of an archive that requests have created.
func (s *Server) managedLocked(b *footbridge.Bus, rule string) bool {
	name, ok := strings.CutPrefix(rule, archiveRulePrefix)
	a := s.archives[name]
	return ok && a != nil && a.bus == b
}

// archiveRulePrefix is what the name of an archive's rule is the archive's behind.
const archiveRulePrefix = "Events-Archive-"

func (s *Server) archiveLocked(name string) (*archiveState, error) {
	if a := s.archives[name]; a != nil {
		return a, nil
	}
	return nil, notFound("Archive %s does not exist.", name)
}

// archive is archiveLocked for who holds s.changing, and so may read what is in the archive.
func (s *Server) archive(name string) (*archiveState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.archiveLocked(name)
}

type createArchiveInput struct {
	ArchiveName      string `aws:"ArchiveName,required"`
	EventSourceArn   string `aws:"EventBusArn,required"`
	Description      string `aws:"Description"`
	EventPattern     string `aws:"EventPattern"`
	RetentionDays    int    `aws:"RetentionDays"`
	KmsKeyIdentifier string `aws:"KmsKeyIdentifier"`
}

type archiveOutput struct {
	ArchiveArn       string `json:",omitempty"`
	ArchiveName      string `json:",omitempty"`
	EventSourceArn   string `json:",omitempty"`
	Description      string `json:",omitempty"`
	EventPattern     string `json:",omitempty"`
	KmsKeyIdentifier string `json:",omitempty"`
	State            string
	RetentionDays    *int   `json:",omitempty"`
	SizeBytes        *int64 `json:",omitempty"`
	EventCount       *int64 `json:",omitempty"`
	CreationTime     epoch
}

// state is DISABLED while the archive receives nothing, since the program has disabled or
// removed its rule, or its bus.
func (a *archiveState) state() string {
	if r, ok := a.bus.Rule(archiveRulePrefix + a.Name()); !ok || r.Disabled {
		return disabled
	}
	return enabled
}

// changed is what a request that makes or changes an archive is answered with.
func (s *Server) changed(a *archiveState) archiveOutput {
	return archiveOutput{ArchiveArn: s.arn("archive", a.Name()), State: a.state(), CreationTime: epoch{a.created}}
}

// listed is what a list has of an archive.
func (a *archiveState) listed() archiveOutput {
	stats, days := a.store.Stats(), a.days
	return archiveOutput{ArchiveName: a.Name(), EventSourceArn: a.bus.ARN(), State: a.state(), RetentionDays: &days,
		SizeBytes: &stats.Bytes, EventCount: &stats.Events, CreationTime: epoch{a.created}}
}

func (s *Server) createArchive(_ context.Context, in *createArchiveInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	b, err := s.busOfARN(in.EventSourceArn)
	if err != nil {
		return nil, err
	}
	_, err = s.archive(in.ArchiveName)
	_, taken := b.Rule(archiveRulePrefix + in.ArchiveName) // by an archive of the program's
	if taken || err == nil {
		return nil, exists("Archive %s already exists.", in.ArchiveName)
	}
	a := &archiveState{bus: b, created: time.Now(), store: &archive.MemoryStore{},
		archiveSettings: archiveSettings{in.Description, in.EventPattern, in.RetentionDays, in.KmsKeyIdentifier}}
	if a.Archive, err = a.make(in.ArchiveName, b, a.store, s); err != nil {
		return nil, err
	}
	if err := b.PutRule(a.Rule()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives[in.ArchiveName] = a
	return s.changed(a), nil
}

type archiveInput struct {
	ArchiveName string `aws:"ArchiveName,required"`
}

func (s *Server) describeArchive(_ context.Context, in *archiveInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.archiveLocked(in.ArchiveName)
	if err != nil {
		return nil, err
	}
	o := a.listed()
	o.ArchiveArn, o.Description, o.EventPattern, o.KmsKeyIdentifier = s.arn("archive", a.Name()), a.description, a.pattern, a.kmsKey
	return o, nil
}

type listArchivesInput struct {
	paging
	NamePrefix     string `aws:"ArchiveName"`
	EventSourceArn string `aws:"EventBusArn"`
	State          string `aws:"ArchiveState"`
}

func (s *Server) listArchives(_ context.Context, in *listArchivesInput) (any, error) {
	if err := oneFilter("ListArchives", in.NamePrefix, in.EventSourceArn, in.State); err != nil {
		return nil, err
	}
	if in.EventSourceArn != "" {
		if _, err := s.busOfARN(in.EventSourceArn); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []archiveOutput{}
	for _, name := range sortedKeys(s.archives) {
		a := s.archives[name].listed()
		if strings.HasPrefix(name, in.NamePrefix) && among(in.EventSourceArn, a.EventSourceArn) && among(in.State, a.State) {
			all = append(all, a)
		}
	}
	archives, next, err := page(in.paging, "ListArchives", all, func(a archiveOutput) string { return a.ArchiveName })
	return struct {
		Archives  []archiveOutput
		NextToken string `json:",omitempty"`
	}{archives, next}, err
}

// oneFilter returns a fault if a request for a list has several of its filters.
func oneFilter(operation string, filters ...string) error {
	n := 0
	for _, f := range filters {
		if f != "" {
			n++
		}
	}
	if n < 2 {
		return nil
	}
	return invalid("At most one filter is allowed for %s. Use either : State, EventSourceArn, or NamePrefix.", operation)
}

// among reports whether a filter, "" for none, lets a value pass.
func among(filter, value string) bool { return filter == "" || filter == value }

type updateArchiveInput struct {
	ArchiveName      string  `aws:"ArchiveName,required"`
	Description      *string `aws:"Description"`
	EventPattern     *string `aws:"EventPattern"`
	RetentionDays    *int    `aws:"RetentionDays"`
	KmsKeyIdentifier *string `aws:"KmsKeyIdentifier"`
}

// updateArchive changes what the request has, and keeps what it has not, and the events. A
// rule that the program has removed is put again.
func (s *Server) updateArchive(_ context.Context, in *updateArchiveInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	a, err := s.archive(in.ArchiveName)
	if err != nil {
		return nil, err
	}
	if b, err := s.hub.Bus(a.bus.Name()); err != nil || b != a.bus {
		return nil, notFound("Event bus %s does not exist: the one that archive %s is of was deleted.", a.bus.Name(), a.Name())
	}
	n := a.archiveSettings
	set(&n.description, in.Description)
	set(&n.pattern, in.EventPattern)
	set(&n.days, in.RetentionDays)
	set(&n.kmsKey, in.KmsKeyIdentifier)
	made, err := n.make(a.Name(), a.bus, a.store, s)
	if err != nil {
		return nil, err
	}
	if err := a.bus.PutRule(made.Rule()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Archive, a.archiveSettings = made, n
	return s.changed(a), nil
}

// set sets what a request has.
func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

// deleteArchive deletes an archive and its events, also those that a replay has not come to.
func (s *Server) deleteArchive(_ context.Context, in *archiveInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.archiveLocked(in.ArchiveName)
	if err != nil {
		return nil, err
	}
	if err := a.bus.RemoveRule(a.Rule().Name); err != nil && !errors.Is(err, footbridge.ErrRuleNotFound) {
		return nil, err
	}
	delete(s.archives, in.ArchiveName)
	// The bus's index knows the rule, and so the store, for some time yet.
	return nil, a.store.Expire(context.Background(), time.Unix(lastSecond, 0))
}
