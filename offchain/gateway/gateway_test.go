package gateway_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/enclave"
	"github.com/phala-go/phala/offchain/gateway"
	"github.com/phala-go/phala/offchain/objects"
)

// fake is an enclave whose answer a test sets.
type fake struct {
	mu     sync.Mutex
	answer func(*wire.In) (*wire.Out, error)
	posted []*wire.In
	asked  chan struct{}
}

func (f *fake) Call(_ context.Context, in *wire.In) (*wire.Out, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.asked <- struct{}{}:
	default:
	}
	return f.answer(in)
}

func (f *fake) Post(in *wire.In) error {
	f.posted = append(f.posted, in)
	return nil
}

func (f *fake) set(answer func(*wire.In) (*wire.Out, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func refuse(code string) func(*wire.In) (*wire.Out, error) {
	return func(*wire.In) (*wire.Out, error) {
		return nil, &enclave.Failure{Failure: &wire.Failure{Code: code, Message: "m", Next: "n"}}
	}
}

func sealed(*wire.In) (*wire.Out, error) {
	return &wire.Out{Body: &wire.Out_Reply{Reply: &wire.SealedReply{Ciphertext: []byte("sealed")}}}, nil
}

var self = &wire.WorkerRef{Operator: "pha1self", Slot: 3}

func start(t *testing.T) (*gateway.Gateway, *fake, *objects.Store) {
	t.Helper()
	store, err := objects.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{asked: make(chan struct{}, 100)}
	g, err := gateway.New(gateway.Config{Enclave: f, Records: store, Worker: self, Version: "v"})
	if err != nil {
		t.Fatal(err)
	}
	return g, f, store
}

func code(err error) string {
	var e *gatewayrpc.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestResultWaits(t *testing.T) {
	g, f, _ := start(t)
	f.set(refuse("not-final"))
	go func() {
		<-f.asked
		f.set(sealed)
		g.Ready(&wire.ResultReady{Cluster: 2, First: 5, Count: 10}) // another cluster
		g.Ready(&wire.ResultReady{Cluster: 1, First: 8, Count: 2})  // later items
		g.Ready(&wire.ResultReady{Cluster: 1, First: 5, Count: 3})
	}()
	began := time.Now()
	r, err := g.Result(context.Background(), &wire.ResultRequest{Cluster: 1, Index: 7, WaitMs: 60_000})
	if err != nil || r.Reply == nil || time.Since(began) > time.Second {
		t.Errorf("%v, %v after %v", r, err, time.Since(began))
	}
}

func TestResultThatIsNotFinalInTime(t *testing.T) {
	g, f, _ := start(t)
	f.set(refuse("not-final"))
	for _, wait := range []uint32{0, 20} {
		r, err := g.Result(context.Background(), &wire.ResultRequest{Cluster: 1, WaitMs: wait})
		if err != nil || r.Reply != nil {
			t.Errorf("wait %d: %v, %v", wait, r, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := g.Result(ctx, &wire.ResultRequest{Cluster: 1, WaitMs: 20_000}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
}

func TestRefusalsCross(t *testing.T) {
	g, f, _ := start(t)
	env := &wire.Envelope{}
	for _, want := range []string{"permit-expired", "unknown-item", "not-serving"} {
		f.set(refuse(want))
		if _, err := g.Query(context.Background(), &wire.QueryCallRequest{Envelope: env}); code(err) != want {
			t.Errorf("query: %v", err)
		}
		if _, err := g.Result(context.Background(), &wire.ResultRequest{WaitMs: 20_000}); code(err) != want {
			t.Errorf("result: %v", err)
		}
	}
	f.set(func(*wire.In) (*wire.Out, error) { return nil, enclave.ErrDown })
	if _, err := g.Query(context.Background(), &wire.QueryCallRequest{Envelope: env}); code(err) != gatewayrpc.CodeEnclaveDown {
		t.Errorf("down: %v", err)
	}
	if _, err := g.Query(context.Background(), &wire.QueryCallRequest{}); code(err) != gatewayrpc.CodeMalformed {
		t.Errorf("no envelope: %v", err)
	}
}

func TestInfo(t *testing.T) {
	g, f, _ := start(t)
	f.set(func(*wire.In) (*wire.Out, error) { return nil, enclave.ErrDown })
	g.Identity(&wire.Identity{ChainId: "c"})
	g.Serving([]uint64{4})
	r, err := g.Info(context.Background(), &wire.InfoRequest{})
	if err != nil || r.Identity.ChainId != "c" || !r.Worker.Is(self) || len(r.Clusters) != 1 || r.Version != "v" {
		t.Errorf("%v, %v", r, err)
	}
}

func TestPeers(t *testing.T) {
	g, f, store := start(t)
	vote := &wire.PeerMessage_Vote{Vote: &wire.Vote{Cluster: 1}}
	for want, m := range map[string]*wire.PeerMessage{
		gatewayrpc.CodeMalformed:   {To: self},
		gatewayrpc.CodeWrongWorker: {To: &wire.WorkerRef{Operator: "pha1self", Slot: 4}, Body: vote},
	} {
		if _, err := g.Deliver(context.Background(), &wire.DeliverRequest{Message: m}); code(err) != want {
			t.Errorf("want %s: %v", want, err)
		}
	}
	if _, err := g.Deliver(context.Background(), &wire.DeliverRequest{}); code(err) != gatewayrpc.CodeMalformed {
		t.Errorf("nothing: %v", err)
	}
	if _, err := g.Deliver(context.Background(), &wire.DeliverRequest{Message: &wire.PeerMessage{To: self, Body: vote}}); err != nil || len(f.posted) != 1 || f.posted[0].GetPeer().GetVote() == nil {
		t.Errorf("%v, %v", f.posted, err)
	}
	rec := &wire.SealedRecord{Cluster: 1, Number: 2, BatchHash: make([]byte, 32), Ciphertext: []byte("x")}
	req := &wire.RecordRequest{Cluster: 1, Number: 2, BatchHash: rec.BatchHash}
	if _, err := g.Record(context.Background(), req); code(err) != gatewayrpc.CodeNoRecord {
		t.Errorf("none: %v", err)
	}
	if _, err := store.Put(rec); err != nil {
		t.Fatal(err)
	}
	if r, err := g.Record(context.Background(), req); err != nil || string(r.Record.Ciphertext) != "x" {
		t.Errorf("%v, %v", r, err)
	}
}

func TestAFloodOfUsersKeepsNoMemberOut(t *testing.T) {
	g, f, _ := start(t)
	f.set(refuse("not-final"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	busy := make(chan error, 2000)
	for range 1100 {
		go func() {
			_, err := g.Result(ctx, &wire.ResultRequest{Cluster: 1, WaitMs: 20_000})
			busy <- err
		}()
	}
	if err := <-busy; code(err) != gatewayrpc.CodeBusy {
		t.Errorf("got %v", err)
	}
	m := &wire.PeerMessage{To: self, Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{Cluster: 1}}}
	if _, err := g.Deliver(context.Background(), &wire.DeliverRequest{Message: m}); err != nil {
		t.Errorf("a member is kept out: %v", err)
	}
}
