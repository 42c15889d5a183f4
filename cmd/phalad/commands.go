package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/core/appmodule"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/debug"
	nodeservice "github.com/cosmos/cosmos-sdk/client/grpc/node"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/client/pruning"
	"github.com/cosmos/cosmos-sdk/client/rpc"
	"github.com/cosmos/cosmos-sdk/client/snapshot"
	runtimeservices "github.com/cosmos/cosmos-sdk/runtime/services"
	"github.com/cosmos/cosmos-sdk/server"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authcmd "github.com/cosmos/cosmos-sdk/x/auth/client/cli"
	authcodec "github.com/cosmos/cosmos-sdk/x/auth/codec"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"

	"github.com/phala-go/phala/chain/app"
)

func addCommands(root *cobra.Command, a *app.App) {
	home := defaultHome()
	genesis := genutilcli.Commands(a.TxConfig, a.Basics, home)
	genesis.AddCommand(setValidatorsCmd())
	root.AddCommand(
		initCmd(a),
		genesis,
		devnetInitCmd(a),
		debug.Cmd(),
		pruning.Cmd(newApp, home),
		snapshot.Cmd(newApp),
		server.StatusCommand(),
		queryCmd(),
		txCmd(),
		keys.Commands(),
	)
	server.AddCommandsWithStartCmdOptions(root, home, newApp, exportApp, server.StartCmdOptions{DBOpener: openDB})
	root.AddCommand(server.ModuleHashByHeightQuery(newApp))
}

// openDB opens the application's database and explains the most likely reason why it cannot.
func openDB(home string, backend dbm.BackendType) (dbm.DB, error) {
	db, err := dbm.NewDB("application", backend, filepath.Join(home, "data"))
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("another phalad is running on %s: %w", home, err)
	}
	return db, err
}

// newApp opens the application for the server. Its type leaves no way to return an error, so it panics, as the
// server's own options do.
func newApp(logger log.Logger, db dbm.DB, opts servertypes.AppOptions) servertypes.Application {
	a, err := app.New(logger, db, opts, server.DefaultBaseappOptions(opts)...)
	if err != nil {
		panic(err)
	}
	return a
}

func exportApp(logger log.Logger, db dbm.DB, height int64, zeroHeight bool, _ []string, opts servertypes.AppOptions, modules []string) (servertypes.ExportedApp, error) {
	if zeroHeight {
		return servertypes.ExportedApp{}, fmt.Errorf("--%s is not supported: the new chain begins at the height after the exported one", server.FlagForZeroHeight)
	}
	base := server.DefaultBaseappOptions(opts)
	open := app.New
	if height >= 0 {
		open = func(logger log.Logger, db dbm.DB, opts servertypes.AppOptions, base ...func(*baseapp.BaseApp)) (*app.App, error) {
			return app.NewAt(height, logger, db, opts, base...)
		}
	}
	a, err := open(logger, db, opts, base...)
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	return a.Export(modules)
}

func queryCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "query", Aliases: []string{"q"}, Short: "Ask the chain",
		DisableFlagParsing: false, SuggestionsMinimumDistance: 2, RunE: client.ValidateCmd,
	}
	cmd.AddCommand(
		rpc.WaitTxCmd(), rpc.ValidatorCommand(), server.QueryBlockCmd(), server.QueryBlocksCmd(), server.QueryBlockResultsCmd(),
		authcmd.QueryTxsByEventsCmd(), authcmd.QueryTxCmd(),
	)
	return cmd
}

func txCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tx", Short: "Make, sign and send transactions",
		DisableFlagParsing: false, SuggestionsMinimumDistance: 2, RunE: client.ValidateCmd,
	}
	cmd.AddCommand(
		authcmd.GetSignCommand(), authcmd.GetSignBatchCommand(), authcmd.GetMultiSignCommand(), authcmd.GetMultiSignBatchCmd(),
		authcmd.GetValidateSignaturesCommand(), authcmd.GetBroadcastCommand(), authcmd.GetEncodeCommand(), authcmd.GetDecodeCommand(),
		authcmd.GetSimulateCmd(),
	)
	return cmd
}

// autoCLI derives the query and tx commands of the modules from their services.
func autoCLI(a *app.App) autocli.AppOptions {
	modules := make(map[string]appmodule.AppModule)
	for name, m := range a.Modules.Modules {
		if m, ok := m.(appmodule.AppModule); ok {
			modules[name] = m
		}
	}
	options := runtimeservices.ExtractAutoCLIOptions(a.Modules.Modules)
	node := nodeservice.NewNodeCommands()
	options[node.Name()] = node.AutoCLIOptions()
	c := sdk.GetConfig()
	return autocli.AppOptions{
		Modules:               modules,
		ModuleOptions:         options,
		AddressCodec:          authcodec.NewBech32Codec(c.GetBech32AccountAddrPrefix()),
		ValidatorAddressCodec: authcodec.NewBech32Codec(c.GetBech32ValidatorAddrPrefix()),
		ConsensusAddressCodec: authcodec.NewBech32Codec(c.GetBech32ConsensusAddrPrefix()),
	}
}

// serverTemplate is the form of app.toml.
func serverTemplate() string { return serverconfig.DefaultConfigTemplate }
