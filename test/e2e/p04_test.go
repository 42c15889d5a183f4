package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
)

// dropper stands between the offchainds and the node. While it drops, no batch reaches the chain: who sends one is told that all
// is well.
type dropper struct {
	*httptest.Server
	dropping atomic.Bool
	dropped  atomic.Int32
}

const commitBatch = "/phala.cluster.v1.MsgCommitBatch"

func newDropper(node string) (*dropper, error) {
	to, err := url.Parse(node)
	if err != nil {
		return nil, err
	}
	d := &dropper{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !d.dropping.Load() {
			proxy.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var call struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Tx []byte `json:"tx"`
			} `json:"params"`
		}
		if json.Unmarshal(body, &call) == nil && call.Method == "broadcast_tx_sync" && bytes.Contains(call.Params.Tx, []byte(commitBatch)) {
			d.dropped.Add(1)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"code":0,"data":"","log":"","codespace":"","hash":""}}`, call.ID)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	}))
	return d, nil
}

// TestP04_PublishBeforeRelease drops the transaction that would make a batch final, asks in every way that offchainds and the
// chain have, and finds nothing of the batch; then it lets the transaction through.
func TestP04_PublishBeforeRelease(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	module, err := story.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var drop *dropper
	n, err := devnet.StartFree(ctx, devnet.Config{
		Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 300 * time.Millisecond,
		NodeFor: func(rpc string) string {
			if drop == nil {
				if drop, err = newDropper(rpc); err != nil {
					t.Fatal(err)
				}
			}
			return drop.URL
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(); drop.Close() })

	alice, bob := open(ctx, t, n, "alice"), open(ctx, t, n, "bob")
	code, _, err := alice.UploadCode(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	p, err := alice.Instantiate(ctx, client.Instantiation{Cluster: n.Cluster, CodeID: code, Label: "p04", Msg: []byte(`{"item":"a vase"}`), Query: wire.QUERY_POLICY_SELF})
	if err != nil {
		t.Fatal(err)
	}
	made, err := alice.Result(ctx, p)
	if err != nil || made.Err() != nil {
		t.Fatal(err, made)
	}
	contract := address.Encode(made.Result.Contract)
	before, err := bob.Cluster(ctx, n.Cluster)
	if err != nil {
		t.Fatal(err)
	}

	drop.dropping.Store(true)
	bid, err := bob.SubmitCall(ctx, client.Call{Cluster: n.Cluster, Contract: contract, Msg: []byte(`{"bid":{"amount":"77"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	// Ask until every member has led once and a quorum has signed each time.
	permit, err := bob.Permit(n.Cluster, time.Hour, contract)
	if err != nil {
		t.Fatal(err)
	}
	own := []byte(`{"bid":{"bidder":"` + bob.Address() + `"}}`)
	for drop.dropped.Load() < 3 {
		for _, g := range n.Gateways {
			nothing(ctx, t, g, bid, before.Head.Number+1)
		}
		if a, err := bob.Query(ctx, n.Cluster, contract, own, permit); err == nil {
			t.Fatalf("a query told %s before the bid was final", a.Data)
		} else if !strings.Contains(err.Error(), "contract-error") {
			t.Fatalf("the query: %v", err) // the contract must say that there is no bid yet
		}
		if ctx.Err() != nil {
			t.Fatalf("only %d batches were signed", drop.dropped.Load())
		}
		time.Sleep(100 * time.Millisecond)
	}
	now, err := bob.Cluster(ctx, n.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	if now.Head.Number != before.Head.Number {
		t.Fatalf("the chain's head moved from batch %d to %d", before.Head.Number, now.Head.Number)
	}
	// offchaind names what it stores by cluster and batch.
	records, err := filepath.Glob(filepath.Join(n.Home, "executor*", "offchain", "objects", "index", "*", fmt.Sprintf("%d-*", before.Head.Number+1)))
	if err != nil || len(records) > 0 {
		t.Fatal("stored before the batch is final:", records, err)
	}
	if kept, _ := filepath.Glob(filepath.Join(n.Home, "executor*", "offchain", "objects", "index", "*", fmt.Sprintf("%d-*", before.Head.Number))); len(kept) != 3 {
		t.Fatalf("records of the final batch %d: %v, want one of each executor", before.Head.Number, kept)
	}

	drop.dropping.Store(false)
	final, err := bob.Result(ctx, bid)
	if err != nil || final.Err() != nil {
		t.Fatal(err, final)
	}
	if a, err := bob.Query(ctx, n.Cluster, contract, own, permit); err != nil || !bytes.Contains(a.Data, []byte(`"77"`)) {
		t.Fatalf("after the batch is final: %v %v", a, err)
	}
}

// nothing asks one gateway for the result, and as another offchaind would for the record of the batch.
func nothing(ctx context.Context, t *testing.T, url string, p *client.Pending, number uint64) {
	t.Helper()
	g := gatewayrpc.NewClient(http.DefaultClient, url)
	r, err := g.Result(ctx, &wire.ResultRequest{Cluster: p.Cluster, Index: p.Index})
	if r.GetReply() != nil {
		t.Fatalf("%s answered before the batch was final", url)
	}
	if err != nil && !strings.Contains(err.Error(), "not-final") {
		t.Fatalf("%s: %v", url, err)
	}
	rec, err := g.Record(ctx, &wire.RecordRequest{Cluster: p.Cluster, Number: number})
	if err == nil && len(rec.GetRecord().GetCiphertext()) > 0 {
		t.Fatalf("%s gave the record of a batch that is not final", url)
	}
}

func open(ctx context.Context, t *testing.T, n *devnet.Network, name string) *client.Client {
	t.Helper()
	c, err := n.Client(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
