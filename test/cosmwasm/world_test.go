package cosmwasm

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

const (
	wasmd  = "github.com/CosmWasm/wasmd"
	wasmvm = "github.com/CosmWasm/wasmvm/v3"
	former = "github.com/CosmWasm/wasmvm/v2"

	keeper = "x/wasm/keeper/testdata/"
)

var folders sync.Map // of modules, by path

// load reads a file out of the module cache, downloading the module if it is not there. The version is that of go.mod, and
// go.sum has its hash.
func load(t *testing.T, module, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(t, module), file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func folder(t *testing.T, module string) string {
	t.Helper()
	dir, ok := folders.Load(module)
	if !ok {
		cmd := exec.Command("go", "mod", "download", "-json", module)
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		out, err := cmd.Output()
		var found struct{ Dir string }
		if err == nil {
			err = json.Unmarshal(out, &found)
		}
		if err != nil {
			t.Fatalf("downloading %s: %v: %s", module, err, out)
		}
		dir, _ = folders.LoadOrStore(module, found.Dir)
	}
	return dir.(string)
}

// world is a cluster in which all that contracts may require is said to be there.
type world struct {
	t      *testing.T
	engine *engine.Engine
	codes  map[string]*engine.Contract
	ed     *state.Editor
	paid   []string
	index  uint64
	funds  []engine.Coin // that enter sends along
}

func account(name string) string {
	h := sha256.Sum256([]byte(name))
	return address.Encode(h[:20])
}

func newWorld(t *testing.T) *world {
	t.Helper()
	e, err := engine.New(context.Background(), engine.Config{Capabilities: []string{"staking", "stargate", "ibc2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return &world{t: t, engine: e, codes: map[string]*engine.Contract{}, ed: state.New(make([]byte, 32)).Edit()}
}

func (w *world) upload(module, file string) []byte {
	w.t.Helper()
	c, err := w.engine.Compile(context.Background(), load(w.t, module, file))
	if err != nil {
		w.t.Fatal(err)
	}
	id := c.ID()
	w.codes[string(id[:])] = c
	return id[:]
}

func (w *world) session() *calls.Session {
	return &calls.Session{Gas: 1_000_000_000, World: calls.World{
		Engine: w.engine, ChainID: "phala-test", Cluster: 1, Height: 12345, Nanos: 1571797419879305533,
		Code: func(_ context.Context, id []byte) (*engine.Contract, error) { return w.codes[string(id)], nil },
	}}
}

func (w *world) step(f func(s *calls.Session, ed *state.Editor) (calls.Result, error)) (calls.Result, error) {
	s, ed := w.session(), w.ed.Step()
	r, err := f(s, ed)
	if err != nil {
		return r, err
	}
	w.ed.Commit(ed)
	for _, e := range s.Effects {
		w.paid = append(w.paid, e.GetPayout().To+" "+e.GetPayout().Amount)
	}
	return r, nil
}

// instantiate makes a contract that anybody may ask, with funds of its creator.
func (w *world) instantiate(code []byte, creator, msg, funds string) (string, error) {
	w.index++
	raw := sha256.Sum256(fmt.Append(nil, w.index))
	if funds != "" {
		n, _ := new(big.Int).SetString(funds, 10)
		calls.Credit(w.ed, creator, n)
	}
	_, err := w.step(func(s *calls.Session, ed *state.Editor) (calls.Result, error) {
		return s.Instantiate(context.Background(), ed, &wire.Contract{
			Address: raw[:], Cluster: 1, CodeId: code, Creator: creator, Query: wire.QUERY_POLICY_OPEN, State: wire.CONTRACT_STATE_LIVE,
		}, creator, []byte(msg), funds)
	})
	return address.Encode(raw[:]), err
}

func (w *world) made(code []byte, creator, msg, funds string) string {
	w.t.Helper()
	addr, err := w.instantiate(code, creator, msg, funds)
	if err != nil {
		w.t.Fatal(err)
	}
	return addr
}

func (w *world) meta(addr string) *wire.Contract {
	w.t.Helper()
	raw, err := address.Decode(addr)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := calls.Contract(w.ed, raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) execute(addr, sender, msg string) (calls.Result, error) {
	w.t.Helper()
	meta := w.meta(addr)
	return w.step(func(s *calls.Session, ed *state.Editor) (calls.Result, error) {
		return s.Execute(context.Background(), ed, meta, sender, []byte(msg), "")
	})
}

func (w *world) must(addr, sender, msg string) calls.Result {
	w.t.Helper()
	r, err := w.execute(addr, sender, msg)
	if err != nil {
		w.t.Fatalf("%s: %v", msg, err)
	}
	return r
}

// refused is a call that must fail with words.
func (w *world) refused(addr, sender, msg, want string) {
	w.t.Helper()
	if _, err := w.execute(addr, sender, msg); err == nil || !strings.Contains(err.Error(), want) {
		w.t.Errorf("%s: got %v, want %q", msg, err, want)
	}
}

func (w *world) query(addr, msg string) string {
	w.t.Helper()
	out, err := w.session().Query(context.Background(), w.ed.Step(), w.meta(addr), account("asker"), []byte(msg))
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func (w *world) asks(addr, msg, want string) {
	w.t.Helper()
	if got := w.query(addr, msg); got != want {
		w.t.Errorf("%s: got %s, want %s", msg, got, want)
	}
}

// enter calls an entry point that nobody but a chain calls, as these contracts' own tests do: what it asks for is looked at,
// not carried out. Whoever made the contract sends it.
func (w *world) enter(addr string, entry engine.Entry, msg string, info engine.MigrateInfo) (engine.Outcome, error) {
	w.t.Helper()
	meta := w.meta(addr)
	ed := w.ed.Step()
	out, err := w.engine.Run(context.Background(), w.codes[string(meta.CodeId)], engine.Call{
		Entry: entry, Msg: []byte(msg), Info: &engine.Info{Sender: meta.Creator, Funds: w.funds}, MigrateInfo: info, Store: ed.Space(calls.StorageKey(meta.Address)),
		Env: engine.Env{ChainID: "phala-test", Height: 12345, TimeNanos: 1571797419879305533, Contract: addr},
	})
	if err == nil {
		w.ed.Commit(ed)
	}
	return out, err
}

func (w *world) has(addr, want string) {
	w.t.Helper()
	if got := calls.Balance(w.ed, addr).String(); got != want {
		w.t.Errorf("%s has %s, want %s", addr, got, want)
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func short(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:4])
}
