package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
)

// network measures a development network: how fast it starts, how much memory it takes after one auction, and how many blocks
// pass from a call to its final result.
func network(bin string, calls int) group {
	names := []string{"dev/first_block", "dev/ready", "dev/memory", "dev/block_interval", "call/final_blocks_p50", "call/final_blocks_p90", "call/final_ms_p50"}
	return group{names, func(ctx context.Context, report func(figure)) (err error) {
		if bin == "" {
			return errors.New("no programs: set PHALA_BIN, or use make bench")
		}
		home, err := os.MkdirTemp("", "phala-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(home)
		module, err := story.Build(ctx, home)
		if err != nil {
			return err
		}
		n, err := devnet.StartFree(ctx, devnet.Config{Home: filepath.Join(home, "net"), Bin: bin}, nil)
		if err != nil {
			return err
		}
		defer n.Stop()
		report(figure{"dev/first_block", time.Duration(n.FirstBlock).Seconds(), "s"})
		report(figure{"dev/ready", time.Duration(n.Ready).Seconds(), "s"})

		alice, err := n.Client(ctx, "alice")
		if err != nil {
			return err
		}
		addr, err := auction(ctx, n, alice, module)
		if err != nil {
			return fmt.Errorf("holding an auction: %w", err)
		}
		report(figure{"dev/memory", float64(n.Memory()) / (1 << 20), "MiB"})

		took, interval, err := latencies(ctx, n, alice, addr, calls)
		if err != nil {
			return fmt.Errorf("timing calls: %w", err)
		}
		slices.Sort(took)
		p50, p90 := took[len(took)/2], took[len(took)*9/10]
		report(figure{"dev/block_interval", interval.Seconds() * 1000, "ms"})
		report(figure{"call/final_blocks_p50", float64(p50) / float64(interval), "blocks"})
		report(figure{"call/final_blocks_p90", float64(p90) / float64(interval), "blocks"})
		report(figure{"call/final_ms_p50", p50.Seconds() * 1000, "ms"})
		return nil
	}}
}

func final(ctx context.Context, c *client.Client, p *client.Pending) error {
	f, err := c.Result(ctx, p)
	if err != nil {
		return err
	}
	return f.Err()
}

// auction is one whole auction: two bids, the end.
func auction(ctx context.Context, n *devnet.Network, seller *client.Client, module []byte) (string, error) {
	code, _, err := seller.UploadCode(ctx, module)
	if err != nil {
		return "", err
	}
	p, err := seller.Instantiate(ctx, client.Instantiation{
		Cluster: n.Cluster, CodeID: code, Label: "bench", Query: wire.QUERY_POLICY_OPEN, Msg: []byte(`{"item":"time"}`),
	})
	if err != nil {
		return "", err
	}
	if err := final(ctx, seller, p); err != nil {
		return "", err
	}
	addr := p.Contract
	for i, name := range []string{"bob", "carol"} {
		c, err := n.Client(ctx, name)
		if err != nil {
			return "", err
		}
		if err := call(ctx, n, c, addr, fmt.Sprintf(`{"bid":{"amount":"%d"}}`, 10+i)); err != nil {
			return "", err
		}
	}
	if err := call(ctx, n, seller, addr, `{"close":{}}`); err != nil {
		return "", err
	}
	again, err := seller.Instantiate(ctx, client.Instantiation{
		Cluster: n.Cluster, CodeID: code, Label: "latency", Query: wire.QUERY_POLICY_OPEN, Msg: []byte(`{"item":"latency"}`),
	})
	if err != nil {
		return "", err
	}
	return again.Contract, final(ctx, seller, again)
}

func call(ctx context.Context, n *devnet.Network, c *client.Client, addr, msg string) error {
	p, err := c.SubmitCall(ctx, client.Call{Cluster: n.Cluster, Contract: addr, Msg: []byte(msg)})
	if err != nil {
		return err
	}
	return final(ctx, c, p)
}

// latencies times calls one after the other, each begun at a random moment of a block, from before it is sealed to its final result
// checked at the client; and the mean block interval meanwhile.
func latencies(ctx context.Context, n *devnet.Network, c *client.Client, addr string, calls int) ([]time.Duration, time.Duration, error) {
	first, err := c.Node.LightBlock(ctx, 0)
	if err != nil {
		return nil, 0, err
	}
	var took []time.Duration
	for i := range calls {
		pause := time.NewTimer(rand.N(500 * time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		began := time.Now()
		if err := call(ctx, n, c, addr, fmt.Sprintf(`{"bid":{"amount":"%d"}}`, i+1)); err != nil {
			return nil, 0, err
		}
		took = append(took, time.Since(began))
	}
	last, err := c.Node.LightBlock(ctx, 0)
	if err != nil {
		return nil, 0, err
	}
	if last.Height <= first.Height || len(took) == 0 {
		return nil, 0, errors.New("no block was made meanwhile")
	}
	return took, last.Time.Sub(first.Time) / time.Duration(last.Height-first.Height), nil
}
