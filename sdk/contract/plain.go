package contract

import (
	"encoding/base64"
	"encoding/json"
)

// What nearly every call encodes and decodes is a string that needs no
// escapes, or an object of a few such. encoding/json takes tens of
// microseconds for one in WebAssembly. What is done here gives the very same
// bytes and values, and leaves all else to encoding/json.

// plain tells whether the JSON of a text, as encoding/json writes it, is that
// text in quotes.
func plain[T string | []byte](s T) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

func appendQuoted(b []byte, s string) []byte { return append(append(append(b, '"'), s...), '"') }

// encode is json.Marshal.
func encode(v any) ([]byte, error) {
	if s, ok := v.(string); ok && plain(s) {
		return appendQuoted(make([]byte, 0, len(s)+2), s), nil
	}
	return json.Marshal(v)
}

// decode is json.Unmarshal into a variable that holds its type's zero.
func decode(raw []byte, v any) error {
	if s, ok := v.(*string); ok && len(raw) >= 2 && raw[0] == '"' && raw[len(raw)-1] == '"' && plain(raw[1:len(raw)-1]) {
		*s = string(raw[1 : len(raw)-1])
		return nil
	}
	return json.Unmarshal(raw, v)
}

// decodeInfo knows the form in which a host writes a sender who pays nothing.
func decodeInfo(raw []byte, v *info) error {
	const before, after = `{"sender":"`, `","funds":[]}`
	n := len(raw) - len(after)
	if n < len(before) || string(raw[:len(before)]) != before || string(raw[n:]) != after || !plain(raw[len(before):n]) {
		return json.Unmarshal(raw, v)
	}
	v.Sender, v.Funds = string(raw[len(before):n]), []Coin{}
	return nil
}

// encode is json.Marshal.
func (r result) encode() ([]byte, error) {
	if r.Error == nil {
		switch ok := r.OK.(type) {
		case []byte:
			if len(ok) > 0 {
				b := base64.StdEncoding.AppendEncode([]byte(`{"ok":"`), ok)
				return append(b, `"}`...), nil
			}
		case response:
			if b, done := ok.brief(); done {
				return b, nil
			}
		}
	}
	return json.Marshal(r)
}

// brief encodes the result of a call that did no more than say what it did.
func (r response) brief() (b []byte, ok bool) {
	if len(r.Messages) > 0 || len(r.Events) > 0 || r.Data != nil {
		return nil, false
	}
	b = append(make([]byte, 0, 512), `{"ok":{"messages":[],"attributes":[`...)
	for i, a := range r.Attributes {
		if !plain(a.Key) || !plain(a.Value) {
			return nil, false
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(append(b, `{"key":`...), a.Key)
		b = append(appendQuoted(append(b, `,"value":`...), a.Value), '}')
	}
	return append(b, `],"events":[],"data":null}}`...), true
}
