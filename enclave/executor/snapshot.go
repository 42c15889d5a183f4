package executor

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/state"
)

const (
	chunkSize  = 1<<20 - 4 // bytes of all chunks but the last; with its length it is a padding class
	chunksOnce = 16        // written at one header, so that a large state stops nothing
	leastLog   = 1 << 20   // bytes of records after which a snapshot is worth its while, if they are more than the state
)

// writer is a snapshot that is being written. The state is immutable: batches go on meanwhile.
type writer struct {
	head  *wire.SealedChunk // all but what is each chunk's own
	state state.Map
	next  []byte // first key that is not in pending yet
	begun bool
	done  bool // all keys are in pending

	pending []byte
}

// preserve begins a snapshot where the state has new keys or its log has outgrown it, and goes on with the one begun. From then on
// nobody who starts needs the keys before.
func (x *Executor) preserve(c *cluster) {
	l := c.now()
	current := c.keys[l] != nil && c.final.number > 0 && c.final.number == c.head.Number
	if current && (c.sealed != l || c.logged > max(leastLog, c.stored)) {
		c.sealed, c.logged, c.stored = l, 0, 0
		c.writing = &writer{state: c.final.state, head: &wire.SealedChunk{
			ChainId: x.cfg.ChainID, Cluster: c.id, Epoch: l.epoch, Roster: l.roster,
			Number: c.final.number, BatchHash: c.final.hash, Root: c.final.root,
		}}
	}
	if w := c.writing; w != nil && (w.head.Epoch != l.epoch || w.head.Roster != l.roster) {
		c.writing = nil // a snapshot under newer keys takes its place
	}
	for range chunksOnce {
		w := c.writing
		if w == nil {
			return
		}
		chunk := w.chunk()
		sealChunk(c.keys[l].State, chunk.head, chunk.plain)
		clear(chunk.plain)
		c.stored += len(chunk.head.Ciphertext)
		x.emit(&wire.Out{Body: &wire.Out_Chunk{Chunk: chunk.head}})
		if chunk.head.Last {
			c.writing = nil
		}
	}
}

type openChunk struct {
	head  *wire.SealedChunk
	plain []byte
}

// chunk cuts the next piece off the state.
func (w *writer) chunk() openChunk {
	if !w.begun {
		w.begun = true
		blind, _ := w.state.Get(blindKey())
		w.put(blindKey(), blind) // first: who reads needs it for every other key
	}
	if len(w.pending) <= chunkSize && !w.done {
		w.done = true
		w.state.Ascend(w.next, nil, func(k, v []byte) bool {
			if len(w.pending) > chunkSize {
				w.next, w.done = bytes.Clone(k), false
				return false
			}
			if !bytes.Equal(k, blindKey()) {
				w.put(k, v)
			}
			return true
		})
	}
	n := min(len(w.pending), chunkSize)
	head := *w.head
	head.Index, head.Last = w.head.Index, w.done && n == len(w.pending)
	w.head.Index++
	out := openChunk{&head, bytes.Clone(w.pending[:n])}
	rest := copy(w.pending, w.pending[n:])
	clear(w.pending[rest:])
	w.pending = w.pending[:rest]
	return out
}

func (w *writer) put(key, value []byte) {
	b := wire.Marshal(&wire.Write{Key: key, Value: value})
	w.pending = binary.AppendUvarint(w.pending, uint64(len(b)))
	w.pending = append(w.pending, b...)
}

// chunkAt is the key and the associated data of a chunk: each is bound to its state and its place.
func chunkAt(s *keytree.Secret, h *wire.SealedChunk) (key, aad []byte) {
	ctx := binary.BigEndian.AppendUint64(nil, h.Number)
	ctx = append(ctx, h.BatchHash...)
	ctx = append(ctx, h.Root...)
	ctx = binary.BigEndian.AppendUint32(ctx, h.Index)
	last := byte(0)
	if h.Last {
		last = 1
	}
	bare := *h
	bare.Nonce, bare.Ciphertext = nil, nil
	return s.Key("phala/snapshot/v1", append(ctx, last)), wire.Marshal(&bare)
}

func sealChunk(s *keytree.Secret, h *wire.SealedChunk, plain []byte) {
	key, aad := chunkAt(s, h)
	defer clear(key)
	a, err := seal.NewAEAD(key)
	if err != nil {
		panic("sealing a snapshot: " + err.Error()) // a key of 32 bytes always works
	}
	h.Nonce = make([]byte, a.NonceSize())
	rand.Read(h.Nonce) // the same state may be written twice
	padded := seal.Pad(plain)
	defer clear(padded)
	h.Ciphertext = a.Seal(nil, h.Nonce, padded, aad)
}

func openSealed(s *keytree.Secret, h *wire.SealedChunk) ([]byte, error) {
	key, aad := chunkAt(s, h)
	defer clear(key)
	a, err := seal.NewAEAD(key)
	if err != nil {
		return nil, err
	}
	if len(h.Nonce) != a.NonceSize() {
		return nil, fmt.Errorf("nonce of %d bytes", len(h.Nonce))
	}
	padded, err := a.Open(nil, h.Nonce, h.Ciphertext, aad)
	if err != nil {
		return nil, errors.New("it is another's, or was changed")
	}
	return seal.Unpad(padded)
}
