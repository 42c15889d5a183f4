package client

import (
	"context"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Receipt puts together what anybody needs to check a final result offline, who trusts the genesis, or the header that from names. The
// node must still have the state of the block that made the result final: ask for receipts soon, or at a node that prunes nothing.
func (c *Client) Receipt(ctx context.Context, f *wire.FinalResult, from *light.Checkpoint) (*wire.Receipt, error) {
	taken, err := c.Batch(ctx, f.GetBatch().GetCluster(), f.GetBatch().GetNumber())
	if err != nil {
		return nil, err
	}
	if taken == nil {
		return nil, fmt.Errorf("making a receipt: batch %d of cluster %d is not final", f.GetBatch().GetNumber(), f.GetBatch().GetCluster())
	}
	return ReceiptMaker{Node: c.Node, Genesis: c.Genesis, Options: c.Chain.opts, Now: c.Chain.now()}.Make(ctx, f, taken, from)
}

// ReceiptMaker asks a node, which is not believed, for what receipts hold.
type ReceiptMaker struct {
	Node    Node
	Genesis *light.Genesis
	Options light.Options
	Now     time.Time
}

// Make is Client.Receipt for a batch as the chain has taken it.
func (m ReceiptMaker) Make(ctx context.Context, f *wire.FinalResult, taken *wire.CommittedBatch, from *light.Checkpoint) (*wire.Receipt, error) {
	r := &wire.Receipt{ChainId: m.Genesis.ChainID, GenesisHash: m.Genesis.Hash, Result: &wire.FinalResult{
		Result: f.Result, Salt: f.Salt, Leaf: f.Leaf, Leaves: f.Leaves, Path: f.Path, Batch: f.Batch,
	}}
	var err error
	if r.Headers, err = m.headers(ctx, taken.Height, from); err != nil {
		return nil, fmt.Errorf("making a receipt: %w", err)
	}
	if r.Before, err = m.before(ctx, f, taken); err != nil {
		return nil, fmt.Errorf("making a receipt: %w", err)
	}
	if r.After, err = m.after(ctx, f, taken.Height+1); err != nil {
		return nil, fmt.Errorf("making a receipt: %w", err)
	}
	return r, nil
}

// headers leads from what is trusted to a block and the next.
func (m ReceiptMaker) headers(ctx context.Context, height uint64, from *light.Checkpoint) ([][]byte, error) {
	t := trail{node: m.Node, opts: m.Options, now: m.Now, state: light.FromGenesis(m.Genesis)}
	if from != nil {
		if from.Height > height {
			return nil, fmt.Errorf("the checkpoint at height %d is later than block %d, which made the result final: take an earlier one", from.Height, height)
		}
		var err error
		if t.state, err = light.FromCheckpoint(m.Genesis, *from); err != nil {
			return nil, err
		}
		if err := t.toHeight(ctx, from.Height); err != nil {
			return nil, err
		}
	}
	for h := height; h <= height+1; h++ {
		if h == t.state.Height {
			continue
		}
		if err := t.toHeight(ctx, h); err != nil {
			return nil, err
		}
	}
	var out [][]byte
	for _, lb := range t.over {
		b, err := light.Encode(lb)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// value is what a node says, unchecked: who reads the receipt checks.
func (m ReceiptMaker) value(ctx context.Context, header uint64, store string, key []byte) (*wire.StoreValue, error) {
	return m.Node.Value(ctx, header, &wire.StoreKey{Store: store, Key: key})
}

// before is what the chain judged the batch by.
func (m ReceiptMaker) before(ctx context.Context, f *wire.FinalResult, taken *wire.CommittedBatch) (out []*wire.StoreValue, err error) {
	add := func(store string, key []byte, into wire.Message) {
		if err != nil {
			return
		}
		var v *wire.StoreValue
		if v, err = m.value(ctx, taken.Height, store, key); err != nil {
			return
		}
		out = append(out, v)
		if into != nil {
			err = wire.Unmarshal(v.Value, into)
		}
	}
	var cluster wire.Cluster
	add(storekey.Cluster, storekey.ClusterKey(f.Batch.Cluster), &cluster)
	add(storekey.Cluster, storekey.ItemKey(f.Batch.Cluster, f.Result.GetIndex()), nil)
	add(storekey.Attestation, storekey.Network(), nil)
	add(storekey.Attestation, storekey.Policy(int32(wire.ROLE_EXECUTOR)), nil)
	shared := map[string]bool{}
	for _, s := range taken.Signed.GetSignatures() {
		if err != nil || uint64(s.Member) >= uint64(len(cluster.Members)) {
			break
		}
		ref, ev := cluster.Members[s.Member], &wire.WorkerEvidence{}
		add(storekey.Worker, storekey.WorkerKey(ref.Operator, ref.Slot), nil)
		add(storekey.Worker, storekey.EvidenceKey(ref.Operator, ref.Slot), ev)
		for _, h := range attest.Hashes(ev.Evidence) {
			if !shared[string(h)] {
				shared[string(h)] = true
				add(storekey.Attestation, storekey.CollateralKey(h), nil)
			}
		}
	}
	return out, err
}

// after is what came of it.
func (m ReceiptMaker) after(ctx context.Context, f *wire.FinalResult, header uint64) ([]*wire.StoreValue, error) {
	b, err := m.value(ctx, header, storekey.Cluster, storekey.BatchKey(f.Batch.Cluster, f.Batch.Number))
	if err != nil {
		return nil, err
	}
	out := []*wire.StoreValue{b}
	if addr := f.Result.GetContract(); len(addr) > 0 {
		k, err := m.value(ctx, header, storekey.Cluster, storekey.ContractKey(f.Batch.Cluster, addr))
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}
