// Package badinput is a table of what people and machines do wrong, each row done to a network of the real programs: it is
// answered by a clear error with code and next step, nothing is lost, and the network goes on. PHALA_BIN names a folder with
// the programs; without it they are built first.
package badinput

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// bin is the folder of the programs.
var bin string

func TestMain(m *testing.M) {
	code, err := withPrograms(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPrograms(f func() int) (int, error) {
	if bin = os.Getenv("PHALA_BIN"); bin != "" {
		return f(), nil
	}
	var err error
	if bin, err = os.MkdirTemp("", "phala-bad-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin + string(filepath.Separator)}
	for _, p := range []string{"phalad", "pruntime", "offchaind", "phala"} {
		args = append(args, "github.com/phala-go/phala/cmd/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the programs: %w: %s", err, out)
	}
	return f(), nil
}

// hush stands in every plaintext of this test. It must be found nowhere outside the enclaves.
const hush = "hush-5f3a91c7-nobody-may-read-this"

// world is one network for the whole table.
type world struct {
	t          *testing.T
	ctx        context.Context
	net        *devnet.Network
	alice, bob *person
	side       *worker // alone in clusters 2 and 3; the rows that hurt a worker hurt this one

	contract string // an echo in cluster 1, with query policy self
	villain  string // in cluster 1, queries open
	echo2    string // an echo in cluster 2
}

// person is a user with everything to do wrong by hand.
type person struct {
	*client.Client
	key     *keys.Key
	account *node.Account
}

func TestBadInput(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole network")
	}
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	n, err := devnet.StartFree(ctx, devnet.Config{Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 250 * time.Millisecond}, nil)
	check(t, err)
	t.Cleanup(n.Stop)
	w := &world{t: t, ctx: ctx, net: n}
	w.alice, w.bob = w.person("alice"), w.person("bob")
	w.side = w.startSide("judy")
	members := []*wire.WorkerRef{w.side.ref}
	for range 2 {
		_, _, err := w.alice.CreateCluster(ctx, members, 1, true)
		check(t, err)
	}
	w.contract = w.deploy(w.alice, 1, enclavetest.Echo(), emptyOK, wire.QUERY_POLICY_SELF)
	w.villain = w.deploy(w.alice, 1, villain(), "{}", wire.QUERY_POLICY_OPEN)
	_, err = w.alice.WaitCluster(ctx, 2)
	check(t, err)
	w.echo2 = w.deploy(w.alice, 2, enclavetest.Echo(), emptyOK, wire.QUERY_POLICY_SELF)

	for _, group := range []struct {
		name string
		rows func(*world)
	}{
		{"envelopes", (*world).envelopes},
		{"contracts", (*world).contracts},
		{"code", (*world).code},
		{"queries", (*world).queries},
		{"starts", (*world).starts},
		{"gateway", (*world).gateway},
		{"peers", (*world).peers},
		{"full disk", (*world).fullDisk},
		{"endpoint", (*world).endpoint},
		{"batches", (*world).batches},
		{"nothing leaks", (*world).leaks},
	} {
		ok := t.Run(group.name, func(t *testing.T) {
			began := time.Now()
			v := *w
			v.t = t
			group.rows(&v)
			v.good(1, v.contract)
			t.Logf("%s", time.Since(began).Round(10*time.Millisecond))
		})
		if err := n.Err(); err != nil {
			t.Fatalf("after %s (passed: %t) the network is down: %v", group.name, ok, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) person(name string) *person {
	w.t.Helper()
	a, err := w.net.Account(name)
	check(w.t, err)
	k, err := a.Key()
	check(w.t, err)
	c, err := w.net.Client(w.ctx, name)
	check(w.t, err)
	// No gateways by hand: those of each cluster's members, from the chain.
	c, err = client.Open(w.ctx, client.Config{RPC: w.net.RPC, Genesis: w.net.Genesis, Key: k})
	check(w.t, err)
	ck, err := cosmostx.KeyFromBytes(k.Bytes())
	check(w.t, err)
	account, err := c.Node.Account(node.AccountConfig{Key: ck, ChainID: c.ChainID()})
	check(w.t, err)
	return &person{c, k, account}
}

func (w *world) deploy(p *person, cluster uint64, module []byte, msg string, query wire.QueryPolicy) string {
	w.t.Helper()
	id, _, err := p.UploadCode(w.ctx, module)
	check(w.t, err)
	in, err := p.Instantiate(w.ctx, client.Instantiation{Cluster: cluster, CodeID: id, Label: "x", Query: query, Msg: []byte(msg)})
	check(w.t, err)
	f, err := p.Result(w.ctx, in)
	check(w.t, err)
	check(w.t, f.Err())
	return in.Contract
}

// emptyOK is a contract's answer that asks for nothing; an echo gives back what it is told.
const emptyOK = `{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}`

// good makes a call that must work, whatever was done before.
func (w *world) good(cluster uint64, contract string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 40*time.Second)
	defer cancel()
	in, err := w.alice.SubmitCall(ctx, client.Call{Cluster: cluster, Contract: contract, Msg: []byte(emptyOK)})
	if err != nil {
		w.t.Fatalf("a good call afterwards: %v", err)
	}
	f, err := w.alice.Result(ctx, in)
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		w.t.Fatalf("a good call afterwards: %v", err)
	}
}

// letter is a call before it is sealed and sent; each row spoils one thing in it.
type letter struct {
	from    *person
	cluster uint64
	epoch   uint64 // of the message
	funds   string
	msg     []byte // to the contract
	to      string // contract

	domain  string
	context seal.Context
	key     []byte // input key
	aad     *wire.InputContext
	plain   []byte // instead of a call with msg
	pad     func([]byte) []byte
	sealed  *wire.Envelope // instead of sealing, with the secret of its reply if that is known
	secret  []byte
	spoil   func(*clustertypes.MsgSubmitInput)
}

func (w *world) letter(from *person, cluster uint64) *letter {
	w.t.Helper()
	v, err := from.WaitCluster(w.ctx, cluster)
	check(w.t, err)
	return &letter{
		from: from, cluster: cluster, epoch: v.Key.Epoch, to: w.contract, msg: []byte(emptyOK), key: v.Key.InputKey,
		context: seal.Context{Domain: seal.DomainInput, ChainID: from.ChainID(), Cluster: cluster, Epoch: v.Key.Epoch, Roster: v.Key.Roster},
		aad:     &wire.InputContext{Sender: from.Address(), Kind: wire.INPUT_KIND_CALL},
	}
}

// send seals the letter and has it ordered.
func (w *world) send(l *letter) (*client.Pending, error) {
	w.t.Helper()
	l.aad.Funds = l.funds
	plain := l.plain
	if plain == nil {
		to, err := address.Decode(l.to)
		check(w.t, err)
		plain = wire.Marshal(&wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: to, Msg: l.msg}}})
	}
	if l.sealed == nil {
		l.sealed, l.secret = sealByHand(w.t, l.key, l.context, wire.Marshal(l.aad), plain, l.pad)
	}
	if l.secret == nil {
		l.secret = make([]byte, 32)
	}
	m := &clustertypes.MsgSubmitInput{Sender: l.from.Address(), Cluster: l.cluster, Epoch: l.epoch, Roster: l.context.Roster, Funds: l.funds, Sealed: l.sealed}
	if l.spoil != nil {
		l.spoil(m)
	}
	tx, err := l.from.account.Send(w.ctx, m)
	if err != nil {
		return nil, err
	}
	var r clustertypes.MsgSubmitInputResponse
	check(w.t, tx.Response(0, &r))
	return w.pending(l.cluster, r.Index, tx.Height, l.secret), nil
}

// pending makes what waits for an input's result from its parts.
func (w *world) pending(cluster, index, ordered uint64, secret []byte) *client.Pending {
	w.t.Helper()
	dir := w.t.TempDir()
	b, err := json.Marshal(map[string]any{"chain_id": w.net.ChainID, "cluster": cluster, "index": index, "ordered_height": ordered, "reply_key": secret})
	check(w.t, err)
	check(w.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%d.json", w.net.ChainID, cluster, index)), b, 0o600))
	p, err := client.LoadPending(dir, w.net.ChainID, cluster, index)
	check(w.t, err)
	return p
}

// failure is the code under which the SDK gives a result, "" for a success; it must be clear.
func (w *world) failure(p *person, in *client.Pending) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 60*time.Second)
	defer cancel()
	f, err := p.Result(ctx, in)
	if err == nil {
		err = f.Err()
	}
	if err == nil {
		return ""
	}
	return w.clear(err)
}

// clear demands that an error has a code, says what and what next, and gives the code.
func (w *world) clear(err error) string {
	w.t.Helper()
	var f *client.Failure
	var g *gatewayrpc.Error
	var code, message, next string
	switch {
	case errors.As(err, &f):
		code, message, next = f.Code, f.Message, f.Next
	case errors.As(err, &g):
		code, message, next = g.Code, g.Message, g.Next
	default:
		w.t.Fatalf("an error without a code: %v", err)
	}
	if code == "" || message == "" || next == "" {
		w.t.Errorf("an error that does not say all: code %q, message %q, next %q", code, message, next)
	}
	return code
}

// refused demands that the chain refuses, and says so in these words; it gives what the chain said.
func (w *world) refused(err error, code uint32, words ...string) {
	w.t.Helper()
	var tx *node.TxError
	if !errors.As(err, &tx) {
		w.t.Fatalf("the chain did not refuse: %v", err)
	}
	if tx.Codespace != "cluster" || tx.Code != code {
		w.t.Errorf("%s code %d, want code %d: %s", tx.Codespace, tx.Code, code, tx.Log)
	}
	for _, s := range words {
		if !strings.Contains(tx.Log, s) {
			w.t.Errorf("the chain says %q, want %q", tx.Log, s)
		}
	}
	if strings.Contains(tx.Log, hush) {
		w.t.Errorf("the chain's error holds plaintext: %s", tx.Log)
	}
}

func (w *world) balance(p *person) string {
	w.t.Helper()
	b, err := p.Node.Balance(w.ctx, p.Address())
	check(w.t, err)
	return b
}

// ask queries an echo for what it keeps: 1 after its instantiation, 2 after a call that counted.
func (w *world) ask(p *person, contract string) string {
	w.t.Helper()
	right, err := p.Permit(1, time.Hour)
	check(w.t, err)
	a, err := p.Query(w.ctx, 1, contract, []byte("{}"), right)
	check(w.t, err)
	return string(a.Data)
}

// program runs one of the programs until it ends or patience does.
func program(t *testing.T, name string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	cmd.WaitDelay = time.Second
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %v: %v: %s", name, args, err, b.String())
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %v goes on: %s", name, args, b.String())
	}
	return b.String(), cmd.ProcessState.ExitCode()
}
