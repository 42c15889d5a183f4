package calls

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// A contract in Go makes others of its kind, hears of it, asks them and migrates them.
func TestGoContractsCallEachOther(t *testing.T) {
	module := gocontract.Build(t, "testdata/nursery")
	w := newWorld(t)
	compiled, err := w.world.Engine.Compile(t.Context(), module)
	if err != nil {
		t.Fatal(err)
	}
	id := compiled.ID()
	w.code = id[:]
	w.world.Code = func(context.Context, []byte) (*engine.Contract, error) { return compiled, nil }
	a := w.named("mother", `{"name":"mother"}`)
	query := func(of, msg string) string {
		t.Helper()
		b, err := (&Session{Gas: w.gas, World: w.world}).Query(t.Context(), w.ed.Step(), w.meta(of), alice, []byte(msg))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	r := w.must(a, `{"bear":{"code":1,"name":"ann","init":{"name":"Ann"}}}`, "")
	if string(r.Data) != `"Ann"` {
		t.Errorf("the reply returns %s", r.Data)
	}
	var born []struct{ Address, Name string }
	if err := json.Unmarshal([]byte(query(a, `{"children":{"name":"ann"}}`)), &born); err != nil || len(born) != 1 {
		t.Fatalf("children: %v, %v", born, err)
	}
	ann := born[0].Address
	if got := query(ann, `{"name":{}}`); got != `"Ann"` {
		t.Errorf("she is called %s", got)
	}
	// One without a name is not born, and its mother goes on.
	if r := w.must(a, `{"bear":{"code":1,"name":"nobody","init":{"name":""}}}`, ""); string(r.Data) != `"none"` {
		t.Errorf("the reply returns %s", r.Data)
	}
	if got := query(a, `{"children":{"name":"nobody"}}`); got != `[]` {
		t.Errorf("children %s", got)
	}
	w.must(a, fmt.Sprintf(`{"rename":{"address":%q,"code":1,"name":"Anna"}}`, ann), "")
	if got := query(ann, `{"name":{}}`); got != `"Anna"` {
		t.Errorf("she is called %s", got)
	}
	w.must(a, fmt.Sprintf(`{"rename":{"address":%q,"code":1,"name":""}}`, ann), "contract-error")
	w.must(a, fmt.Sprintf(`{"rename":{"address":%q,"code":1,"name":"x"}}`, a), "not-admin")
}

// named instantiates the world's code with a message.
func (w *world) named(name, msg string) string {
	w.t.Helper()
	h := sha256.Sum256([]byte(name))
	addr := h[:]
	err := w.step(func(s *Session, ed *state.Editor) error {
		meta := &wire.Contract{Address: addr, Cluster: 1, CodeId: w.code, Creator: alice, Query: open}
		_, err := s.Instantiate(context.Background(), ed, meta, alice, []byte(msg), "")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return address.Encode(addr)
}
