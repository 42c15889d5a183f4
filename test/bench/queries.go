package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
)

// connections ask at a time for cluster/queries_per_second, each with a session of its own. depth of one's questions are under way at a time
// for cluster/queries_per_second_deep, else one.
const (
	connections = 16
	depth       = 16
)

// queries measures balances of a published cw20 token, asked in sessions of a development network of three members: latency on one
// connection, throughput on sixteen, and that beside a bare TLS server in the same run that has as much under way, three times in turn.
func queries(bin string) group {
	names := []string{"cluster/query_p50", "cluster/query_p99", "cluster/queries_per_second", "cluster/queries_vs_bare_tls", "cluster/queries_per_second_deep", "cluster/queries_vs_bare_tls_deep"}
	return group{names, func(ctx context.Context, report func(figure)) (err error) {
		if bin == "" {
			return errors.New("no programs: set PHALA_BIN, or use make bench")
		}
		home, err := os.MkdirTemp("", "phala-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(home)
		n, err := devnet.StartFree(ctx, devnet.Config{Home: filepath.Join(home, "net"), Bin: bin}, nil)
		if err != nil {
			return err
		}
		defer n.Stop()
		alice, err := n.Client(ctx, "alice")
		if err != nil {
			return err
		}
		token, err := cw20(ctx, n, alice)
		if err != nil {
			return fmt.Errorf("deploying the token: %w", err)
		}
		question := fmt.Appendf(nil, `{"balance":{"address":%q}}`, alice.Address())
		ask := func(int) (func(context.Context) error, func(), error) {
			s, err := alice.OpenSession(ctx, n.Cluster, nil)
			if err != nil {
				return nil, nil, err
			}
			return func(ctx context.Context) error {
				a, err := s.Query(ctx, token, question)
				if err == nil && string(a.Data) != `{"balance":"1000000"}` {
					err = fmt.Errorf("the balance is %s", a.Data)
				}
				return err
			}, s.Close, nil
		}
		took, err := load(ctx, 1, 1, 5*time.Second, ask)
		if err != nil {
			return err
		}
		slices.Sort(took)
		report(figure{"cluster/query_p50", took[len(took)/2].Seconds() * 1000, "ms"})
		report(figure{"cluster/query_p99", took[len(took)*99/100].Seconds() * 1000, "ms"})
		if err := besideBare(ctx, "", 1, ask, report); err != nil {
			return err
		}
		return besideBare(ctx, "_deep", depth, ask, report)
	}}
}

func besideBare(ctx context.Context, suffix string, under int, ask dialer, report func(figure)) error {
	const turns, each = 3, 5 * time.Second
	var ours, bare int
	for range turns {
		took, err := load(ctx, connections, under, each, ask)
		if err != nil {
			return err
		}
		ours += len(took)
		if took, err = bareTLS(ctx, under, each); err != nil {
			return fmt.Errorf("measuring the bare server: %w", err)
		}
		bare += len(took)
	}
	report(figure{"cluster/queries_per_second" + suffix, float64(ours) / (turns * each.Seconds()), "/s"})
	report(figure{"cluster/queries_vs_bare_tls" + suffix, float64(ours) / float64(bare), "x"})
	return nil
}

// dialer makes connection i: what asks on it, and what ends it. ask may be called at the same time.
type dialer func(i int) (ask func(context.Context) error, done func(), err error)

// load asks on so many connections for a time, with so many questions under way on each, and gives what each answer took.
func load(ctx context.Context, conns, under int, long time.Duration, dial dialer) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	var over atomic.Bool
	start := make(chan struct{})
	for i := range conns {
		ask, done, err := dial(i)
		if err != nil {
			return nil, err
		}
		defer done()
		if err := ask(ctx); err != nil { // what is made once is not what is measured
			return nil, err
		}
		for range under {
			wg.Go(func() {
				<-start
				took, err := askUntil(ctx, ask, &over)
				mu.Lock()
				defer mu.Unlock()
				all, failed = append(all, took...), errors.Join(failed, err)
			})
		}
	}
	close(start)
	time.Sleep(long)
	over.Store(true)
	wg.Wait()
	return all, failed
}

func askUntil(ctx context.Context, ask func(context.Context) error, over *atomic.Bool) (took []time.Duration, err error) {
	for !over.Load() {
		began := time.Now()
		if err := ask(ctx); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// cw20 deploys the token that others have published among wasmd's benchmarks, in whose module it lies.
func cw20(ctx context.Context, n *devnet.Network, owner *client.Client) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/CosmWasm/wasmd")
	cmd.Dir = filepath.Join("test", "cw20") // whose go.mod names the version
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("downloading wasmd: %w", err)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", fmt.Errorf("downloading wasmd: %w", err)
	}
	module, err := os.ReadFile(filepath.Join(m.Dir, "benchmarks", "testdata", "cw20_base.wasm"))
	if err != nil {
		return "", err
	}
	code, _, err := owner.UploadCode(ctx, module)
	if err != nil {
		return "", err
	}
	p, err := owner.Instantiate(ctx, client.Instantiation{Cluster: n.Cluster, CodeID: code, Label: "bench", Query: wire.QUERY_POLICY_OPEN, Msg: fmt.Appendf(nil,
		`{"name":"Bench","symbol":"BNCH","decimals":6,"initial_balances":[{"address":%q,"amount":"1000000"}]}`, owner.Address())})
	if err != nil {
		return "", err
	}
	return p.Contract, final(ctx, owner, p)
}
