package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// newDecoder makes a strict decoder of messages: unknown fields and trailing
// data are refused, and of a choice exactly one must be made.
func newDecoder[M any]() func(raw []byte) (M, error) {
	Warm[M]()
	variants := choices(reflect.TypeFor[M]())
	return func(raw []byte) (M, error) {
		var msg M
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		err := d.Decode(&msg)
		if err == nil && len(bytes.Trim(raw[d.InputOffset():], " \t\r\n")) > 0 {
			err = errors.New("something follows the message")
		}
		if err == nil && variants != nil && chosen(reflect.ValueOf(msg)) != 1 {
			err = fmt.Errorf("want exactly one of %s", strings.Join(variants, ", "))
		} else if err != nil && variants != nil {
			err = fmt.Errorf("%w (want one of %s)", err, strings.Join(variants, ", "))
		}
		if err != nil {
			return msg, fmt.Errorf("reading the message: %w", err)
		}
		return msg, nil
	}
}

// choices names the variants of a choice; nil if t is none.
func choices(t reflect.Type) []string {
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		return nil
	}
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type.Kind() != reflect.Pointer || f.Type.Elem().Kind() != reflect.Struct {
			return nil
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		out = append(out, name)
	}
	return out
}

func chosen(v reflect.Value) (n int) {
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			n++
		}
	}
	return n
}
