package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// gasSignature is what checking one Ed25519 signature costs.
const gasSignature = 1_000

// Registered learns of a gatekeeper's registration. A boot that took part in the epoch before this one held its parts, this one
// has none.
func (k *Keeper) Registered(ctx context.Context, w *wire.Worker) error {
	return k.lost(sdk.UnwrapSDKContext(ctx), w, false)
}

// Ended learns of a gatekeeper whose registration is over.
func (k *Keeper) Ended(ctx context.Context, w *wire.Worker) error {
	return k.lost(sdk.UnwrapSDKContext(ctx), w, true)
}

// MsgServer runs the module's messages.
type MsgServer struct{ Keeper *Keeper }

var _ types.MsgServer = MsgServer{}

// asker loads what the chain knows of a worker that speaks for a cluster.
func (k *Keeper) asker(ctx sdk.Context, cluster uint64, ref *wire.WorkerRef) (types.Asker, error) {
	ctx.GasMeter().ConsumeGas(gasSignature, "signature")
	a := types.Asker{ChainID: ctx.ChainID(), Height: uint64(ctx.BlockHeight())}
	var err error
	if a.Epoch, err = k.Epoch(ctx); err != nil {
		return a, err
	}
	if a.Cluster, err = k.clusters.Cluster(ctx, cluster); err != nil || ref == nil {
		return a, err
	}
	a.Worker, err = k.workers.Worker(ctx, ref)
	return a, err
}

// RequestKey implements types.MsgServer. The request on record again changes nothing; an older one never comes back,
// though anyone may send it, because its one-time key has been seen.
func (s MsgServer) RequestKey(goCtx context.Context, m *types.MsgRequestKey) (*types.MsgRequestKeyResponse, error) {
	k, ctx, r := s.Keeper, sdk.UnwrapSDKContext(goCtx), m.Request
	a, err := k.asker(ctx, r.GetCluster(), r.GetWorker())
	if err != nil {
		return nil, err
	}
	if err := types.CheckKeyRequest(a, r); err != nil {
		return nil, err
	}
	used, err := k.oneTimeKeys.Has(ctx, oneTimeHash(r))
	if err != nil {
		return nil, err
	}
	last, err := k.lastRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	if used {
		return &types.MsgRequestKeyResponse{}, checkRepeated(last, r)
	}
	if err := types.CheckPause(last, r, a.Height); err != nil {
		return nil, err
	}
	recorded := *r
	recorded.Height = a.Height
	if err := k.record(ctx, &recorded); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventKeyRequested, append(workerAttributes(r.Worker),
		sdk.NewAttribute(types.AttributeCluster, decimal(r.Cluster)),
		sdk.NewAttribute(types.AttributeEpoch, decimal(r.Epoch)),
		sdk.NewAttribute(types.AttributeRoster, decimal(r.Roster)),
		sdk.NewAttribute(types.AttributeIdentity, hex.EncodeToString(r.IdentityKey)))...))
	return &types.MsgRequestKeyResponse{}, nil
}

// lastRequest is what the worker asked for the cluster last; nil: nothing.
func (k *Keeper) lastRequest(ctx sdk.Context, r *wire.KeyRequest) (*wire.KeyRequest, error) {
	last, err := k.requests.Get(ctx, keyOf(r.Cluster, r.Worker))
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &last, err
}

// checkRepeated lets pass only the request that is on record.
func checkRepeated(last, r *wire.KeyRequest) error {
	if last != nil {
		same := *last
		same.Height = 0
		if string(wire.Marshal(&same)) == string(wire.Marshal(r)) {
			return nil
		}
	}
	return types.ErrReused.Wrapf("the one_time_key of worker %s for cluster %d was in an earlier request: make a new one", r.Worker.Name(), r.Cluster)
}

// AnnounceEpoch implements types.MsgServer.
func (s MsgServer) AnnounceEpoch(goCtx context.Context, m *types.MsgAnnounceEpoch) (*types.MsgAnnounceEpochResponse, error) {
	k, ctx, word := s.Keeper, sdk.UnwrapSDKContext(goCtx), m.Announcement
	a, err := k.asker(ctx, word.GetCluster(), word.GetWorker())
	if err != nil {
		return nil, err
	}
	agreed, err := k.agreed(ctx, a, word.GetCluster())
	if err != nil {
		return nil, err
	}
	if err := types.CheckAnnouncement(a, word, agreed); err != nil {
		return nil, err
	}
	if err := k.announcements.Set(ctx, keyOf(word.Cluster, word.Worker), *word); err != nil {
		return nil, err
	}
	attrs := append(workerAttributes(word.Worker), keyAttributes(word)...)
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventAnnounced, attrs...))
	if types.IsOf(agreed, word.Epoch, word.Roster) {
		return &types.MsgAnnounceEpochResponse{Counts: true}, nil
	}

	all, err := k.announced(ctx, word.Cluster)
	if err != nil {
		return nil, err
	}
	if types.Agreed(a.Cluster, all, word) < a.Cluster.Quorum {
		return &types.MsgAnnounceEpochResponse{}, nil
	}
	key := &wire.ClusterKey{Cluster: word.Cluster, Epoch: word.Epoch, Roster: word.Roster, InputKey: word.InputKey, Check: word.Check, Height: a.Height}
	if err := k.agree(ctx, key); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventClusterKey, append(keyAttributes(word),
		sdk.NewAttribute(types.AttributeFrom, decimal(key.FromHeight)))...))
	return &types.MsgAnnounceEpochResponse{Counts: true}, nil
}

// agreed is the key that a quorum has announced for the gatekeepers' epoch and the cluster's roster, in force or not; nil: none.
func (k *Keeper) agreed(ctx sdk.Context, a types.Asker, cluster uint64) (*wire.ClusterKey, error) {
	current, err := k.ClusterKey(ctx, cluster)
	if err != nil || a.Cluster == nil || types.IsOf(current, a.Epoch, a.Cluster.Roster) {
		return current, err
	}
	return findKey(ctx, k.next, cluster)
}

// announced lists the members' words on a cluster's key.
func (k *Keeper) announced(ctx sdk.Context, cluster uint64) ([]*wire.Announcement, error) {
	var all []*wire.Announcement
	err := k.announcements.Walk(ctx, collections.NewPrefixedTripleRange[uint64, string, uint32](cluster), func(_ key, a wire.Announcement) (bool, error) {
		all = append(all, &a)
		return false, nil
	})
	return all, err
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func workerAttributes(w *wire.WorkerRef) []sdk.Attribute {
	return []sdk.Attribute{
		sdk.NewAttribute(types.AttributeOperator, w.Operator),
		sdk.NewAttribute(types.AttributeSlot, decimal(uint64(w.Slot))),
	}
}

func keyAttributes(a *wire.Announcement) []sdk.Attribute {
	h := sha256.Sum256(a.InputKey)
	return []sdk.Attribute{
		sdk.NewAttribute(types.AttributeCluster, decimal(a.Cluster)),
		sdk.NewAttribute(types.AttributeEpoch, decimal(a.Epoch)),
		sdk.NewAttribute(types.AttributeRoster, decimal(a.Roster)),
		sdk.NewAttribute(types.AttributeHash, hex.EncodeToString(h[:])),
	}
}
