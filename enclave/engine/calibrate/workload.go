package main

import (
	"context"
	"fmt"
	"os"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// workloads are calls of whole contracts, of those whose files are given.
func (b *bench) workloads(ctx context.Context, o options) (out []subject, err error) {
	alice, bob := address.Encode(make([]byte, 20)), address.Encode(append(make([]byte, 19), 1))
	for _, w := range []struct {
		name, file, init, msg string
		times                 int
	}{
		{"token transfer, Rust", o.cw20, `{"name":"Cash","symbol":"CASH","decimals":9,"initial_balances":[{"address":"` + alice + `","amount":"1000000000000"}]}`,
			`{"transfer":{"recipient":"` + bob + `","amount":"1"}}`, 50},
		{"argon2, Rust", o.argon2, `{}`, `{"argon2":{"mem_cost":256,"time_cost":5}}`, 1},
		{"bid, Go with JSON", o.auction, `{"item":"a painting"}`, `{"bid":{"amount":"90"}}`, 10},
	} {
		if w.file == "" {
			continue
		}
		code, err := os.ReadFile(w.file)
		if err != nil {
			return nil, fmt.Errorf("reading the contract of %s: %w", w.name, err)
		}
		c, err := b.engine.Compile(ctx, code)
		if err != nil {
			return nil, fmt.Errorf("compiling %s: %w", w.name, err)
		}
		in := engine.Call{Entry: engine.Instantiate, Env: engine.Env{Contract: bob, TimeNanos: 1e18, ChainID: "c"}, Info: &engine.Info{Sender: alice}}
		start := state.New(make([]byte, 32)).Edit()
		in.Store, in.Msg = start.Space(nil), []byte(w.init)
		if _, err := call(b.engine, c, in); err != nil {
			return nil, fmt.Errorf("beginning %s: %w", w.name, err)
		}
		in.Entry, in.Msg = engine.Execute, []byte(w.msg)
		out = append(out, subject{name: w.name, run: func() (gas uint64, err error) {
			for range w.times {
				editor := start.Map().Edit()
				in.Store = editor.Space(nil)
				used, err := call(b.engine, c, in)
				if err != nil {
					return 0, err
				}
				gas += used
				editor.Map().Root()
			}
			return gas, nil
		}})
	}
	return out, nil
}
