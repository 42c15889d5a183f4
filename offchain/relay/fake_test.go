package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"

	attestation "github.com/phala-go/phala/chain/x/attestation/types"
	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	worker "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/enclave"
	"github.com/phala-go/phala/offchain/objects"
	"github.com/phala-go/phala/offchain/relay"
)

const chainID = "test-1"

var self = &wire.WorkerRef{Operator: "pha1self", Slot: 1}

// chain is a fake of the node and of the operator's account.
type chain struct {
	mu       sync.Mutex
	height   uint64
	subs     []chan uint64
	workers  map[string]*wire.Worker
	clusters []*wire.Cluster
	requests []*wire.KeyRequest
	batch    *wire.CommittedBatch
	head     *wire.Head
	inbox    *wire.Inbox

	set, previous *wire.GatekeeperSet
	generation    *wire.Generation

	life    uint64    // of evidence, in blocks
	now     time.Time // of every block
	network *wire.NetworkParams
	policy  *wire.Policy // of both roles; nil: there is none
	blind   bool         // the node does not tell the policy that the chain judges by
	refused int          // registrations
	kept    map[string]*attestation.QueryCollateralResponse

	code    []byte
	asked   int // for code
	sendErr []error
	sent    chan proto.Message
}

func newChain(height uint64) *chain {
	return &chain{
		height: height, life: 40, workers: map[string]*wire.Worker{}, sent: make(chan proto.Message, 100), now: now(), network: &wire.NetworkParams{Development: true},
		policy: &wire.Policy{Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED, wire.TEE_KIND_TDX}, MaxAgeBlocks: 1 << 40, WorstLevel: 1, Measurements: []*wire.Measurement{{Digest: program()}}},
	}
}

// program is what the enclaves here measure.
func program() []byte { return bytes.Repeat([]byte{7}, 32) }

// policyOf is that of a role.
func (c *chain) policyOf(role wire.Role) *wire.Policy {
	p := *c.policy
	p.Role = role
	return &p
}

func (c *chain) advance() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height++
	for _, s := range c.subs {
		select {
		case <-s:
		default:
		}
		s <- c.height
	}
	return c.height
}

func (c *chain) WaitReady(context.Context) (node.Status, error) {
	return node.Status{ChainID: chainID, Height: c.height}, nil
}

func (c *chain) NewHeights(ctx context.Context) <-chan uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan uint64, 1)
	ch <- c.height
	c.subs = append(c.subs, ch)
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, s := range c.subs {
			if s == ch {
				c.subs = append(c.subs[:i:i], c.subs[i+1:]...)
			}
		}
		close(ch)
	})
	return ch
}

func (c *chain) LightBlock(_ context.Context, h uint64) (*types.LightBlock, error) {
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: &types.Header{ChainID: chainID, Height: int64(h), Time: c.time()}, Commit: &types.Commit{Height: int64(h)}}}, nil
}

func (c *chain) Value(_ context.Context, h uint64, k *wire.StoreKey) (*wire.StoreValue, error) {
	if string(k.Key) == "broken" {
		return nil, errors.New("the node does not say")
	}
	return &wire.StoreValue{Key: k, Value: fmt.Appendf(nil, "%s at %d", k.Key, h), IavlProof: []byte("i"), StoreProof: []byte("s")}, nil
}

func (c *chain) Query(_ context.Context, method string, req, resp proto.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := resp.(type) {
	case *attestation.QueryNonceResponse:
		r.Height, r.Hash = c.height, make([]byte, 32)
	case *attestation.QueryNetworkResponse:
		r.Network = c.network
	case *attestation.QueryPolicyResponse:
		if c.policy == nil {
			return &node.QueryError{Code: 38, Codespace: "sdk", Log: "NotFound: no policy yet"}
		}
		r.Policy = c.policyOf(req.(*attestation.QueryPolicyRequest).Role)
		if c.blind {
			r.Policy.Measurements = []*wire.Measurement{{Digest: program()}}
		}
	case *attestation.QueryCollateralResponse:
		kept := c.kept[string(req.(*attestation.QueryCollateralRequest).Hash)]
		if kept == nil {
			return &node.QueryError{Code: 38, Codespace: "sdk", Log: "NotFound: no collateral with this hash is kept"}
		}
		*r = *kept
	case *worker.QueryWorkerResponse:
		q := req.(*worker.QueryWorkerRequest)
		w := c.workers[(&wire.WorkerRef{Operator: q.Operator, Slot: q.Slot}).Name()]
		if w == nil {
			return &node.QueryError{Code: 22, Codespace: "sdk", Log: "no such worker"}
		}
		answered := *w // what a test changes later must not change under who has asked
		r.Worker = &answered
	case *cluster.QueryClustersResponse:
		for _, x := range c.clusters {
			q := req.(*cluster.QueryClustersRequest)
			if x.Id > q.After && slices.ContainsFunc(x.Members, q.Member.Is) {
				r.Clusters = append(r.Clusters, x)
			}
		}
	case *cluster.QueryClusterResponse:
		r.Cluster, r.Head, r.Inbox = c.clusters[0], c.head, c.inbox
	case *cluster.QueryBatchResponse:
		r.Batch = c.batch
	case *cluster.QueryCodeBytesResponse:
		c.asked++
		r.Packed = c.code
	case *gatekeeper.QuerySetResponse:
		r.Set, r.Previous = c.set, c.previous
	case *gatekeeper.QueryGenerationResponse:
		r.Generation = c.generation
	case *gatekeeper.QueryKeyRequestsResponse:
		r.Requests = c.requests
	default:
		return fmt.Errorf("nobody expected %s", method)
	}
	return nil
}

func (c *chain) WaitTx(context.Context, string) (node.TxResult, error) { return node.TxResult{}, nil }
func (c *chain) Address() string                                       { return self.Operator }

func (c *chain) Post(_ context.Context, msgs ...proto.Message) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sendErr) > 0 {
		err := c.sendErr[0]
		c.sendErr = c.sendErr[1:]
		return "", err
	}
	c.sent <- msgs[0]
	return "HASH", nil
}

func (c *chain) Send(ctx context.Context, msgs ...proto.Message) (node.TxResult, error) {
	if _, err := c.Post(ctx, msgs...); err != nil {
		return node.TxResult{}, err
	}
	if m, ok := msgs[0].(*attestation.MsgStoreCollateral); ok {
		c.keep(m)
		return node.TxResult{}, nil
	}
	m := msgs[0].(*worker.MsgRegisterWorker)
	id := m.Evidence.Identity
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &wire.Worker{Worker: id.Worker, IdentityKey: id.IdentityKey, Endpoint: m.Endpoint, RegisteredHeight: c.height, ExpiryHeight: c.height + c.life}
	if old := c.workers[id.Worker.Name()]; old != nil && bytes.Equal(old.IdentityKey, w.IdentityKey) {
		w.RegisteredHeight = old.RegisteredHeight // as on the chain
	}
	if no := c.judge(m.Evidence, w); len(no) > 0 {
		c.refused++
		res, _ := cosmostx.MsgOf(&worker.MsgRegisterWorkerResponse{})
		return node.TxResult{Responses: []cosmostx.Msg{res}, Events: no}, nil
	}
	c.workers[id.Worker.Name()] = w
	res, _ := cosmostx.MsgOf(&worker.MsgRegisterWorkerResponse{ExpiryHeight: w.ExpiryHeight})
	return node.TxResult{Responses: []cosmostx.Msg{res}}, nil
}

// tee is a fake enclave on a socket. It keeps what came and answers by answer, or else as a good one would.
type tee struct {
	t        *testing.T
	listener net.Listener
	identity *wire.Identity
	got      chan *wire.In
	answer   func(*wire.In) []*wire.Out // nil: the default

	mu   sync.Mutex
	conn net.Conn
}

func startTEE(t *testing.T, path string, id *wire.Identity) *tee {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	e := &tee{t: t, listener: l, identity: id, got: make(chan *wire.In, 10_000)}
	t.Cleanup(e.stop)
	return e
}

// serve begins to take connections, once answer is set.
func (e *tee) serve() {
	go func() {
		for {
			c, err := e.listener.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conn = c
			e.mu.Unlock()
			go e.talk(c)
		}
	}()
}

func (e *tee) stop() {
	e.listener.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil {
		e.conn.Close()
	}
}

func (e *tee) talk(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		in := new(wire.In)
		if err := wire.Unmarshal(b, in); err != nil {
			e.t.Errorf("the enclave got nonsense: %v", err)
			return
		}
		var outs []*wire.Out
		if e.answer != nil {
			outs = e.answer(in)
		}
		if outs == nil {
			outs = e.usual(in)
		}
		e.got <- in
		for _, o := range append(outs, &wire.Out{Body: &wire.Out_Done{Done: &wire.Done{}}}) {
			o.ReplyTo = in.Id
			b := wire.Marshal(o)
			if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
				return
			}
		}
	}
}

func (e *tee) usual(in *wire.In) []*wire.Out {
	switch b := in.Body.(type) {
	case *wire.In_Hello:
		id := *e.identity
		return []*wire.Out{{Body: &wire.Out_Identity{Identity: &id}}}
	case *wire.In_Attest:
		id := identity(e.identity, b.Attest)
		return []*wire.Out{{Body: &wire.Out_Evidence{Evidence: &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(program(), attest.ReportData(id))}}}}
	case *wire.In_LightBlocks:
		for _, h := range heights(e.t, b.LightBlocks) {
			e.identity.VerifiedHeight = h
		}
	}
	return []*wire.Out{}
}

func heights(t *testing.T, b *wire.LightBlocks) (all []uint64) {
	for _, raw := range b.GetBlocks() {
		var p cmtproto.LightBlock
		if err := p.Unmarshal(raw); err != nil {
			t.Errorf("a light block: %v", err)
			continue
		}
		all = append(all, uint64(p.SignedHeader.Header.Height))
	}
	return all
}

// wait takes what the enclave got until pick says it is the one.
func wait[T any](t *testing.T, from <-chan T, what string, pick func(T) bool) T {
	t.Helper()
	end := time.After(5 * time.Second)
	for {
		select {
		case x := <-from:
			if pick(x) {
				return x
			}
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

type watcher struct {
	mu      sync.Mutex
	serving []uint64
	ready   chan *wire.ResultReady
}

func (w *watcher) Identity(*wire.Identity) {}
func (w *watcher) Serving(c []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serving = c
}
func (w *watcher) Ready(r *wire.ResultReady) { w.ready <- r }

// bench is a relay between the fakes.
type bench struct {
	chain  *chain
	store  *objects.Store
	watch  *watcher
	socket string
	ended  chan error
	stop   context.CancelFunc
	change func(*relay.Config) // nil: as it is
}

func newBench(t *testing.T, height uint64) *bench {
	t.Helper()
	dir := t.TempDir()
	store, err := objects.Open(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	return &bench{chain: newChain(height), store: store, watch: &watcher{ready: make(chan *wire.ResultReady, 10)}, socket: filepath.Join(dir, "s"), ended: make(chan error, 1)}
}

func (b *bench) run(t *testing.T) {
	t.Helper()
	cfg := relay.Config{
		Chain: b.chain, Sender: b.chain, Socket: b.socket, Link: new(enclave.Link), Worker: self, Endpoint: "http://self",
		Records: b.store, Watcher: b.watch, Pin: func(string, []byte) error { return nil }, HTTP: http.DefaultClient,
	}
	if b.change != nil {
		b.change(&cfg)
	}
	r, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	done := make(chan struct{})
	go func() { b.ended <- r.Run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Error("the relay does not stop")
		}
	})
}

func executor(number byte) *wire.Identity {
	return &wire.Identity{ChainId: chainID, Role: wire.ROLE_EXECUTOR, IdentityKey: key(number)}
}

// key is the identity key of that number.
func key(number byte) []byte { return append(make([]byte, 31), number) }

// identity is what an enclave attests of itself.
func identity(id *wire.Identity, a *wire.Attest) *wire.WorkerIdentity {
	return &wire.WorkerIdentity{
		ChainId: id.ChainId, GenesisHash: make([]byte, 32), IdentityKey: id.IdentityKey, SealingKey: make([]byte, 1216), Worker: a.Worker, Role: id.Role,
		NonceHeight: a.NonceHeight, NonceHash: a.NonceHash,
	}
}

// say gives out what answers nothing.
func (e *tee) say(o *wire.Out) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := wire.Marshal(o)
	if _, err := e.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		e.t.Errorf("saying %T: %v", o.Body, err)
	}
}
