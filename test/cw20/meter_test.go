package cw20

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/phala-go/phala/enclave/engine/meter/lockstep"
)

const meterEnv = `{"block":{"height":7,"time":"1900000000000000000","chain_id":"test"},"transaction":{"index":0},"contract":{"address":"contract"}}`

func meterInfo(sender string) string { return `{"sender":"` + sender + `","funds":[]}` }

// tree is the root of the module that holds the contracts.
func tree(t testing.TB) string {
	t.Helper()
	path, err := Locate()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(path, file)
}

// read gives a contract, some of which are packed.
func read(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(path, ".gz") {
		return b, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// steps are messages that take contracts through code of theirs. What these
// answer is not the point here, only that both forms answer the same.
var steps = map[string][][]string{
	"cw20_base": {
		{"instantiate", `{"name":"Secret","symbol":"SCRT","decimals":6,"initial_balances":[{"address":"alice","amount":"1000"}],"mint":{"minter":"alice"}}`},
		{"execute", `{"transfer":{"recipient":"bob","amount":"300"}}`},
		{"execute", `{"transfer":{"recipient":"bob","amount":"3000"}}`},
		{"query", `{"balance":{"address":"bob"}}`},
		{"query", `{"all_accounts":{}}`},
	},
	"hackatom": {
		{"instantiate", `{"verifier":"alice","beneficiary":"bob"}`},
		{"execute", `{"allocate_large_memory":{"pages":30}}`},
		{"query", `{"verifier":{}}`},
		{"query", `{"recurse":{"depth":0,"work":10}}`},
		{"execute", `{"allocate_large_memory":{"pages":300000}}`},
		{"execute", `{"panic":{}}`},
	},
	"queue": {
		{"instantiate", `{}`},
		{"execute", `{"enqueue":{"value":5}}`},
		{"execute", `{"enqueue":{"value":-7}}`},
		{"query", `{"sum":{}}`},
		{"query", `{"list":{}}`},
		{"query", `{"reducer":{}}`},
		{"execute", `{"dequeue":{}}`},
		{"query", `{"count":{}}`},
	},
	"cyberpunk": {
		{"instantiate", `{}`},
		{"execute", `{"argon2":{"mem_cost":64,"time_cost":2}}`},
		{"execute", `{"noop":{}}`},
		{"execute", `{"unreachable":{}}`},
	},
	"": {
		{"instantiate", `{}`},
		{"instantiate", `{"verifier":"alice","beneficiary":"bob"}`},
		{"execute", `{}`},
		{"execute", `{"no_such":{"deep":[[[[[[[[[1.5]]]]]]]]]}}`},
		{"query", `{"owner":{}}`},
		{"migrate", `{"payout":"bob"}`},
	},
}

// TestRewritten runs every contract of wasmd as it is and rewritten, side by
// side, on both of wazero's engines, and wants equal gas from these.
func TestRewritten(t *testing.T) {
	ctx := context.Background()
	found := 0
	engines := []wazero.RuntimeConfig{wazero.NewRuntimeConfigCompiler(), wazero.NewRuntimeConfigInterpreter()}
	err := filepath.WalkDir(tree(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(filepath.Base(path), ".wasm") {
			return err
		}
		name := filepath.Base(path)
		code, err := read(path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, "escrow_0.7") { // speaks the ABI of before 1.0
			return nil
		}
		found++
		script := steps[""]
		for prefix, s := range steps {
			if prefix != "" && strings.HasPrefix(name, prefix) {
				script = s
			}
		}
		var gas [2][]int64
		answered, trapped := 0, 0
		for i, cfg := range engines {
			p, err := lockstep.New(ctx, code, cfg)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return nil
			}
			defer p.Close(ctx)
			for _, s := range script {
				args := []string{meterEnv, meterInfo("alice"), s[1]}
				if s[0] != "instantiate" && s[0] != "execute" {
					args = []string{meterEnv, s[1]}
				}
				got, err := p.Call(ctx, s[0], args...)
				if err != nil {
					t.Errorf("%s: %s %s: %v", name, s[0], s[1], err)
				}
				if strings.HasPrefix(got, "trap: ") {
					trapped++
				} else {
					answered++
				}
				gas[i] = append(gas[i], p.Rewritten.Gas)
			}
		}
		if fmt.Sprint(gas[0]) != fmt.Sprint(gas[1]) {
			t.Errorf("%s: gas %v on the compiler, %v on the interpreter", name, gas[0], gas[1])
		}
		t.Logf("%-24s %d answers, %d traps, gas %v", name, answered/2, trapped/2, gas[0])
		if answered == 0 {
			t.Errorf("%s never answered", name)
		}
		return nil
	})
	if err != nil || found < 27 {
		t.Errorf("%d contracts: %v", found, err)
	}
}

// BenchmarkRewritten compares a token transfer and a computation as they are
// and rewritten. Instances are used again without being restored.
func BenchmarkRewritten(b *testing.B) {
	ctx := context.Background()
	for _, c := range []struct{ name, path, init, msg string }{
		{"transfer", file, steps["cw20_base"][0][1], `{"transfer":{"recipient":"bob","amount":"1"}}`},
		{"argon2", "x/wasm/keeper/testdata/cyberpunk.wasm", `{}`, `{"argon2":{"mem_cost":256,"time_cost":5}}`},
	} {
		code, err := os.ReadFile(filepath.Join(tree(b), c.path))
		if err != nil {
			b.Fatal(err)
		}
		p, err := lockstep.New(ctx, code, wazero.NewRuntimeConfigCompiler())
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close(ctx)
		init := strings.ReplaceAll(c.init, `"1000"`, `"1000000000000"`)
		for _, g := range []struct {
			name string
			*lockstep.Guest
		}{{"original", p.Original}, {"rewritten", p.Rewritten}} {
			g.Quiet()
			if _, err := g.Call(ctx, "instantiate", meterEnv, meterInfo("alice"), init); err != nil {
				b.Fatal(err)
			}
			b.Run(c.name+"/"+g.name, func(b *testing.B) {
				for b.Loop() {
					if _, err := g.Call(ctx, "execute", meterEnv, meterInfo("alice"), c.msg); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(g.Gas), "gas/op")
			})
		}
	}
}
