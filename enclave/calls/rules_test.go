package calls

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
)

func TestOthersNamed(t *testing.T) {
	me, other := address.Encode(bytes.Repeat([]byte{1}, 20)), address.Encode(bytes.Repeat([]byte{2}, 20))
	contract := address.Encode(bytes.Repeat([]byte{3}, 32))
	for _, msg := range []string{
		`{}`, `{"a":1,"b":[true,null,1e9]}`, `"` + me + `"`, `{"` + me + `":{"x":"` + strings.ToUpper(me) + `"}}`,
		`{"a":"pha1"}`, `{"a":"pha1 is a prefix"}`, `{"a":"alpha1beta"}`, `["` + me + `,` + me + `"]`, `{"x":"cosmos1qqqq"}`,
	} {
		if who := othersNamed([]byte(msg), me); who != "" {
			t.Errorf("%s: names %q", msg, who)
		}
	}
	for _, msg := range []string{
		`"` + other + `"`, `{"a":{"b":[{"c":"` + other + `"}]}}`, `{"` + other + `":1}`, `{"a":"` + strings.ToUpper(other) + `"}`,
		`{"a":"\u0070\u0068\u0061` + other[3:] + `"}`, `{"a":"x` + other + `y"}`, `{"a":"` + me + `","b":"` + other + `"}`,
		`{"a":"` + me + other + `"}`, `{"a":"` + me + ` ` + other + `"}`, `{"a":"` + contract + `"}`, `{"a":"` + me + `x"}`,
		`{"a":"pha1pha1` + other + `"}`, `{"a":"PHA1` + strings.ToUpper(other[4:]) + `"}`, `{"a":"pHa1` + other[4:] + `"}`,
		``, `not json`, `{"a":`, `{"a":1} ]`, `{"a":1} "` + other + `"`, "{\"a\":\"\xff" + other + `"}`, `{"a":"{\"b\":\"` + other + `\"}"}`,
	} {
		if who := othersNamed([]byte(msg), me); who == "" {
			t.Errorf("%s: passes", msg)
		}
	}
}

// Whatever surrounds another's address, a message that holds it does not pass.
func FuzzOthersNamed(f *testing.F) {
	me, other := address.Encode(bytes.Repeat([]byte{1}, 20)), address.Encode(bytes.Repeat([]byte{2}, 20))
	f.Add("", "", false)
	f.Add("pha1", "x", true)
	f.Add(me, me, false)
	f.Add(me[:10], "1", true)
	f.Fuzz(func(t *testing.T, before, after string, key bool) {
		var v any = before + other + after
		if key {
			v = map[string]any{before + other + after: before}
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Skip()
		}
		if othersNamed(b, me) == "" {
			t.Errorf("%s passes", b)
		}
		othersNamed([]byte(before), me) // never a panic
	})
}

func TestAmounts(t *testing.T) {
	for s, want := range map[string]string{
		"": "0", "0": "0", "1": "1", "007": "7", "-1": "-1", "+1": "-1", "1.0": "-1", "1e3": "-1", " 1": "-1", "１": "-1",
		strings.Repeat("9", 39): strings.Repeat("9", 39), strings.Repeat("9", 40): "-1", strings.Repeat("1", 1<<20): "-1",
	} {
		w, _ := new(big.Int).SetString(want, 10)
		if got := ParseAmount(s); got.Cmp(w) != 0 {
			t.Errorf("%.50q is %s, want %s", s, got, want)
		}
	}
}
