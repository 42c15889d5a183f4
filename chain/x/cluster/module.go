// Package cluster is where clusters meet the public: they are made here, get their code and sealed inputs in order, and have
// their batches counted and paid out. It must never see what an input says.
package cluster

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

	"github.com/phala-go/phala/chain/x/cluster/keeper"
	"github.com/phala-go/phala/chain/x/cluster/types"
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
	legacy.RegisterAminoMsg(cdc, &types.MsgCreateCluster{}, "phala/cluster/MsgCreateCluster")
	legacy.RegisterAminoMsg(cdc, &types.MsgUploadCode{}, "phala/cluster/MsgUploadCode")
	legacy.RegisterAminoMsg(cdc, &types.MsgInstantiate{}, "phala/cluster/MsgInstantiate")
	legacy.RegisterAminoMsg(cdc, &types.MsgSubmitInput{}, "phala/cluster/MsgSubmitInput")
	legacy.RegisterAminoMsg(cdc, &types.MsgCommitBatch{}, "phala/cluster/MsgCommitBatch")
	legacy.RegisterAminoMsg(cdc, &types.MsgRevealEffects{}, "phala/cluster/MsgRevealEffects")
	legacy.RegisterAminoMsg(cdc, &types.MsgUpdateMembers{}, "phala/cluster/MsgUpdateMembers")
	legacy.RegisterAminoMsg(cdc, &types.MsgConsentEscrow{}, "phala/cluster/MsgConsentEscrow")
	legacy.RegisterAminoMsg(cdc, &types.MsgSetEscrow{}, "phala/cluster/MsgSetEscrow")
	legacy.RegisterAminoMsg(cdc, &types.MsgEscrowStateKey{}, "phala/cluster/MsgEscrowStateKey")
	legacy.RegisterAminoMsg(cdc, &types.MsgRequestEscrow{}, "phala/cluster/MsgRequestEscrow")
	legacy.RegisterAminoMsg(cdc, &types.MsgEscrowShare{}, "phala/cluster/MsgEscrowShare")
}

// RegisterInterfaces makes the messages known to transactions.
func (Module) RegisterInterfaces(reg codectypes.InterfaceRegistry) {
	reg.RegisterImplementations((*sdk.Msg)(nil),
		&types.MsgCreateCluster{}, &types.MsgUploadCode{}, &types.MsgInstantiate{}, &types.MsgSubmitInput{}, &types.MsgCommitBatch{}, &types.MsgRevealEffects{},
		&types.MsgUpdateMembers{},
		&types.MsgConsentEscrow{}, &types.MsgSetEscrow{}, &types.MsgEscrowStateKey{}, &types.MsgRequestEscrow{}, &types.MsgEscrowShare{})
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
