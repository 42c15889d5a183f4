package contract

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

var texts = []string{"", "a", "Cash Token", "100", `"`, `\`, "<", ">", "&", "\n", "\x00", "\x7f", "~", " ", "é", "\u2028", "\xff", "null", "{}", `\u0041`}

// TestPlainIsJSON: the short ways give what encoding/json does.
func TestPlainIsJSON(t *testing.T) {
	same := func(v any, got []byte, err error) {
		t.Helper()
		if want, err2 := json.Marshal(v); err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Errorf("%#v: %s, %v, not %s, %v", v, got, err, want, err2)
		}
	}
	type named string
	for _, s := range texts {
		for _, v := range []any{s, named(s), []byte(s), &s, 5} {
			got, err := encode(v)
			same(v, got, err)
		}
		for _, r := range []result{
			{OK: []byte(s)},
			{Error: &s},
			{OK: response{}.finish()},
			{OK: response{Attributes: []Attribute{{s, "v"}, {"k", s}}}.finish()},
			{OK: response{Data: []byte(s)}.finish()},
			{OK: response{Events: []event{{s, []Attribute{{s, s}}}}}.finish()},
			{OK: response{Messages: []subMessage{{ID: 1, Msg: []byte(`{}`)}}, Attributes: []Attribute{{s, s}}}.finish()},
		} {
			got, err := r.encode()
			same(r, got, err)
		}
	}
}

// TestPlainDecodes the same, and refuses the same.
func TestPlainDecodes(t *testing.T) {
	for _, s := range texts {
		encoded, _ := json.Marshal(s)
		for _, raw := range []string{s, `"` + s + `"`, string(encoded), ` "a"`, `"a" `, `"a""b"`, `"`} {
			var got, want string
			err, err2 := decode([]byte(raw), &got), json.Unmarshal([]byte(raw), &want)
			if got != want || (err == nil) != (err2 == nil) {
				t.Errorf("%q: %q, %v, not %q, %v", raw, got, err, want, err2)
			}
			for _, raw := range []string{
				`{"sender":"` + s + `","funds":[]}`, `{"sender":` + string(encoded) + `,"funds":[]}`, `{"sender":"` + s + `","funds":[{"denom":"x","amount":"1"}]}`,
				`{"funds":[],"sender":"` + s + `"}`, `{"sender":"` + s + `","funds":[]} `, `{"sender":"` + s, `{"sender":"","funds":[]}`, `{"sender":","funds":[]}`,
			} {
				var got, want info
				err, err2 := decodeInfo([]byte(raw), &got), json.Unmarshal([]byte(raw), &want)
				if err == nil != (err2 == nil) || err == nil && !reflect.DeepEqual(got, want) {
					t.Errorf("%q: %#v, %v, not %#v, %v", raw, got, err, want, err2)
				}
			}
		}
	}
}
