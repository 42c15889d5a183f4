package sidebyside

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
	"github.com/phala-go/phala/sdk/contract/contracttest"
	"github.com/phala-go/phala/test/sidebyside/book"
)

// TestBook makes the same calls natively and in the engine.
func TestBook(t *testing.T) {
	p := New(t, book.Program, gocontract.Build(t, "book/contract"))
	alice, bob := contracttest.Address("alice"), contracttest.Address("bob")
	p.Instantiate(alice, `{}`)
	for i := range 12 {
		who := []string{alice, bob}[i%2]
		if err := p.Execute(who, fmt.Sprintf(`{"write":{"name":"n%d","text":%q,"tags":["t",""]}}`, i, strings.Repeat("é\n", i))); err != nil {
			t.Fatal(err)
		}
	}
	before := map[string]string{}
	for _, begin := range []string{"n1", "n", "x", "n\u00ff", ""} {
		before[begin] = p.Query("", fmt.Sprintf(`{"like":{"name":%q}}`, begin))
	}
	if before["n"] != before[""] {
		t.Errorf("like nothing: %s, like n: %s", before[""], before["n"])
	}
	refused := 0
	for _, msg := range []string{
		`{"write":{"name":"n0","text":"mine"}}`, `{"write":{"name":""}}`, `{"refuse":{"name":"no: <&> é"}}`, `{"panic":{}}`,
		`{}`, `[]`, `{"unknown":{}}`, `{"write":{},"draw":{}}`, `{"write":{"name":5}}`, `{"write":{"name":"x","more":1}}`,
		`{"sign":{"name":"path"}}`, `{"draw":{}}`, `{"tell":{"name":"for you"}}`,
		`{"remove":{"name":"n3"}}`, `{"remove":{"name":"nothing"}}`, `{"prune":{}}`,
	} {
		if p.Execute(bob, msg) != nil {
			refused++
		}
	}
	for begin, want := range map[string]string{"n1": `["n1","n10","n11"]`, "x": `[]`, "n\u00ff": `[]`} {
		if got := before[begin]; got != want {
			t.Errorf("like %q: %s, want %s", begin, got, want)
		}
	}
	if refused != 10 {
		t.Errorf("%d refusals, want 10", refused)
	}
	if got, want := p.Query("", `{"list":{}}`), `["12","n0","n10","n2","n4","n6","n8"]`; got != want {
		t.Errorf("the book has %s, want %s", got, want)
	}
	for _, msg := range []string{
		`{"get":{"name":"n10"}}`, `{"get":{"name":"n1"}}`, `{"by":{"name":"` + alice + `"}}`, `{"by":{"name":"` + bob + `"}}`, `{"key":{"name":"k"}}`, `{}`, `{"x":1}`,
	} {
		p.Query(alice, msg)
	}
	report := p.Gas()
	t.Log("\n" + report)
	for _, kind := range []string{"instantiate", "execute write", "execute sign", "query list"} {
		if !strings.Contains(report, kind) {
			t.Errorf("no %s in the report", kind)
		}
	}
}
