package executor

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"
	"time"

	cmt "github.com/cometbft/cometbft/types"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
	"github.com/phala-go/phala/enclave/state"
)

// filled is a state of n entries with values of size bytes each.
func filled(n, size int) state.Map {
	blind := bytes.Repeat([]byte{3}, 32)
	m := state.New(blind).Set(blindKey(), blind)
	for i := range n {
		m = m.Set(binary.BigEndian.AppendUint64([]byte{1}, uint64(i)*0x9e3779b97f4a7c15), bytes.Repeat([]byte{byte(i)}, size))
	}
	return m
}

// written is the snapshot of a state in epoch 1, and the batch that it is of.
func written(t testing.TB, x *Executor, m state.Map) ([]*wire.SealedChunk, *wire.Batch) {
	t.Helper()
	b := &wire.Batch{Cluster: 1, Number: 7, NewRoot: m.Root()}
	c := at(1, clusterKeys(t, 1))
	c.final = snapshot{number: 7, hash: settle.BatchHash(b), root: m.Root(), state: m}
	c.head = &wire.Head{Number: 7}
	var out []*wire.SealedChunk
	for range 1 << 12 {
		x.preserve(c)
		for _, o := range x.drain() {
			out = append(out, o.GetChunk())
		}
		if c.writing == nil {
			return out, b
		}
	}
	t.Fatal("the snapshot does not end")
	return nil, nil
}

// reader is a worker that starts in epoch 1, with the chain's batch 7.
func reader(t testing.TB, b *wire.Batch) *cluster {
	c := at(1, clusterKeys(t, 1))
	c.head = &wire.Head{Number: 7}
	c.batches[7] = &wire.CommittedBatch{Signed: &wire.SignedBatch{Batch: b}}
	return c
}

// feed answers what is asked for until nothing more is.
func feed(x *Executor, c *cluster, chunks []*wire.SealedChunk) (complaints int) {
	x.clusters[1] = c
	c.me = -1 // Chunk advances nothing but the snapshot
	x.fetched(c)
	for outs := x.drain(); len(outs) > 0; {
		o := outs[0]
		outs = outs[1:]
		if o.GetFailure() != nil {
			complaints++
		}
		n := o.GetNeedChunk()
		if n == nil {
			continue
		}
		answer := &wire.SealedChunk{Cluster: 1, Epoch: n.Epoch, Roster: n.Roster, Number: n.Number, BatchHash: n.BatchHash, Index: n.Index}
		if int(n.Index) < len(chunks) {
			answer = chunks[n.Index]
		}
		x.Chunk(context.Background(), answer)
		x.fetched(c)
		outs = append(outs, x.drain()...)
	}
	return complaints
}

func TestALargeStateIsWrittenAndRead(t *testing.T) {
	x := New(Config{ChainID: "phala-test", Light: lightclient.New(lightclient.Config{Genesis: &light.Genesis{Validators: cmt.NewValidatorSet(nil)}, Now: time.Now})})
	m := filled(20_000, 900)
	chunks, b := written(t, x, m)
	if len(chunks) < 17 {
		t.Fatalf("%d chunks", len(chunks))
	}
	for i, h := range chunks { // P10: one size, whatever lies where
		if last := i == len(chunks)-1; h.Last != last || int(h.Index) != i || !last && len(h.Ciphertext) != 1<<20+16 {
			t.Errorf("chunk %d: index %d, last %v, %d bytes", i, h.Index, h.Last, len(h.Ciphertext))
		}
	}
	c := reader(t, b)
	if n := feed(x, c, chunks); n > 0 || c.final.number != 7 || !bytes.Equal(c.final.state.Root(), m.Root()) || c.final.state.Len() != m.Len() {
		t.Fatalf("%d complaints, at batch %d with %d entries of %d", n, c.final.number, c.final.state.Len(), m.Len())
	}
	again, _ := written(t, x, m)
	for i := range again { // anew each time
		if bytes.Equal(again[i].Ciphertext, chunks[i].Ciphertext) {
			t.Errorf("chunk %d has the same ciphertext twice", i)
		}
	}
}

// P2: what the host gives in place of a snapshot comes to nothing.
func TestP02_FalseSnapshotsAreRefused(t *testing.T) {
	x := New(Config{ChainID: "phala-test", Light: lightclient.New(lightclient.Config{Genesis: &light.Genesis{Validators: cmt.NewValidatorSet(nil)}, Now: time.Now})})
	m := filled(3000, 900)
	chunks, b := written(t, x, m)
	other, _ := written(t, x, filled(3000, 901))
	clone := func(i int, f func(*wire.SealedChunk)) *wire.SealedChunk {
		c := *chunks[i]
		c.Ciphertext = bytes.Clone(c.Ciphertext)
		f(&c)
		return &c
	}
	with := func(i int, h *wire.SealedChunk) []*wire.SealedChunk {
		out := append([]*wire.SealedChunk{}, chunks...)
		out[i] = h
		return out
	}
	for name, bad := range map[string][]*wire.SealedChunk{
		"another state's":      other,
		"another state's text": with(1, clone(1, func(h *wire.SealedChunk) { h.Nonce, h.Ciphertext = other[1].Nonce, other[1].Ciphertext })),
		"a flipped bit":        with(1, clone(1, func(h *wire.SealedChunk) { h.Ciphertext[9] ^= 1 })),
		"another place":        with(1, clone(0, func(h *wire.SealedChunk) { h.Index = 1 })),
		"cut off":              with(0, clone(0, func(h *wire.SealedChunk) { h.Last = true })),
		"no nonce":             with(0, clone(0, func(h *wire.SealedChunk) { h.Nonce = nil })),
		"another root":         with(0, clone(0, func(h *wire.SealedChunk) { h.Root = settle.EmptyRoot() })),
		"a batch to come":      with(0, clone(0, func(h *wire.SealedChunk) { h.Number = 8 })),
		"batch 0":              with(0, clone(0, func(h *wire.SealedChunk) { h.Number = 0 })),
		"another chain's":      with(0, clone(0, func(h *wire.SealedChunk) { h.ChainId = "other" })),
		"nothing":              nil,
	} {
		c := reader(t, b)
		n := feed(x, c, bad)
		if c.final.number != 0 || !c.fetch.done || name != "nothing" && n == 0 {
			t.Errorf("%s: at batch %d, done %v, %d complaints", name, c.final.number, c.fetch.done, n)
		}
	}
}

// BenchmarkSnapshot writes a state of 64 MiB.
func BenchmarkSnapshot(b *testing.B) {
	x := New(Config{ChainID: "phala-test", Light: lightclient.New(lightclient.Config{Genesis: &light.Genesis{Validators: cmt.NewValidatorSet(nil)}, Now: time.Now})})
	m := filled(64<<10, 1000)
	m.Root()
	b.SetBytes(64 << 20)
	longest := time.Duration(0)
	for b.Loop() {
		c := at(1, clusterKeys(b, 1))
		c.final, c.head = snapshot{number: 7, hash: make([]byte, 32), root: m.Root(), state: m}, &wire.Head{Number: 7}
		for began := time.Now(); ; began = time.Now() {
			x.preserve(c)
			x.drain()
			longest = max(longest, time.Since(began))
			if c.writing == nil {
				break
			}
		}
	}
	b.ReportMetric(float64(longest.Milliseconds()), "ms/header")
}
