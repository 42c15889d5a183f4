package relay_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
)

func piece(number uint64, index uint32, last bool) *wire.SealedChunk {
	return &wire.SealedChunk{Cluster: 1, Epoch: 2, Roster: 1, Number: number, BatchHash: bytes.Repeat([]byte{byte(number)}, 32), Index: index, Last: last, Ciphertext: []byte{1}}
}

func TestSnapshotsAreKeptAndFound(t *testing.T) {
	b := newBench(t, 10)
	theirs, _, srv := other(t)
	to := &wire.WorkerRef{Operator: "pha1other"}
	b.chain.workers[to.Name()] = &wire.Worker{Worker: to, Endpoint: srv.URL}
	b.chain.clusters = []*wire.Cluster{{Id: 1, Members: []*wire.WorkerRef{self, to}}}
	for _, c := range []*wire.SealedChunk{piece(7, 0, false), piece(7, 1, true)} {
		if err := theirs.PutChunk(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.store.PutChunk(piece(5, 0, true)); err != nil {
		t.Fatal(err)
	}
	e := startTEE(t, b.socket, executor(1))
	need := func(number uint64, index uint32) *wire.Out {
		return &wire.Out{Body: &wire.Out_NeedChunk{NeedChunk: &wire.NeedChunk{
			Cluster: 1, Epoch: 2, Roster: 1, Number: number, BatchHash: bytes.Repeat([]byte{byte(number)}, 32), Index: index,
		}}}
	}
	say(e, need(0, 0), need(7, 1), need(5, 0), need(9, 3), &wire.Out{Body: &wire.Out_Chunk{Chunk: piece(8, 0, true)}})
	e.serve()
	b.run(t)
	got := map[[2]uint64]int{}
	for range 4 {
		c := wait(t, e.got, "a chunk", func(in *wire.In) bool { return in.GetChunk() != nil }).GetChunk()
		got[[2]uint64{c.Number, uint64(c.Index)}] = len(c.Ciphertext)
	}
	if got[[2]uint64{7, 1}] != 1 || got[[2]uint64{5, 0}] != 1 || got[[2]uint64{9, 3}] != 0 || len(got) != 4 {
		t.Errorf("chunks (ciphertext bytes by number and index): %v", got)
	}
	if n := got[[2]uint64{7, 0}] + got[[2]uint64{8, 0}]; n != 1 {
		t.Errorf("the newest snapshot is not the other member's, nor the one just kept: %v", got)
	}
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := b.store.Chunk(&wire.NeedChunk{Cluster: 1, Epoch: 2, Roster: 1})
		if err == nil && c.Number == 8 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the enclave's chunk is not kept: %v %v", c, err)
		}
	}
}
