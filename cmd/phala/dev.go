package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/devnet"
)

func devCmd(e *env) *cobra.Command {
	var cfg devnet.Config
	var reset, asJSON, freePorts bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Start a whole network on this machine, until Ctrl-C",
		Long: `Start a validator, a gatekeeper and three executors as separate enclave processes, and a cluster of the three.
The TEE is simulated: it proves and protects nothing. All accounts are public test keys. The home must be new.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			cfg.Home = e.home
			if cfg.Bin == "" {
				self, err := os.Executable()
				if err != nil {
					return err
				}
				cfg.Bin = filepath.Dir(self)
			}
			if reset {
				if err := devnet.Reset(e.home); err != nil {
					return err
				}
			}
			if !asJSON && e.output == "text" {
				cfg.Progress = func(s string) { e.say("  … %s", s) }
			}
			start := devnet.Start
			if freePorts {
				start = func(ctx context.Context, cfg devnet.Config) (*devnet.Network, error) {
					return devnet.StartFree(ctx, cfg, nil)
				}
			}
			n, err := start(ctx, cfg)
			if err != nil {
				return err
			}
			defer n.Stop()
			if err := e.devHome(n); err != nil {
				return err
			}
			if asJSON || e.output == "json" {
				if err := json.NewEncoder(e.out).Encode(devJSON(n)); err != nil {
					return err
				}
			} else {
				banner(e.out, n)
			}
			select {
			case <-ctx.Done():
				e.say("stopping")
				n.Stop()
				return nil
			case <-n.Down():
				if err := n.Err(); err != nil {
					return err
				}
				return errors.New("the network is down")
			}
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.PortBase, "port-base", 0, "first of the network's ports (default: the usual ones)")
	f.BoolVar(&freePorts, "free-ports", false, "take ports that nobody uses now, and say which")
	f.DurationVar(&cfg.BlockTime, "block-time", 500*time.Millisecond, "interval of blocks")
	f.IntVar(&cfg.Executors, "executors", 3, "how many executors run")
	f.IntVar(&cfg.Members, "members", 0, "how many of them are members of cluster 1 (default: all)")
	f.IntVar(&cfg.Spare, "spare-gatekeepers", 0, "how many more gatekeepers run that nobody has named yet")
	f.IntVar(&cfg.Gatekeepers, "gatekeepers", 1, "how many gatekeepers make the network's keys together")
	f.IntVar(&cfg.Threshold, "threshold", 0, "how many of them it takes (default: half of them, rounded up, but two less than all)")
	f.IntVar(&cfg.EpochBlocks, "epoch-blocks", 0, "blocks from one epoch of keys to the next (default: a new one only when it is needed)")
	f.StringVar(&cfg.Bin, "bin", "", "folder with phalad, pruntime and offchaind (default: that of phala)")
	f.BoolVar(&reset, "reset", false, "remove the development network in the home first, for good")
	f.BoolVar(&asJSON, "json", false, "print one JSON object when ready")
	f.BoolVar(&e.progress, "progress", false, "show progress even if this is no terminal")
	return cmd
}

// devHome makes the home ready for the other commands: configuration and the test keys.
func (e *env) devHome(n *devnet.Network) error {
	b, err := json.MarshalIndent(settings{ChainID: n.ChainID, RPC: n.RPC, Gateways: n.Gateways, Genesis: n.Genesis, Keyring: keys.BackendTest}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.Home, "config.json"), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	r := &keys.Ring{Dir: filepath.Join(n.Home, "keys"), Backend: keys.BackendTest}
	for _, a := range slices.Concat(n.Accounts, []devnet.Account{n.Owner}, n.Workers) {
		k, err := a.Key()
		if err != nil {
			return err
		}
		if _, err := r.Add(a.Name, k); err != nil && !errors.Is(err, keys.ErrExists) {
			return err
		}
	}
	return nil
}

func devJSON(n *devnet.Network) any {
	return struct {
		*devnet.Network
		TEE       string           `json:"tee"`
		Mnemonic  string           `json:"public_test_mnemonic"`
		Processes []devnet.Process `json:"processes"`
	}{n, "simulated", devnet.Mnemonic, n.Processes()}
}

func banner(w io.Writer, n *devnet.Network) {
	fmt.Fprintf(w, `
Phala in Go: development network %s          SIMULATED TEE: it protects nothing

  RPC        %s
  REST       %s
  gRPC       %s
`, n.ChainID, n.RPC, n.REST, n.GRPC)
	for i, g := range n.Gateways {
		fmt.Fprintf(w, "  gateway    %s   (executor%d)\n", g, i+1)
	}
	fmt.Fprintf(w, "  cluster    %d, %d members\n  home       %s\n\nAccounts, 10,000 PHA each. Public test keys: everybody has them.\n", n.Cluster, len(n.Gateways), n.Home)
	for _, a := range n.Accounts {
		fmt.Fprintf(w, "  %-6s %s\n", a.Name, a.Address)
	}
	fmt.Fprintf(w, "  %-6s %s   owns the cluster; the workers:\n", n.Owner.Name, n.Owner.Address)
	for _, a := range n.Workers {
		fmt.Fprintf(w, "  %-11s %s/0\n", a.Name, a.Address)
	}
	fmt.Fprintf(w, "  mnemonic: %s   (m/44'/118'/0'/0/i)\n\n", devnet.Mnemonic)
	fmt.Fprintf(w, "First block after %.1f s, ready after %.1f s, %d MiB. Stop with Ctrl-C.\n",
		time.Duration(n.FirstBlock).Seconds(), time.Duration(n.Ready).Seconds(), n.Memory()>>20)
	fmt.Fprintf(w, "In another terminal:\n  phala --home %s contract deploy FILE.wasm --init '{}' --from alice\n", n.Home)
}
