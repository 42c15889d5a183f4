package keeper

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// What the dear steps of messages cost beside storage and size.
const (
	gasSignature     = 1_000 // one Ed25519 check
	gasHash          = 50    // one step of a Merkle path
	gasUnpackPerByte = 1     // of unpacked code: gunzip and SHA-256
)

// MsgServer runs the module's messages.
type MsgServer struct{ Keeper *Keeper }

var _ types.MsgServer = MsgServer{}

// CreateCluster implements types.MsgServer.
func (s MsgServer) CreateCluster(goCtx context.Context, m *types.MsgCreateCluster) (*types.MsgCreateClusterResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	if _, err := sdk.AccAddressFromBech32(m.Owner); err != nil {
		return nil, types.ErrMalformed.Wrapf("owner %q: %v", m.Owner, err)
	}
	p, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := types.CheckMembers(&p, m.Members, m.Quorum); err != nil {
		return nil, err
	}
	height := uint64(ctx.BlockHeight())
	for _, ref := range m.Members {
		w, err := k.Workers.Worker(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := types.CheckMember(ref, w, height); err != nil {
			return nil, err
		}
	}
	epoch, err := k.Gatekeepers.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	id, err := k.nextID.Next(ctx)
	if err != nil {
		return nil, err
	}
	c := &wire.Cluster{Id: id, Owner: m.Owner, Members: m.Members, Quorum: m.Quorum, Roster: 1, Epoch: epoch, CreatedHeight: height, OpenDeploy: m.OpenDeploy, Admitted: uint64(len(m.Members))}
	if err := k.addCluster(ctx, c, firstHead(c), &wire.Inbox{Cluster: id, Next: 1, Escrow: "0"}); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventCreated,
		sdk.NewAttribute(types.AttributeCluster, decimal(id)),
		sdk.NewAttribute(types.AttributeOwner, c.Owner),
		sdk.NewAttribute(types.AttributeMembers, names(c.Members)),
		sdk.NewAttribute(types.AttributeQuorum, decimal(uint64(c.Quorum)))))
	return &types.MsgCreateClusterResponse{Cluster: id}, nil
}

func names(members []*wire.WorkerRef) string {
	out := make([]string, len(members))
	for i, ref := range members {
		out[i] = ref.Name()
	}
	return strings.Join(out, ",")
}

// firstHead is what a cluster's first batch follows.
func firstHead(c *wire.Cluster) *wire.Head {
	return &wire.Head{
		Cluster: c.Id, BatchHash: make([]byte, 32), Root: settle.EmptyRoot(),
		ChainHeight: c.CreatedHeight, CommittedHeight: c.CreatedHeight, InboxNext: 1,
	}
}

// UploadCode implements types.MsgServer. Code that is there already is not stored again, nor refused.
func (s MsgServer) UploadCode(goCtx context.Context, m *types.MsgUploadCode) (*types.MsgUploadCodeResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	code, err := codepack.Unpack(m.Packed)
	if err != nil {
		return nil, types.ErrCode.Wrapf("%v: pack one WebAssembly module with gzip, as `phala contract upload` does", err)
	}
	ctx.GasMeter().ConsumeGas(gasUnpackPerByte*uint64(len(code)), "unpacking code")
	if err := types.CheckCode(code); err != nil {
		return nil, err
	}
	sum := codepack.ID(code)
	id := sum[:]
	known, err := k.codes.Has(ctx, id)
	if err != nil || known {
		return &types.MsgUploadCodeResponse{CodeId: id}, err
	}
	if err := k.packed.Set(ctx, id, m.Packed); err != nil {
		return nil, err
	}
	if err := k.codes.Set(ctx, id, wire.Code{Id: id, Creator: m.Sender, Size_: uint32(len(code)), PackedSize: uint32(len(m.Packed))}); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventCodeUploaded,
		sdk.NewAttribute(types.AttributeCodeID, hex.EncodeToString(id)),
		sdk.NewAttribute(types.AttributeCreator, m.Sender)))
	return &types.MsgUploadCodeResponse{CodeId: id}, nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
