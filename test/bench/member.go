package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
)

// admissions is how often a member is admitted to the cluster.
const admissions = 9

// newMember measures on a network of four gatekeepers, of whom two make a key, how long a worker that is admitted to a cluster waits
// for the cluster's key: from the block that holds its membership to the moment at which it tells the chain the key, which it does as
// soon as it has it; and to the block from which on the cluster can be called under its new roster.
func newMember(bin string) group {
	const has, agreed = "keys/member_to_ready_blocks_p50", "keys/member_to_agreed_blocks_p50"
	return group{[]string{has, agreed}, func(ctx context.Context, report func(figure)) error {
		w := &watch{}
		defer w.close()
		return withNetwork(ctx, bin, devnet.Config{Gatekeepers: 4, Threshold: 2, Executors: 3, Members: 2, NodeFor: w.nodeFor}, func(n *devnet.Network) error {
			had, told, interval, err := admit(ctx, n, w)
			if err != nil {
				return err
			}
			slices.Sort(had)
			slices.Sort(told)
			report(figure{has, float64(had[len(had)/2]) / float64(interval), "blocks"})
			report(figure{agreed, float64(told[len(told)/2]), "blocks"})
			return nil
		})
	}}
}

// withNetwork runs f on a network of its own.
func withNetwork(ctx context.Context, bin string, cfg devnet.Config, f func(*devnet.Network) error) error {
	if bin == "" {
		return errors.New("no programs: set PHALA_BIN, or use make bench")
	}
	home, err := os.MkdirTemp("", "phala-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	cfg.Home, cfg.Bin = filepath.Join(home, "net"), bin
	n, err := devnet.StartFree(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer n.Stop()
	return f(n)
}

// admit admits the third executor again and again, and removes it in between.
func admit(ctx context.Context, n *devnet.Network, w *watch) (had []time.Duration, told []uint64, interval time.Duration, err error) {
	k, err := n.Owner.Key()
	if err != nil {
		return nil, nil, 0, err
	}
	c, err := client.Open(ctx, client.Config{RPC: n.RPC, Genesis: n.Genesis, Key: k})
	if err != nil {
		return nil, nil, 0, err
	}
	first, err := c.Node.LightBlock(ctx, 0)
	if err != nil {
		return nil, nil, 0, err
	}
	third := []*wire.WorkerRef{n.Executor(2)}
	for range admissions {
		w.forget()
		roster, tx, err := c.UpdateMembers(ctx, n.Cluster, third, nil, false, 2)
		if err != nil {
			return nil, nil, 0, err
		}
		// A block is committed at the time that the next header bears.
		next, err := lightBlock(ctx, c.Node, uint64(tx.Height)+1)
		if err != nil {
			return nil, nil, 0, err
		}
		at, err := w.announcement(ctx, 3)
		if err != nil {
			return nil, nil, 0, err
		}
		had = append(had, at.Sub(next))
		height, err := agreed(ctx, n, roster)
		if err != nil {
			return nil, nil, 0, err
		}
		told = append(told, height-uint64(tx.Height))
		if roster, _, err = c.UpdateMembers(ctx, n.Cluster, nil, third, false, 2); err != nil {
			return nil, nil, 0, err
		}
		if _, err := agreed(ctx, n, roster); err != nil {
			return nil, nil, 0, err
		}
	}
	last, err := c.Node.LightBlock(ctx, 0)
	if err != nil {
		return nil, nil, 0, err
	}
	return had, told, last.Time.Sub(first.Time) / time.Duration(last.Height-first.Height), nil
}

// lightBlock gives the time in a header, once it is there.
func lightBlock(ctx context.Context, c *node.Client, height uint64) (time.Time, error) {
	for {
		lb, err := c.LightBlock(ctx, height)
		if err == nil {
			return lb.Time, nil
		}
		if err := wait(ctx); err != nil {
			return time.Time{}, fmt.Errorf("waiting for header %d: %w", height, err)
		}
	}
}

// agreed waits until the members have agreed on the key of a roster, and gives that height.
func agreed(ctx context.Context, n *devnet.Network, roster uint64) (uint64, error) {
	for {
		var r struct {
			Key struct {
				Roster uint64 `json:"roster,string"`
				Height uint64 `json:"height,string"`
			}
		}
		if err := rest(ctx, n, fmt.Sprintf("/phala/gatekeeper/v1/keys/%d", n.Cluster), &r); err == nil && r.Key.Roster == roster {
			return r.Key.Height, nil
		}
		if err := wait(ctx); err != nil {
			return 0, fmt.Errorf("waiting for the key of roster %d: %w", roster, err)
		}
	}
}

// wait is a moment between two looks.
func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(25 * time.Millisecond):
		return nil
	}
}

func rest(ctx context.Context, n *devnet.Network, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.REST+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// watch stands between the offchainds and the node, each with a way of its own, and sees who announces a key.
type watch struct {
	mu      sync.Mutex
	ways    []*httptest.Server // by operator
	said    map[int]time.Time  // when an operator announced a key first
	changed chan struct{}
}

func (w *watch) nodeFor(rpc string) string {
	u, err := url.Parse(rpc)
	if err != nil {
		return rpc
	}
	proxy, operator := httputil.NewSingleHostReverseProxy(u), len(w.ways)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // an offchaind that gives a request up is nothing to tell
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			var call struct {
				Params struct {
					Tx []byte `json:"tx"`
				} `json:"params"`
			}
			if json.Unmarshal(body, &call) == nil && bytes.Contains(call.Params.Tx, []byte("/phala.gatekeeper.v1.MsgAnnounceEpoch")) {
				w.announced(operator)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		proxy.ServeHTTP(rw, r)
	}))
	w.ways = append(w.ways, s)
	return s.URL
}

func (w *watch) announced(operator int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, before := w.said[operator]; !before && w.said != nil {
		w.said[operator] = time.Now()
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said, w.changed = map[int]time.Time{}, make(chan struct{})
}

// announcement waits for an operator's.
func (w *watch) announcement(ctx context.Context, operator int) (time.Time, error) {
	for {
		w.mu.Lock()
		at, ok := w.said[operator]
		changed := w.changed
		w.mu.Unlock()
		if ok {
			return at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func (w *watch) close() {
	for _, s := range w.ways {
		s.CloseClientConnections()
		s.Close()
	}
}
