// Package gateway answers users and other offchainds: it hands sealed queries and results through, waits for results to become
// final, and takes messages for its enclave. It must never see more than ciphertext.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/enclave"
)

const (
	// maxWait bounds how long a call waits for a result.
	maxWait = 30 * time.Second
	// enclaveTimeout bounds one question to the enclave.
	enclaveTimeout = 30 * time.Second
	// lookAgain is when a waiting call asks again although nobody woke it: the enclave may have been connected anew.
	lookAgain = 2 * time.Second
	// inFlight bounds the calls that are with the enclave or wait, so that a flood ends here.
	inFlight = 1024
)

// Enclave is where calls go; *enclave.Link is one.
type Enclave interface {
	Call(ctx context.Context, in *wire.In) (*wire.Out, error)
	Post(in *wire.In) error
}

// Records is where sealed records are; *objects.Store is one.
type Records interface {
	Record(cluster, number uint64, batchHash []byte) (*wire.SealedRecord, error)
	Chunk(*wire.NeedChunk) (*wire.SealedChunk, error)
}

// Config of a Gateway; every field but Version and Log is required.
type Config struct {
	Enclave Enclave
	Records Records
	Worker  *wire.WorkerRef
	Version string
	Log     *slog.Logger
}

// Gateway is a gatewayrpc.Gateway, a gatewayrpc.Peer and a relay.Watcher.
type Gateway struct {
	cfg   Config
	calls places // of users
	peers places // of members, whom a flood of users must not keep out

	mu       sync.Mutex
	identity *wire.Identity
	serving  []uint64
	waiting  map[*waiter]struct{}
}

// waiter is a call that waits for one result.
type waiter struct {
	cluster, index uint64
	ready          chan struct{} // holds one
}

// New makes a gateway that has no enclave yet.
func New(cfg Config) (*Gateway, error) {
	if cfg.Enclave == nil || cfg.Records == nil || cfg.Worker == nil {
		return nil, errors.New("making a gateway: a field of its configuration is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Gateway{cfg: cfg, calls: make(places, inFlight), peers: make(places, inFlight), waiting: make(map[*waiter]struct{})}, nil
}

// Identity implements relay.Watcher.
func (g *Gateway) Identity(id *wire.Identity) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.identity = id
}

// Serving implements relay.Watcher.
func (g *Gateway) Serving(clusters []uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serving = clusters
}

// Ready implements relay.Watcher.
func (g *Gateway) Ready(r *wire.ResultReady) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := range g.waiting {
		if w.cluster == r.Cluster && w.index >= r.First && w.index-r.First < uint64(r.Count) {
			select {
			case w.ready <- struct{}{}:
			default:
			}
		}
	}
}

// places bounds calls in flight.
type places chan struct{}

// enter takes a place; the caller gives it back by leave.
func (p places) enter() error {
	select {
	case p <- struct{}{}:
		return nil
	default:
		return &gatewayrpc.Error{Code: gatewayrpc.CodeBusy, Message: "too many calls at once", Next: "Try again, or use another member's gateway."}
	}
}

func (p places) leave() { <-p }

// Info says who serves here.
func (g *Gateway) Info(ctx context.Context, _ *wire.InfoRequest) (*wire.InfoResponse, error) {
	g.mu.Lock()
	res := &wire.InfoResponse{Identity: g.identity, Worker: g.cfg.Worker, Clusters: g.serving, Version: g.cfg.Version}
	g.mu.Unlock()
	if err := g.calls.enter(); err != nil {
		return res, nil
	}
	defer g.calls.leave()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// The identity that was heard at first is good enough if the enclave is busy; its height is not the newest then.
	if out, err := g.cfg.Enclave.Call(ctx, &wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}}); err == nil && out.GetIdentity() != nil {
		res.Identity = out.GetIdentity()
	}
	return res, nil
}

// Query hands a sealed query to the enclave and its sealed answer back.
func (g *Gateway) Query(ctx context.Context, r *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	if r.Envelope == nil {
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeMalformed, Message: "the query has no envelope", Next: "Seal it to the cluster's input key."}
	}
	if err := g.calls.enter(); err != nil {
		return nil, err
	}
	defer g.calls.leave()
	reply, err := g.ask(ctx, &wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: r.Cluster, Envelope: r.Envelope}}})
	if err != nil {
		return nil, err
	}
	return &wire.QueryCallResponse{Reply: reply}, nil
}

// OpenSession hands an opening to the enclave.
func (g *Gateway) OpenSession(ctx context.Context, r *wire.SessionOpen) (*wire.SessionOpened, error) {
	if r.Envelope == nil {
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeMalformed, Message: "the opening has no envelope", Next: "Seal it to the cluster's input key."}
	}
	if err := g.calls.enter(); err != nil {
		return nil, err
	}
	defer g.calls.leave()
	out, err := g.call(ctx, &wire.In{Body: &wire.In_SessionOpen{SessionOpen: r}})
	if err == nil && out.GetSessionOpened() == nil {
		err = noReply()
	}
	return out.GetSessionOpened(), err
}

// AskSession hands a request in a session to the enclave.
func (g *Gateway) AskSession(ctx context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	if err := g.calls.enter(); err != nil {
		return nil, err
	}
	defer g.calls.leave()
	out, err := g.call(ctx, &wire.In{Body: &wire.In_SessionCall{SessionCall: r}})
	if err == nil && out.GetSessionReply() == nil {
		err = noReply()
	}
	return out.GetSessionReply(), err
}

// Result gives an item's sealed result. While it is not final it waits as long as the caller allows; no reply: still not.
func (g *Gateway) Result(ctx context.Context, r *wire.ResultRequest) (*wire.ResultResponse, error) {
	if err := g.calls.enter(); err != nil {
		return nil, err
	}
	defer g.calls.leave()
	w := &waiter{cluster: r.Cluster, index: r.Index, ready: make(chan struct{}, 1)}
	g.mu.Lock()
	g.waiting[w] = struct{}{}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.waiting, w)
		g.mu.Unlock()
	}()
	end := time.Now().Add(min(maxWait, time.Duration(r.WaitMs)*time.Millisecond))
	for {
		reply, err := g.ask(ctx, &wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: r.Cluster, Index: r.Index}}})
		if err == nil {
			return &wire.ResultResponse{Reply: reply}, nil
		}
		var e *gatewayrpc.Error
		early := errors.As(err, &e) && e.Code == gatewayrpc.CodeNotFinal
		down := errors.As(err, &e) && e.Code == gatewayrpc.CodeEnclaveDown
		left := time.Until(end)
		if early && left <= 0 {
			return &wire.ResultResponse{}, nil
		}
		if !early && !down || left <= 0 {
			return nil, err
		}
		t := time.NewTimer(min(left, lookAgain))
		select {
		case <-w.ready:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (g *Gateway) ask(ctx context.Context, in *wire.In) (*wire.SealedReply, error) {
	out, err := g.call(ctx, in)
	if err == nil && out.GetReply() == nil {
		err = noReply()
	}
	return out.GetReply(), err
}

// call gives the enclave's answer; what users may see of an error is a gatewayrpc.Error.
func (g *Gateway) call(ctx context.Context, in *wire.In) (*wire.Out, error) {
	ctx, cancel := context.WithTimeout(ctx, enclaveTimeout)
	defer cancel()
	out, err := g.cfg.Enclave.Call(ctx, in)
	var f *enclave.Failure
	switch {
	case errors.As(err, &f):
		return nil, gatewayrpc.Of(f.Failure)
	case errors.Is(err, enclave.ErrDown):
		return nil, down()
	}
	return out, err
}

func noReply() error {
	return &gatewayrpc.Error{Code: gatewayrpc.CodeInternal, Message: "the enclave gave no reply", Next: "Use another member's gateway."}
}

func down() error {
	return &gatewayrpc.Error{Code: gatewayrpc.CodeEnclaveDown, Message: "this gateway's enclave is not connected", Next: "Try again, or use another member's gateway."}
}

// Deliver takes a message of another member for this enclave, which judges it.
func (g *Gateway) Deliver(_ context.Context, r *wire.DeliverRequest) (*wire.DeliverResponse, error) {
	m := r.Message
	if m == nil || m.Body == nil {
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeMalformed, Message: "there is no message", Next: "Use an offchaind of this version."}
	}
	if !m.To.Is(g.cfg.Worker) {
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeWrongWorker, Message: "this is " + g.cfg.Worker.Name() + ", the message is for " + m.To.Name(), Next: "Look for the worker's endpoint on the chain."}
	}
	if err := g.peers.enter(); err != nil {
		return nil, err
	}
	defer g.peers.leave()
	if err := g.cfg.Enclave.Post(&wire.In{Body: &wire.In_Peer{Peer: m}}); err != nil {
		return nil, down()
	}
	return &wire.DeliverResponse{}, nil
}

// Chunk gives a chunk of a snapshot to another member.
func (g *Gateway) Chunk(_ context.Context, r *wire.ChunkRequest) (*wire.ChunkResponse, error) {
	if r.Chunk == nil {
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeMalformed, Message: "no chunk is named", Next: "Name one."}
	}
	if err := g.peers.enter(); err != nil {
		return nil, err
	}
	defer g.peers.leave()
	c, err := g.cfg.Records.Chunk(r.Chunk)
	if err != nil {
		g.cfg.Log.Debug("a chunk that was asked for is not here", "cluster", r.Chunk.Cluster, "number", r.Chunk.Number, "index", r.Chunk.Index, "error", err)
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeNoRecord, Message: "this chunk is not here", Next: "Ask another member."}
	}
	return &wire.ChunkResponse{Chunk: c}, nil
}

// Record gives a sealed record to another member.
func (g *Gateway) Record(_ context.Context, r *wire.RecordRequest) (*wire.RecordResponse, error) {
	if err := g.peers.enter(); err != nil {
		return nil, err
	}
	defer g.peers.leave()
	rec, err := g.cfg.Records.Record(r.Cluster, r.Number, r.BatchHash)
	if err != nil {
		g.cfg.Log.Debug("a record that was asked for is not here", "cluster", r.Cluster, "number", r.Number, "error", err)
		return nil, &gatewayrpc.Error{Code: gatewayrpc.CodeNoRecord, Message: "this record is not here", Next: "Ask another member."}
	}
	return &wire.RecordResponse{Record: rec}, nil
}
