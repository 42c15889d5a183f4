// Package schema describes a contract's messages as JSON schema in CosmWasm's
// format, for the tools that make clients and forms of it. It reads the same
// Go structs that the contract does, and is for the contract's tests and
// generators: a contract itself never imports it.
package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// API is a contract's messages, each as a value of its type; nil is none.
// Responses are the answers to the variants of Query, by name.
type API struct {
	Name, Version                              string
	Instantiate, Execute, Query, Migrate, Sudo any
	Responses                                  map[string]any
}

// Describer is a type that says itself how it looks as JSON. One that makes its
// own JSON has to.
type Describer interface{ JSONSchema() map[string]any }

const draft = "http://json-schema.org/draft-07/schema#"

type object = map[string]any

// Of gives the description, as cosmwasm-schema's write_api does.
func Of(a API) ([]byte, error) {
	var out struct {
		Name        string            `json:"contract_name"`
		Version     string            `json:"contract_version"`
		IDL         string            `json:"idl_version"`
		Instantiate object            `json:"instantiate"`
		Execute     object            `json:"execute"`
		Query       object            `json:"query"`
		Migrate     object            `json:"migrate"`
		Sudo        object            `json:"sudo"`
		Responses   map[string]object `json:"responses"`
	}
	out.Name, out.Version, out.IDL = a.Name, a.Version, "1.0.0"
	var err error
	describe := func(v any, title string) object {
		if v == nil || err != nil {
			return nil
		}
		t := reflect.TypeOf(v)
		if title == "" {
			title = t.Name()
		}
		o, wrong := of(t, nil)
		if wrong != nil {
			err = fmt.Errorf("describing %s: %w", title, wrong)
			return nil
		}
		o["$schema"], o["title"] = draft, title
		return o
	}
	out.Instantiate = describe(a.Instantiate, "InstantiateMsg")
	out.Execute = describe(a.Execute, "ExecuteMsg")
	out.Query = describe(a.Query, "QueryMsg")
	out.Migrate = describe(a.Migrate, "MigrateMsg")
	out.Sudo = describe(a.Sudo, "SudoMsg")
	if a.Responses != nil {
		out.Responses = map[string]object{}
	}
	for name, v := range a.Responses {
		out.Responses[name] = describe(v, "")
	}
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(out, "", "  ")
}

// of describes a type; within are the structs around it.
func of(t reflect.Type, within []reflect.Type) (object, error) {
	if slices.Contains(within, t) {
		return nil, fmt.Errorf("%s contains itself", t)
	}
	switch t {
	case reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]():
		return object{}, nil
	case reflect.TypeFor[json.Number]():
		return object{"type": "number"}, nil
	}
	if t.Kind() != reflect.Pointer { // or its element does
		if o, err := own(t); o != nil || err != nil {
			return o, err
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}, nil
	case reflect.String:
		return object{"type": "string"}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer", "format": t.Kind().String()}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "format": t.Kind().String(), "minimum": 0}, nil
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return object{"type": "string"}, nil // base64
		}
		items, err := of(t.Elem(), within)
		return object{"type": "array", "items": items}, err
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("%s has keys that are not text", t)
		}
		values, err := of(t.Elem(), within)
		return object{"type": "object", "additionalProperties": values}, err
	case reflect.Pointer:
		return optional(t.Elem(), within)
	case reflect.Struct:
		return structure(t, append(slices.Clone(within), t))
	}
	return nil, fmt.Errorf("%s is nothing that messages hold", t)
}

// own is the description of a type that makes its own JSON: what it says, or a
// string where it makes text; nil of any other.
func own(t reflect.Type) (object, error) {
	is := func(face reflect.Type) bool { return t.Implements(face) || reflect.PointerTo(t).Implements(face) }
	switch {
	case is(reflect.TypeFor[Describer]()):
		d := reflect.New(t).Interface().(Describer)
		return maps.Clone(d.JSONSchema()), nil
	case is(reflect.TypeFor[json.Marshaler]()), is(reflect.TypeFor[json.Unmarshaler]()):
		return nil, fmt.Errorf("%s makes its own JSON: give it a method JSONSchema() map[string]any", t)
	case is(reflect.TypeFor[encoding.TextMarshaler]()), is(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return object{"type": "string"}, nil
	}
	return nil, nil
}

// optional is a value or null.
func optional(t reflect.Type, within []reflect.Type) (object, error) {
	o, err := of(t, within)
	if err != nil {
		return nil, err
	}
	if kind, ok := o["type"].(string); ok && kind != "object" {
		o["type"] = []string{kind, "null"}
		return o, nil
	}
	return object{"anyOf": []object{o, {"type": "null"}}}, nil
}

// structure is an object, or one of several if all its fields are pointers to structs: what package contract calls a choice.
func structure(t reflect.Type, within []reflect.Type) (object, error) {
	properties, required := object{}, []string{}
	var variants []object
	choice := t.NumField() > 0
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous {
			return nil, fmt.Errorf("%s embeds %s: name the field", t, f.Type)
		}
		if !f.IsExported() || name == "-" {
			choice = false
			continue
		}
		if name == "" {
			name = f.Name
		}
		variant := f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct
		choice = choice && variant
		if variant {
			inner, err := of(f.Type.Elem(), within)
			if err != nil {
				return nil, err
			}
			variants = append(variants, closed(object{name: inner}, []string{name}))
		}
		value, err := of(f.Type, within)
		if err != nil {
			return nil, err
		}
		if strings.Contains(options, "string") {
			value = object{"type": "string"}
		}
		properties[name] = value
		if f.Type.Kind() != reflect.Pointer && !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			required = append(required, name)
		}
	}
	if choice {
		return object{"oneOf": variants}, nil
	}
	return closed(properties, required), nil
}

// closed is an object without further fields, as contracts refuse these.
func closed(properties object, required []string) object {
	o := object{"type": "object", "additionalProperties": false}
	if len(properties) > 0 {
		o["properties"] = properties
	}
	if len(required) > 0 {
		slices.Sort(required)
		o["required"] = required
	}
	return o
}
