package calls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest/script"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// world is a cluster with scripted contracts, alice's, in it.
type world struct {
	gas   uint64 // of each input
	t     testing.TB
	world World
	ed    *state.Editor
	code  []byte
	paid  []*wire.Effect
	lacks bool // the node has no code
}

var (
	alice   = address.Encode(bytes.Repeat([]byte{1}, 20))
	bob     = address.Encode(bytes.Repeat([]byte{2}, 20))
	errLack = errors.New("the code is not here yet")
)

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx := context.Background()
	e, err := engine.New(ctx, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(ctx) })
	compiled, err := e.Compile(ctx, script.Contract())
	if err != nil {
		t.Fatal(err)
	}
	id := compiled.ID()
	w := &world{t: t, gas: 1_000_000_000, ed: state.New(make([]byte, 32)).Edit(), code: id[:]}
	w.world = World{Engine: e, ChainID: "phala-test", Cluster: 1, Height: 7, Nanos: 5, Code: func(_ context.Context, id []byte) (*engine.Contract, error) {
		if w.lacks {
			return nil, errLack
		}
		return compiled, nil
	}}
	return w
}

// step runs f as an input: what it leaves stays if it succeeds.
func (w *world) step(f func(s *Session, ed *state.Editor) error) error {
	s, ed := &Session{Gas: w.gas, World: w.world}, w.ed.Step()
	if err := f(s, ed); err != nil {
		return err
	}
	w.ed.Commit(ed)
	w.paid = append(w.paid, s.Effects...)
	return nil
}

// contract makes one under a policy, with 100 ppha.
func (w *world) contract(name string, policy wire.QueryPolicy) string {
	w.t.Helper()
	addr := sha256.Sum256([]byte(name))
	Credit(w.ed, alice, big.NewInt(100))
	err := w.step(func(s *Session, ed *state.Editor) error {
		meta := &wire.Contract{Address: addr[:], Cluster: 1, CodeId: w.code, Creator: alice, Query: policy}
		_, err := s.Instantiate(context.Background(), ed, meta, alice, []byte(script.OK), "100")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return address.Encode(addr[:])
}

func (w *world) meta(addr string) *wire.Contract {
	w.t.Helper()
	m, err := named(w.ed, addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) execute(addr, msg string) (Result, error) {
	w.t.Helper()
	var r Result
	meta := w.meta(addr)
	err := w.step(func(s *Session, ed *state.Editor) (err error) {
		r, err = s.Execute(context.Background(), ed, meta, alice, []byte(msg), "")
		return err
	})
	return r, err
}

// must executes and expects a code of failure, or none.
func (w *world) must(addr, msg, code string) Result {
	w.t.Helper()
	r, err := w.execute(addr, msg)
	if got := codeOf(err); got != code {
		w.t.Fatalf("got %q (%v), want %q", got, err, code)
	}
	return r
}

func codeOf(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Failure.Code
	}
	return "an error of the node"
}

// script sets what a contract answers to replies, and to messages that are no answers.
func (w *world) script(addr, answer string) {
	w.t.Helper()
	w.sudo(addr, answer)
}

func (w *world) sudo(addr, msg string) {
	w.t.Helper()
	meta := w.meta(addr)
	err := w.step(func(s *Session, ed *state.Editor) error {
		_, err := s.call(context.Background(), ed, meta, 0, engine.Call{Entry: engine.Sudo, Msg: []byte(msg)})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// kept is what a contract has under a key of the script's.
func (w *world) kept(addr, key string) string {
	v, _ := w.ed.Space(StorageKey(w.meta(addr).Address)).Get([]byte(key))
	return string(v)
}

// asked gives the answer to a contract's question.
func (w *world) asked(addr, request string) string {
	w.t.Helper()
	w.sudo(addr, request)
	return w.kept(addr, script.Answer)
}

func (w *world) has(addr, want string) {
	w.t.Helper()
	if got := Balance(w.ed, addr).String(); got != want {
		w.t.Errorf("the balance is %s, want %s", got, want)
	}
}

// answerWith is an answer with messages.
func answerWith(messages ...string) string {
	return `{"ok":{"messages":[` + strings.Join(messages, ",") + `],"attributes":[],"events":[],"data":null}}`
}

func sub(id int, on, msg string) string {
	b, err := json.Marshal(map[string]any{"id": id, "msg": json.RawMessage(msg), "gas_limit": nil, "reply_on": on})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func executing(addr, msg, funds string) string {
	coins := "[]"
	if funds != "" {
		coins = `[{"denom":"ppha","amount":"` + funds + `"}]`
	}
	return `{"wasm":{"execute":{"contract_addr":"` + addr + `","msg":"` + b64(msg) + `","funds":` + coins + `}}}`
}

func send(to, amount string) string {
	return `{"bank":{"send":{"to_address":"` + to + `","amount":[{"denom":"ppha","amount":"` + amount + `"}]}}}`
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
