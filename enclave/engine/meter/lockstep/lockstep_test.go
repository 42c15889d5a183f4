package lockstep

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
	"github.com/phala-go/phala/enclave/engine/meter"
)

const (
	env    = `{"block":{"height":7,"time":"1900000000000000000","chain_id":"test"},"transaction":{"index":0},"contract":{"address":"contract"}}`
	seller = "pha1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnfh0w6r"
)

func info(sender string) string { return `{"sender":"` + sender + `","funds":[]}` }

// TestGoContract runs a contract in Go with floats, garbage collection and
// encoding/json in it, on both engines: the same in both forms, and equal gas.
func TestGoContract(t *testing.T) {
	ctx := context.Background()
	code := gocontract.Build(t, "../../../../examples/auction/contract")
	engines := map[string]wazero.RuntimeConfig{"compiler": wazero.NewRuntimeConfigCompiler(), "interpreter": wazero.NewRuntimeConfigInterpreter()}
	var gas []int64
	for name, cfg := range engines {
		p, err := New(ctx, code, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var used []int64
		for _, c := range []struct{ entry, sender, msg, want string }{
			{"instantiate", seller, `{"item":"a painting"}`, `"ok"`},
			{"execute", seller, `{"bid":{"amount":"125"}}`, `"ok"`},
			{"execute", seller, `{"bid":{"amount":"90"}}`, "can only be raised"},
			{"execute", seller, `{"nonsense":{}}`, "unknown field"},
			{"execute", seller, `{"close":{}}`, `"auction_closed"`},
			{"query", "", `{"status":{}}`, `"ok"`},
		} {
			args := []string{env, info(c.sender), c.msg}
			if c.entry == "query" {
				args = []string{env, c.msg}
			}
			got, err := p.Call(ctx, c.entry, args...)
			if err != nil || !strings.Contains(got, c.want) {
				t.Errorf("%s: %s %s: %s, %v", name, c.entry, c.msg, got, err)
			}
			used = append(used, p.Rewritten.Gas)
		}
		if gas == nil {
			gas = used
		}
		for i := range used {
			if used[i] != gas[i] {
				t.Errorf("%s: call %d used %d gas, elsewhere %d", name, i, used[i], gas[i])
			}
		}
		_ = p.Close(ctx)
	}
	t.Logf("gas %v", gas)
}

// TestSpeed only prints how long the rewriter takes and what it adds.
func TestSpeed(t *testing.T) {
	code := gocontract.Build(t, "../../../../examples/auction/contract")
	best := time.Hour
	var m *meter.Module
	for range 5 {
		start := time.Now()
		var err error
		if m, err = meter.Rewrite(code, meter.Config{}); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	data := 0
	for _, s := range m.Data {
		data += len(s.Bytes) + 6
	}
	t.Logf("%d bytes in %v, %+d%% without its data", len(code), best, len(m.Wasm)*100/(len(code)-data)-100)
	if best > 2*time.Second {
		t.Errorf("rewriting %d bytes takes %v", len(code), best)
	}
}

func BenchmarkGoBid(b *testing.B) {
	ctx := context.Background()
	p, err := New(ctx, gocontract.Build(b, "../../../../examples/auction/contract"), wazero.NewRuntimeConfigCompiler())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(ctx)
	for name, g := range map[string]*Guest{"original": p.Original, "rewritten": p.Rewritten} {
		g.Quiet()
		if _, err := g.Call(ctx, "instantiate", env, info(seller), `{"item":"a painting"}`); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := g.Call(ctx, "execute", env, info(seller), `{"bid":{"amount":"90"}}`); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
