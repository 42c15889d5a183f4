package app

import (
	"encoding/json"
	"fmt"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
)

// App is the chain's state machine. CometBFT drives it through the ABCI methods of BaseApp.
type App struct {
	*baseapp.BaseApp
	Encoding
	Keepers

	// Modules runs the modules; Basics is what they can do without state: default genesis, routes, codecs.
	Modules *module.Manager
	Basics  module.BasicManager

	keys         map[string]*storetypes.KVStoreKey
	configurator module.Configurator
	close        func() error
}

var _ servertypes.Application = (*App)(nil)

// Options are an AppOptions made of a map, for callers without configuration files.
type Options map[string]any

// Get implements servertypes.AppOptions.
func (o Options) Get(key string) any { return o[key] }

// New opens the application on db, at the last height committed there.
func New(logger log.Logger, db dbm.DB, opts servertypes.AppOptions, baseOpts ...func(*baseapp.BaseApp)) (*App, error) {
	a, err := build(logger, db, opts, baseOpts...)
	if err != nil {
		return nil, err
	}
	if err := a.LoadLatestVersion(); err != nil {
		return nil, fmt.Errorf("loading the last state: %w", err)
	}
	return a, nil
}

// NewAt opens the application at an earlier height.
func NewAt(height int64, logger log.Logger, db dbm.DB, opts servertypes.AppOptions, baseOpts ...func(*baseapp.BaseApp)) (*App, error) {
	a, err := build(logger, db, opts, baseOpts...)
	if err != nil {
		return nil, err
	}
	if err := a.LoadVersion(height); err != nil {
		return nil, fmt.Errorf("loading the state of height %d: %w", height, err)
	}
	return a, nil
}

// build wires everything and loads no state.
func build(logger log.Logger, db dbm.DB, opts servertypes.AppOptions, baseOpts ...func(*baseapp.BaseApp)) (*App, error) {
	Configure()
	enc, err := newEncoding()
	if err != nil {
		return nil, err
	}
	base := baseapp.NewBaseApp(Name, logger, db, enc.TxConfig.TxDecoder(), baseOpts...)
	base.SetVersion(version.Version)
	base.SetInterfaceRegistry(enc.Registry)
	base.SetTxEncoder(enc.TxConfig.TxEncoder())

	a := &App{BaseApp: base, Encoding: enc, keys: storetypes.NewKVStoreKeys(storeKeys()...), close: sync.OnceValue(base.Close)}
	a.makeKeepers(logger, opts)
	if err := a.makePhalaKeepers(); err != nil {
		return nil, err
	}
	a.makeModules()

	a.Basics.RegisterLegacyAminoCodec(a.Amino)
	a.Basics.RegisterInterfaces(a.Registry)
	a.configurator = module.NewConfigurator(a.Codec, a.MsgServiceRouter(), a.GRPCQueryRouter())
	if err := a.Modules.RegisterServices(a.configurator); err != nil {
		return nil, fmt.Errorf("registering services: %w", err)
	}

	a.MountKVStores(a.keys)
	a.SetInitChainer(a.initChain)
	a.SetPreBlocker(func(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
		return a.Modules.PreBlock(ctx)
	})
	a.SetBeginBlocker(func(ctx sdk.Context) (sdk.BeginBlock, error) { return a.Modules.BeginBlock(ctx) })
	a.SetEndBlocker(func(ctx sdk.Context) (sdk.EndBlock, error) { return a.Modules.EndBlock(ctx) })
	a.SetAnteHandler(a.anteHandler())
	return a, nil
}

func (a *App) initChain(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("reading app_state: %w", err)
	}
	if err := a.UpgradeKeeper.SetModuleVersionMap(ctx, a.Modules.GetVersionMap()); err != nil {
		return nil, err
	}
	return a.Modules.InitGenesis(ctx, a.Codec, state)
}

// Close closes the database. The server calls it twice.
func (a *App) Close() error { return a.close() }

// StoreKeys returns the name of every store in the application's commitment.
func (a *App) StoreKeys() map[string]*storetypes.KVStoreKey { return a.keys }
