package app

import (
	"encoding/json"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// BlockTime is the interval of blocks on a production network.
const BlockTime = time.Second

// basics are the modules' stateless parts, with our default genesis where the SDK's assumes a coin of six digits or
// another block interval.
func (a *App) basics() module.BasicManager {
	return module.NewBasicManagerFromManager(a.Modules, map[string]module.AppModuleBasic{
		genutiltypes.ModuleName: genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
		banktypes.ModuleName:    a.withGenesis(banktypes.ModuleName, bankGenesis),
		govtypes.ModuleName:     a.withGenesis(govtypes.ModuleName, govGenesis),
		minttypes.ModuleName:    a.withGenesis(minttypes.ModuleName, mintGenesis),
		stakingtypes.ModuleName: a.withGenesis(stakingtypes.ModuleName, stakingGenesis),
	})
}

type genesisBasic interface {
	module.AppModuleBasic
	module.HasGenesisBasics
}

// withDefault is a module with another default genesis.
type withDefault struct {
	genesisBasic
	genesis func(codec.JSONCodec) json.RawMessage
}

// DefaultGenesis implements module.HasGenesisBasics.
func (w withDefault) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage { return w.genesis(cdc) }

func (a *App) withGenesis(name string, genesis func(codec.JSONCodec) json.RawMessage) module.AppModuleBasic {
	return withDefault{a.Modules.Modules[name].(genesisBasic), genesis}
}

func bankGenesis(cdc codec.JSONCodec) json.RawMessage {
	g := banktypes.DefaultGenesisState()
	g.DenomMetadata = []banktypes.Metadata{{
		Description: "The coin of the network: it pays for computation and secures the chain.",
		DenomUnits:  []*banktypes.DenomUnit{{Denom: BaseDenom}, {Denom: DisplayDenom, Exponent: Exponent}},
		Base:        BaseDenom, Display: DisplayDenom, Name: "Phala", Symbol: DisplayDenom,
	}}
	return cdc.MustMarshalJSON(g)
}

func govGenesis(cdc codec.JSONCodec) json.RawMessage {
	g := govv1.DefaultGenesisState()
	g.Params.MinDeposit = coins(10)
	g.Params.ExpeditedMinDeposit = coins(50)
	return cdc.MustMarshalJSON(g)
}

func mintGenesis(cdc codec.JSONCodec) json.RawMessage {
	g := minttypes.DefaultGenesisState()
	g.Params.BlocksPerYear = uint64(8766 * time.Hour / BlockTime)
	return cdc.MustMarshalJSON(g)
}

func stakingGenesis(cdc codec.JSONCodec) json.RawMessage {
	g := stakingtypes.DefaultGenesisState()
	g.Params.KeyRotationFee = sdk.NewCoin(BaseDenom, PHA(1))
	g.Params.MinCommissionRate = math.LegacyZeroDec()
	return cdc.MustMarshalJSON(g)
}

func coins(pha int64) sdk.Coins { return sdk.NewCoins(sdk.NewCoin(BaseDenom, PHA(pha))) }

// DefaultGenesis is the app_state of a chain without accounts and validators.
func (a *App) DefaultGenesis() map[string]json.RawMessage { return a.Basics.DefaultGenesis(a.Codec) }

// InitialValidators runs the first step of a chain in memory and returns the validators it begins with: those that
// the genesis transactions make. It fails where the chain itself would fail to start.
func InitialValidators(g *genutiltypes.AppGenesis) (vals []cmttypes.GenesisValidator, err error) {
	a, err := New(log.NewNopLogger(), dbm.NewMemDB(), Options{}, baseapp.SetChainID(g.ChainID))
	if err != nil {
		return nil, err
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(g.AppState, &state); err != nil {
		return nil, fmt.Errorf("reading app_state: %w", err)
	}
	if err := a.Basics.ValidateGenesis(a.Codec, a.TxConfig, state); err != nil {
		return nil, fmt.Errorf("validating app_state: %w", err)
	}
	defer func() { // the SDK's modules panic about a genesis they cannot run
		if r := recover(); r != nil {
			vals, err = nil, fmt.Errorf("running the genesis: %v", r)
		}
	}()
	params := g.Consensus.Params.ToProto()
	res, err := a.InitChain(&abci.RequestInitChain{
		Time: g.GenesisTime, ChainId: g.ChainID, InitialHeight: g.InitialHeight, ConsensusParams: &params, AppStateBytes: g.AppState,
	})
	if err != nil {
		return nil, fmt.Errorf("running the genesis: %w", err)
	}
	set, err := cmttypes.PB2TM.ValidatorUpdates(res.Validators)
	if err != nil {
		return nil, fmt.Errorf("reading the initial validators: %w", err)
	}
	for _, v := range set {
		vals = append(vals, cmttypes.GenesisValidator{Address: v.Address, PubKey: v.PubKey, Power: v.VotingPower})
	}
	return vals, nil
}
