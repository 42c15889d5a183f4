package keeper

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// ConsentEscrow implements types.MsgServer. What stands under another consent than the newest ends.
func (s MsgServer) ConsentEscrow(goCtx context.Context, m *types.MsgConsentEscrow) (*types.MsgConsentEscrowResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	c, err := k.mustCluster(ctx, m.Cluster)
	if err != nil {
		return nil, err
	}
	if err := types.CheckConsent(c, m); err != nil {
		return nil, err
	}
	if c.EscrowHeight != 0 && !bytes.Equal(c.EscrowConsent, m.Terms) {
		if err := k.endEscrow(ctx, c, m.Owner); err != nil {
			return nil, err
		}
	}
	c.EscrowConsent = m.Terms
	if err := k.clusters.Set(ctx, c.Id, *c); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEscrowConsent,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeOwner, c.Owner),
		sdk.NewAttribute(types.AttributeTerms, hex.EncodeToString(m.Terms))))
	return &types.MsgConsentEscrowResponse{}, nil
}

func (k *Keeper) endEscrow(ctx sdk.Context, c *wire.Cluster, by string) error {
	if err := k.dropEscrow(ctx, c); err != nil {
		return err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEscrowEnded,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeSender, by)))
	return nil
}

// SetEscrow implements types.MsgServer. Terms that take the place of others begin anew: nothing dealt under those before is kept.
func (s MsgServer) SetEscrow(goCtx context.Context, m *types.MsgSetEscrow) (*types.MsgSetEscrowResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	if m.Authority != k.Authority {
		return nil, types.ErrAuthority.Wrapf("an escrow of state keys is for governance %s to decide, not for %s; an owner ends one by withdrawing the consent", k.Authority, m.Authority)
	}
	c, err := k.mustCluster(ctx, m.Cluster)
	if err != nil {
		return nil, err
	}
	e := &wire.KeyEscrow{Terms: &wire.EscrowTerms{Cluster: c.Id, Threshold: m.Threshold, Custodians: m.Custodians}}
	ends := m.Threshold == 0 && len(m.Custodians) == 0
	if ends && c.EscrowHeight == 0 {
		return nil, types.ErrKeyEscrow.Wrapf("the state keys of cluster %d are in no escrow", c.Id)
	}
	if !ends {
		if err := types.CheckEscrowTerms(c, e.Terms); err != nil {
			return nil, err
		}
	}
	if c.EscrowHeight != 0 {
		if err := k.endEscrow(ctx, c, m.Authority); err != nil {
			return nil, err
		}
	}
	if !ends {
		if err := k.beginEscrow(ctx, c, e); err != nil {
			return nil, err
		}
	}
	return &types.MsgSetEscrowResponse{FromHeight: e.FromHeight}, k.clusters.Set(ctx, c.Id, *c)
}

func (k *Keeper) beginEscrow(ctx sdk.Context, c *wire.Cluster, e *wire.KeyEscrow) error {
	n, err := k.Attestation.Network(ctx)
	if err != nil {
		return err
	}
	e.ApprovedHeight = uint64(ctx.BlockHeight())
	e.FromHeight = e.ApprovedHeight + attest.ActivationDelay(n)
	c.EscrowHeight = e.ApprovedHeight
	if err := k.keyEscrows.Set(ctx, c.Id, *e); err != nil {
		return err
	}
	custodians := make([]string, len(e.Terms.Custodians))
	for i, p := range e.Terms.Custodians {
		custodians[i] = strconv.Quote(p.Name)
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEscrowSet,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeThreshold, decimal(uint64(e.Terms.Threshold))),
		sdk.NewAttribute(types.AttributeCustodians, strings.Join(custodians, ",")),
		sdk.NewAttribute(types.AttributeFromHeight, decimal(e.FromHeight))))
	return nil
}

// EscrowStateKey implements types.MsgServer.
func (s MsgServer) EscrowStateKey(goCtx context.Context, m *types.MsgEscrowStateKey) (*types.MsgEscrowStateKeyResponse, error) {
	k, ctx, d := s.Keeper, sdk.UnwrapSDKContext(goCtx), m.Deal
	c, err := k.mustCluster(ctx, d.GetCluster())
	if err != nil {
		return nil, err
	}
	e, err := find(ctx, k.keyEscrows, c.Id)
	if err != nil {
		return nil, err
	}
	if d.Worker == nil {
		return nil, types.ErrMalformed.Wrap("deal of no worker")
	}
	w, err := k.Workers.Worker(ctx, d.Worker)
	if err != nil {
		return nil, err
	}
	at := &wire.EscrowLabel{Epoch: d.Epoch, Roster: d.Roster}
	fresh := true
	for _, l := range e.GetLabels() {
		if l.Epoch == d.Epoch && l.Roster == d.Roster {
			at, fresh = l, false
		}
	}
	before, err := k.dealsOf(ctx, c.Id, at)
	if err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasSignature, "signatures")
	if err := types.CheckDeal(ctx.ChainID(), c, e, w, d, before, uint64(ctx.BlockHeight())); err != nil {
		return nil, err
	}
	d.Height = uint64(ctx.BlockHeight())
	number := at.Deals
	if err := k.deals.Set(ctx, dealKey(c.Id, at, number), *d); err != nil {
		return nil, err
	}
	if at.Deals++; fresh {
		e.Labels = append(e.Labels, at)
	}
	if err := k.keepLabels(ctx, c, e); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEscrowDealt,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeEpoch, decimal(d.Epoch)),
		sdk.NewAttribute(types.AttributeRoster, decimal(d.Roster)),
		sdk.NewAttribute(types.AttributeDeal, decimal(uint64(number))),
		sdk.NewAttribute(types.AttributeWorker, d.Worker.Name())))
	return &types.MsgEscrowStateKeyResponse{Deal: number}, nil
}

// keepLabels drops what is dealt of labels that nothing is sealed under any more, and stores the list of the others.
func (k *Keeper) keepLabels(ctx context.Context, c *wire.Cluster, e *wire.KeyEscrow) error {
	head, err := k.heads.Get(ctx, c.Id)
	if err != nil {
		return err
	}
	newest, err := find(ctx, k.batches, collections.Join(c.Id, head.Number))
	if err != nil {
		return err
	}
	keep, drop := types.KeptLabels(e.Labels, newest.GetSigned().GetBatch())
	for _, l := range drop {
		for n := range l.Deals {
			if err := k.deals.Remove(ctx, dealKey(c.Id, l, n)); err != nil {
				return err
			}
		}
	}
	e.Labels = keep
	return k.keyEscrows.Set(ctx, c.Id, *e)
}

// RequestEscrow implements types.MsgServer. What custodians have answered to the request before is of no more use.
func (s MsgServer) RequestEscrow(goCtx context.Context, m *types.MsgRequestEscrow) (*types.MsgRequestEscrowResponse, error) {
	k, ctx, r := s.Keeper, sdk.UnwrapSDKContext(goCtx), m.Request
	c, err := k.mustCluster(ctx, r.GetCluster())
	if err != nil {
		return nil, err
	}
	if r.Worker == nil {
		return nil, types.ErrMalformed.Wrap("request of no worker")
	}
	w, err := k.Workers.Worker(ctx, r.Worker)
	if err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasSignature, "signatures")
	if err := types.CheckEscrowRequest(ctx.ChainID(), c, w, r, uint64(ctx.BlockHeight())); err != nil {
		return nil, err
	}
	r.Height = uint64(ctx.BlockHeight())
	id := requestKey(c.Id, r.Worker)
	if err := k.requests.Set(ctx, id, *r); err != nil {
		return nil, err
	}
	if err := k.shares.Clear(ctx, with(id)); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEscrowRequested,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeWorker, r.Worker.Name())))
	return &types.MsgRequestEscrowResponse{}, nil
}

// EscrowShare implements types.MsgServer. The share itself is for the enclave that asked to judge.
func (s MsgServer) EscrowShare(goCtx context.Context, m *types.MsgEscrowShare) (*types.MsgEscrowShareResponse, error) {
	k, ctx, sh := s.Keeper, sdk.UnwrapSDKContext(goCtx), m.Share
	c, err := k.mustCluster(ctx, sh.GetCluster())
	if err != nil {
		return nil, err
	}
	e, err := find(ctx, k.keyEscrows, sh.GetCluster())
	if err != nil {
		return nil, err
	}
	if e == nil || sh.Worker == nil {
		return nil, types.ErrKeyEscrow.Wrapf("the state keys of cluster %d are in no escrow, or the share is for nobody", sh.GetCluster())
	}
	r, err := find(ctx, k.requests, requestKey(sh.Cluster, sh.Worker))
	if err != nil {
		return nil, err
	}
	d, err := find(ctx, k.deals, storekey.EscrowDealKey(sh.Cluster, sh.Epoch, sh.Roster, sh.Deal)[1:])
	if err != nil {
		return nil, err
	}
	if r == nil || d == nil {
		return nil, types.ErrKeyEscrow.Wrapf("worker %s has not asked, or deal %d of epoch %d roster %d is not kept", sh.Worker.Name(), sh.Deal, sh.Epoch, sh.Roster)
	}
	w, err := k.Workers.Worker(ctx, sh.Worker)
	if err != nil {
		return nil, err
	}
	if err := types.CheckEscrowAsker(c, w, r, uint64(ctx.BlockHeight())); err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasSignature, "signatures")
	if err := escrow.CheckShare(ctx.ChainID(), e.Terms, d, r, sh); err != nil {
		return nil, types.ErrKeyEscrow.Wrapf("%v", err)
	}
	sh.Height = uint64(ctx.BlockHeight())
	if err := k.shares.Set(ctx, shareKey(sh), *sh); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEscrowShare,
		sdk.NewAttribute(types.AttributeCluster, decimal(sh.Cluster)),
		sdk.NewAttribute(types.AttributeEpoch, decimal(sh.Epoch)),
		sdk.NewAttribute(types.AttributeRoster, decimal(sh.Roster)),
		sdk.NewAttribute(types.AttributeDeal, decimal(uint64(sh.Deal))),
		sdk.NewAttribute(types.AttributeCustodian, e.Terms.Custodians[sh.Custodian].Name),
		sdk.NewAttribute(types.AttributeWorker, sh.Worker.Name())))
	return &types.MsgEscrowShareResponse{}, nil
}

// Escrow implements types.QueryServer.
func (s QueryServer) Escrow(ctx context.Context, r *types.QueryEscrowRequest) (*types.QueryEscrowResponse, error) {
	e, err := find(ctx, s.Keeper.keyEscrows, r.Cluster)
	if err != nil {
		return nil, err
	}
	res := &types.QueryEscrowResponse{Escrow: e}
	err = s.Keeper.requests.Walk(ctx, with(storekey.EscrowRequestKey(r.Cluster, "", 0)[1:9]), func(_ []byte, v wire.EscrowRequest) (bool, error) {
		res.Requests = append(res.Requests, &v)
		return len(res.Requests) == maxPage, nil
	})
	slices.SortStableFunc(res.Requests, func(a, b *wire.EscrowRequest) int { return int(b.Height) - int(a.Height) })
	return res, err
}
