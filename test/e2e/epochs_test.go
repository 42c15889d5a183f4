package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/test/readme"
)

// town is a network that `phala dev` runs, with its home, as its operator has them.
type town struct {
	devnet.Network
	t    *testing.T
	home string
}

// newTown starts phala dev as the documentation says; its first command is that.
func newTown(ctx context.Context, t *testing.T, command string) *town {
	t.Helper()
	n := &town{t: t, home: filepath.Join(t.TempDir(), "home")}
	args := strings.Fields(command)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, args[0]), append(args[1:], "--json", "--free-ports", "--block-time", "300ms")...)
	cmd.Env = n.env()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&n.Network); err != nil {
		t.Fatalf("phala dev: %v", err)
	}
	return n
}

func (n *town) env() []string {
	return append(os.Environ(), "PHALA_HOME="+n.home, "HOME="+filepath.Dir(n.home), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// sh types a line into a shell, in the folder beside the home.
func (n *town) sh(ctx context.Context, line string) string {
	n.t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env, cmd.Dir = n.env(), filepath.Dir(n.home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// typed types a block of a document, and wants what it says that comes out; it gives all that came out.
func (n *town) typed(ctx context.Context, file, section, language string) (all string) {
	n.t.Helper()
	for _, c := range lines(n.t, file, section, language) {
		out := n.sh(ctx, c.Line)
		for _, w := range c.Wants {
			if !strings.Contains(out, w) {
				n.t.Errorf("%s\nprints %swhich lacks %q", c.Line, out, w)
			}
		}
		all += out
	}
	return all
}

func lines(t *testing.T, file, section, language string) (all []readme.Command) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := readme.Section(string(doc), section)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range readme.Blocks(text) {
		if b.Language != language {
			continue
		}
		more, err := b.Commands()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
	}
	if len(all) == 0 {
		t.Fatalf("%s: nothing to type in %q", file, section)
	}
	return all
}

// open makes the client of an account.
func (n *town) open(ctx context.Context, name string) *client.Client {
	n.t.Helper()
	r := &keys.Ring{Dir: filepath.Join(n.home, "keys"), Backend: keys.BackendTest}
	k, err := r.Get(name)
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := client.Open(ctx, client.Config{RPC: n.RPC, Genesis: n.Genesis, Key: k})
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// clusterKeys is what `phala cluster keys` says.
type clusterKeys struct {
	Keys []struct {
		Use           string
		Epoch, Roster uint64
	}
	Requests []struct {
		Worker                string
		Epoch, Roster, Height uint64
	}
	History []struct {
		Worker        string
		Epoch, Roster uint64
	}
}

func (n *town) keys(ctx context.Context, history int) (k clusterKeys, epoch, roster uint64) {
	n.t.Helper()
	out := n.sh(ctx, fmt.Sprintf("phala cluster keys %d --history %d -o json", n.Cluster, history))
	if err := json.Unmarshal([]byte(out), &k); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
	for _, x := range k.Keys {
		if x.Use == "in force" {
			epoch, roster = x.Epoch, x.Roster
		}
	}
	return k, epoch, roster
}

// shown is what the contract of testdata/rotating answers.
type shown struct {
	Touched, Rotated int
	Hash             string
}

func ask(ctx context.Context, c *client.Client, cluster uint64, contract string) (s shown, err error) {
	p, err := c.Permit(cluster, time.Hour)
	if err != nil {
		return s, err
	}
	a, err := c.Query(ctx, cluster, contract, []byte(`{}`), p)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(a.Data, &s)
}

// visitor calls and asks without end, as somebody does who knows nothing of epochs and members.
type visitor struct {
	done, again atomic.Int64
	stop        func()
}

func (n *town) visit(ctx context.Context, c *client.Client, contract string) *visitor {
	v := &visitor{}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	v.stop = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			began := time.Now()
			p, err := c.SubmitCall(ctx, client.Call{Cluster: n.Cluster, Contract: contract, Msg: []byte(`{"touch":{}}`), Funds: "5"})
			if err == nil {
				var r *client.Final
				if r, err = c.Result(ctx, p); err == nil {
					err = r.Err()
				}
			}
			if err == nil {
				_, err = ask(ctx, c, n.Cluster, contract)
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				n.t.Errorf("call %d, after %.1f s: %v", v.done.Load()+1, time.Since(began).Seconds(), err)
				continue
			}
			if p.Again != "" {
				n.t.Logf("%s (%.1f s)", p.Again, time.Since(began).Seconds())
				v.again.Add(1)
			}
			v.done.Add(1)
		}
	}()
	return v
}

func (n *town) wait(ctx context.Context, what string, ok func() bool) {
	n.t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(200 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			n.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestP08_EpochsAndMembersOfRealPrograms: somebody calls a contract and asks it all the while; the network's keys are made anew by the
// clock, a member is replaced for cause by its owner, and the only gatekeeper is replaced by a vote. Nobody who calls sees an error.
func TestP08_EpochsAndMembersOfRealPrograms(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	wasm := filepath.Join(t.TempDir(), "rotating.wasm")
	build := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", wasm, ".")
	build.Dir = filepath.Join("testdata", "rotating")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the contract: %v: %s", err, out)
	}
	n := newTown(ctx, t, lines(t, "cluster.md", "Try it", "console")[0].Line)
	alice, bob := n.open(ctx, "alice"), n.open(ctx, "bob")
	contract := strings.TrimSpace(n.sh(ctx, "phala contract deploy "+wasm+" --init '{\"secret\":\"b2xk\"}' --query open --from alice --quiet"))
	v := n.visit(ctx, bob, contract)
	defer v.stop()
	worked := func(what string) {
		t.Helper()
		was := v.done.Load()
		n.wait(ctx, "a call: "+what, func() bool { return v.done.Load() >= was+2 })
		t.Logf("%s: %d calls so far", what, v.done.Load())
	}
	at := func(epoch, roster uint64) func() bool {
		return func() bool { _, e, r := n.keys(ctx, 0); return e >= epoch && r == roster }
	}
	worked("the first epoch")
	_, first, _ := n.keys(ctx, 0)
	n.wait(ctx, "a border", at(first+1, 1))
	worked("the next epoch")

	before, err := ask(ctx, alice, n.Cluster, contract)
	if err != nil || before.Rotated != 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	n.typed(ctx, "cluster.md", "Try it", "sh")
	n.wait(ctx, "the contract's rotation", func() bool {
		s, err := ask(ctx, alice, n.Cluster, contract)
		return err == nil && s.Rotated == 1 && s.Hash != before.Hash && s.Touched >= before.Touched
	})
	worked("a member replaced for cause")
	k, _, roster := n.keys(ctx, 50)
	gone, came := n.Workers[3].Address+"/0", n.Workers[4].Address+"/0"
	now, ever := map[string]bool{}, map[string]bool{} // who asked, by the proven records and by the node's events
	for _, r := range k.Requests {
		now[r.Worker] = r.Height > 0
	}
	for _, r := range k.History {
		ever[fmt.Sprintf("%s in roster %d", r.Worker, r.Roster)] = true
	}
	if roster != 2 || len(now) != 3 || now[gone] || !now[came] {
		t.Errorf("after the replacement: roster %d, requests %+v", roster, k.Requests)
	}
	if !ever[gone+" in roster 1"] || ever[gone+" in roster 2"] || !ever[came+" in roster 2"] {
		t.Errorf("the node says: %+v", k.History)
	}

	n.typed(ctx, "gatekeeper.md", "By vote", "sh")
	var set struct{ Set keepers }
	n.wait(ctx, "the border of the new roster", func() bool {
		set.Set = keepers{}
		return rest(ctx, &n.Network, "/phala/gatekeeper/v1/set", &set) == nil && set.Set.fault(&wire.WorkerRef{Operator: n.Workers[5].Address}) == "MEMBER_FAULT_NONE"
	})
	if len(set.Set.Members) != 1 {
		t.Errorf("the set: %+v", set.Set)
	}
	n.wait(ctx, "the cluster in that epoch", at(set.Set.Epoch, 2))
	worked("another gatekeeper")
	v.stop()
	s, err := ask(ctx, alice, n.Cluster, contract)
	if err != nil || int64(s.Touched) < v.done.Load() || s.Rotated != 1 {
		t.Errorf("%d calls were answered, %+v, %v", v.done.Load(), s, err)
	}
	_, last, _ := n.keys(ctx, 0)
	t.Logf("%d calls, %d of them sealed again, in epochs %d to %d", v.done.Load(), v.again.Load(), first, last)
}
