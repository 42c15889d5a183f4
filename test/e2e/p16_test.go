package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
	"github.com/phala-go/phala/offchain/enclave"
)

// starvation is W, and late is by how much what it asks for may come after it: a header was made a moment before it was brought, and
// an enclave that nobody speaks to looks at its counter every few seconds.
const (
	starvation = time.Minute
	late       = 8 * time.Second
)

// cutOff is an enclave whose offchaind is gone. The test is its host, and says what it likes.
type cutOff struct {
	t      *testing.T
	worker *wire.WorkerRef
	conn   *enclave.Conn
	at     *wire.Identity // how far it had come

	mu    sync.Mutex
	parts int // of keys, that it gave out
	forks int // that it says it has proof of
}

func cut(ctx context.Context, t *testing.T, n *devnet.Network, w *wire.WorkerRef) *cutOff {
	t.Helper()
	if err := n.Cut(w); err != nil {
		t.Fatal(err)
	}
	path, err := n.Socket(w)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutOff{t: t, worker: w}
	if c.conn, err = enclave.Dial(ctx, path); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.conn.Run(ctx, c.heard) }()
	c.at = c.hello(ctx)
	return c
}

func (c *cutOff) heard(o *wire.Out) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.GetPeer().GetKeyPart() != nil || o.GetPeer().GetKeptShares() != nil {
		c.parts++
	}
	if o.GetFork() != nil {
		c.forks++
	}
}

func (c *cutOff) given() (parts, forks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parts, c.forks
}

// say gives the code of the enclave's refusal; empty: it did not refuse.
func (c *cutOff) say(ctx context.Context, in *wire.In) (*wire.Out, string) {
	c.t.Helper()
	out, err := c.conn.Call(ctx, in)
	var f *enclave.Failure
	if errors.As(err, &f) {
		return nil, f.Code
	}
	if err != nil {
		c.t.Fatalf("%s: %v", c.worker.Name(), err)
	}
	return out, ""
}

func (c *cutOff) hello(ctx context.Context) *wire.Identity {
	c.t.Helper()
	out, code := c.say(ctx, &wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})
	if out.GetIdentity() == nil {
		c.t.Fatalf("%s does not say who it is: %s", c.worker.Name(), code)
	}
	return out.GetIdentity()
}

// result asks for the result of an input; empty: it was given.
func (c *cutOff) result(ctx context.Context, cluster, index uint64) string {
	c.t.Helper()
	out, code := c.say(ctx, &wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: cluster, Index: index}}})
	if code == "" && out.GetReply() == nil {
		c.t.Fatalf("%s answers %v", c.worker.Name(), out)
	}
	return code
}

func (c *cutOff) bring(ctx context.Context, block []byte) (*wire.Out, string) {
	c.t.Helper()
	return c.say(ctx, &wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{block}}}})
}

// hint points to a worker's request for its key, which stands on the chain.
func (c *cutOff) hint(ctx context.Context, cluster uint64, w *wire.WorkerRef) string {
	_, code := c.say(ctx, &wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: cluster, Worker: w}}})
	return code
}

// mislead brings the header that would have come next, were it not that who signed it has sold its key.
func (c *cutOff) mislead(ctx context.Context, n *devnet.Network) {
	c.t.Helper()
	f := newForger(c.t, n)
	lb := f.after(ctx, c.at.VerifiedHeight)
	lb.Time = time.Now()
	lb.AppHash = make([]byte, len(lb.AppHash))
	out, code := c.bring(ctx, f.sign(lb, f.key))
	if got := c.hello(ctx).VerifiedHeight; got != c.at.VerifiedHeight+1 {
		c.t.Fatalf("%s does not even take the fork, so nothing is tried: at %d: %v %s", c.worker.Name(), got, out, code)
	}
}

// asked is the height at which a worker asked the chain for its key the last time.
func asked(ctx context.Context, n *devnet.Network, w *wire.WorkerRef) uint64 {
	var r struct {
		Requests []struct {
			Worker struct{ Operator string }
			Height uint64 `json:"height,string"`
		}
	}
	if rest(ctx, n, "/phala/gatekeeper/v1/requests", &r) != nil {
		return 0
	}
	last := uint64(0)
	for _, q := range r.Requests {
		if q.Worker.Operator == w.Operator {
			last = max(last, q.Height)
		}
	}
	return last
}

func eventually(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(50 * time.Second); !ok(); time.Sleep(200 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestP16_TheRelayerOfRealProgramsIsCut: two of three executors and three of four gatekeepers lose their offchaind, the third executor
// starts anew and needs its key. Within W who is cut off has shut; a fork by the validator's own key opens nothing; with the chain again
// those that saw no fork go on by themselves, and those that did have the proof and stay shut until they are started anew.
func TestP16_TheRelayerOfRealProgramsIsCut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	module, err := story.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, err := devnet.StartFree(ctx, devnet.Config{
		Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 300 * time.Millisecond, Gatekeepers: 4, Threshold: 2, PhaseBlocks: 25,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	keepersWhen(ctx, t, n, "the first epoch", func(k keepers) bool { return k.Epoch == 1 && k.holders() == 4 })
	alice := open(ctx, t, n, "alice")
	index, bid := auction(ctx, t, n, alice, module)
	if _, err := bid(1); err != nil {
		t.Fatal(err)
	}

	executors := []*cutOff{cut(ctx, t, n, n.Executor(0)), cut(ctx, t, n, n.Executor(2))}
	var gatekeepers []*cutOff
	for i := range 3 {
		gatekeepers = append(gatekeepers, cut(ctx, t, n, n.Gatekeeper(i)))
	}
	began := time.Now()
	if err := n.RestartExecutor(1); err != nil {
		t.Fatal(err)
	}
	shut(ctx, t, n, index, executors, gatekeepers, began)

	// One of each is led onto a fork.
	for _, c := range []*cutOff{executors[0], gatekeepers[0]} {
		c.mislead(ctx, n)
	}
	for range 5 {
		if code := executors[0].result(ctx, n.Cluster, index); code != "unknown-cluster" {
			t.Errorf("on the fork an executor that should have forgotten all says %q", code)
		}
		gatekeepers[0].hint(ctx, n.Cluster, n.Executor(1))
		time.Sleep(200 * time.Millisecond)
	}
	for _, g := range gatekeepers {
		if k, _ := g.given(); k > 0 {
			t.Errorf("%s gave %d parts of keys while it was cut off", g.worker.Name(), k)
		}
	}

	for _, c := range slices.Concat(executors, gatekeepers) {
		c.conn.Close()
		if err := n.Mend(c.worker); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []*cutOff{executors[0], gatekeepers[0]} {
		eventually(ctx, t, "the proof of a fork at "+c.worker.Name(), func() bool { return len(proofs(n, c)) == 1 })
	}
	if got := slices.Concat(proofs(n, executors[1]), proofs(n, gatekeepers[1]), proofs(n, gatekeepers[2])); len(got) > 0 {
		t.Errorf("proofs of forks where there was none: %v", got)
	}
	recovered(ctx, t, n, executors, bid)
}

// auction starts one, and gives the index of the input that did it, and how to bid.
func auction(ctx context.Context, t *testing.T, n *devnet.Network, c *client.Client, module []byte) (index uint64, bid func(int) (uint64, error)) {
	t.Helper()
	code, _, err := c.UploadCode(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Instantiate(ctx, client.Instantiation{Cluster: n.Cluster, CodeID: code, Label: "p16", Msg: []byte(`{"item":"a vase"}`), Query: wire.QUERY_POLICY_SELF})
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Result(ctx, p)
	if err != nil || made.Err() != nil {
		t.Fatal(err, made)
	}
	contract := address.Encode(made.Result.Contract)
	return p.Index, func(amount int) (uint64, error) {
		p, err := c.SubmitCall(ctx, client.Call{Cluster: n.Cluster, Contract: contract, Msg: fmt.Appendf(nil, `{"bid":{"amount":"%d"}}`, amount)})
		if err != nil {
			return 0, err
		}
		r, err := c.Result(ctx, p)
		if err != nil {
			return 0, err
		}
		return p.Index, r.Err()
	}
}

// shut watches those that were cut off: executors answer at first, and never again from W on; gatekeepers give nothing for a request that
// stands on the chain since the cut.
func shut(ctx context.Context, t *testing.T, n *devnet.Network, index uint64, executors, gatekeepers []*cutOff, began time.Time) {
	t.Helper()
	for _, x := range executors {
		if code := x.result(ctx, n.Cluster, index); code != "" {
			t.Errorf("%s, just cut off: %s", x.worker.Name(), code)
		}
	}
	eventually(ctx, t, "the request of the executor that restarted", func() bool { return asked(ctx, n, n.Executor(1)) > gatekeepers[0].at.VerifiedHeight })
	last := map[*cutOff]time.Duration{}
	codes := map[*cutOff]string{}
	for time.Since(began) < starvation+late {
		for _, x := range executors {
			before := time.Since(began)
			if codes[x] = x.result(ctx, n.Cluster, index); codes[x] == "" {
				last[x] = before
			}
		}
		for _, g := range gatekeepers {
			codes[g] = g.hint(ctx, n.Cluster, n.Executor(1))
		}
		time.Sleep(500 * time.Millisecond)
	}
	for _, x := range executors {
		t.Logf("%s answered for %s after the cut, and now says %s", x.worker.Name(), last[x].Round(time.Millisecond), codes[x])
		if last[x] > starvation || last[x] < starvation/2 || codes[x] != "stale" {
			t.Errorf("%s answered for %s after the cut, and now says %q", x.worker.Name(), last[x], codes[x])
		}
	}
	for _, g := range gatekeepers {
		if codes[g] != "stale" {
			t.Errorf("%s, asked for parts of a key, says %q", g.worker.Name(), codes[g])
		}
	}
}

// proofs are the files of forks in a worker's folder.
func proofs(n *devnet.Network, c *cutOff) []string {
	for _, a := range n.Workers {
		if a.Address == c.worker.Operator {
			found, _ := filepath.Glob(filepath.Join(n.Home, a.Name, "offchain", "objects", "forks", fmt.Sprintf("%d-*.json", c.at.VerifiedHeight+1)))
			return found
		}
	}
	return nil
}

// recovered: the executor that was cut off without a fork has asked for its key anew, so it had none; then the misled are started anew as
// the how-to says, and the whole cluster answers.
func recovered(ctx context.Context, t *testing.T, n *devnet.Network, executors []*cutOff, bid func(int) (uint64, error)) {
	t.Helper()
	if _, err := bid(2); err != nil {
		t.Fatal(err)
	}
	x := executors[1]
	eventually(ctx, t, "a new request for the key", func() bool { return asked(ctx, n, x.worker) > x.at.VerifiedHeight })
	if at := asked(ctx, n, executors[0].worker); at > executors[0].at.VerifiedHeight {
		t.Errorf("%s asked for its key at %d, after it was shown a fork", executors[0].worker.Name(), at)
	}
	if err := n.RestartExecutor(0); err != nil {
		t.Fatal(err)
	}
	if err := n.RestartGatekeeper(0); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the executor that was started anew", func() bool {
		return asked(ctx, n, executors[0].worker) > executors[0].at.VerifiedHeight
	})
	keepersWhen(ctx, t, n, "a gatekeeper that has lost its parts", func(k keepers) bool { return strings.HasSuffix(k.fault(n.Gatekeeper(0)), "LOST") })
	if _, err := bid(3); err != nil {
		t.Fatal(err)
	}
}
