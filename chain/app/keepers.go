package app

import (
	"maps"

	"github.com/cosmos/ibc-go/v11/modules/apps/transfer"
	transferkeeper "github.com/cosmos/ibc-go/v11/modules/apps/transfer/keeper"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	transferv2 "github.com/cosmos/ibc-go/v11/modules/apps/transfer/v2"
	porttypes "github.com/cosmos/ibc-go/v11/modules/core/05-port/types"
	ibcapi "github.com/cosmos/ibc-go/v11/modules/core/api"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v11/modules/core/keeper"
	ibctm "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"
	"github.com/spf13/cast"

	"cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authcodec "github.com/cosmos/cosmos-sdk/x/auth/codec"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantkeeper "github.com/cosmos/cosmos-sdk/x/feegrant/keeper"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

// Keepers are the modules' access to their state.
type Keepers struct {
	AccountKeeper   authkeeper.AccountKeeper
	AuthzKeeper     authzkeeper.Keeper
	BankKeeper      bankkeeper.Keeper
	ConsensusKeeper consensuskeeper.Keeper
	DistrKeeper     distrkeeper.Keeper
	EvidenceKeeper  evidencekeeper.Keeper
	FeegrantKeeper  feegrantkeeper.Keeper
	GovKeeper       *govkeeper.Keeper
	IBCKeeper       *ibckeeper.Keeper
	MintKeeper      mintkeeper.Keeper
	SlashingKeeper  slashingkeeper.Keeper
	StakingKeeper   *stakingkeeper.Keeper
	TransferKeeper  *transferkeeper.Keeper
	UpgradeKeeper   *upgradekeeper.Keeper

	PhalaKeepers

	tendermintClient ibctm.LightClientModule
}

func storeKeys() []string {
	return append([]string{
		authtypes.StoreKey, authzkeeper.StoreKey, banktypes.StoreKey, consensustypes.StoreKey, distrtypes.StoreKey,
		evidencetypes.StoreKey, feegrant.StoreKey, govtypes.StoreKey, ibcexported.StoreKey, minttypes.StoreKey,
		slashingtypes.StoreKey, stakingtypes.StoreKey, transfertypes.StoreKey, upgradetypes.StoreKey,
	}, phalaStores()...)
}

// ModuleAccounts maps the accounts that belong to modules to what they may do.
func ModuleAccounts() map[string][]string {
	accs := map[string][]string{
		authtypes.FeeCollectorName:          nil,
		distrtypes.ModuleName:               nil,
		govtypes.ModuleName:                 {authtypes.Burner},
		minttypes.ModuleName:                {authtypes.Minter},
		stakingtypes.BondedPoolName:         {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName:      {authtypes.Burner, authtypes.Staking},
		stakingtypes.KeyRotationFeePoolName: {authtypes.Burner},
		transfertypes.ModuleName:            {authtypes.Minter, authtypes.Burner},
	}
	maps.Copy(accs, phalaAccounts())
	return accs
}

// BlockedAddresses are the accounts nobody may send coins to: all of the modules' but governance's, which a proposal
// can spend from.
func BlockedAddresses() map[string]bool {
	blocked := make(map[string]bool)
	for name := range ModuleAccounts() {
		blocked[authtypes.NewModuleAddress(name).String()] = name != govtypes.ModuleName
	}
	return blocked
}

// authority is who may change a module's parameters: governance.
func authority() string { return authtypes.NewModuleAddress(govtypes.ModuleName).String() }

// store is a keeper's access to the store of that name.
func (a *App) store(name string) store.KVStoreService { return runtime.NewKVStoreService(a.keys[name]) }

func (a *App) makeKeepers(logger log.Logger, opts servertypes.AppOptions) {
	cdc, gov := a.Codec, authority()
	accounts := authcodec.NewBech32Codec(AddressPrefix)
	validators := authcodec.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix())
	consensus := authcodec.NewBech32Codec(sdk.GetConfig().GetBech32ConsensusAddrPrefix())

	a.ConsensusKeeper = consensuskeeper.NewKeeper(cdc, a.store(consensustypes.StoreKey), gov, runtime.EventService{})
	a.SetParamStore(a.ConsensusKeeper.ParamsStore)

	a.AccountKeeper = authkeeper.NewAccountKeeper(cdc, a.store(authtypes.StoreKey), authtypes.ProtoBaseAccount, ModuleAccounts(), accounts, AddressPrefix, gov)
	a.BankKeeper = bankkeeper.NewBaseKeeper(cdc, a.store(banktypes.StoreKey), a.AccountKeeper, BlockedAddresses(), gov, logger)
	a.StakingKeeper = stakingkeeper.NewKeeper(cdc, a.store(stakingtypes.StoreKey), a.AccountKeeper, a.BankKeeper, gov, validators, consensus)
	a.MintKeeper = mintkeeper.NewKeeper(cdc, a.store(minttypes.StoreKey), a.StakingKeeper, a.AccountKeeper, a.BankKeeper, authtypes.FeeCollectorName, gov)
	a.DistrKeeper = distrkeeper.NewKeeper(cdc, a.store(distrtypes.StoreKey), a.AccountKeeper, a.BankKeeper, a.StakingKeeper, authtypes.FeeCollectorName, gov)
	a.SlashingKeeper = slashingkeeper.NewKeeper(cdc, a.Amino, a.store(slashingtypes.StoreKey), a.StakingKeeper, gov)
	a.StakingKeeper.SetHooks(stakingtypes.NewMultiStakingHooks(a.DistrKeeper.Hooks(), a.SlashingKeeper.Hooks()))
	a.EvidenceKeeper = *evidencekeeper.NewKeeper(cdc, a.store(evidencetypes.StoreKey), a.StakingKeeper, a.SlashingKeeper, accounts, runtime.ProvideCometInfoService())

	a.FeegrantKeeper = feegrantkeeper.NewKeeper(cdc, a.store(feegrant.StoreKey), a.AccountKeeper)
	a.AuthzKeeper = authzkeeper.NewKeeper(a.store(authzkeeper.StoreKey), cdc, a.MsgServiceRouter(), a.AccountKeeper)
	a.GovKeeper = govkeeper.NewKeeper(cdc, a.store(govtypes.StoreKey), a.AccountKeeper, a.BankKeeper, a.DistrKeeper, a.MsgServiceRouter(),
		govtypes.DefaultConfig(), gov, govkeeper.NewDefaultCalculateVoteResultsAndVotingPower(a.StakingKeeper))

	skip := make(map[int64]bool)
	for _, h := range cast.ToIntSlice(opts.Get(server.FlagUnsafeSkipUpgrades)) {
		skip[int64(h)] = true
	}
	a.UpgradeKeeper = upgradekeeper.NewKeeper(skip, a.store(upgradetypes.StoreKey), cdc, cast.ToString(opts.Get(flags.FlagHome)), a.BaseApp, gov)

	a.makeIBC()
}

// makeIBC wires IBC classic and IBC v2, with transfers on both and CometBFT chains as the only counterparties.
func (a *App) makeIBC() {
	gov := authority()
	a.IBCKeeper = ibckeeper.NewKeeper(a.Codec, a.store(ibcexported.StoreKey), a.UpgradeKeeper, gov)
	a.TransferKeeper = transferkeeper.NewKeeper(a.Codec, a.AccountKeeper.AddressCodec(), a.store(transfertypes.StoreKey), a.IBCKeeper.ChannelKeeper,
		a.MsgServiceRouter(), a.AccountKeeper, a.BankKeeper, gov)

	a.IBCKeeper.SetRouter(porttypes.NewRouter().AddRoute(transfertypes.ModuleName, transfer.NewIBCModule(a.TransferKeeper)))
	a.IBCKeeper.SetRouterV2(ibcapi.NewRouter().AddRoute(transfertypes.PortID, transferv2.NewIBCModule(a.TransferKeeper)))

	clients := a.IBCKeeper.ClientKeeper
	a.tendermintClient = ibctm.NewLightClientModule(a.Codec, clients.GetStoreProvider())
	clients.AddRoute(ibctm.ModuleName, &a.tendermintClient)
}
