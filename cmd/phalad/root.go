package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	cmtcfg "github.com/cometbft/cometbft/config"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client"
	clientconfig "github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/phala-go/phala/chain/app"
)

// run is the whole program; it returns the exit code.
func run(args []string) int {
	app.Configure()
	root, err := newRoot(args)
	if err == nil {
		root.SetArgs(args)
		err = svrcmd.Execute(root, "PHALAD", defaultHome())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "phalad:", err)
		return 1
	}
	return 0
}

// defaultHome is ~/.phalad, or .phalad in the working folder for a user without a home.
func defaultHome() string {
	home, _ := os.UserHomeDir()
	return filepath.Join(home, "."+app.Binary)
}

func newRoot(args []string) (*cobra.Command, error) {
	// An application without state: it lends the commands its codecs, modules and default genesis.
	a, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), app.Options{})
	if err != nil {
		return nil, err
	}
	clientCtx := client.Context{}.
		WithCodec(a.Codec).
		WithInterfaceRegistry(a.Registry).
		WithLegacyAmino(a.Amino).
		WithTxConfig(a.TxConfig).
		WithInput(os.Stdin).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(defaultHome()).
		WithViper("")

	root := &cobra.Command{
		Use:           app.Binary,
		Short:         "Node and command line of the Phala chain",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.OutOrStdout())
			cmd.SetErr(cmd.ErrOrStderr())
			ctx, err := client.ReadPersistentCommandFlags(clientCtx.WithCmdContext(cmd.Context()), cmd.Flags())
			if err != nil {
				return err
			}
			if ctx, err = clientconfig.ReadFromClientConfig(ctx); err != nil {
				return err
			}
			if err := client.SetCmdClientContextHandler(ctx, cmd); err != nil {
				return err
			}
			if cmd.Name() == "start" {
				if err := haveGenesis(cmd); err != nil {
					return err
				}
			}
			return readNodeConfig(cmd)
		},
	}
	addCommands(root, a)
	if !needsModuleCommands(args) {
		return root, nil
	}
	opts := autoCLI(a)
	opts.ClientCtx = clientCtx
	if err := opts.EnhanceRootCommand(root); err != nil {
		return nil, fmt.Errorf("making the modules' commands: %w", err)
	}
	return root, nil
}

// needsModuleCommands: making the query and tx commands of all modules takes longer than all the rest of a start, and
// the commands that run a node do not need them.
func needsModuleCommands(args []string) bool {
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			continue
		}
		switch arg {
		case "start", "init", "devnet-init", "genesis", "export", "version", "status", "comet", "keys":
			return false
		}
		return true
	}
	return true
}

// haveGenesis refuses to start a node in a folder that holds no chain, before anything is written there.
func haveGenesis(cmd *cobra.Command) error {
	home, err := cmd.Flags().GetString(flags.FlagHome)
	if err != nil {
		return err
	}
	file := filepath.Join(home, "config", "genesis.json")
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("opening the home: no genesis in %s. Name the chain's home with --home, or make one: phalad init", home)
	}
	return nil
}

// readNodeConfig reads config.toml and app.toml, and writes them with our defaults where they do not exist.
func readNodeConfig(cmd *cobra.Command) error {
	home, err := cmd.Flags().GetString(flags.FlagHome)
	if err != nil {
		return err
	}
	// The server would replace a block interval of one second, CometBFT's default and ours, by five.
	file := filepath.Join(home, "config", "config.toml")
	if _, err := os.Stat(file); os.IsNotExist(err) {
		cmtcfg.EnsureRoot(home)
		cmtcfg.WriteConfigFile(file, app.CometConfig())
	}
	return server.InterceptConfigsPreRunHandler(cmd, serverTemplate(), app.ServerConfig(), app.CometConfig())
}
