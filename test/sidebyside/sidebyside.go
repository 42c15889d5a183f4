// Package sidebyside runs the same contract in Go natively, as its author's
// tests do, and in the enclave's engine, and holds one against the other: what
// is true in the first must be true in the second. It says what each kind of
// message costs in gas. It is for tests and must never be part of a program.
package sidebyside

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/enclave/enclavetest/mapstore"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/sdk/contract"
	"github.com/phala-go/phala/sdk/contract/contracttest"
)

// Pair is one contract, twice, each with a state of its own.
type Pair struct {
	t      testing.TB
	native *contracttest.Contract
	engine *engine.Engine
	code   *engine.Contract
	state  mapstore.Store
	gas    map[string][]uint64
}

// New takes the contract and what it has been built into.
func New(t testing.TB, c contract.Contract, wasm []byte) *Pair {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(t.Context()) })
	code, err := e.Compile(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	p := &Pair{t: t, native: contracttest.New(c), engine: e, code: code, state: mapstore.Store{}, gas: map[string][]uint64{}}
	p.native.Random = bytes.Repeat([]byte{7}, 32)
	return p
}

func (p *Pair) call(entry engine.Entry, sender, msg string) (engine.Outcome, error) {
	p.t.Helper()
	secret, err := keytree.NewSecret(p.native.Secret)
	if err != nil {
		p.t.Fatal(err)
	}
	random, err := keytree.NewSecret(p.native.Random)
	if err != nil {
		p.t.Fatal(err)
	}
	env := engine.Env{ChainID: p.native.ChainID, Height: p.native.Height, TimeNanos: uint64(p.native.Time.UnixNano()), Contract: p.native.Address}
	if entry == engine.Query {
		env.Caller = sender
	}
	next := maps.Clone(p.state)
	out, err := p.engine.Run(p.t.Context(), p.code, engine.Call{
		Entry: entry, Env: env, Info: &engine.Info{Sender: sender}, Msg: []byte(msg), Store: next,
		Extensions: engine.Extensions{Secret: secret, Random: random, Recipient: sender, Events: 32, Bytes: 64 << 10},
	})
	if err == nil && entry != engine.Query {
		p.state = next
	}
	kind := string(entry)
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(msg), &m) == nil && len(m) == 1 {
		for k := range m {
			kind += " " + k
		}
	}
	p.gas[kind] = append(p.gas[kind], out.GasUsed)
	return out, err
}

// Instantiate makes the first call, twice.
func (p *Pair) Instantiate(sender, msg string) {
	p.t.Helper()
	n, nerr := p.native.Instantiate(sender, json.RawMessage(msg))
	p.same(engine.Instantiate, sender, msg, n, nerr)
}

// Execute makes a call, twice, and gives its error.
func (p *Pair) Execute(sender, msg string) error {
	p.t.Helper()
	n, nerr := p.native.Execute(sender, json.RawMessage(msg))
	return p.same(engine.Execute, sender, msg, n, nerr)
}

func (p *Pair) same(entry engine.Entry, sender, msg string, n *contracttest.Result, nerr error) error {
	p.t.Helper()
	out, err := p.call(entry, sender, msg)
	if nerr != nil || err != nil {
		p.sameError(msg, nerr, err)
		return err
	}
	r := out.Response
	got := contracttest.Result{Data: r.Data, Attributes: []contract.Attribute{}, Events: []contracttest.Event{}}
	attributes := func(in []engine.Attribute) (as []contract.Attribute) {
		for _, a := range in {
			as = append(as, contract.Attribute(a))
		}
		return as
	}
	got.Attributes = attributes(r.Attributes)
	for _, e := range r.Events {
		got.Events = append(got.Events, contracttest.Event{Type: e.Type, Attributes: attributes(e.Attributes)})
	}
	for _, m := range r.Messages {
		got.Messages = append(got.Messages, m.Msg)
		got.Replies = append(got.Replies, contract.ReplyOn(m.ReplyOn))
	}
	for _, e := range out.Private {
		got.Private = append(got.Private, e.Data)
	}
	if a, b := said(p.t, n), said(p.t, &got); a != b {
		p.t.Errorf("%s: natively %s, in the engine %s", msg, a, b)
	}
	return nil
}

// said is a result as text; nothing and an empty list are one.
func said(t testing.TB, r *contracttest.Result) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "[]", "null")
}

// sameError: a refusal has the same words; a panic here is a trap there.
func (p *Pair) sameError(msg string, native, enclave error) {
	p.t.Helper()
	var refused *engine.ContractError
	var trap *engine.TrapError
	switch {
	case native == nil || enclave == nil:
		p.t.Errorf("%s: natively %v, in the engine %v", msg, native, enclave)
	case errors.As(enclave, &refused):
		if refused.Message != native.Error() {
			p.t.Errorf("%s: natively %q, in the engine %q", msg, native, refused.Message)
		}
	case !errors.As(enclave, &trap) || trap.OutOfGas || !strings.HasPrefix(native.Error(), "panic: "):
		p.t.Errorf("%s: natively %v, in the engine %v", msg, native, enclave)
	}
}

// Query asks, twice, and gives the answer.
func (p *Pair) Query(caller, msg string) string {
	p.t.Helper()
	var n json.RawMessage
	nerr := p.native.Query(caller, json.RawMessage(msg), &n)
	out, err := p.call(engine.Query, caller, msg)
	if nerr != nil || err != nil {
		p.sameError(msg, nerr, err)
		return ""
	}
	if string(n) != string(out.Query) {
		p.t.Errorf("%s: natively %s, in the engine %s", msg, n, out.Query)
	}
	return string(out.Query)
}

// Gas reports what the calls in the engine took, by entry point and kind of
// message: how many, the least and the most.
func (p *Pair) Gas() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(p.gas)) {
		used := p.gas[kind]
		fmt.Fprintf(&b, "%-24s %4d calls %12d to %d gas\n", kind, len(used), slices.Min(used), slices.Max(used))
	}
	return b.String()
}
