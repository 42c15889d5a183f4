package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// When every call happens.
const (
	height    = 12345
	blockTime = 1_571_797_419_879_305_533
	chain     = "phala-test"
)

// player is an engine with the code of all records.
type player struct {
	engine *engine.Engine
	codes  map[[32]byte]*engine.Contract
	files  map[string]*engine.Contract
	cold   bool
}

func newPlayer(ctx context.Context, c config, all []record) (*player, error) {
	// Capabilities are those that the published contracts ask for.
	cfg := engine.Config{Interpreter: c.mode == "interpreter", Capabilities: []string{"staking", "stargate"}}
	p := &player{codes: map[[32]byte]*engine.Contract{}, files: map[string]*engine.Contract{}, cold: c.pool == "cold"}
	if p.cold { // no room: each program leaves when another one comes
		cfg.MaxRAM, cfg.Instances = 1, 1
	}
	var err error
	if p.engine, err = engine.New(ctx, cfg); err != nil {
		return nil, err
	}
	for _, r := range all {
		if p.files[r.code] != nil {
			continue
		}
		code, err := os.ReadFile(filepath.Join(c.contracts, r.code))
		if err != nil {
			return nil, errors.Join(err, p.close(ctx))
		}
		compiled, err := p.engine.Compile(ctx, code)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("compiling %s: %w", r.code, err), p.close(ctx))
		}
		p.codes[compiled.ID()], p.files[r.code] = compiled, compiled
	}
	return p, nil
}

func (p *player) close(ctx context.Context) error { return p.engine.Close(ctx) }

// transcript is what became of a record.
type transcript struct {
	name  string
	gas   uint64
	root  []byte
	sum   hash.Hash
	count int
	calls strings.Builder
}

func (t *transcript) String() string {
	return fmt.Sprintf("%-10s %4d calls %12d gas root %x digest %x", t.name, t.count, t.gas, t.root[:8], t.sum.Sum(nil)[:16])
}

// add takes down a call.
func (t *transcript) add(c call, answer string, gas uint64, root []byte) {
	t.count++
	t.gas += gas
	t.root = root
	fmt.Fprintf(t.sum, "%s %q %q %q %q %d %x\n", c.entry, c.sender, c.funds, c.msg, answer, gas, root)
	fmt.Fprintf(&t.calls, "\n  %s %s: %s, %d gas, root %x", c.entry, c.msg, answer, gas, root[:8])
}

// play makes the calls of a record, one after the other, on a state of their own.
func (p *player) play(ctx context.Context, r record) (*transcript, error) {
	t := &transcript{name: r.name, sum: sha256.New()}
	ed := state.New(make([]byte, 32)).Edit()
	for _, c := range r.calls {
		if p.cold {
			if err := p.chill(ctx, r); err != nil {
				return nil, err
			}
		}
		step := ed.Step()
		answer, gas, err := p.call(ctx, step, r, c)
		var refused *calls.Error
		var trap *engine.TrapError
		var said *engine.ContractError
		switch {
		case err == nil:
			ed.Commit(step)
		case errors.As(err, &refused):
			answer = refused.Error()
		case errors.As(err, &said):
			answer = "refused: " + said.Message
		case errors.As(err, &trap): // workers agree on the fact, not on the words
			answer = fmt.Sprintf("trap, out of gas %t", trap.OutOfGas)
		default:
			return nil, err
		}
		t.add(c, answer, gas, ed.Map().Root())
	}
	return t, nil
}

// chill has the idle instance of a contract thrown away, by a call that runs out of gas in it.
func (p *player) chill(ctx context.Context, r record) error {
	_, err := p.engine.Run(ctx, p.files[r.code], engine.Call{
		Entry: engine.Instantiate, Info: &engine.Info{}, Store: state.New(make([]byte, 32)).Edit().Space(nil), GasLimit: 1,
	})
	var trap *engine.TrapError
	if !errors.As(err, &trap) || !trap.OutOfGas {
		return fmt.Errorf("a call with one gas did not run out of it: %w", err)
	}
	return nil
}

// call makes one call.
func (p *player) call(ctx context.Context, ed *state.Editor, r record, c call) (string, uint64, error) {
	s := &calls.Session{Gas: c.gas, World: calls.World{
		Engine: p.engine, ChainID: chain, Cluster: 1, Height: height, Nanos: blockTime,
		Code: func(_ context.Context, id []byte) (*engine.Contract, error) { return p.codes[[32]byte(id)], nil },
	}}
	raw, id := self(r.name), p.files[r.code].ID()
	meta := &wire.Contract{
		Address: raw[:], Cluster: 1, CodeId: id[:], Creator: account("creator"), Query: wire.QUERY_POLICY_OPEN, State: wire.CONTRACT_STATE_LIVE,
	}
	if c.funds != "" {
		n, ok := new(big.Int).SetString(c.funds, 10)
		if !ok {
			return "", 0, fmt.Errorf("%q are no funds", c.funds)
		}
		calls.Credit(ed, c.sender, n)
	}
	var result calls.Result
	var answer []byte
	var err error
	switch c.entry {
	case "instantiate":
		result, err = s.Instantiate(ctx, ed, meta, c.sender, []byte(c.msg), c.funds)
	case "execute":
		result, err = s.Execute(ctx, ed, meta, c.sender, []byte(c.msg), c.funds)
	case "query":
		answer, err = s.Query(ctx, ed, meta, c.sender, []byte(c.msg))
		return string(answer), s.Used(), err
	default:
		return p.enter(ctx, ed, meta, engine.Entry(c.entry), c)
	}
	return describe(result, s.Effects), s.Used(), err
}

// describe writes down a result; the wire's own text is not the same in every program.
func describe(r calls.Result, effects []*wire.Effect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "data %q", r.Data)
	for _, a := range r.Attributes {
		fmt.Fprintf(&b, ", %q is %q", a.Key, a.Value)
	}
	for _, e := range effects {
		fmt.Fprintf(&b, ", effect %x", wire.Marshal(e))
	}
	return b.String()
}

// enter calls an entry point that only a chain calls: what it asks for is taken down, not carried out.
func (p *player) enter(ctx context.Context, ed *state.Editor, meta *wire.Contract, entry engine.Entry, c call) (string, uint64, error) {
	out, err := p.engine.Run(ctx, p.codes[[32]byte(meta.CodeId)], engine.Call{
		Entry: entry, Msg: []byte(c.msg), MigrateInfo: engine.MigrateInfo{Sender: c.sender}, Store: ed.Space(calls.StorageKey(meta.Address)), GasLimit: c.gas,
		Env: engine.Env{ChainID: chain, Height: height, TimeNanos: blockTime},
	})
	if err != nil {
		return "", out.GasUsed, err
	}
	text, err := json.Marshal(out.Response)
	return string(text), out.GasUsed, err
}
