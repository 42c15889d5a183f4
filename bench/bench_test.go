package main

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/engine"
)

// TestBothDoTheSame: what is compared is the same work, down to the state.
func TestBothDoTheSame(t *testing.T) {
	ctx := context.Background()
	e, err := newEngine(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(ctx) }()
	vm, stop, err := newVM()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for name, s := range map[string]scene{
		"transfer": transfer(cw20), "balance": balance(cw20), "argon2": argon2(),
		"accounts": token(cw20, engine.Query, `{"all_accounts":{}}`),
		"verifier": {hackatom, hackatom, hackInit(), engine.Query, `{"verifier":{}}`},
	} {
		code, err := s.theirs.load(ctx)
		if err != nil {
			t.Fatal(err)
		}
		l, err := newLocal(ctx, e, code)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPeer(vm, code)
		if err != nil {
			t.Fatal(err)
		}
		mine, other := store{}, store{}
		for _, step := range []struct {
			entry engine.Entry
			msg   string
		}{{engine.Instantiate, s.init}, {s.entry, s.msg}, {s.entry, s.msg}} {
			a, err1 := l.call(step.entry, step.msg, mine)
			b, err2 := p.call(step.entry, step.msg, other)
			if err1 != nil || err2 != nil || !bytes.Equal(a, b) || !maps.EqualFunc(mine, other, bytes.Equal) {
				t.Errorf("%s: %s: %s, %v here; %s, %v there", name, step.msg, a, err1, b, err2)
			}
		}
		if len(mine) == 0 && name != "argon2" {
			t.Errorf("%s: no state", name)
		}
	}
}

// TestGoTokenMoves: what the token in Go is timed at is done.
func TestGoTokenMoves(t *testing.T) {
	ctx := context.Background()
	e, err := newEngine(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(ctx) }()
	s := transfer(goToken)
	code, err := s.ours.load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLocal(ctx, e, code)
	if err != nil {
		t.Fatal(err)
	}
	state := store{}
	if _, err := l.call(engine.Instantiate, s.init, state); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := l.call(s.entry, s.msg, state); err != nil {
			t.Fatal(err)
		}
	}
	found := map[string]string{}
	for k, v := range state {
		if i := strings.Index(k, "balances"); i >= 0 {
			found[k[i+len("balances"):]] = string(v)
		}
	}
	if found[account("bob")] != `"2"` || found[account("alice")] != `"999999999999998"` {
		t.Errorf("the balances are %v", found)
	}
}

// TestWorst: of several figures the largest counts, and none is an error.
func TestWorst(t *testing.T) {
	const out = "BenchmarkMetering/worst/add-2 1 123 ns/op 12.50 %over\nBenchmarkMetering/worst/load-2 1 99 ns/op -1.5 %over\n"
	if v, err := worst([]byte(out)); err != nil || v != 12.5 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := worst([]byte("ok")); err == nil {
		t.Error("a figure was made of nothing")
	}
}

// BenchmarkOurs is for profiles of our side.
func BenchmarkOurs(b *testing.B) {
	ctx := context.Background()
	for name, s := range map[string]scene{"transfer": transfer(cw20), "balance": balance(cw20), "argon2": argon2(), "go": transfer(goToken)} {
		b.Run(name, func(b *testing.B) {
			p, err := s.set(ctx)
			if err != nil {
				b.Fatal(err)
			}
			defer p.close()
			before := cpu()
			for b.Loop() {
				if err := p.ours(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
