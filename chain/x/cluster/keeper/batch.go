package keeper

import (
	"context"
	"encoding/hex"
	"errors"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// CommitBatch implements types.MsgServer. Whoever sends it, core/settle decides.
func (s MsgServer) CommitBatch(goCtx context.Context, m *types.MsgCommitBatch) (*types.MsgCommitBatchResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	b := m.Batch.GetBatch()
	c, err := k.mustCluster(ctx, b.GetCluster())
	if err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasSignature*uint64(len(m.Batch.Signatures)), "signatures")
	in, err := k.settleInput(ctx, c, m.Batch)
	if err != nil {
		return nil, err
	}
	if err := settle.Accept(in); err != nil {
		var r *settle.Refusal
		if errors.As(err, &r) {
			return nil, types.ErrBatch.Wrapf("cluster %d, batch %d: %s", c.Id, b.Number, r)
		}
		return nil, err
	}
	if err := k.finalize(ctx, in); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventBatch,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeNumber, decimal(b.Number)),
		sdk.NewAttribute(types.AttributeBatchHash, hex.EncodeToString(settle.BatchHash(b))),
		sdk.NewAttribute(types.AttributeChainHeight, decimal(b.ChainHeight)),
		sdk.NewAttribute(types.AttributeInboxFirst, decimal(b.InboxFirst)),
		sdk.NewAttribute(types.AttributeInboxNext, decimal(b.InboxFirst+uint64(b.InboxCount)))))
	return &types.MsgCommitBatchResponse{}, nil
}

// settleInput loads what the decision rests on.
func (k *Keeper) settleInput(ctx sdk.Context, c *wire.Cluster, b *wire.SignedBatch) (settle.Input, error) {
	in := settle.Input{ChainID: ctx.ChainID(), Cluster: c, Height: uint64(ctx.BlockHeight()), Batch: b, Members: make([]*wire.Worker, len(c.Members))}
	p, err := k.params.Get(ctx)
	if err != nil {
		return in, err
	}
	in.MaxAge, in.Receipts = p.MaxBatchAge, p.MinStorageReceipts
	head, err := k.heads.Get(ctx, c.Id)
	if err != nil {
		return in, err
	}
	inbox, err := k.inboxes.Get(ctx, c.Id)
	if err != nil {
		return in, err
	}
	in.Head, in.InboxNext = &head, inbox.Next
	for i, ref := range c.Members {
		if in.Members[i], err = k.Workers.Worker(ctx, ref); err != nil {
			return in, err
		}
	}
	in.ChainHash, err = k.Attestation.HashAt(ctx, b.Batch.ChainHeight)
	return in, err
}

// finalize makes an accepted batch the cluster's head.
func (k *Keeper) finalize(ctx sdk.Context, in settle.Input) error {
	b := in.Batch.Batch
	if err := k.heads.Set(ctx, b.Cluster, wire.Head{
		Cluster: b.Cluster, Number: b.Number, BatchHash: settle.BatchHash(b), Root: b.NewRoot,
		ChainHeight: b.ChainHeight, CommittedHeight: in.Height, InboxNext: b.InboxFirst + uint64(b.InboxCount),
	}); err != nil {
		return err
	}
	return k.batches.Set(ctx, collections.Join(b.Cluster, b.Number), wire.CommittedBatch{Signed: in.Batch, Height: in.Height})
}
