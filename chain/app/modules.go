package app

import (
	"github.com/cosmos/ibc-go/v11/modules/apps/transfer"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	ibc "github.com/cosmos/ibc-go/v11/modules/core"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"

	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	authzmodule "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distr "github.com/cosmos/cosmos-sdk/x/distribution"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/mint"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/cosmos-sdk/x/upgrade"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

// makeModules makes the manager of all modules and fixes the order in which they run.
func (a *App) makeModules() {
	cdc, reg := a.Codec, a.Registry
	own := a.phalaModules()
	a.Modules = module.NewManager(append([]module.AppModule{
		genutil.NewAppModule(a.AccountKeeper, a.StakingKeeper, a, a.TxConfig),
		auth.NewAppModule(cdc, a.AccountKeeper, nil),
		authzmodule.NewAppModule(cdc, a.AuthzKeeper, a.AccountKeeper, a.BankKeeper, reg),
		bank.NewAppModule(cdc, a.BankKeeper, a.AccountKeeper),
		consensus.NewAppModule(cdc, a.ConsensusKeeper),
		distr.NewAppModule(cdc, a.DistrKeeper, a.AccountKeeper, a.BankKeeper, a.StakingKeeper),
		evidence.NewAppModule(a.EvidenceKeeper),
		feegrantmodule.NewAppModule(cdc, a.AccountKeeper, a.BankKeeper, a.FeegrantKeeper, reg),
		gov.NewAppModule(cdc, a.GovKeeper, a.AccountKeeper, a.BankKeeper),
		mint.NewAppModule(cdc, a.MintKeeper, a.AccountKeeper, nil),
		slashing.NewAppModule(cdc, a.SlashingKeeper, a.AccountKeeper, a.BankKeeper, a.StakingKeeper, reg),
		staking.NewAppModule(cdc, a.StakingKeeper, a.AccountKeeper, a.BankKeeper),
		upgrade.NewAppModule(a.UpgradeKeeper, a.AccountKeeper.AddressCodec()),
		ibc.NewAppModule(a.IBCKeeper),
		transfer.NewAppModule(a.TransferKeeper),
		ibctm.NewAppModule(a.tendermintClient),
	}, own...)...)
	a.Basics = a.basics()

	var ours []string
	for _, m := range own {
		ours = append(ours, m.Name())
	}
	order := func(names ...string) []string { return append(names, ours...) }

	a.Modules.SetOrderPreBlockers(upgradetypes.ModuleName, authtypes.ModuleName)
	// Distribution pays out the last block's fees before slashing changes who held which share.
	a.Modules.SetOrderBeginBlockers(order(
		minttypes.ModuleName, distrtypes.ModuleName, slashingtypes.ModuleName, evidencetypes.ModuleName,
		stakingtypes.ModuleName, authz.ModuleName, ibcexported.ModuleName, transfertypes.ModuleName,
	)...)
	a.Modules.SetOrderEndBlockers(order(
		govtypes.ModuleName, stakingtypes.ModuleName, feegrant.ModuleName, banktypes.ModuleName,
		ibcexported.ModuleName, transfertypes.ModuleName,
	)...)
	// genutil delivers the genesis transactions, so it follows everything they touch.
	genesis := order(
		authtypes.ModuleName, banktypes.ModuleName, distrtypes.ModuleName, stakingtypes.ModuleName, slashingtypes.ModuleName,
		govtypes.ModuleName, minttypes.ModuleName, ibcexported.ModuleName, ibctm.ModuleName, genutiltypes.ModuleName, evidencetypes.ModuleName,
		authz.ModuleName, feegrant.ModuleName, transfertypes.ModuleName, upgradetypes.ModuleName, consensustypes.ModuleName,
	)
	a.Modules.SetOrderInitGenesis(genesis...)
	a.Modules.SetOrderExportGenesis(genesis...)
}
