// Package gatekeeper is the public side of the network's keys: who holds parts in an epoch and how they are made, who asked for
// a key, which input key a cluster announced. It must never see a part or a secret.
package gatekeeper

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/grpc-ecosystem/grpc-gateway/runtime"
	"google.golang.org/grpc"

	"cosmossdk.io/core/appmodule"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/phala-go/phala/chain/x/gatekeeper/keeper"
	"github.com/phala-go/phala/chain/x/gatekeeper/types"
)

var (
	_ module.AppModule           = Module{}
	_ module.HasGenesis          = Module{}
	_ module.HasConsensusVersion = Module{}
	_ appmodule.HasServices      = Module{}
	_ appmodule.HasEndBlocker    = Module{}
)

// Module is the plug between the keeper and the application.
type Module struct{ keeper *keeper.Keeper }

// New makes the module.
func New(k *keeper.Keeper) Module { return Module{k} }

// IsAppModule and IsOnePerModuleType mark the type for the SDK.
func (Module) IsAppModule()        {}
func (Module) IsOnePerModuleType() {}

// Name implements module.AppModuleBasic.
func (Module) Name() string { return types.ModuleName }

// ConsensusVersion counts changes of the module's state.
func (Module) ConsensusVersion() uint64 { return 1 }

// RegisterLegacyAminoCodec names the messages for hardware wallets.
func (Module) RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	legacy.RegisterAminoMsg(cdc, &types.MsgRequestKey{}, "phala/gatekeeper/MsgRequestKey")
	legacy.RegisterAminoMsg(cdc, &types.MsgAnnounceEpoch{}, "phala/gatekeeper/MsgAnnounceEpoch")
	legacy.RegisterAminoMsg(cdc, &types.MsgUpdateRoster{}, "phala/gatekeeper/MsgUpdateRoster")
	legacy.RegisterAminoMsg(cdc, &types.MsgJoinGeneration{}, "phala/gatekeeper/MsgJoin")
	legacy.RegisterAminoMsg(cdc, &types.MsgContribute{}, "phala/gatekeeper/MsgContribute")
	legacy.RegisterAminoMsg(cdc, &types.MsgComplain{}, "phala/gatekeeper/MsgComplain")
	legacy.RegisterAminoMsg(cdc, &types.MsgConfirm{}, "phala/gatekeeper/MsgConfirm")
	legacy.RegisterAminoMsg(cdc, &types.MsgSubmitBeacon{}, "phala/gatekeeper/MsgSubmitBeacon")
}

// RegisterInterfaces makes the messages known to transactions.
func (Module) RegisterInterfaces(reg codectypes.InterfaceRegistry) {
	reg.RegisterImplementations((*sdk.Msg)(nil), &types.MsgRequestKey{}, &types.MsgAnnounceEpoch{}, &types.MsgUpdateRoster{},
		&types.MsgJoinGeneration{}, &types.MsgContribute{}, &types.MsgComplain{}, &types.MsgConfirm{}, &types.MsgSubmitBeacon{})
	msgservice.RegisterMsgServiceDesc(reg, &types.Msg_serviceDesc)
}

// RegisterGRPCGatewayRoutes serves the queries over REST.
func (Module) RegisterGRPCGatewayRoutes(c client.Context, mux *runtime.ServeMux) {
	if err := types.RegisterQueryHandlerClient(context.Background(), mux, types.NewQueryClient(c)); err != nil {
		panic(err) // a route registered twice
	}
}

// RegisterServices implements appmodule.HasServices.
func (m Module) RegisterServices(r grpc.ServiceRegistrar) error {
	types.RegisterMsgServer(r, keeper.MsgServer{Keeper: m.keeper})
	types.RegisterQueryServer(r, keeper.QueryServer{Keeper: m.keeper})
	return nil
}

// EndBlock implements appmodule.HasEndBlocker.
func (m Module) EndBlock(ctx context.Context) error { return m.keeper.EndBlock(ctx) }

// DefaultGenesis implements module.HasGenesisBasics.
func (Module) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(types.DefaultGenesis())
}

// ValidateGenesis implements module.HasGenesisBasics.
func (Module) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, b json.RawMessage) error {
	var g types.GenesisState
	if err := cdc.UnmarshalJSON(b, &g); err != nil {
		return fmt.Errorf("reading the genesis of %s: %w", types.ModuleName, err)
	}
	return g.Validate()
}

// InitGenesis implements module.HasGenesis; the SDK takes a bad genesis only as a panic.
func (m Module) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, b json.RawMessage) {
	var g types.GenesisState
	cdc.MustUnmarshalJSON(b, &g)
	if err := m.keeper.InitGenesis(ctx, &g); err != nil {
		panic(err)
	}
}

// ExportGenesis implements module.HasGenesis.
func (m Module) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	g, err := m.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(err)
	}
	return cdc.MustMarshalJSON(g)
}
