package executor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/state"
)

// chunkWindow is how many chunks are asked for at once; each has at most 1 MiB.
const chunkWindow = 8

// fetch is the reading of a snapshot by a worker that starts.
type fetch struct {
	from  []label // whose snapshots to look for, the best first
	since uint64  // height at which it began
	asked uint64  // height of the last question
	done  bool    // read, or nobody has one: the log is next

	first  *wire.SealedChunk // tells which snapshot it is; nil: not here yet
	chunks map[uint32]*wire.SealedChunk
	next   uint32 // index of the first that was not read
	wanted uint32 // index of the first that was not asked for

	state   state.Map
	pending []byte // of an entry that is not whole yet
}

// fetched sees to it that the newest snapshot is here before the log is read; false while it waits for one. A worker that has the
// keys in force alone finds a snapshot under them as soon as one member has written it.
func (x *Executor) fetched(c *cluster) bool {
	if c.fetch == nil {
		c.fetch = &fetch{from: c.sources(), since: c.height, done: c.final.number == c.head.Number}
	}
	f := c.fetch
	for !f.done {
		if len(f.from) == 0 {
			f.done = true
			break
		}
		if l := f.from[0]; c.stateKey(l) == nil {
			if slices.Contains(c.missing(), l) && c.height < f.since+2*repeatAfter {
				break // it is asked for
			}
			f.from = f.from[1:]
			continue
		}
		done, err := x.read(c, f)
		if err == nil {
			f.done = done
			break
		}
		if !errors.Is(err, errNoSnapshot) {
			x.complain(fmt.Errorf("reading a snapshot of cluster %d: %w", c.id, err))
		}
		c.fetch = &fetch{from: f.from[1:], since: f.since}
		f = c.fetch
	}
	return f.done
}

var errNoSnapshot = errors.New("nobody has one that is whole")

// read goes on as far as it can; an error ends this snapshot.
func (x *Executor) read(c *cluster, f *fetch) (done bool, err error) {
	if f.first == nil {
		if f.asked == 0 || c.height >= f.asked+repeatAfter {
			f.asked = c.height
			x.needChunk(c, &wire.NeedChunk{Epoch: f.from[0].epoch, Roster: f.from[0].roster})
		}
		return false, nil
	}
	if len(f.first.Ciphertext) == 0 {
		return false, errNoSnapshot
	}
	b, ok, err := x.batchOf(c, f.first)
	if err != nil || !ok {
		return false, err
	}
	for h := f.chunks[f.next]; h != nil; h = f.chunks[f.next] {
		delete(f.chunks, f.next)
		f.next++
		if err := f.take(c, h); err != nil {
			return false, fmt.Errorf("chunk %d of batch %d: %w", h.Index, h.Number, err)
		}
		if !h.Last {
			continue
		}
		if len(f.pending) > 0 || !bytes.Equal(f.state.Root(), b.NewRoot) {
			return false, fmt.Errorf("that of batch %d leads to another root than the chain has", b.Number)
		}
		c.final = snapshot{number: b.Number, hash: settle.BatchHash(b), root: b.NewRoot, state: f.state}
		c.sealed, f.chunks = f.from[0], nil
		return true, nil
	}
	if c.height >= f.asked+repeatAfter {
		f.wanted = f.next // an answer may be lost with its connection
	}
	for f.wanted = max(f.wanted, f.next); f.wanted < f.next+chunkWindow; f.wanted++ {
		f.asked = c.height
		if f.chunks[f.wanted] == nil {
			x.needChunk(c, &wire.NeedChunk{Epoch: f.first.Epoch, Roster: f.first.Roster, Number: f.first.Number, BatchHash: f.first.BatchHash, Index: f.wanted})
		}
	}
	return false, nil
}

func (x *Executor) needChunk(c *cluster, n *wire.NeedChunk) {
	n.Cluster = c.id
	x.emit(&wire.Out{Body: &wire.Out_NeedChunk{NeedChunk: n}})
}

// batchOf is the batch after which a snapshot was taken, as the chain has it (P2); ok is false while its proof is to come.
func (x *Executor) batchOf(c *cluster, h *wire.SealedChunk) (b *wire.Batch, ok bool, err error) {
	if h.Number <= c.final.number || h.Number > c.head.Number {
		return nil, false, fmt.Errorf("it claims to be of batch %d, this worker is at %d and the chain at %d", h.Number, c.final.number, c.head.Number)
	}
	committed := c.batches[h.Number]
	if committed == nil {
		x.want(c, inCluster(storekey.BatchKey(c.id, h.Number)))
		return nil, false, nil
	}
	b = committed.Signed.Batch
	if !bytes.Equal(settle.BatchHash(b), h.BatchHash) || !bytes.Equal(b.NewRoot, h.Root) {
		return nil, false, fmt.Errorf("it is of another batch %d than the chain has", h.Number)
	}
	return b, true, nil
}

// take opens a chunk and puts its entries into the state.
func (f *fetch) take(c *cluster, h *wire.SealedChunk) error {
	plain, err := openSealed(c.stateKey(f.from[0]), h)
	if err != nil {
		return err
	}
	if !h.Last && len(plain) != chunkSize {
		return fmt.Errorf("it has %d bytes, not being the last", len(plain))
	}
	b := append(f.pending, plain...)
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used < 0 || n > maxEntry {
			return errors.New("an entry has no length")
		}
		if used == 0 || uint64(len(b)-used) < n {
			break // its rest is in the next chunk
		}
		var w wire.Write
		if err := wire.Unmarshal(b[used:used+int(n)], &w); err != nil {
			return err
		}
		if !f.state.Blinded() {
			if !bytes.Equal(w.Key, blindKey()) || len(w.Value) != sha256.Size {
				return errors.New("it does not begin with the blinding key")
			}
			f.state = state.New(w.Value)
		}
		f.state = f.state.Set(w.Key, w.Value)
		b = b[used+int(n):]
	}
	f.pending = bytes.Clone(b)
	return nil
}

// maxEntry bounds one entry of a snapshot, bytes.
const maxEntry = 64 << 20

// Chunk takes a chunk that was asked for; one without ciphertext says that nobody has it.
func (x *Executor) Chunk(ctx context.Context, h *wire.SealedChunk) []*wire.Out {
	c := x.clusters[h.Cluster]
	if c == nil || c.fetch == nil || c.fetch.done || len(c.fetch.from) == 0 {
		return x.drain()
	}
	f := c.fetch
	l := f.from[0]
	switch {
	case h.Epoch != l.epoch || h.Roster != l.roster:
		return x.drain() // of an earlier question
	case f.first == nil && h.Index == 0:
		f.first, f.chunks, f.wanted = h, map[uint32]*wire.SealedChunk{0: h}, 1
	case f.first == nil || h.Number != f.first.Number || !bytes.Equal(h.BatchHash, f.first.BatchHash):
		return x.drain()
	case len(h.Ciphertext) > 0 && h.Index >= f.next && h.Index < f.next+chunkWindow:
		f.chunks[h.Index] = h
	}
	x.advance(ctx, c)
	return x.drain()
}
