package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
)

// keepers is what the chain says of the gatekeepers, over REST.
type keepers struct {
	Epoch   uint64 `json:"epoch,string"`
	Members []struct {
		Worker struct{ Operator string }
		Fault  string
	} `json:"members"`
}

func (k keepers) holders() (n int) {
	for _, m := range k.Members {
		if m.Fault == "MEMBER_FAULT_NONE" {
			n++
		}
	}
	return n
}

func (k keepers) fault(w *wire.WorkerRef) string {
	for _, m := range k.Members {
		if m.Worker.Operator == w.Operator {
			return m.Fault
		}
	}
	return "not a member"
}

// rest reads one of the chain's answers.
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

// keepersWhen waits until the gatekeepers are as they should be.
func keepersWhen(ctx context.Context, t *testing.T, n *devnet.Network, what string, ok func(keepers) bool) keepers {
	t.Helper()
	var set struct{ Set keepers }
	for end := time.Now().Add(50 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		set.Set = keepers{}
		if err := rest(ctx, n, "/phala/gatekeeper/v1/set", &set); err == nil && ok(set.Set) {
			return set.Set
		}
	}
	var gen json.RawMessage
	_ = rest(ctx, n, "/phala/gatekeeper/v1/generation", &gen)
	t.Fatalf("waited in vain for %s: %+v, generation %s", what, set.Set, gen)
	return keepers{}
}

// govern has the network's one validator propose a message and vote for it, with phalad as its operator would.
func govern(ctx context.Context, t *testing.T, n *devnet.Network, message map[string]any) {
	t.Helper()
	gov := sha256.Sum256([]byte("gov"))
	message["authority"] = address.Encode(gov[:20])
	b, err := json.Marshal(map[string]any{
		"messages": []any{message}, "deposit": "10000000000000ppha", "title": "test", "summary": "test", "metadata": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "proposal.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	tx := func(args ...string) {
		t.Helper()
		var last string
		for range 10 {
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "phalad"), append([]string{"tx", "gov"}, append(args,
				"--from", "validator", "--keyring-backend", "test", "--home", filepath.Join(n.Home, "chain"), "--chain-id", n.ChainID,
				"--node", strings.Replace(n.RPC, "http", "tcp", 1), "--gas", "3000000", "--fees", "1000000000ppha", "--output", "json", "--yes")...)...)
			out, err := cmd.CombinedOutput()
			last = string(out)
			if err == nil && bytes.Contains(out, []byte(`"code":0`)) {
				time.Sleep(time.Second) // until it is in a block
				return
			}
			time.Sleep(500 * time.Millisecond)
		}
		t.Fatalf("phalad tx gov %s: %s", args[0], last)
	}
	tx("submit-proposal", file)
	var all struct{ Proposals []struct{ ID string } }
	if err := rest(ctx, n, "/cosmos/gov/v1/proposals", &all); err != nil || len(all.Proposals) == 0 {
		t.Fatalf("no proposal: %v", err)
	}
	tx("vote", all.Proposals[len(all.Proposals)-1].ID, "yes")
}

// roster is governance's word on who is to hold parts.
func roster(threshold int, members ...*wire.WorkerRef) map[string]any {
	return map[string]any{"@type": "/phala.gatekeeper.v1.MsgUpdateRoster", "threshold": threshold, "members": members}
}

// work calls a contract without end, and counts what was answered.
func work(ctx context.Context, t *testing.T, c *client.Client, contract string, cluster uint64) (done *atomic.Int64, stop func()) {
	t.Helper()
	done = new(atomic.Int64)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 1; ctx.Err() == nil; i++ {
			p, err := c.SubmitCall(ctx, client.Call{Cluster: cluster, Contract: contract, Msg: fmt.Appendf(nil, `{"bid":{"amount":"%d"}}`, i)})
			if err == nil {
				var r *client.Final
				if r, err = c.Result(ctx, p); err == nil {
					err = r.Err()
				}
			}
			if err == nil {
				done.Add(1)
			} else if ctx.Err() == nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
	}()
	return done, func() { cancel(); <-ended }
}

// TestP08_GatekeepersOfRealPrograms: four gatekeepers, of whom one lies; one dies and comes back; a fifth is voted in and the first is
// voted out. Contracts are called all the while, and a worker that starts anew finds its keys.
func TestP08_GatekeepersOfRealPrograms(t *testing.T) {
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
		Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 300 * time.Millisecond, Gatekeepers: 4, Threshold: 2, Spare: 1, PhaseBlocks: 25,
		Liars: map[int]string{3: filepath.Join(bin, "pruntime-liar")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	set := keepersWhen(ctx, t, n, "the first epoch", func(k keepers) bool { return k.Epoch == 1 })
	if set.holders() != 3 || set.fault(n.Gatekeeper(3)) != "MEMBER_FAULT_BAD_CONTRIBUTION" {
		t.Errorf("with a liar: %+v", set)
	}

	alice, bob := open(ctx, t, n, "alice"), open(ctx, t, n, "bob")
	code, _, err := alice.UploadCode(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	p, err := alice.Instantiate(ctx, client.Instantiation{Cluster: n.Cluster, CodeID: code, Label: "p08", Msg: []byte(`{"item":"a vase"}`), Query: wire.QUERY_POLICY_SELF})
	if err != nil {
		t.Fatal(err)
	}
	made, err := alice.Result(ctx, p)
	if err != nil || made.Err() != nil {
		t.Fatal(err, made)
	}
	done, stop := work(ctx, t, bob, address.Encode(made.Result.Contract), n.Cluster)
	defer stop()
	worked := func(what string) {
		t.Helper()
		was := done.Load()
		for end := time.Now().Add(40 * time.Second); done.Load() < was+2; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: no call has been answered since", what)
			}
		}
		t.Logf("%s: %d calls so far", what, done.Load())
	}

	// One dies: it holds nothing any more, and the rest serve a member that starts anew.
	if err := n.RestartGatekeeper(1); err != nil {
		t.Fatal(err)
	}
	keepersWhen(ctx, t, n, "a gatekeeper that has lost its parts", func(k keepers) bool { return k.fault(n.Gatekeeper(1)) == "MEMBER_FAULT_LOST" })
	worked("one gatekeeper restarted")
	if err := n.RestartExecutor(0); err != nil {
		t.Fatal(err)
	}
	worked("an executor restarted")

	// A fifth is voted in, with the liar voted out: one border.
	govern(ctx, t, n, roster(2, n.Gatekeeper(0), n.Gatekeeper(1), n.Gatekeeper(2), n.Gatekeeper(4)))
	set = keepersWhen(ctx, t, n, "the epoch of the new roster", func(k keepers) bool { return k.Epoch == 2 })
	if set.holders() != 4 {
		t.Errorf("a gatekeeper replaced: %+v", set)
	}
	worked("a gatekeeper replaced")
	govern(ctx, t, n, roster(2, n.Gatekeeper(0), n.Gatekeeper(1), n.Gatekeeper(2), n.Gatekeeper(3), n.Gatekeeper(4)))
	set = keepersWhen(ctx, t, n, "an epoch of five", func(k keepers) bool { return k.Epoch == 3 })
	if len(set.Members) != 5 || set.holders() != 4 {
		t.Errorf("4 -> 5 with a liar: %+v", set)
	}
	worked("five gatekeepers")
	govern(ctx, t, n, roster(2, n.Gatekeeper(0), n.Gatekeeper(1), n.Gatekeeper(2), n.Gatekeeper(4)))
	set = keepersWhen(ctx, t, n, "an epoch of four", func(k keepers) bool { return k.Epoch == 4 })
	if len(set.Members) != 4 || set.holders() != 4 {
		t.Errorf("5 -> 4: %+v", set)
	}
	if err := n.RestartExecutor(1); err != nil {
		t.Fatal(err)
	}
	worked("four gatekeepers again")

	// All but one die at once: a new epoch begins by itself.
	for _, i := range []int{0, 1, 2} {
		if err := n.RestartGatekeeper(i); err != nil {
			t.Fatal(err)
		}
	}
	set = keepersWhen(ctx, t, n, "an epoch after fewer than t were left", func(k keepers) bool { return k.Epoch >= 5 && k.holders() == 4 })
	worked("new keys after a loss")
	if err := n.Err(); err != nil {
		t.Error(err)
	}
}
