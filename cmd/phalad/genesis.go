package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	sdk "github.com/cosmos/cosmos-sdk/types"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/devhome"
)

// initCmd is the SDK's init with our consensus parameters, which it has no other way to give.
func initCmd(a *app.App) *cobra.Command {
	cmd := genutilcli.InitCmd(a.Basics, defaultHome())
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return err
		}
		file := server.GetServerContextFromCmd(cmd).Config.GenesisFile()
		g, err := genutiltypes.AppGenesisFromFile(file)
		if err != nil {
			return err
		}
		app.SetConsensusParams(g.Consensus.Params)
		return g.SaveAs(file)
	}
	return cmd
}

// devnetInitCmd writes the home of a development chain. It is for the tools that start a whole network.
func devnetInitCmd(a *app.App) *cobra.Command {
	var cfg devhome.Config
	var mnemonicFile, stateFile string
	var accounts []string
	cmd := &cobra.Command{
		Use:    "devnet-init",
		Short:  "Write the home of a development chain with one validator",
		Args:   cobra.NoArgs,
		Hidden: true,
		// The folder must not exist: keep the root command from writing configuration into it.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if cfg.Home, err = cmd.Flags().GetString(flags.FlagHome); err != nil {
				return err
			}
			if mnemonicFile != "" {
				bz, err := os.ReadFile(mnemonicFile)
				if err != nil {
					return err
				}
				cfg.Mnemonic = strings.TrimSpace(string(bz))
			}
			if stateFile != "" {
				if cfg.AppState, err = os.ReadFile(stateFile); err != nil {
					return err
				}
			}
			for _, s := range accounts {
				acc, err := parseAccount(s)
				if err != nil {
					return err
				}
				cfg.Accounts = append(cfg.Accounts, acc)
			}
			res, err := devhome.Write(a, cfg)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(res)
		},
	}
	f := cmd.Flags()
	f.String(flags.FlagHome, defaultHome(), "folder to write, which must not exist")
	f.StringVar(&cfg.ChainID, flags.FlagChainID, "phala-dev-1", "chain id")
	f.StringVar(&mnemonicFile, "mnemonic-file", "", "file with the validator's mnemonic (default: a new one, kept in the home)")
	f.StringArrayVar(&accounts, "account", nil, "fund an account: name=address:amount, as alice=pha1…:1000000000000ppha; repeat for more")
	f.StringVar(&stateFile, "app-state", "", "file with a JSON object to merge over app_state")
	f.BoolVar(&cfg.Development, "development", false, "mark the genesis as one for development, which may lower the rules of production")
	f.DurationVar(&cfg.BlockTime, "block-time", 500*time.Millisecond, "interval of blocks")
	f.StringVar(&cfg.RPC, "rpc", "127.0.0.1:26657", "address of the RPC, host:port")
	f.StringVar(&cfg.P2P, "p2p", "127.0.0.1:26656", "address for peers, host:port")
	f.StringVar(&cfg.GRPC, "grpc", "127.0.0.1:9090", "address of gRPC, host:port")
	f.StringVar(&cfg.API, "api", "127.0.0.1:1317", "address of the REST API, host:port")
	return cmd
}

func parseAccount(s string) (devhome.Account, error) {
	name, rest, ok1 := strings.Cut(s, "=")
	addr, amount, ok2 := strings.Cut(rest, ":")
	if !ok1 || !ok2 || name == "" {
		return devhome.Account{}, fmt.Errorf("account %q: want name=address:amount", s)
	}
	a, err := sdk.AccAddressFromBech32(addr)
	if err != nil {
		return devhome.Account{}, fmt.Errorf("account %s: %w", name, err)
	}
	coins, err := sdk.ParseCoinsNormalized(amount)
	if err != nil {
		return devhome.Account{}, fmt.Errorf("account %s: %w", name, err)
	}
	return devhome.Account{Name: name, Address: a, Coins: coins}, nil
}

// setValidatorsCmd completes a collected genesis for light clients.
func setValidatorsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set-validators",
		Short: "Write the validators of the first block into consensus.validators of genesis.json",
		Long: `Run the genesis in memory and write the validators it leads to into consensus.validators, after collect-gentxs.
A light client, such as an enclave's, then needs the file alone to begin. The chain refuses to start if they differ.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file := server.GetServerContextFromCmd(cmd).Config.GenesisFile()
			g, err := genutiltypes.AppGenesisFromFile(file)
			if err != nil {
				return err
			}
			if err := g.ValidateAndComplete(); err != nil {
				return err
			}
			if g.Consensus.Validators, err = app.InitialValidators(g); err != nil {
				return err
			}
			if err := g.SaveAs(file); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d validators written to %s\n", len(g.Consensus.Validators), file)
			return err
		},
	}
	cmd.Flags().String(flags.FlagHome, defaultHome(), "home of the node")
	return cmd
}
