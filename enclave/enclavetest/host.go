package enclavetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/runtime"
	"github.com/phala-go/phala/enclave/tee"
)

// Net is a chain, its enclaves and the hosts between them. The switches are a host's bad will.
type Net struct {
	T         testing.TB
	Chain     *Chain
	Keeper    *Node   // the first of Keepers
	Keepers   []*Node // of the genesis; what New's change puts here counts
	Members   []*Node
	Threshold uint32 // of the gatekeepers
	Cluster   uint64
	Codes     map[string][]byte // packed, by id

	DropCommit bool
	DropReveal bool
	DropCode   bool
	DropPeer   func(from *Node, m *wire.PeerMessage) bool
	Skew       time.Duration // of the enclaves' clocks against the newest block

	queue []delivery
	next  uint64
}

type delivery struct {
	to *Node
	in *wire.In
}

// Handler is an enclave.
type Handler interface {
	Handle(ctx context.Context, in *wire.In) []*wire.Out
}

// Node is one enclave with its host.
type Node struct {
	Ref     *wire.WorkerRef
	Role    wire.Role
	Tamper  func(*wire.Batch)
	Lie     func(*wire.Contribution)
	Random  io.Reader // of a gatekeeper; nil: the system's
	RT      Handler
	Make    func() Handler // instead of a runtime
	Dead    bool
	Cut     bool                              // gets no header
	Mute    bool                              // gets headers, but no values
	Records map[uint64]*wire.SealedRecord     // the host's folder
	Lend    func(n uint64) *wire.SealedRecord // overrides the folder; nil result: nobody has it
	Chunks  []*wire.SealedChunk               // the same, of snapshots
	Outs    []*wire.Out                       // everything that has come out, in order

	seen uint64
	net  *Net
}

// Ref names test worker i.
func Ref(i int) *wire.WorkerRef {
	return &wire.WorkerRef{Operator: address.Encode(bytes.Repeat([]byte{byte(i + 1)}, 20)), Slot: uint32(i)}
}

// Clock is what the enclaves' clocks show.
func (n *Net) Clock() time.Time { return n.Chain.Time().Add(n.Skew) }

// New makes a network of one gatekeeper, or as many as change says, and a cluster of k members with their quorum, up to the announced
// input key.
func New(t testing.TB, k int, quorum uint32, change ...func(*Net)) *Net {
	t.Helper()
	n := &Net{T: t, Codes: map[string][]byte{}}
	n.Keeper = &Node{Ref: Ref(99), Role: wire.ROLE_GATEKEEPER, net: n}
	n.Keepers, n.Threshold = []*Node{n.Keeper}, 1
	n.Chain = NewChain(t, n.Keeper.Ref)
	refs := make([]*wire.WorkerRef, k)
	for i := range k {
		n.Members = append(n.Members, &Node{Ref: Ref(i), Role: wire.ROLE_EXECUTOR, Records: map[uint64]*wire.SealedRecord{}, net: n})
		refs[i] = Ref(i)
	}
	for _, f := range change {
		f(n)
	}
	if n.Keeper.Make == nil {
		n.Chain.Roster(0, n.Threshold, refsOf(n.Keepers)...)
	}
	n.Chain.NewBlock()
	for _, x := range n.All() {
		x.Boot()
	}
	n.Blocks(1)
	for _, x := range n.All() {
		x.Register()
	}
	n.Blocks(1)
	for range 3 * phaseBlocks {
		if n.Chain.Epoch() > 0 {
			break
		}
		n.Blocks(1)
	}
	n.Cluster = n.Chain.CreateCluster(quorum, refs...)
	n.Blocks(1)
	for _, m := range n.Members {
		m.Serve()
	}
	n.Blocks(5)
	if n.Chain.Key(n.Cluster) == nil {
		t.Fatalf("the cluster has no input key; the chain refused %q, the enclaves %q", n.Chain.Refused, n.Failures())
	}
	return n
}

// Gatekeepers makes a network of n gatekeepers of which t are needed: an argument of New.
func Gatekeepers(n int, t uint32) func(*Net) {
	return func(net *Net) {
		net.Threshold = t
		for len(net.Keepers) < n {
			net.AddKeeper()
		}
	}
}

// AddKeeper adds a gatekeeper's node, which is neither booted nor registered.
func (n *Net) AddKeeper() *Node {
	x := &Node{Ref: Ref(99 + len(n.Keepers)), Role: wire.ROLE_GATEKEEPER, net: n}
	n.Keepers = append(n.Keepers, x)
	return x
}

func refsOf(nodes []*Node) (out []*wire.WorkerRef) {
	for _, x := range nodes {
		out = append(out, x.Ref)
	}
	return out
}

// All is the gatekeepers and the members.
func (n *Net) All() []*Node { return slices.Concat(n.Keepers, n.Members) }

// Boot starts a new enclave of the node: another identity.
func (x *Node) Boot() {
	x.net.T.Helper()
	x.seen, x.Dead = 0, false
	if x.Make != nil {
		x.RT = x.Make()
		return
	}
	rt, err := runtime.New(context.Background(), runtime.Config{
		Genesis: x.net.Chain.Genesis, Role: x.Role, TEE: tee.SimulatedAs(Measurement(x.Role)), Version: "test", Now: x.net.Clock, Tamper: x.Tamper, TamperContribution: x.Lie, Random: x.Random,
	})
	if err != nil {
		x.net.T.Fatal(err)
	}
	x.net.T.Cleanup(func() { rt.Close(context.Background()) })
	x.RT = rt
}

// Register has the enclave attest and sends its evidence to the chain.
func (x *Node) Register() {
	x.net.T.Helper()
	h := x.net.Chain.Height
	for _, o := range x.Do(&wire.In{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: x.Ref, NonceHeight: h, NonceHash: x.net.Chain.Hash(h)}}}) {
		if e := o.GetEvidence(); e != nil {
			x.net.Chain.Register(e)
			return
		}
	}
	x.net.T.Fatalf("%s gave no evidence", x.Ref.Name())
}

// Serve tells the enclave of the cluster.
func (x *Node) Serve() []*wire.Out {
	return x.Do(&wire.In{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: x.net.Cluster}}})
}

// Restart boots the node anew, registers it and lets it serve.
func (x *Node) Restart() {
	x.net.T.Helper()
	x.Boot()
	x.catchUp()
	x.Register()
	x.net.Blocks(1)
	x.Serve()
}

// Do gives the enclave one In, carries out what comes of it everywhere, and returns the answers to this In alone.
func (x *Node) Do(in *wire.In) []*wire.Out {
	outs := x.give(in)
	x.net.run()
	return outs
}

func (x *Node) give(in *wire.In) []*wire.Out {
	x.net.next++
	in.Id = x.net.next
	// What goes over a socket is encoded: no pointer is shared.
	var c wire.In
	if err := wire.Unmarshal(wire.Marshal(in), &c); err != nil {
		x.net.T.Fatal(err)
	}
	outs := x.RT.Handle(context.Background(), &c)
	if len(outs) == 0 || outs[len(outs)-1].GetDone() == nil {
		x.net.T.Errorf("the answers to %T do not end in Done", in.Body)
	}
	for i, o := range outs {
		var c wire.Out
		if err := wire.Unmarshal(wire.Marshal(o), &c); err != nil {
			x.net.T.Fatal(err)
		}
		outs[i] = &c
		x.Outs = append(x.Outs, &c)
		x.net.carry(x, &c)
	}
	return outs
}

// Post queues an In; it is given once what goes on is done.
func (n *Net) Post(to *Node, in *wire.In) {
	if !to.Dead && to.RT != nil {
		n.queue = append(n.queue, delivery{to, in})
	}
}

func (n *Net) run() {
	for len(n.queue) > 0 {
		d := n.queue[0]
		n.queue = n.queue[1:]
		if !d.to.Dead {
			d.to.give(d.in)
		}
	}
}

// carry does with an Out what offchaind does (docs/protocol.md).
func (n *Net) carry(x *Node, o *wire.Out) {
	switch b := o.Body.(type) {
	case *wire.Out_NeedValues:
		if !x.Mute {
			n.Post(x, &wire.In{Body: &wire.In_StoreValues{StoreValues: n.Chain.Prove(b.NeedValues.Height, b.NeedValues.Keys...)}})
		}
	case *wire.Out_NeedCode:
		if packed := n.Codes[string(b.NeedCode.Id)]; packed != nil && !n.DropCode {
			n.Post(x, &wire.In{Body: &wire.In_Code{Code: &wire.CodeBytes{Id: b.NeedCode.Id, Packed: packed}}})
		}
	case *wire.Out_NeedRecord:
		n.Post(x, &wire.In{Body: &wire.In_Record{Record: n.record(x, b.NeedRecord)}})
	case *wire.Out_Peer:
		if n.DropPeer != nil && n.DropPeer(x, b.Peer) {
			return
		}
		for _, to := range n.All() {
			if to.Ref.Is(b.Peer.To) {
				n.Post(to, &wire.In{Body: &wire.In_Peer{Peer: b.Peer}})
			}
		}
	case *wire.Out_Batch:
		if !n.DropCommit {
			n.Chain.Commit(b.Batch)
		}
	case *wire.Out_Effects:
		if !n.DropReveal {
			n.Chain.Reveal(b.Effects)
		}
	case *wire.Out_KeyRequest:
		n.Chain.RequestKey(b.KeyRequest)
	case *wire.Out_Announcement:
		n.Chain.Announce(b.Announcement)
	case *wire.Out_GenerationJoin:
		n.Chain.Join(b.GenerationJoin)
	case *wire.Out_Contribution:
		n.Chain.Contribute(b.Contribution)
	case *wire.Out_Complaint:
		n.Chain.Complain(b.Complaint)
	case *wire.Out_Confirmation:
		n.Chain.Confirm(b.Confirmation)
	case *wire.Out_Beacon:
		n.Chain.Beacon(b.Beacon)
	case *wire.Out_EscrowDeal:
		n.Chain.Deal(b.EscrowDeal)
	case *wire.Out_EscrowRequest:
		n.Chain.RequestEscrow(b.EscrowRequest)
	case *wire.Out_Record:
		x.Records[b.Record.Number] = b.Record
	case *wire.Out_Chunk:
		x.Chunks = append(x.Chunks, b.Chunk)
	case *wire.Out_NeedChunk:
		n.Post(x, &wire.In{Body: &wire.In_Chunk{Chunk: n.chunk(x, b.NeedChunk)}})
	}
}

// chunk looks in the node's folder and then in the other members'; the first chunk of a snapshot is that of the newest whole one.
func (n *Net) chunk(x *Node, need *wire.NeedChunk) *wire.SealedChunk {
	var best *wire.SealedChunk
	for _, m := range append([]*Node{x}, n.Members...) {
		for _, k := range m.Chunks {
			switch {
			case k.Epoch != need.Epoch || k.Roster != need.Roster || k.Index != need.Index:
			case need.Number == 0 && m.whole(k) && (best == nil || k.Number > best.Number):
				best = k
			case need.Number == k.Number && bytes.Equal(need.BatchHash, k.BatchHash):
				best = k
			}
		}
	}
	if best == nil {
		return &wire.SealedChunk{Cluster: need.Cluster, Epoch: need.Epoch, Roster: need.Roster, Number: need.Number, BatchHash: need.BatchHash, Index: need.Index}
	}
	return best
}

func (x *Node) whole(k *wire.SealedChunk) bool {
	return slices.ContainsFunc(x.Chunks, func(o *wire.SealedChunk) bool {
		return o.Last && o.Epoch == k.Epoch && o.Roster == k.Roster && o.Number == k.Number
	})
}

func (n *Net) record(x *Node, need *wire.NeedRecord) *wire.SealedRecord {
	if x.Lend != nil {
		if r := x.Lend(need.Number); r != nil {
			return r
		}
		return &wire.SealedRecord{Cluster: need.Cluster, Number: need.Number}
	}
	for _, m := range append([]*Node{x}, n.Members...) {
		if r := m.Records[need.Number]; r != nil {
			return r
		}
	}
	return &wire.SealedRecord{Cluster: need.Cluster, Number: need.Number}
}

// catchUp feeds the node the headers it has not seen.
func (x *Node) catchUp() {
	if x.Dead || x.Cut || x.RT == nil || x.seen == x.net.Chain.Height {
		return
	}
	lb := &wire.LightBlocks{}
	for x.seen < x.net.Chain.Height {
		x.seen++
		lb.Blocks = append(lb.Blocks, x.net.Chain.Block(x.seen))
	}
	x.give(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: lb}})
}

// Blocks makes k blocks; after each, every node gets what it has missed and all messages are carried.
func (n *Net) Blocks(k int) {
	n.T.Helper()
	for range k {
		n.Chain.NewBlock()
		hints := n.Chain.requests
		for _, x := range n.All() {
			x.catchUp()
		}
		n.run()
		for _, h := range hints {
			for _, x := range n.Keepers {
				n.Post(x, &wire.In{Body: &wire.In_KeyRequest{KeyRequest: h}})
			}
		}
		n.run()
	}
}

// Upload puts a module on the chain and gives its id.
func (n *Net) Upload(code []byte) []byte {
	n.T.Helper()
	packed, err := codepack.Pack(code)
	if err != nil {
		n.T.Fatal(err)
	}
	id := codepack.ID(code)
	n.Codes[string(id[:])] = packed
	return id[:]
}

// Failures are the texts of all failures of all nodes.
func (n *Net) Failures() (out []string) {
	for _, x := range n.All() {
		for _, o := range x.Outs {
			if f := o.GetFailure(); f != nil {
				out = append(out, fmt.Sprintf("%s %s: %s", x.Ref.Name()[:8], f.Code, f.Message))
			}
		}
	}
	return out
}

// Leader is the member whose turn it is for the next batch once the newest block has been seen.
func (n *Net) Leader() *Node {
	h := n.Chain.Head(n.Cluster)
	view := uint64(0)
	if n.Chain.Height > h.CommittedHeight {
		view = (n.Chain.Height - h.CommittedHeight) / 3
	}
	return n.Members[int((h.Number+1+view)%uint64(len(n.Members)))]
}

// Failure is the first failure among outs; nil if there is none.
func Failure(outs []*wire.Out) *wire.Failure {
	i := slices.IndexFunc(outs, func(o *wire.Out) bool { return o.GetFailure() != nil })
	if i < 0 {
		return nil
	}
	return outs[i].GetFailure()
}

// Reply is the sealed reply among outs; nil if there is none.
func Reply(outs []*wire.Out) *wire.SealedReply {
	i := slices.IndexFunc(outs, func(o *wire.Out) bool { return o.GetReply() != nil })
	if i < 0 {
		return nil
	}
	return outs[i].GetReply()
}
