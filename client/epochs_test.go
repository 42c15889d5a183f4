package client

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

const fine = `{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}`

// village is a chain with real enclaves, as a client sees it: a block is made whenever somebody asks for the newest or for a result.
type village struct {
	*enclavetest.Net
	t *testing.T

	mu       sync.Mutex
	sent     int
	before   func(n int)                             // the n-th input comes, from 1
	after    func(n int)                             // it is ordered
	asked    func()                                  // a query comes
	lie      func(*wire.ResultRequest) *wire.Failure // instead of a result
	contract string

	opened int                      // sessions
	gone   *enclavetest.Node        // answers no requests in sessions
	garble func(*wire.SessionReply) // the next one
}

func newVillage(t *testing.T) (*village, *Client) {
	t.Helper()
	v := &village{t: t}
	v.Net = enclavetest.New(t, 4, 3, func(n *enclavetest.Net) { n.Keeper.Issue() })
	v.Chain.Ahead = 2
	s := v.User("maker").Instantiate(v.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	v.Blocks(5)
	if f := s.Result(v.Members[0]).Failure; f != nil {
		t.Fatal(f)
	}
	v.contract = address.Encode(s.Item.Address)
	g, err := light.ParseGenesis(v.Chain.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.FromMnemonic("test test test test test test test test test test test junk", 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{
		Genesis: g, account: v, cfg: Config{Key: k, Gateways: []string{"0", "1", "2"}},
		Chain: NewChain(v, g, light.Options{TrustingPeriod: time.Hour, MaxClockDrift: 10 * time.Second}),
		gateway: func(url string) Gateway {
			i, _ := strconv.Atoi(url)
			return door{v, v.Members[i]}
		},
	}
	c.Chain.now = v.Clock
	return v, c
}

// LightBlock is the node's.
func (v *village) LightBlock(_ context.Context, height uint64) (*cmttypes.LightBlock, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if height == 0 {
		v.Blocks(1)
		height = v.Chain.Height
	}
	return light.Decode(v.Chain.Block(height))
}

// Value is the node's.
func (v *village) Value(_ context.Context, height uint64, key *wire.StoreKey) (*wire.StoreValue, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.Chain.Prove(height, key).Values[0], nil
}

// Send orders a call in the next block, or refuses it as the chain does.
func (v *village) Send(_ context.Context, msgs ...proto.Message) (node.TxResult, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := msgs[0].(*clustertypes.MsgSubmitInput)
	v.sent++
	if v.before != nil {
		v.before(v.sent)
	}
	item := &wire.InboxItem{Cluster: m.Cluster, Epoch: m.Epoch, Roster: m.Roster, Sealed: m.Sealed, Context: &wire.InputContext{
		Sender: m.Sender, Funds: m.Funds, GasClass: m.GasClass, Kind: wire.INPUT_KIND_CALL,
	}}
	v.Chain.Submit(item)
	v.Blocks(1)
	if item.Index == 0 {
		return node.TxResult{}, &node.TxError{Codespace: clustertypes.ErrEpoch.Codespace(), Code: clustertypes.ErrEpoch.ABCICode(), Log: "epoch", Height: v.Chain.Height}
	}
	if v.after != nil {
		v.after(v.sent)
	}
	r, err := cosmostx.MsgOf(&clustertypes.MsgSubmitInputResponse{Index: item.Index})
	return node.TxResult{Height: item.Height, Responses: []cosmostx.Msg{r}}, err
}

// epochs lets as many borders pass.
func (v *village) epochs(n int) {
	for range n {
		v.Chain.NextEpoch(1)
		v.Blocks(10)
	}
}

// moves is how often somebody's input was ordered.
func (v *village) ordered(sender string) (n int) {
	for i := uint64(1); i < v.Chain.Inbox(v.Cluster).Next; i++ {
		if v.Chain.Item(v.Cluster, i).Context.Sender == sender {
			n++
		}
	}
	return n
}

// door is a member's gateway.
type door struct {
	v *village
	x *enclavetest.Node
}

func answer(outs []*wire.Out) (*wire.SealedReply, error) {
	if r := enclavetest.Reply(outs); r != nil {
		return r, nil
	}
	return nil, &Failure{enclavetest.Failure(outs)}
}

func (d door) Query(_ context.Context, r *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	d.v.mu.Lock()
	defer d.v.mu.Unlock()
	if f := d.v.asked; f != nil {
		d.v.asked = nil
		f()
	}
	reply, err := answer(d.x.Do(&wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: r.Cluster, Envelope: r.Envelope}}}))
	return &wire.QueryCallResponse{Reply: reply}, err
}

func (d door) OpenSession(_ context.Context, r *wire.SessionOpen) (*wire.SessionOpened, error) {
	d.v.mu.Lock()
	defer d.v.mu.Unlock()
	d.v.opened++
	outs := d.x.Do(&wire.In{Body: &wire.In_SessionOpen{SessionOpen: r}})
	if o := outs[0].GetSessionOpened(); o != nil {
		return o, nil
	}
	return nil, &Failure{enclavetest.Failure(outs)}
}

func (d door) AskSession(ctx context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	d.v.mu.Lock()
	defer d.v.mu.Unlock()
	if d.v.gone == d.x {
		return nil, &Failure{&wire.Failure{Code: "unreachable", Message: "m", Next: "n"}}
	}
	outs := d.x.RT.(enclavetest.Asker).Ask(ctx, &wire.In{Body: &wire.In_SessionCall{SessionCall: r}})
	if a := outs[0].GetSessionReply(); a != nil {
		if d.v.garble != nil {
			d.v.garble(a)
			d.v.garble = nil
		}
		return a, nil
	}
	return nil, &Failure{enclavetest.Failure(outs)}
}

func (d door) Result(_ context.Context, r *wire.ResultRequest) (*wire.ResultResponse, error) {
	d.v.mu.Lock()
	defer d.v.mu.Unlock()
	d.v.Blocks(1)
	if d.v.lie != nil {
		return nil, &Failure{d.v.lie(r)}
	}
	reply, err := answer(d.x.Do(&wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: r.Cluster, Index: r.Index}}}))
	return &wire.ResultResponse{Reply: reply}, err
}

func (v *village) submit(c *Client) (*Pending, error) {
	return c.SubmitCall(v.t.Context(), Call{Cluster: v.Cluster, Contract: v.contract, Msg: []byte(fine), Funds: "700"})
}

// result wants the input to have been executed.
func (v *village) result(c *Client, p *Pending) {
	v.t.Helper()
	f, err := c.Result(v.t.Context(), p)
	if err != nil || f.Err() != nil {
		v.t.Fatalf("%v, %v; refused %q, failures %q", f, err, v.Chain.Refused, v.Failures())
	}
}

func wrongEpoch(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Code == "wrong-epoch"
}

// Between proof and block the members change: the chain refuses the old key, and the client seals to the new one.
func TestAnInputIsSealedAgainForTheNextRoster(t *testing.T) {
	v, c := newVillage(t)
	v.before = func(n int) {
		if n == 1 {
			v.Chain.UpdateMembers(v.Cluster, 2, false, nil, []*wire.WorkerRef{v.Members[3].Ref})
			v.Blocks(1)
		}
	}
	p, err := v.submit(c)
	if err != nil || p.Again == "" || v.sent != 2 || v.ordered(c.Address()) != 1 {
		t.Fatalf("%+v, %v: sent %d times, ordered %d", p, err, v.sent, v.ordered(c.Address()))
	}
	if it := v.Chain.Item(v.Cluster, p.Index); it.Roster != 2 {
		t.Errorf("it is sealed for roster %d", it.Roster)
	}
	v.result(c, p)
	// While the new members have no key, an input waits instead of being refused.
	v.before = nil
	v.Chain.UpdateMembers(v.Cluster, 2, false, []*wire.WorkerRef{v.Members[3].Ref}, []*wire.WorkerRef{v.Members[2].Ref})
	v.Blocks(1)
	if p, err = v.submit(c); err != nil || p.Again != "" || v.sent != 3 {
		t.Fatalf("%+v, %v: sent %d times", p, err, v.sent)
	}
	v.result(c, p)
}

// A cluster that moves under every attempt is told to the caller, who has not paid for it.
func TestAnInputIsSealedAgainOnce(t *testing.T) {
	v, c := newVillage(t)
	v.before = func(n int) {
		gone, back := v.Members[3-n%2].Ref, []*wire.WorkerRef{v.Members[2+n%2].Ref}
		if n == 1 {
			gone, back = v.Members[3].Ref, nil
		}
		v.Chain.UpdateMembers(v.Cluster, 2, false, back, []*wire.WorkerRef{gone})
		v.Blocks(1)
	}
	_, err := v.submit(c)
	var refused *node.TxError
	if !errors.As(err, &refused) || v.sent != 2 || v.ordered(c.Address()) != 0 {
		t.Errorf("%v: sent %d times, ordered %d", err, v.sent, v.ordered(c.Address()))
	}
}

// An input sealed to the key before is executed within its grace, without anybody sealing it again.
func TestTheKeyBeforeIsGoodForAnEpoch(t *testing.T) {
	v, c := newVillage(t)
	v.before = func(int) { v.epochs(1) }
	p, err := v.submit(c)
	if err != nil || p.Again != "" || v.Chain.Item(v.Cluster, p.Index).Epoch != 1 || v.Chain.Cluster(v.Cluster).Epoch != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	v.result(c, p)
}

// void lets inputs wait until their keys are over.
func (v *village) void() {
	v.DropCommit = true
	v.Blocks(2)
	v.epochs(2)
	v.DropCommit = false
	v.Blocks(8)
}

func TestAVoidInputIsPaidBackAndSealedAgain(t *testing.T) {
	v, c := newVillage(t)
	v.after = func(n int) {
		if n == 1 {
			v.void()
		}
	}
	p, err := v.submit(c)
	if err != nil {
		t.Fatal(err)
	}
	first := p.Index
	v.result(c, p)
	if p.Again == "" || p.Index == first || v.ordered(c.Address()) != 2 {
		t.Errorf("%+v, ordered %d", p, v.ordered(c.Address()))
	}
	if paid := v.Chain.Paid[c.Address()]; paid.String() != "700" {
		t.Errorf("paid back %v", paid)
	}
}

func TestAVoidInputIsSealedAgainOnce(t *testing.T) {
	v, c := newVillage(t)
	v.after = func(int) { v.void() }
	p, err := v.submit(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Result(t.Context(), p); !wrongEpoch(err) || v.ordered(c.Address()) != 2 {
		t.Errorf("%v, ordered %d", err, v.ordered(c.Address()))
	}
	if paid := v.Chain.Paid[c.Address()]; paid.String() != "1400" {
		t.Errorf("paid back %v", paid)
	}
}

// What members say of an input is not enough to seal it again: it would be executed twice.
func TestOnlyTheChainMakesAnInputVoid(t *testing.T) {
	for name, prepare := range map[string]func(*village){
		"executed": func(v *village) { v.Blocks(8) },
		"waiting":  func(v *village) { v.DropCommit = true; v.Blocks(4) },
		"old and waiting": func(v *village) {
			v.DropCommit = true
			v.Blocks(2)
			v.epochs(2)
		},
		"executed long ago": func(v *village) { v.Blocks(8); v.epochs(3) },
	} {
		v, c := newVillage(t)
		v.after = func(int) { prepare(v) }
		v.lie = func(*wire.ResultRequest) *wire.Failure { return &wire.Failure{Code: "wrong-epoch"} }
		p, err := v.submit(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Result(t.Context(), p); !wrongEpoch(err) || v.ordered(c.Address()) != 1 {
			t.Errorf("%s: %v, ordered %d", name, err, v.ordered(c.Address()))
		}
	}
}

// A kept call has no plaintext, so it cannot be sealed again; that it was void is said.
func TestAKeptCallIsNotSealedAgain(t *testing.T) {
	v, c := newVillage(t)
	v.after = func(int) { v.void() }
	p, err := v.submit(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := p.Save(dir); err != nil {
		t.Fatal(err)
	}
	if p, err = LoadPending(dir, c.ChainID(), p.Cluster, p.Index); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Result(t.Context(), p); !wrongEpoch(err) || v.ordered(c.Address()) != 1 {
		t.Errorf("%v, ordered %d", err, v.ordered(c.Address()))
	}
}

// A query whose key is over by the time it comes is asked again.
func TestAQueryFollowsTheCluster(t *testing.T) {
	for name, move := range map[string]func(*village){
		"another roster": func(v *village) {
			v.Chain.UpdateMembers(v.Cluster, 2, false, nil, []*wire.WorkerRef{v.Members[3].Ref})
			v.Blocks(8)
		},
		"two epochs": func(v *village) { v.epochs(2) },
	} {
		v, c := newVillage(t)
		v.asked = func() { move(v) }
		a, err := c.Query(t.Context(), v.Cluster, v.contract, []byte(`{}`), nil)
		if err != nil || !slices.Contains([]string{"1", "2"}, string(a.Data)) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
