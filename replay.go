package footbridge

import (
	"context"
	"fmt"
	"slices"
)

// PublishTo is [Bus.Publish] to the targets of the named rules alone, as the service
// sends a replay's events. The rules must exist, else the error wraps [ErrRuleNotFound]
// and names the one that does not; and they receive the event only if they are enabled
// and it matches them, by what they are now. Without names it goes to all rules.
//
// An event that matches none of the named rules is accepted, also with Strict, and counted
// as unmatched.
func (b *Bus) PublishTo(ctx context.Context, e Event, rules ...string) (id string, err error) {
	return b.publish(ctx, e, publication{rules: rules})
}

// keepNamed keeps of the rules that an event matches those that p names.
func (s *press) keepNamed(b *Bus, p *publication) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range p.rules {
		if b.rules[name] == nil {
			return fmt.Errorf("footbridge: publish to rule %q: %w", name, ErrRuleNotFound)
		}
	}
	s.rules = slices.DeleteFunc(s.rules, func(r *rule) bool { return !slices.Contains(p.rules, r.Name) })
	return nil
}
