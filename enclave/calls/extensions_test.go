package calls

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
	"github.com/phala-go/phala/enclave/engine"
)

// vaults is a world of contracts that use the extensions, each input drawing
// from its own number.
type vaults struct {
	*world
	keys *keytree.Cluster
}

func newVaults(t *testing.T) *vaults {
	t.Helper()
	w := newWorld(t)
	compiled, err := w.world.Engine.Compile(t.Context(), gocontract.Build(t, "testdata/vault"))
	if err != nil {
		t.Fatal(err)
	}
	id := compiled.ID()
	w.code = id[:]
	w.world.Code = func(context.Context, []byte) (*engine.Contract, error) { return compiled, nil }
	secret, err := keytree.NewSecret(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keytree.NewCluster(secret, secret.Derive("state"))
	if err != nil {
		t.Fatal(err)
	}
	v := &vaults{w, keys}
	v.input(1)
	return v
}

// input makes what comes the n-th input.
func (v *vaults) input(n byte) {
	input := [32]byte{n}
	v.world.world.Secret = func(contract [32]byte) []byte { return v.keys.ContractSecret(contract, input) }
	v.world.world.Random = v.keys.InputRandomness(input, [32]byte{77})
}

func (v *vaults) said(of, msg, code string) string {
	v.t.Helper()
	r := v.must(of, msg, code)
	var s string
	if code == "" {
		if err := json.Unmarshal(r.Data, &s); err != nil {
			v.t.Fatalf("%q: %v", r.Data, err)
		}
	}
	return s
}

func (v *vaults) query(of, msg string) (string, error) {
	b, err := (&Session{Gas: v.gas, World: v.world.world}).Query(v.t.Context(), v.ed.Step(), v.meta(of), alice, []byte(msg))
	return string(b), err
}

// Keys are the contract's, the same in every input, and of no other contract.
func TestKeysOfContracts(t *testing.T) {
	v := newVaults(t)
	a, b := v.named("a", `{}`), v.named("b", `{}`)
	const key = `{"key":{"path":"p","curve":2}}`
	first := v.said(a, key, "")
	v.input(2)
	if again := v.said(a, key, ""); again != first {
		t.Errorf("the key was %s and is %s", first, again)
	}
	if v.said(b, key, "") == first || v.said(a, strings.Replace(key, `"p"`, `"q"`, 1), "") == first {
		t.Error("two keys are one")
	}
	if got, err := v.query(a, key); err != nil || got != `"`+first+`"` {
		t.Errorf("in a query: %s, %v", got, err)
	}
	public, _ := hex.DecodeString(first)
	sig, err := hex.DecodeString(v.said(a, `{"sign":{"path":"p","curve":2,"message":"bQ=="}}`, ""))
	if err != nil || !ed25519.Verify(public, []byte("m"), sig) {
		t.Errorf("the signature %x does not verify", sig)
	}
	for _, msg := range []string{`{"sign":{"path":"p","curve":2,"message":"bQ=="}}`, `{"draw":{}}`, `{"tell":{"who":"` + alice + `"}}`} {
		if got, err := v.query(a, msg); codeOf(err) != "contract-error" || !strings.Contains(err.Error(), "a query may not do this") {
			t.Errorf("%s in a query: %s, %v", msg, got, err)
		}
	}
	// A contract that a contract makes has a secret too.
	child := v.said(a, `{"bear":{}}`, "")
	if k := v.said(child, key, ""); k == first || len(k) != 64 {
		t.Errorf("the child's key is %s", k)
	}
	// The state says what keytree says.
	raw, err := address.Decode(a)
	if err != nil {
		t.Fatal(err)
	}
	if drawn, _ := v.ed.Get(secretKey(raw)); !bytes.Equal(drawn, v.keys.ContractSecret([32]byte(raw), [32]byte{1})) {
		t.Errorf("the secret in the state is %x", drawn)
	}
}

// Nothing to draw from is a refusal, not another source.
func TestDraws(t *testing.T) {
	v := newVaults(t)
	a, b := v.named("a", `{}`), v.named("b", `{}`)
	first := v.said(a, `{"draw":{}}`, "")
	if len(first) != 128 || first[:64] == first[64:] {
		t.Errorf("two draws: %s", first)
	}
	if again := v.said(a, `{"draw":{}}`, ""); again != first { // executed again, as in another view
		t.Errorf("the same input drew %s and %s", first, again)
	}
	if v.said(b, `{"draw":{}}`, "") == first {
		t.Error("two contracts drew the same")
	}
	v.input(2)
	if v.said(a, `{"draw":{}}`, "") == first {
		t.Error("two inputs drew the same")
	}
	v.world.world.Random = nil
	if _, err := v.execute(a, `{"draw":{}}`); codeOf(err) != "contract-error" || !strings.Contains(err.Error(), "no randomness") {
		t.Errorf("without a value: %v", err)
	}
	v.world.world.Sources = Sources{}
	c := v.named("c", `{}`)
	if _, err := v.execute(c, `{"key":{"path":"p","curve":2}}`); codeOf(err) != "contract-error" || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("without a secret: %v", err)
	}
}

// Private events reach the sender from however deep, unless what emitted them
// has failed; the contracts on the way do not see them.
func TestPrivateEventsReachTheSender(t *testing.T) {
	v := newVaults(t)
	a, b := v.named("a", `{}`), v.named("b", `{}`)
	tell := func(who, what string) string { return fmt.Sprintf(`{"tell":{"who":%q,"what":%q}}`, who, b64(what)) }
	ask := func(whom, do string) string { return fmt.Sprintf(`{"ask":{"whom":%q,"do":%s}}`, whom, do) }
	events := func(msg string) (out []string) {
		t.Helper()
		r := v.must(a, msg, "")
		for _, e := range r.Private {
			out = append(out, address.Encode(e.Contract)+" "+string(e.Data))
		}
		for _, at := range r.Attributes {
			if strings.Contains(at.Value, "secret") {
				t.Errorf("an event says %s", at)
			}
		}
		return out
	}
	for msg, want := range map[string]string{
		tell(alice, "secret"):                        a + " secret",
		tell(strings.ToUpper(alice), "secret"):       a + " secret",
		ask(b, tell(alice, "secret")):                b + " secret",
		ask(b, `{"fail":`+tell(alice, "x")+`}`):      "",
		ask(b, ask(a, tell(alice, "two"))):           a + " two",
		ask(b, ask(a, tell(bob, "x"))):               "",
		ask(b, `{"panic":{"place":9}}`):              "",
		`{"tell":{"who":"` + alice + `"}}`:           a + " ",
		`{"tell":{"who":"` + alice + `","times":3}}`: a + " ," + a + " ," + a + " ",
	} {
		if got := strings.Join(events(msg), ","); got != want {
			t.Errorf("%s: got %q, want %q", msg, got, want)
		}
	}
	v.must(a, tell(bob, "x"), "contract-error")
	if _, err := v.execute(a, tell(a, "x")); codeOf(err) != "contract-error" || !strings.Contains(err.Error(), "sender of the input alone") {
		t.Errorf("to a contract: %v", err)
	}
	v.must(a, fmt.Sprintf(`{"tell":{"who":%q,"times":%d}}`, alice, maxPrivate), "")
	v.must(a, fmt.Sprintf(`{"tell":{"who":%q,"times":%d}}`, alice, maxPrivate+1), "contract-error")
	long := b64(strings.Repeat("x", maxPrivateBytes/2))
	v.must(a, fmt.Sprintf(`{"tell":{"who":%q,"what":%q,"times":2}}`, alice, long), "")
	v.must(a, fmt.Sprintf(`{"tell":{"who":%q,"what":%q,"times":3}}`, alice, long), "contract-error")
}

// What a contract without the extensions has costs it nothing and tells it nothing.
func TestPlainContractsHaveASecretToo(t *testing.T) {
	w := newWorld(t)
	w.world.Secret = func(contract [32]byte) []byte { return contract[:] }
	a := w.contract("a", open)
	raw := w.meta(a).Address
	if drawn, ok := w.ed.Get(secretKey(raw)); !ok || !bytes.Equal(drawn, raw) {
		t.Errorf("its secret is %x", drawn)
	}
	if got := w.asked(a, `{"wasm":{"raw_range":{"contract_addr":"`+a+`","limit":99,"order":"ascending"}}}`); strings.Contains(got, b64(string(raw))) {
		t.Errorf("it finds its secret in its state: %s", got)
	}
}
