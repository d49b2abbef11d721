package queue

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Message is a message as it is received.
type Message struct {
	ID         string
	Receipt    string // handle to delete it, or to change how long it is hidden; another for each time it is received
	Body       string
	Attributes map[string]Attribute // which no one may change

	Group        string // MessageGroupId; "": none
	DedupID      string // MessageDeduplicationId, given or made of the body; FIFO queues only
	Sequence     string // a number of 20 digits that grows; FIFO queues only
	TraceHeader  string // AWSTraceHeader; "": none
	Sent         time.Time
	ReceiveCount int       // how often it was received, this time included, from all queues that it was in
	FirstReceive time.Time // when that was the first time

	// DeadLetterSource is the ARN of the queue that it was moved from when it had been
	// received too often; "": it was not.
	DeadLetterSource string
}

// An Attribute is one of a message's attributes.
type Attribute struct {
	DataType string // String, Number or Binary, and optionally a dot and a label of the sender's
	String   string // of a String or Number
	Binary   []byte // of a Binary
}

func (a Attribute) isBinary() bool {
	return a.DataType == "Binary" || strings.HasPrefix(a.DataType, "Binary.")
}

func (a Attribute) value() string {
	if a.isBinary() {
		return string(a.Binary)
	}
	return a.String
}

// MD5OfBody returns the digest of a message's body, as the service has it.
func MD5OfBody(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// MD5OfAttributes returns the digest of a message's attributes, as the service has it; "" if
// there are none.
func MD5OfAttributes(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	h := md5.New()
	write := func(s string) {
		_ = binary.Write(h, binary.BigEndian, uint32(len(s))) // a hash takes all
		h.Write([]byte(s))
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		write(name)
		write(a.DataType)
		if a.isBinary() {
			h.Write([]byte{2})
		} else {
			h.Write([]byte{1})
		}
		write(a.value())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// size returns how many bytes of a message count.
func size(body string, attributes map[string]Attribute) int {
	n := len(body)
	for name, a := range attributes {
		n += len(name) + len(a.DataType) + len(a.value())
	}
	return n
}

// maxAttributes is how many attributes a message may have.
const maxAttributes = 10

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)
	number        = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
	reservedName  = regexp.MustCompile(`(?i)^(aws|amazon)\.`)
)

func (q *Queue) checkAttributes(attributes map[string]Attribute) error {
	if len(attributes) > maxAttributes {
		return q.refuse(CodeInvalidParameterValue, "Number of message attributes [%d] exceeds the allowed maximum [%d].", len(attributes), maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if reason := attributes[name].fault(name); reason != "" {
			return q.refuse(CodeInvalidParameterValue, "Message (user) attribute '%s' %s.", name, reason)
		}
	}
	return nil
}

// fault says what is wrong with an attribute of that name.
func (a Attribute) fault(name string) string {
	kind, _, _ := strings.Cut(a.DataType, ".")
	switch {
	case len(name) > 256 || !attributeName.MatchString(name):
		return "must have a name of 1 to 256 letters, digits, underscores, hyphens, and single periods within"
	case reservedName.MatchString(name):
		return "must have a name that does not start with AWS or Amazon and a period"
	case len(a.DataType) > 256 || !attributeType.MatchString(a.DataType):
		return fmt.Sprintf("must have a type String, Number or Binary, of up to 256 characters with its label, got '%.300s'", a.DataType)
	case a.isBinary() && a.String != "" || !a.isBinary() && len(a.Binary) > 0:
		return "must contain a value of type '" + kind + "', got one of another"
	case a.value() == "":
		return "must contain a non-empty value of type '" + kind + "'"
	case kind == "String" && !isText(a.String):
		return "must contain only " + textCharacters
	case kind == "Number" && !number.MatchString(a.String):
		return "must contain a number"
	}
	return ""
}

const textCharacters = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"

// isText reports whether the service takes all characters of s in messages.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, isNoText) }

func isNoText(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// isToken reports whether s may be a group, or a deduplication ID.
func isToken(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// sequence returns the sequence number of the nth message.
func sequence(n uint64) string { return strconv.FormatUint(10_000_000_000_000_000_000+n, 10) }
