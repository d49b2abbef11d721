package awsapi

import (
	"context"
	"maps"
	"strings"
)

type tag struct {
	Key   string `aws:"TagKey,required"`
	Value string `aws:"TagValue,required"`
}

type tagList []tag

// set returns the tags by their keys.
func (l tagList) set() (map[string]string, error) {
	tags := make(map[string]string)
	for _, t := range l {
		tags[t.Key] = t.Value
	}
	if len(tags) < len(l) {
		return nil, invalid("Invalid parameter: Duplicated keys are not allowed.")
	}
	return tags, nil
}

// tagsLocked returns the tags of a bus or a rule, by its ARN.
func (s *Server) tagsLocked(arn string) (map[string]string, error) {
	kind, name, _ := s.resource(arn)
	switch kind {
	case "event-bus":
		b, err := s.busLocked(name)
		if err != nil {
			return nil, err
		}
		return b.tags, nil
	case "rule":
		bus, rule, named := strings.Cut(name, "/")
		if !named {
			bus, rule = "", name
		}
		r, err := s.ruleLocked(bus, rule)
		if err != nil {
			return nil, err
		}
		s.keepLocked(&r)
		return r.tags, nil
	}
	return nil, invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", arn)
}

type tagResourceInput struct {
	ResourceARN string  `aws:"Arn,required"`
	Tags        tagList `aws:",required"`
}

func (s *Server) tagResource(_ context.Context, in *tagResourceInput) (any, error) {
	add, err := in.Tags.set()
	if err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsLocked(in.ResourceARN)
	if err == nil {
		maps.Copy(tags, add)
	}
	return nil, err
}

type untagResourceInput struct {
	ResourceARN string   `aws:"Arn,required"`
	TagKeys     []string `aws:"TagKeyList,required"`
}

func (s *Server) untagResource(_ context.Context, in *untagResourceInput) (any, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsLocked(in.ResourceARN)
	for _, key := range in.TagKeys {
		delete(tags, key)
	}
	return nil, err
}

type listTagsForResourceInput struct {
	ResourceARN string `aws:"Arn,required"`
}

func (s *Server) listTagsForResource(_ context.Context, in *listTagsForResourceInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagsLocked(in.ResourceARN)
	all := tagList{}
	for _, key := range sortedKeys(tags) {
		all = append(all, tag{key, tags[key]})
	}
	return map[string]tagList{"Tags": all}, err
}
