package awsapi

import (
	"context"
	"maps"
	"strings"

	"github.com/footbridge-go/footbridge/queue"
)

// This file has the operations on queues.

// stateLocked returns what requests have said of q.
func (s *sqs) stateLocked(q *queue.Queue) *queueState {
	state := s.states[q]
	if state == nil {
		state = &queueState{tags: make(map[string]string), kept: make(map[string]string)}
		s.states[q] = state
	}
	return state
}

// pruneLocked forgets queues that the program has deleted.
func (s *sqs) pruneLocked() {
	maps.DeleteFunc(s.states, func(q *queue.Queue, _ *queueState) bool {
		now, err := s.Queue(q.Name())
		return err != nil || now != q
	})
}

type queueInput struct {
	QueueUrl string
}

type queueURLOutput struct {
	QueueUrl string
}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
	Tags       map[string]string `json:"tags"`
}

// createQueue makes a queue, or finds the one that there is with these attributes.
func (s *sqs) createQueue(ctx context.Context, in *createQueueInput) (any, error) {
	if in.QueueName == "" {
		return nil, missing("QueueName")
	}
	fifo, err := in.fifo()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pruneLocked()
	if q, err := s.Queue(in.QueueName); err == nil {
		return queueURLOutput{s.url(ctx, q)}, s.sameLocked(q, in.Attributes)
	}
	settings, kept := queue.Settings{}, make(map[string]string)
	if err := applyAttributes(&settings, kept, in.Attributes, fifo); err != nil {
		return nil, err
	}
	q, err := s.Create(in.QueueName, settings)
	if err != nil {
		return nil, err
	}
	state := s.stateLocked(q)
	state.kept = kept
	maps.Copy(state.tags, in.Tags)
	return queueURLOutput{s.url(ctx, q)}, nil
}

// fifo reports whether a FIFO queue is asked for, and takes the attribute that says so.
func (in *createQueueInput) fifo() (bool, error) {
	value, named := in.Attributes[fifoQueue]
	delete(in.Attributes, fifoQueue)
	suffix := strings.HasSuffix(in.QueueName, ".fifo")
	switch {
	case named && value != "true":
		return false, unknownAttribute(fifoQueue)
	case named && !suffix:
		return false, sqsRefuse(queue.CodeInvalidParameterValue,
			"The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	case suffix && !named:
		return false, sqsRefuse(queue.CodeInvalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return suffix, nil
}

// sameLocked returns an error unless q has these attributes.
func (s *sqs) sameLocked(q *queue.Queue, attributes map[string]string) error {
	kept := s.stateLocked(q).kept
	settings, wantKept := q.Settings(), maps.Clone(kept)
	has := settable(settings, kept, q.FIFO())
	if err := applyAttributes(&settings, wantKept, attributes, q.FIFO()); err != nil {
		return err
	}
	wants := settable(settings, wantKept, q.FIFO())
	for _, name := range sortedKeys(attributes) {
		if has[name] != wants[name] {
			return sqsRefuse(queue.CodeQueueNameExists, "A queue already exists with the same name and a different value for attribute "+name)
		}
	}
	return nil
}

type getQueueURLInput struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}

func (s *sqs) getQueueURL(ctx context.Context, in *getQueueURLInput) (any, error) {
	if in.QueueName == "" {
		return nil, missing("QueueName")
	}
	q, err := s.named(in.QueueName, in.QueueOwnerAWSAccountId)
	if err != nil {
		return nil, err
	}
	return queueURLOutput{s.url(ctx, q)}, nil
}

type listQueuesInput struct {
	QueueNamePrefix string
	MaxResults      *int
	NextToken       string
}

// maxQueues is how many a list has that names no MaxResults, and the most that it may name.
const maxQueues = 1000

func (s *sqs) listQueues(ctx context.Context, in *listQueuesInput) (any, error) {
	p := paging{NextToken: in.NextToken, Limit: maxQueues}
	if n := in.MaxResults; n != nil {
		if p.Limit = *n; p.Limit < 1 || p.Limit > maxQueues {
			return nil, sqsValue("MaxResults", *n, "Must be an integer from 1 to 1000.")
		}
	}
	queues, next, err := page(p, "ListQueues", s.Queues(in.QueueNamePrefix), (*queue.Queue).Name)
	if err != nil {
		return nil, sqsRefuse(queue.CodeInvalidParameterValue, "Invalid or expired next token.")
	}
	out := struct {
		QueueUrls []string `json:",omitempty"` // as the service
		NextToken string   `json:",omitempty"`
	}{make([]string, len(queues)), next}
	for i, q := range queues {
		out.QueueUrls[i] = s.url(ctx, q)
	}
	return out, nil
}

type getQueueAttributesInput struct {
	queueInput
	AttributeNames []string
}

func (s *sqs) getQueueAttributes(_ context.Context, in *getQueueAttributesInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	attributes, err := pickAttributes(attributesOf(q, s.stateLocked(q).kept), in.AttributeNames, isQueueAttribute)
	return struct {
		Attributes map[string]string `json:",omitempty"`
	}{attributes}, err
}

type setQueueAttributesInput struct {
	queueInput
	Attributes map[string]string
}

func (s *sqs) setQueueAttributes(_ context.Context, in *setQueueAttributesInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) == 0 {
		return nil, missing("Attribute.Name")
	}
	if value, named := in.Attributes[fifoQueue]; named && q.FIFO() {
		if value != "true" {
			return nil, sqsRefuse(queue.CodeInvalidAttributeValue, "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
		}
		delete(in.Attributes, fifoQueue)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state, settings := s.stateLocked(q), q.Settings()
	kept := maps.Clone(state.kept)
	if err := applyAttributes(&settings, kept, in.Attributes, q.FIFO()); err != nil {
		return nil, err
	}
	if err := q.Configure(settings); err != nil {
		return nil, err
	}
	state.kept = kept
	return nil, nil
}

func (s *sqs) purgeQueue(_ context.Context, in *queueInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.Purge()
}

func (s *sqs) deleteQueue(_ context.Context, in *queueInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	delete(s.states, q)
	return nil, s.Delete(q.Name())
}

type tagQueueInput struct {
	queueInput
	Tags map[string]string
}

func (s *sqs) tagQueue(_ context.Context, in *tagQueueInput) (any, error) {
	return nil, s.tags(in.QueueUrl, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

type untagQueueInput struct {
	queueInput
	TagKeys []string
}

func (s *sqs) untagQueue(_ context.Context, in *untagQueueInput) (any, error) {
	return nil, s.tags(in.QueueUrl, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (s *sqs) listQueueTags(_ context.Context, in *queueInput) (any, error) {
	var all map[string]string
	err := s.tags(in.QueueUrl, func(tags map[string]string) { all = maps.Clone(tags) })
	return struct {
		Tags map[string]string `json:",omitempty"`
	}{all}, err
}

// tags calls do with the tags of a queue.
func (s *sqs) tags(url string, do func(tags map[string]string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.byURL(url)
	if err == nil {
		do(s.stateLocked(q).tags)
	}
	return err
}
