package footbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
	"github.com/footbridge-go/footbridge/internal/transform"
)

// An Input says what a target receives of an event. At most one of its fields is set;
// the zero value is the whole envelope. PutRule compiles it, and refuses with a
// *RuleError, in the service's words where it has them, what is no constant, path or
// template.
//
// A handler finds what was made of the event in [Delivery].Input, [Typed] decodes it, and
// [DeliveryFromContext] has it for the functions of [Func]. An event of which it cannot be
// made is a dead letter at once, with the code [CodeInvalidInput]. A target that is a bus
// (Forward) or a channel of events (Chan) takes none.
//
// The rules are the service's (Amazon EventBridge User Guide, "Input transformation").
type Input struct {
	// Constant is what every event becomes: a JSON text, which may nest as deep as a Detail.
	Constant json.RawMessage
	// Path is where in the envelope the part is that is received, such as
	// "$.detail.order": a string with its quotes, [*] as an array of what it points at.
	Path string
	// Transformer fills a template with parts of the envelope.
	Transformer InputTransformer
}

// An InputTransformer is a template with variables, and where in the envelope their values
// are. The zero value is none.
//
// InputTemplate is JSON, such as {"id": <id>, "text": "order <id>"}, which is received
// compact, or one or more quoted lines, which are received as they are, quotes included.
// Values in strings are inserted without escaping. A path at which an event has nothing
// gives "", in a string nothing. Beside the names of InputPathsMap there are
//
//	<aws.events.rule-arn>  <aws.events.rule-name>
//	<aws.events.event.ingestion-time>  when the bus accepted the event
//	<aws.events.event>  the envelope without its detail
//	<aws.events.event.json>  the envelope
type InputTransformer struct {
	InputPathsMap map[string]string `json:",omitempty"` // paths by names of A-Z a-z 0-9 _ -
	InputTemplate string
}

func (t *InputTransformer) isZero() bool { return t.InputTemplate == "" && len(t.InputPathsMap) == 0 }

func (in *Input) isZero() bool { return in.Constant == nil && in.Path == "" && in.Transformer.isZero() }

// clone returns a copy that shares nothing with in.
func (in Input) clone() Input {
	in.Constant = bytes.Clone(in.Constant)
	in.Transformer.InputPathsMap = maps.Clone(in.Transformer.InputPathsMap)
	return in
}

// An InputError says why a target's Input cannot be made of an event.
type InputError struct {
	Rule, Target string
	Err          error
}

func (e *InputError) Error() string {
	return fmt.Sprintf("footbridge: input of target %s of rule %s: %v", e.Target, e.Rule, e.Err)
}

func (e *InputError) Unwrap() error { return e.Err }

// ErrorCode returns [CodeInvalidInput].
func (e *InputError) ErrorCode() string { return CodeInvalidInput }

// A compiledInput is an Input as the bus uses it. One of the first three is set.
type compiledInput struct {
	constant    []byte
	path        *transform.Path
	transformer *transform.Transformer
	vars        transform.Vars // but for the ingestion time
}

// inputRefused returns the error that refuses the Input of a target.
func inputRefused(target, format string, args ...any) *RuleError {
	return &RuleError{Target: target, Field: "Input", Reason: fmt.Sprintf(format, args...), Code: CodeValidation}
}

// compile returns the input that is ready for use, nil if in is zero, or why it is refused.
func (in *Input) compile(target string) (*compiledInput, *RuleError) {
	n := 0
	for _, set := range [...]bool{in.Constant != nil, in.Path != "", !in.Transformer.isZero()} {
		if set {
			n++
		}
	}
	if n > 1 {
		return nil, inputRefused(target, "Only one of Input, InputPath, or InputTransformer must be provided for target %s.", target)
	}
	if !utf8.Valid(in.Constant) || !utf8.ValidString(in.Transformer.InputTemplate) {
		return nil, inputRefused(target, "want UTF-8 for target %s, got %.80q", target, string(in.Constant)+in.Transformer.InputTemplate)
	}
	c, err := &compiledInput{}, error(nil)
	switch {
	case in.isZero():
		return nil, nil
	case in.Constant != nil:
		c.constant = bytes.Clone(in.Constant)
		if refused := in.checkConstant(target); refused != nil {
			return nil, refused
		}
	case in.Path != "":
		c.path, err = transform.CompilePath(in.Path)
	case in.Transformer.InputTemplate == "":
		return nil, inputRefused(target, "InputTemplate for target %s is required.", target)
	default:
		c.transformer, err = transform.Compile(in.Transformer.InputPathsMap, in.Transformer.InputTemplate)
	}
	var refused *transform.Error
	if errors.As(err, &refused) {
		e := inputRefused(target, "%s", refused.For(target))
		e.More, e.input = refused.Place(), refused
		return nil, e
	}
	return c, nil
}

// checkConstant returns why the Constant of a target is refused; nil is that it is not.
func (in *Input) checkConstant(target string) *RuleError {
	if err := jsonwalk.Valid(in.Constant, jsonwalk.MaxDepth); err != nil {
		e := inputRefused(target, "Input for target %s is not a valid JSON text.", target)
		e.More = fmt.Sprintf("%s, offset %d", err.Msg, err.Offset)
		return e
	}
	if err := jsonwalk.Valid(in.Constant, MaxDetailDepth); err != nil {
		return inputRefused(target, "want at most %d levels of nesting for target %s, got more", MaxDetailDepth, target)
	}
	return nil
}

// render returns what the event becomes.
func (c *compiledInput) render(e *Event, accepted time.Time) ([]byte, error) {
	if c.constant != nil {
		return c.constant, nil
	}
	envelope := envelopes.Get().(*bytes.Buffer)
	defer func() {
		if envelope.Reset(); envelope.Cap() <= largeEnvelope {
			envelopes.Put(envelope)
		}
	}()
	if err := e.writeEnvelope(envelope); err != nil {
		return nil, err
	}
	if c.path != nil {
		return c.path.Append(nil, envelope.Bytes())
	}
	vars := c.vars
	vars.IngestionTime = accepted
	return c.transformer.Append(nil, envelope.Bytes(), vars)
}

// envelopes are used again and again, since an input is made of one that nobody keeps.
//
// Optimization: the input itself is all that an attempt allocates (BenchmarkInput).
var envelopes = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// largeEnvelope is the size, in bytes, from which on an envelope's room is not kept.
const largeEnvelope = 64 << 10

// input returns what the target's Input makes of the event, nil if it has none. It is made
// anew for each attempt, so that a delivery that waits holds no memory for it.
func (d *delivery) input() ([]byte, error) {
	t := d.target
	if t.input == nil {
		return nil, nil
	}
	input, err := t.input.render(&d.accepted.event, d.accepted.time)
	if err != nil {
		return nil, &InputError{Rule: t.rule, Target: t.ID, Err: err}
	}
	return input, nil
}

// Payload returns what the target receives: Input if the target has one, else the
// event's envelope, as the service delivers it.
func (d Delivery) Payload() ([]byte, error) {
	if d.Input != nil {
		return d.Input, nil
	}
	return d.Event.MarshalJSON()
}
