// Package nils finds nil pointers and functions that were made interfaces.
package nils

import (
	"fmt"
	"reflect"
)

// Is reports whether v is nil, or a pointer or function that is: a nil pointer, made an
// interface, is no nil interface, and to find that out when it is first used is late.
func Is(v any) bool {
	r := reflect.ValueOf(v)
	return v == nil || (r.Kind() == reflect.Pointer || r.Kind() == reflect.Func) && r.IsNil()
}

// Text says what v, of which Is reports true, is: "nil" or "a nil *pkg.Type".
func Text(v any) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("a nil %T", v)
}
