package awsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decode reads a request's body into in, a pointer to a struct, and returns a fault unless
// it is JSON of that form (SerializationException) that meets the constraints of the
// struct's tags (ValidationException).
//
// A field is the member of its own name, or of its json tag, to the letter; members that no
// field has are ignored, as the service does, and null is absence. Its tag
// `aws:"SHAPE,required"` names a shape of the table shapes, and whether it must be there.
// Fields are strings, booleans, ints, times (epoch), bytes (base64), structs, slices, maps
// by strings, pointers to these, or any, which takes what comes.
func decode(body []byte, in any) error {
	if !utf8.Valid(body) { // encoding/json would put other characters in the place of these
		return malformed("want UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var raw any
	if err := d.Decode(&raw); err != nil {
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax):
			return malformed("%v (offset %d)", err, syntax.Offset)
		case errors.Is(err, io.EOF):
			return malformed("want a JSON object, got nothing")
		}
		return malformed("want a JSON object, got the beginning of one: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed("want nothing behind the JSON object (offset %d)", d.InputOffset())
	}
	var c checks
	if err := c.value(reflect.ValueOf(in).Elem(), raw, "", ""); err != nil {
		return err
	}
	return c.fault()
}

func malformed(format string, args ...any) error {
	return &fault{code: codeSerialization, message: "the request's body: " + fmt.Sprintf(format, args...)}
}

// An epoch is a time as the protocol has it: in JSON a number of seconds since 1970.
type epoch struct{ time.Time }

// MarshalJSON returns the number of seconds, to the millisecond, or null for the zero time.
func (e epoch) MarshalJSON() ([]byte, error) {
	if e.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(e.UnixMilli())/1000, 'f', -1, 64), nil
}

// The seconds of the times that an epoch may be: years 1 to 9999.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

// parseEpoch reads a number of seconds, or a time of RFC 3339 for those who write requests
// by hand.
func parseEpoch(raw any) (t time.Time, ok bool) {
	switch raw := raw.(type) {
	case json.Number:
		seconds, err := raw.Float64()
		if err != nil || seconds < firstSecond || seconds > lastSecond {
			return t, false
		}
		return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), true
	case string:
		t, err := time.Parse(time.RFC3339, raw)
		return t, err == nil
	}
	return t, false
}

// value puts raw, which is not nil, into v, whose place in the request is at, and checks it
// against its shape.
func (c *checks) value(v reflect.Value, raw any, at, shape string) error {
	if _, isTime := v.Interface().(epoch); isTime {
		t, ok := parseEpoch(raw)
		if !ok {
			return wrongType(at, "a number of seconds", raw)
		}
		v.Set(reflect.ValueOf(epoch{t}))
		return nil
	}
	c.check(raw, at, shape)
	ok := false
	switch v.Kind() {
	case reflect.Interface:
		v.Set(reflect.ValueOf(raw))
		return nil
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return c.value(v.Elem(), raw, at, "") // the shape is checked
	case reflect.String:
		var s string
		if s, ok = raw.(string); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		var b bool
		if b, ok = raw.(bool); ok {
			v.SetBool(b)
		}
	case reflect.Int:
		var n int64
		if n, ok = integer(raw); ok {
			v.SetInt(n)
		}
	case reflect.Slice:
		return c.list(v, raw, at, shape)
	case reflect.Map:
		return c.pairs(v, raw, at, shape)
	case reflect.Struct:
		members, isObject := raw.(map[string]any)
		if !isObject {
			return wrongType(at, "an object", raw)
		}
		return c.members(v, members, at)
	}
	if !ok {
		return wrongType(at, map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Int: "a whole number"}[v.Kind()], raw)
	}
	return nil
}

// integer returns the whole number that raw is, of 32 bits as all of the service's are.
func integer(raw any) (int64, bool) {
	number, _ := raw.(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 32)
	return n, err == nil
}

// members puts the members of an object into the fields of a struct.
func (c *checks) members(v reflect.Value, members map[string]any, at string) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if err := c.members(v.Field(i), members, at); err != nil {
				return err
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		place := under(at, lowerFirst(name))
		shape, required, _ := strings.Cut(f.Tag.Get("aws"), ",")
		raw := members[name]
		if raw == nil {
			if required != "" {
				c.failed("null", place, "not be null")
			}
			continue
		}
		if err := c.value(v.Field(i), raw, place, shape); err != nil {
			return err
		}
	}
	return nil
}

// list puts a list, or bytes, into a slice.
func (c *checks) list(v reflect.Value, raw any, at, shape string) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		s, _ := raw.(string)
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil || raw != any(s) {
			return wrongType(at, "a string of base64", raw)
		}
		v.SetBytes(b)
		return nil
	}
	list, ok := raw.([]any)
	if !ok {
		return wrongType(at, "a list", raw)
	}
	if c.tooMany(len(list), at, shape) {
		return nil
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, raw := range list {
		place := under(under(at, strconv.Itoa(i+1)), "member")
		if raw == nil {
			c.failed("null", place, "not be null")
			continue
		}
		if err := c.value(v.Index(i), raw, place, shapes[shape].member); err != nil {
			return err
		}
	}
	return nil
}

// pairs puts an object into a map.
func (c *checks) pairs(v reflect.Value, raw any, at, shape string) error {
	object, ok := raw.(map[string]any)
	if !ok {
		return wrongType(at, "an object", raw)
	}
	if c.tooMany(len(object), at, shape) {
		return nil
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(object)))
	for _, key := range sortedKeys(object) {
		raw := object[key]
		if raw == nil {
			continue
		}
		c.check(key, at, shapes[shape].key)
		e := reflect.New(v.Type().Elem()).Elem()
		if err := c.value(e, raw, under(under(at, key), "member"), shapes[shape].member); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key), e)
	}
	return nil
}

func under(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func wrongType(at, want string, raw any) error {
	kind := "an object"
	switch raw := raw.(type) {
	case nil:
		kind = "null"
	case string:
		kind = "a string"
	case json.Number:
		kind = fmt.Sprintf("the number %.30s", raw)
	case bool:
		kind = strconv.FormatBool(raw)
	case []any:
		kind = "a list"
	}
	if at == "" {
		return malformed("want %s, got %s", want, kind)
	}
	return malformed("want %s at %q, got %s", want, at, kind)
}
