package engine

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
)

// attack is a call that must fail, alone.
type attack struct {
	name  string
	entry Entry // Execute if empty
	body  func(a *asm) []byte
	make  func(a *asm) // changes the rest of the contract
	want  string       // what the reason has; "" for out of gas
}

// before is the state when an attack begins.
func before() memory {
	return memory{"a": []byte("1"), "b": []byte("2"), "big": make([]byte, maxValue)}
}

// arena is an engine on which hostile contracts run beside a good one.
type arena struct {
	*testing.T
	engine *Engine
	victim *Contract
	gas    uint64
}

func newArena(t *testing.T, cfg Config) *arena {
	t.Helper()
	e := newEngine(t, cfg)
	a := &asm{}
	a.entries = map[Entry][]byte{Execute: cat(a.store("copy", cat(a.text("a"), a.call("db_read"))), a.say(emptyResponse))}
	r := &arena{T: t, engine: e, victim: a.must(t, e)}
	r.gas = r.good()
	return r
}

// good runs the victim and gives what it costs.
func (r *arena) good() uint64 {
	r.Helper()
	s := before()
	out, err := run(r, r.engine, r.victim, Execute, s)
	if err != nil || string(s["copy"]) != "1" {
		r.Fatalf("the victim: %q, %v", s["copy"], err)
	}
	return out.GasUsed
}

// fails holds that an attack ends as a trap that says why, charges gas within
// its limit, leaves the state to the caller as it was, and harms no other call:
// neither the victim's nor the next of the same contract.
func (r *arena) fails(x attack, call Call) {
	r.Helper()
	a := &asm{}
	if x.make != nil {
		x.make(a)
	}
	if x.entry == "" {
		x.entry = Execute
	}
	if a.entries == nil {
		a.entries = map[Entry][]byte{}
	}
	if x.body != nil {
		body := x.body(a)
		a.entries[x.entry] = cat(body, a.say(emptyResponse))
	}
	c, err := r.engine.Compile(r.Context(), a.bytes())
	if err != nil {
		r.Errorf("%s: %v", x.name, err)
		return
	}
	base := before()
	overlay := maps.Clone(base)
	call.Entry, call.Info, call.Store = x.entry, &Info{}, overlay
	if call.Msg == nil {
		call.Msg = []byte(`{}`)
	}
	if call.GasLimit == 0 {
		call.GasLimit = 20_000_000
	}
	out, err := r.engine.Run(r.Context(), c, call)
	var trap *TrapError
	switch {
	case !errors.As(err, &trap) || trap.Entry != x.entry || trap.Timeout:
		r.Errorf("%s: got %v", x.name, err)
	case x.want == "" != trap.OutOfGas || !strings.Contains(trap.Reason, x.want):
		r.Errorf("%s: got %v, want %q", x.name, err, x.want)
	case out.GasUsed == 0 || out.GasUsed > call.GasLimit || trap.OutOfGas && out.GasUsed != call.GasLimit:
		r.Errorf("%s: charged %d of %d gas", x.name, out.GasUsed, call.GasLimit)
	case out.Response != nil || out.Query != nil || out.Private != nil:
		r.Errorf("%s: it says %+v", x.name, out)
	case trap.Kind() == "":
		r.Errorf("%s: a trap of no kind", x.name)
	}
	if !reflect.DeepEqual(base, before()) { // values are given out as copies
		r.Errorf("%s: it reached what is below the overlay", x.name)
	}
	if gas := r.good(); gas != r.gas {
		r.Errorf("%s: after it the victim takes %d gas, before %d", x.name, gas, r.gas)
	}
	call.Store = before()
	again, err := r.engine.Run(r.Context(), c, call)
	if err == nil || err.Error() != trap.Error() || again.GasUsed != out.GasUsed {
		r.Errorf("%s: the second time %v for %d gas, the first time %v for %d", x.name, err, again.GasUsed, trap, out.GasUsed)
	}
	if err := c.Close(r.Context()); err != nil {
		r.Error(err)
	}
}

// in repeats a body for ever.
func forever(body []byte) []byte { return cat([]byte{3, 0x40}, body, []byte{0x0c, 0, 0x0b}) }

// drop is what makes an expression a statement.
func drop(value []byte) []byte { return cat(value, []byte{0x1a}) }
