package executor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/state"
)

// restoreWindow is how many batches and records are asked for at once.
const restoreWindow = 32

// recordKey is the key of one record: a losing and a winning batch never share one.
func recordKey(state *keytree.Secret, b *wire.Batch, inputs []byte) []byte {
	ctx := binary.BigEndian.AppendUint64(nil, b.Number)
	ctx = append(ctx, b.PrevBatchHash...)
	ctx = append(ctx, inputs...)
	ctx = append(ctx, b.NewRoot...)
	ctx = binary.BigEndian.AppendUint32(ctx, 0) // index: a batch has one record in this version
	return state.Key("phala/record/v1", ctx)
}

// inputsOf stands for the inbox range in a record's key; the batch names it.
func inputsOf(b *wire.Batch) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, b.InboxFirst))
	h.Write(binary.BigEndian.AppendUint32(nil, b.InboxCount))
	h.Write(b.DirectInputsRoot)
	h.Write(b.OutputsRoot)
	return h.Sum(nil)
}

func recordHeader(chainID string, b *wire.Batch, l label) *wire.SealedRecord {
	return &wire.SealedRecord{ChainId: chainID, Cluster: b.Cluster, Epoch: l.epoch, Roster: l.roster, Number: b.Number, BatchHash: settle.BatchHash(b)}
}

// sealRecord is what the host keeps of a final batch: sealed under the newest keys, so that nobody needs older ones to read it. A
// worker that lacks them yet seals under the batch's own; nil if it has neither.
func (x *Executor) sealRecord(c *cluster, cand *candidate) *wire.SealedRecord {
	l := c.now()
	if c.keys[l] == nil {
		l = label{cand.batch.Epoch, cand.batch.Roster}
	}
	if c.keys[l] == nil {
		return nil
	}
	r := recordHeader(x.cfg.ChainID, cand.batch, l)
	aad := wire.Marshal(r)
	key := recordKey(c.keys[l].State, cand.batch, inputsOf(cand.batch))
	defer clear(key)
	a, err := seal.NewAEAD(key)
	if err != nil {
		panic("sealing a record: " + err.Error()) // a key of 32 bytes always works
	}
	r.Nonce = make([]byte, a.NonceSize())
	rand.Read(r.Nonce) // the same record may be sealed twice, after a restore
	r.Ciphertext = a.Seal(nil, r.Nonce, seal.Pad(wire.Marshal(&wire.Record{Batch: cand.batch, Writes: cand.writes})), aad)
	return r
}

// openRecord opens the record of batch b, which the chain has.
func (x *Executor) openRecord(c *cluster, b *wire.Batch, r *wire.SealedRecord) ([]*wire.Write, error) {
	l := label{r.Epoch, r.Roster}
	state := c.stateKey(l)
	if state == nil {
		return nil, fmt.Errorf("opening the record of batch %d, sealed in epoch %d roster %d: %w", b.Number, l.epoch, l.roster, errNoKey)
	}
	key := recordKey(state, b, inputsOf(b))
	defer clear(key)
	a, err := seal.NewAEAD(key)
	if err != nil {
		return nil, err
	}
	if len(r.Nonce) != a.NonceSize() {
		return nil, fmt.Errorf("opening the record of batch %d: nonce of %d bytes", b.Number, len(r.Nonce))
	}
	padded, err := a.Open(nil, r.Nonce, r.Ciphertext, wire.Marshal(recordHeader(x.cfg.ChainID, b, l)))
	if err != nil {
		return nil, fmt.Errorf("opening the record of batch %d: it is another's, or was changed", b.Number)
	}
	plain, err := seal.Unpad(padded)
	if err != nil {
		return nil, err
	}
	var rec wire.Record
	if err := wire.Unmarshal(plain, &rec); err != nil {
		return nil, err
	}
	return rec.Writes, nil
}

// Record takes a sealed record that was asked for; one without ciphertext says that nobody has it.
func (x *Executor) Record(ctx context.Context, r *wire.SealedRecord) []*wire.Out {
	c := x.clusters[r.Cluster]
	if c == nil || !c.restoring || c.asked[r.Number] == 0 {
		return x.drain()
	}
	c.records[r.Number] = r
	x.advance(ctx, c)
	return x.drain()
}

// restore applies the record of batch b. When nobody has it, or it is not b's, the rest is done by execution.
func (x *Executor) restore(c *cluster, b *wire.Batch) (done bool, err error) {
	r, here := c.records[b.Number]
	if !here {
		for n := b.Number; n <= c.head.Number && n < b.Number+restoreWindow; n++ {
			// An answer may be lost with its connection: ask again.
			if at := c.asked[n]; c.records[n] == nil && (at == 0 || c.height >= at+repeatAfter) {
				c.asked[n] = c.height
				need := &wire.NeedRecord{Cluster: c.id, Number: n}
				if committed := c.batches[n]; committed != nil {
					need.BatchHash = settle.BatchHash(committed.Signed.Batch)
				}
				x.emit(&wire.Out{Body: &wire.Out_NeedRecord{NeedRecord: need}})
			}
		}
		return false, nil
	}
	delete(c.records, b.Number)
	delete(c.asked, b.Number)
	if len(r.Ciphertext) == 0 {
		c.restoring = false
		return false, nil
	}
	writes, err := x.openRecord(c, b, r)
	if errors.Is(err, errNoKey) && slices.Contains(c.missing(), label{r.Epoch, r.Roster}) {
		c.asked[b.Number] = c.height // until the key has come
		return false, nil
	}
	if err != nil {
		c.restoring = false
		return false, err
	}
	m := c.final.state
	if !m.Blinded() {
		m, err = blinded(writes)
		if err != nil {
			c.restoring = false
			return false, err
		}
	}
	m = m.Apply(writes)
	if !bytes.Equal(m.Root(), b.NewRoot) {
		c.restoring = false
		return false, fmt.Errorf("restoring batch %d: the record leads to another root than the chain has", b.Number)
	}
	c.moveTo(snapshot{number: b.Number, hash: settle.BatchHash(b), root: b.NewRoot, state: m}, b)
	return true, nil
}

// blinded is the empty state with the blinding key that the first record writes.
func blinded(writes []*wire.Write) (state.Map, error) {
	for _, w := range writes {
		if bytes.Equal(w.Key, blindKey()) && len(w.Value) == sha256.Size {
			return state.New(w.Value), nil
		}
	}
	return state.Map{}, fmt.Errorf("restoring: the first record has no blinding key")
}
