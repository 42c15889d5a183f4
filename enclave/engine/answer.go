package engine

import (
	"encoding/base64"
	"strings"
)

// plain reads an answer written the way contracts nearly always write one:
// JSON without spaces, every name known and given once, text without escapes,
// no messages. It understands these as encoding/json does and leaves whatever
// else there is to that, which takes several times as long.
func plain(entry Entry, answer []byte) (out Outcome, refused error, ok bool) {
	s := scan{string(answer)}
	switch {
	case s.take(`{"error":`):
		why, ok := s.text()
		return Outcome{}, &ContractError{Message: why}, ok && s.end()
	case entry == IBCChannelOpen || !s.take(`{"ok":`):
		return Outcome{}, nil, false
	case entry == Query:
		out.Query, ok = s.bytes()
	default:
		out.Response, ok = s.response()
	}
	return out, nil, ok && s.end()
}

// scan is what is left to read.
type scan struct{ s string }

// take reads exactly this.
func (s *scan) take(lit string) bool {
	rest, ok := strings.CutPrefix(s.s, lit)
	s.s = rest
	return ok
}

// end reads the answer's last byte.
func (s *scan) end() bool { return s.s == "}" }

// text reads a string of printable ASCII.
func (s *scan) text() (string, bool) {
	if !s.take(`"`) {
		return "", false
	}
	for i := range len(s.s) {
		switch c := s.s[i]; {
		case c == '"':
			t := s.s[:i]
			s.s = s.s[i+1:]
			return t, true
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// bytes reads base64.
func (s *scan) bytes() ([]byte, bool) {
	t, ok := s.text()
	if !ok {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(t)
	return b, err == nil
}

func (s *scan) response() (*Response, bool) {
	if !s.take("{") {
		return nil, false
	}
	var r Response
	var seen [5]bool
	for first := true; !s.take("}"); first = false {
		if !first && !s.take(",") {
			return nil, false
		}
		name, ok := s.text()
		if !ok || !s.take(":") {
			return nil, false
		}
		field := -1
		switch name {
		case "messages":
			field, r.Messages, ok = 0, []SubMsg{}, s.take("[]")
		case "attributes":
			field = 1
			r.Attributes, ok = array(s, (*scan).attribute)
		case "events":
			field = 2
			r.Events, ok = array(s, (*scan).event)
		case "data":
			field = 3
			r.Data, ok = s.optional()
		case "acknowledgement":
			field = 4
			r.Acknowledgement, ok = s.optional()
		}
		if field < 0 || !ok || seen[field] {
			return nil, false
		}
		seen[field] = true
	}
	return &r, true
}

// optional reads base64 or null.
func (s *scan) optional() ([]byte, bool) {
	if s.take("null") {
		return nil, true
	}
	return s.bytes()
}

// array reads an array.
func array[T any](s *scan, element func(*scan) (T, bool)) ([]T, bool) {
	if !s.take("[") {
		return nil, false
	}
	out := []T{}
	for first := true; !s.take("]"); first = false {
		if !first && !s.take(",") {
			return nil, false
		}
		v, ok := element(s)
		if !ok {
			return nil, false
		}
		if first {
			out = make([]T, 0, 4)
		}
		out = append(out, v)
	}
	return out, true
}

func (s *scan) attribute() (a Attribute, ok bool) {
	if !s.take(`{"key":`) {
		return a, false
	}
	if a.Key, ok = s.text(); !ok || !s.take(`,"value":`) {
		return a, false
	}
	a.Value, ok = s.text()
	return a, ok && s.take("}")
}

func (s *scan) event() (e Event, ok bool) {
	if !s.take(`{"type":`) {
		return e, false
	}
	if e.Type, ok = s.text(); !ok || !s.take(`,"attributes":`) {
		return e, false
	}
	e.Attributes, ok = array(s, (*scan).attribute)
	return e, ok && s.take("}")
}
