package relay_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	worker "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/gateway"
	"github.com/phala-go/phala/offchain/objects"
)

func isBlocks(in *wire.In) bool { return in.GetLightBlocks() != nil }

func TestHeadersComeInOrder(t *testing.T) {
	b := newBench(t, 120)
	e := startTEE(t, b.socket, executor(1))
	e.serve()
	b.run(t)
	var all []uint64
	for len(all) < 120 {
		hs := heights(t, wait(t, e.got, "headers", isBlocks).GetLightBlocks())
		if len(hs) > 50 {
			t.Errorf("%d headers at once", len(hs))
		}
		all = append(all, hs...)
	}
	for range 3 {
		b.chain.advance()
		all = append(all, heights(t, wait(t, e.got, "a new header", isBlocks).GetLightBlocks())...)
	}
	for i, h := range all {
		if h != uint64(i+1) {
			t.Fatalf("header %d came as number %d", h, i+1)
		}
	}
	if len(all) != 123 {
		t.Errorf("%d headers", len(all))
	}
}

func TestFarBehindJumps(t *testing.T) {
	b := newBench(t, 5000)
	e := startTEE(t, b.socket, executor(1))
	e.serve()
	b.run(t)
	if hs := heights(t, wait(t, e.got, "old headers", isBlocks).GetLightBlocks()); !slices.Equal(hs, []uint64{1, 2, 4096}) {
		t.Errorf("old headers %d", hs)
	}
	if hs := heights(t, wait(t, e.got, "headers", isBlocks).GetLightBlocks()); hs[0] != 4500 || len(hs) != 50 {
		t.Errorf("%d headers from %d", len(hs), hs[0])
	}
}

// A gatekeeper that starts late gets old headers, to look back over the activation delay: the first two, then one of 64.
func TestAGatekeeperGetsOldHeaders(t *testing.T) {
	b := newBench(t, 100_000)
	id := executor(1)
	id.Role = wire.ROLE_GATEKEEPER
	e := startTEE(t, b.socket, id)
	e.serve()
	b.run(t)
	var all []uint64
	for len(all) == 0 || all[len(all)-1] < 100_000 {
		all = append(all, heights(t, wait(t, e.got, "headers", isBlocks).GetLightBlocks())...)
	}
	old := all[:slices.Index(all, 99_500)]
	if all[0] != 1 || all[1] != 2 || all[2] != 12_608 || old[len(old)-1] != 99_456 || len(old) != 2+(99_456-12_608)/64+1 {
		t.Errorf("%d old headers: %v … %d", len(old), old[:3], old[len(old)-1])
	}
	for i, h := range all[3:len(old)] {
		if h != all[i+2]+64 {
			t.Fatalf("%d after %d", h, all[i+2])
		}
	}
	if len(all)-len(old) != 501 {
		t.Errorf("%d recent headers", len(all)-len(old))
	}
}

// An enclave that has verified headers is shown the newest of them again, before any that follow, also before a jump: one that was led
// onto a fork then has the proof. So is one that refuses what follows. A node that lacks the header is no reason to wait.
func TestTheNewestHeaderIsShownAgain(t *testing.T) {
	for _, newest := range []uint64{40, 5000} {
		b := newBench(t, newest)
		id := executor(1)
		id.VerifiedHeight = 33
		e := startTEE(t, b.socket, id)
		e.answer = func(in *wire.In) []*wire.Out {
			if hs := heights(t, in.GetLightBlocks()); len(hs) > 0 && hs[0] > 33 {
				return []*wire.Out{{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: "refused"}}}}
			}
			return nil
		}
		e.serve()
		b.run(t)
		for range 2 {
			if hs := heights(t, wait(t, e.got, "the newest header", isBlocks).GetLightBlocks()); !slices.Equal(hs, []uint64{33}) {
				t.Errorf("of %d: %d", newest, hs)
			}
			if hs := heights(t, wait(t, e.got, "what follows", isBlocks).GetLightBlocks()); hs[0] <= 33 {
				t.Errorf("of %d: then %d", newest, hs)
			}
		}
	}
}

func TestARefusedJumpIsWalked(t *testing.T) {
	b := newBench(t, 600)
	e := startTEE(t, b.socket, executor(1))
	e.answer = func(in *wire.In) []*wire.Out {
		if isBlocks(in) && heights(t, in.GetLightBlocks())[0] > e.identity.VerifiedHeight+1 {
			return []*wire.Out{{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: "refused"}}}}
		}
		return nil
	}
	e.serve()
	b.run(t)
	wait(t, e.got, "the first header", func(in *wire.In) bool { return isBlocks(in) && heights(t, in.GetLightBlocks())[0] == 1 })
	wait(t, e.got, "the last header", func(in *wire.In) bool {
		hs := heights(t, in.GetLightBlocks())
		return len(hs) > 0 && hs[len(hs)-1] == 600
	})
}

func TestRegistersServesAndDoesItAgain(t *testing.T) {
	b := newBench(t, 10)
	b.chain.clusters = []*wire.Cluster{{Id: 1, Members: []*wire.WorkerRef{{Operator: "pha1other"}}}, {Id: 2, Members: []*wire.WorkerRef{self}}}
	b.chain.sendErr = []error{errors.New("the node is busy")} // it is tried again
	b.run(t)                                                  // before there is an enclave
	e := startTEE(t, b.socket, executor(1))
	e.serve()
	m := wait(t, b.chain.sent, "a registration", func(proto.Message) bool { return true }).(*worker.MsgRegisterWorker)
	if m.Operator != self.Operator || m.Endpoint != "http://self" || !m.Evidence.Identity.Worker.Is(self) {
		t.Errorf("registered %v", m)
	}
	if in := wait(t, e.got, "serve", func(in *wire.In) bool { return in.GetServe() != nil }); in.GetServe().Cluster != 2 {
		t.Errorf("serving %v", in)
	}

	b.chain.mu.Lock()
	b.chain.clusters = append(b.chain.clusters, &wire.Cluster{Id: 3, Members: []*wire.WorkerRef{self}, CreatedHeight: 11})
	b.chain.mu.Unlock()
	b.chain.advance() // 11: made in it, not proven before 12
	b.chain.advance()
	if in := wait(t, e.got, "serve", func(in *wire.In) bool { return in.GetServe() != nil }); in.GetServe().Cluster != 3 {
		t.Errorf("serving %v", in)
	}

	// The enclave starts anew, with another identity.
	e.stop()
	e = startTEE(t, b.socket, executor(2))
	e.serve()
	m = wait(t, b.chain.sent, "another registration", func(proto.Message) bool { return true }).(*worker.MsgRegisterWorker)
	if !bytes.Equal(m.Evidence.Identity.IdentityKey, key(2)) {
		t.Errorf("registered %v", m)
	}
	wait(t, e.got, "serve", func(in *wire.In) bool { return in.GetServe().GetCluster() == 3 })
	// Its evidence ages.
	for range 45 {
		b.chain.advance()
		time.Sleep(2 * time.Millisecond)
	}
	wait(t, b.chain.sent, "a renewal", func(proto.Message) bool { return true })
}

func TestValuesAreProven(t *testing.T) {
	b := newBench(t, 10)
	e := startTEE(t, b.socket, executor(1))
	e.answer = func(in *wire.In) []*wire.Out {
		if !isBlocks(in) {
			return nil
		}
		need := &wire.NeedValues{Height: 10}
		for _, k := range []string{"a", "b", "broken", "c"} {
			need.Keys = append(need.Keys, &wire.StoreKey{Store: "s", Key: []byte(k)})
		}
		return []*wire.Out{{Body: &wire.Out_NeedValues{NeedValues: need}}}
	}
	e.serve()
	b.run(t)
	v := wait(t, e.got, "values", func(in *wire.In) bool { return in.GetStoreValues() != nil }).GetStoreValues()
	if v.Height != 10 || len(v.Values) != 3 || string(v.Values[2].Value) != "c at 10" {
		t.Errorf("got %v", v)
	}
}

// say makes the enclave say outs along its answer to the first headers.
func say(e *tee, outs ...*wire.Out) {
	said := false
	e.answer = func(in *wire.In) []*wire.Out {
		if !isBlocks(in) || said {
			return nil
		}
		said = true
		return outs
	}
}

func TestTransactions(t *testing.T) {
	b := newBench(t, 10)
	b.chain.workers[self.Name()] = &wire.Worker{Worker: self, IdentityKey: key(1), Endpoint: "http://self", ExpiryHeight: 1 << 40}
	b.chain.sendErr = []error{errors.New("connection refused"), &node.TxError{Code: 1, Log: "refused: not tried again"}}
	e := startTEE(t, b.socket, executor(1))
	openings := make([]*wire.EffectOpening, 200)
	for i := range openings {
		openings[i] = &wire.EffectOpening{Leaf: uint32(i)}
	}
	say(e,
		&wire.Out{Body: &wire.Out_Batch{Batch: &wire.SignedBatch{Batch: &wire.Batch{Number: 3}}}},
		&wire.Out{Body: &wire.Out_Batch{Batch: &wire.SignedBatch{Batch: &wire.Batch{Number: 3}}}},
		&wire.Out{Body: &wire.Out_Effects{Effects: &wire.Effects{Cluster: 1, Number: 2, Openings: openings}}},
		&wire.Out{Body: &wire.Out_KeyRequest{KeyRequest: &wire.KeyRequest{Cluster: 1}}},
		&wire.Out{Body: &wire.Out_Announcement{Announcement: &wire.Announcement{Cluster: 1}}},
		&wire.Out{Body: &wire.Out_ResultReady{ResultReady: &wire.ResultReady{Cluster: 1}}},
	)
	e.serve()
	b.run(t)
	counts, leaves := map[string]int{}, 0
	for range 5 { // of six, one is refused
		m := wait(t, b.chain.sent, "a transaction", func(proto.Message) bool { return true })
		switch m := m.(type) {
		case *cluster.MsgCommitBatch:
			counts["batch"]++
		case *cluster.MsgRevealEffects:
			leaves += len(m.Openings)
			counts["effects"]++
		case *gatekeeper.MsgRequestKey:
			counts["request"]++
		case *gatekeeper.MsgAnnounceEpoch:
			counts["announcement"]++
		}
	}
	if n := counts["batch"] + counts["effects"] + counts["request"] + counts["announcement"]; n != 5 {
		t.Errorf("sent %v", counts)
	}
	wait(t, b.watch.ready, "word of a result", func(*wire.ResultReady) bool { return true })
}

func TestCodeIsReadOnce(t *testing.T) {
	b := newBench(t, 10)
	b.chain.code = []byte("packed")
	e := startTEE(t, b.socket, executor(1))
	need := &wire.Out{Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{Id: []byte("id")}}}
	e.answer = func(in *wire.In) []*wire.Out {
		if isBlocks(in) {
			return []*wire.Out{need}
		}
		return nil
	}
	e.serve()
	b.run(t)
	for range 3 {
		in := wait(t, e.got, "code", func(in *wire.In) bool { return in.GetCode() != nil })
		if string(in.GetCode().Packed) != "packed" || string(in.GetCode().Id) != "id" {
			t.Errorf("got %v", in)
		}
		b.chain.advance()
	}
	b.chain.mu.Lock()
	defer b.chain.mu.Unlock()
	if b.chain.asked != 1 {
		t.Errorf("the chain was asked %d times", b.chain.asked)
	}
}

// other is another member's offchaind.
func other(t *testing.T) (*objects.Store, *posts, *httptest.Server) {
	t.Helper()
	store, err := objects.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &posts{got: make(chan *wire.In, 10)}
	g, err := gateway.New(gateway.Config{Enclave: p, Records: store, Worker: &wire.WorkerRef{Operator: "pha1other"}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(gatewayrpc.Handler(g, g))
	t.Cleanup(s.Close)
	return store, p, s
}

type posts struct{ got chan *wire.In }

func (p *posts) Post(in *wire.In) error { p.got <- in; return nil }
func (p *posts) Call(context.Context, *wire.In) (*wire.Out, error) {
	return nil, errors.New("nobody calls")
}

func TestMessagesFindTheirWorker(t *testing.T) {
	b := newBench(t, 10)
	_, p, s := other(t)
	to := &wire.WorkerRef{Operator: "pha1other"}
	b.chain.workers[to.Name()] = &wire.Worker{Worker: to, Endpoint: "http://127.0.0.1:1"} // it moves below
	e := startTEE(t, b.socket, executor(1))
	e.answer = func(in *wire.In) []*wire.Out {
		if isBlocks(in) {
			return []*wire.Out{{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: to, Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{Cluster: e.identity.VerifiedHeight}}}}}}
		}
		return nil
	}
	e.serve()
	b.run(t)
	wait(t, e.got, "headers", isBlocks)
	time.Sleep(20 * time.Millisecond)
	b.chain.mu.Lock()
	b.chain.workers[to.Name()] = &wire.Worker{Worker: to, Endpoint: s.URL}
	b.chain.mu.Unlock()
	b.chain.advance()
	if in := wait(t, p.got, "a message", func(*wire.In) bool { return true }); in.GetPeer().GetVote() == nil {
		t.Errorf("got %v", in)
	}
}

func TestRecords(t *testing.T) {
	b := newBench(t, 10)
	theirs, _, s := other(t)
	to := &wire.WorkerRef{Operator: "pha1other"}
	b.chain.workers[to.Name()] = &wire.Worker{Worker: to, Endpoint: s.URL}
	b.chain.clusters = []*wire.Cluster{{Id: 1, Members: []*wire.WorkerRef{self, to}}}
	committed := &wire.Batch{Cluster: 1, Number: 2}
	b.chain.batch = &wire.CommittedBatch{Signed: &wire.SignedBatch{Batch: committed}}
	rec := func(n uint64, hash []byte) *wire.SealedRecord {
		return &wire.SealedRecord{Cluster: 1, Number: n, BatchHash: hash, Ciphertext: []byte{byte(n)}}
	}
	one, three := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{3}, 32)
	for _, r := range []*wire.SealedRecord{rec(2, settle.BatchHash(committed))} {
		if _, err := theirs.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.store.Put(rec(1, one)); err != nil {
		t.Fatal(err)
	}
	e := startTEE(t, b.socket, executor(1))
	say(e,
		&wire.Out{Body: &wire.Out_NeedRecord{NeedRecord: &wire.NeedRecord{Cluster: 1, Number: 1, BatchHash: one}}}, // here
		&wire.Out{Body: &wire.Out_NeedRecord{NeedRecord: &wire.NeedRecord{Cluster: 1, Number: 2}}},                 // there, by the chain's hash
		&wire.Out{Body: &wire.Out_NeedRecord{NeedRecord: &wire.NeedRecord{Cluster: 1, Number: 3, BatchHash: three}}},
		&wire.Out{Body: &wire.Out_Record{Record: rec(4, bytes.Repeat([]byte{4}, 32))}}, // to be kept
	)
	e.serve()
	b.run(t)
	got := map[uint64]int{}
	for range 3 {
		r := wait(t, e.got, "a record", func(in *wire.In) bool { return in.GetRecord() != nil }).GetRecord()
		got[r.Number] = len(r.Ciphertext)
	}
	if got[1] != 1 || got[2] != 1 || got[3] != 0 || len(got) != 3 {
		t.Errorf("records (ciphertext bytes by number): %v", got)
	}
	for n, hash := range map[uint64][]byte{2: settle.BatchHash(committed), 4: bytes.Repeat([]byte{4}, 32)} {
		found := false
		for end := time.Now().Add(2 * time.Second); !found && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			_, err := b.store.Record(1, n, hash)
			found = err == nil
		}
		if !found {
			t.Errorf("record %d is not kept", n)
		}
	}
}

func TestGatekeeperIsHinted(t *testing.T) {
	b := newBench(t, 2000)
	w := &wire.WorkerRef{Operator: "pha1other"}
	b.chain.requests = []*wire.KeyRequest{{Cluster: 5, Worker: w, Height: 2000}, {Cluster: 4, Worker: w, Height: 1999}, {Cluster: 3, Worker: w, Height: 900}}
	id := executor(1)
	id.Role, id.VerifiedHeight = wire.ROLE_GATEKEEPER, 1990
	e := startTEE(t, b.socket, id)
	e.serve()
	b.run(t)
	hint := func(in *wire.In) bool { return in.GetKeyRequest() != nil }
	if in := wait(t, e.got, "a hint", hint); in.GetKeyRequest().Cluster != 4 {
		t.Errorf("got %v", in)
	}
	b.chain.advance()
	if in := wait(t, e.got, "a hint", hint); in.GetKeyRequest().Cluster != 5 || !in.GetKeyRequest().Worker.Is(w) {
		t.Errorf("got %v", in)
	}
}

func TestAnotherChainEndsIt(t *testing.T) {
	b := newBench(t, 10)
	id := executor(1)
	id.ChainId = "other-1"
	e := startTEE(t, b.socket, id)
	e.serve()
	b.run(t)
	select {
	case err := <-b.ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(5 * time.Second):
		t.Error("the relay goes on")
	}
}
