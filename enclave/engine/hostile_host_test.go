package engine

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

// ending are functions of the host after which a contract does not go on.
var ending = []string{"abort", "proc_exit"}

// hostCalls are bodies that call each function of the host once, with operands
// that it takes, after what must come first.
func hostCalls() map[string]func(a *asm) (first, call []byte) {
	out := map[string]func(a *asm) (first, call []byte){}
	for _, m := range []hostModule{envModule(), phalaModule(), wasiModule()} {
		for name, f := range m.funcs {
			out[name] = func(a *asm) ([]byte, []byte) {
				var first, call []byte
				if strings.HasPrefix(name, "db_next") {
					first = drop(cat(i32const(0), i32const(0), i32const(1), a.call("db_scan")))
				}
				for i, typ := range f.params {
					call = cat(call, operand(a, m.name, name, i, typ))
				}
				call = cat(call, a.call(name))
				if len(f.result) > 0 {
					call = drop(call)
				}
				return first, call
			}
		}
	}
	return out
}

func operand(a *asm, module, name string, i int, typ api.ValueType) []byte {
	small := map[string]map[int]uint32{
		"db_scan": {2: 1}, "db_next": {0: 1}, "db_next_key": {0: 1}, "db_next_value": {0: 1},
		"secp256k1_recover_pubkey": {2: 0}, "secp256r1_recover_pubkey": {2: 0},
		"bls12_381_hash_to_g1": {0: 0}, "bls12_381_hash_to_g2": {0: 0},
		"derive_public_key": {1: 1}, "sign": {1: 1},
		"fd_write": {2: 1}, "random_get": {1: 16},
	}
	n, ok := small[name][i]
	switch {
	case typ == i64:
		return []byte{0x42, 0}
	case ok:
		return i32const(n)
	case module == "wasi_snapshot_preview1":
		return i32const(a.region(make([]byte, 32), 32) + regionSize) // a pointer, not a region
	}
	return i32const(a.region(make([]byte, 32), 256))
}

// TestHostileFloods: no function of the host can be called without end.
func TestHostileFloods(t *testing.T) {
	r := newArena(t, Config{})
	for name, build := range hostCalls() {
		if slices.Contains(ending, name) {
			continue
		}
		r.fails(attack{
			name: "flood of " + name, make: func(a *asm) { a.extra = []string{"requires_phala"} },
			body: func(a *asm) []byte { first, call := build(a); return cat(first, forever(call)) },
		}, Call{Extensions: Extensions{Secret: counting(t), Random: counting(t), Recipient: account(t, "alice"), Events: math.MaxInt, Bytes: math.MaxInt}})
	}
}

// TestOutOfGasInTheHost: wherever within a function of the host the gas ends,
// the call ends as out of gas, at its limit.
func TestOutOfGasInTheHost(t *testing.T) {
	e := newEngine(t, Config{})
	for name, build := range hostCalls() {
		a := &asm{extra: []string{"requires_phala"}}
		first, call := build(a)
		a.entries = map[Entry][]byte{Execute: cat(first, call, a.say(emptyResponse))}
		c := a.must(t, e)
		with := func(gas uint64) (Outcome, error) {
			return e.Run(t.Context(), c, Call{Entry: Execute, Info: &Info{}, Msg: []byte(`{}`), Store: before(), Extensions: extended(t), GasLimit: gas})
		}
		enough, err := with(0)
		if err != nil != slices.Contains(ending, name) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		const steps = 40
		for i := range uint64(steps) {
			limit := enough.GasUsed * (i + 1) / steps
			if limit >= enough.GasUsed {
				limit = enough.GasUsed - 1
			}
			less, err := with(limit)
			var trap *TrapError
			if !errors.As(err, &trap) || !trap.OutOfGas || less.GasUsed != limit {
				t.Errorf("%s with %d gas of %d: %d used, %v", name, limit, enough.GasUsed, less.GasUsed, err)
				break
			}
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestHostileIterators: what is left open, what is changed beneath, and ids
// that nobody gave.
func TestHostileIterators(t *testing.T) {
	r := newArena(t, Config{})
	scan := func(a *asm) []byte {
		return drop(cat(i32const(0), i32const(0), i32const(1), a.call("db_scan")))
	}
	next := func(a *asm, f string, id uint32) []byte { return drop(cat(i32const(id), a.call(f))) }
	attacks := []attack{
		{name: "one more than there may be", want: "more than 32768 iterators", body: func(a *asm) []byte { return forever(scan(a)) }},
		{name: "an endless walk", body: func(a *asm) []byte { return cat(scan(a), forever(next(a, "db_next_value", 1))) }},
		{name: "writes ahead of it", body: func(a *asm) []byte {
			key, v := a.region(make([]byte, 4), 4), a.text("v")
			at := i32const(key + regionSize)
			count := cat(at, at, []byte{0x28, 2, 0}, i32const(1), []byte{0x6a, 0x36, 2, 0})
			return cat(scan(a), forever(cat(next(a, "db_next_key", 1), count, i32const(key), v, a.call("db_write"))))
		}},
		{name: "removes beneath it", body: func(a *asm) []byte {
			return cat(scan(a), forever(cat(next(a, "db_next_value", 1), a.text("a"), a.call("db_remove"))))
		}},
	}
	for _, f := range []string{"db_next", "db_next_key", "db_next_value"} {
		for _, id := range []uint32{0, 2, 0x7fffffff, 0xffffffff} {
			attacks = append(attacks, attack{name: f + " of nobody's", want: "no iterator", body: func(a *asm) []byte {
				return cat(scan(a), next(a, f, id))
			}})
		}
	}
	for _, x := range attacks {
		r.fails(x, Call{GasLimit: 400_000_000})
	}
}

// TestHostileReentry: a contract that asks itself runs on another instance; it
// cannot write there, and what breaks there does not break the asker.
func TestHostileReentry(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.entries = map[Entry][]byte{
		Execute: cat(a.store("k", a.text("v")), a.store("r", cat(a.text(`{}`), a.call("query_chain"))), a.say(emptyResponse)),
		Query:   cat(a.store("k", a.text("from within")), a.say(`{"ok":""}`)),
	}
	c := a.must(t, e)
	s := memory{}
	var inner error
	out, err := e.Run(t.Context(), c, Call{Entry: Execute, Info: &Info{}, Store: s, Querier: answers(func([]byte) ([]byte, error) {
		_, inner = e.Run(t.Context(), c, Call{Entry: Query, Store: s})
		return []byte("told"), nil
	})})
	var trap *TrapError
	if err != nil || string(s["k"]) != "v" || string(s["r"]) != "told" || out.GasUsed == 0 {
		t.Errorf("the asker: %q, %v", s, err)
	}
	if !errors.As(inner, &trap) || trap.Entry != Query || !strings.Contains(trap.Reason, "cannot be changed in a query") {
		t.Errorf("within: %v", inner)
	}
}
