package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/offchain"
)

// run is the program; it returns its exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := command(stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "offchaind:", err)
		return 1
	}
	return 0
}

func command(stderr io.Writer) *cobra.Command {
	var cfg offchain.Config
	var keyFile, level string
	var jsonLog bool
	c := &cobra.Command{
		Use:           "offchaind",
		Short:         "Relay between the chain, an enclave and its users",
		Long:          "offchaind is the untrusted half of a TEE worker. It carries headers and proofs to pruntime, its transactions and messages out,\nkeeps sealed records, and serves the gateway. It may be started before the node and the enclave: it waits for them.",
		Args:          cobra.NoArgs,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if cfg.Key, err = readKey(keyFile); err != nil {
				return err
			}
			if cfg.Log, err = logger(stderr, level, jsonLog); err != nil {
				return err
			}
			cfg.Version = cmd.Version
			o, err := offchain.New(cfg)
			if err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Home, "home", defaultHome(), "folder for sealed records")
	f.StringVar(&cfg.RPC, "rpc", "http://127.0.0.1:26657", "URL of the node's RPC")
	f.StringVar(&cfg.Socket, "enclave", "", "path of pruntime's unix socket")
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8641", "address of the gateway, host:port")
	f.StringVar(&cfg.Endpoint, "endpoint", "", "public URL of the gateway, written to the worker's record (default http:// and --listen)")
	f.StringVar(&cfg.Channels, "channel-listen", "", "address for clients of the enclave's attested channels, host:port; they speak TLS with the enclave itself (default: none)")
	f.StringVar(&cfg.ChannelSocket, "enclave-channel", "", "path of pruntime's socket for these channels (pruntime --channel)")
	f.StringVar(&cfg.Metrics, "metrics", "", "address at which Prometheus finds the metrics, host:port; keep it off the internet (default: none)")
	f.StringVar(&cfg.Collateral, "collateral", "", "file, or folder of files, with what the TEE's maker publishes about this machine (docs/howto/attestation.md); read anew at each registration (default: none)")
	f.StringVar(&keyFile, "operator-key", "", "file with the operator's secp256k1 private key in hexadecimal, readable by its owner only")
	f.Uint32Var(&cfg.Slot, "slot", 0, "number that tells apart the operator's workers")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&jsonLog, "json-log", false, "log in JSON")
	for _, name := range []string{"enclave", "operator-key"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // a flag defined above
		}
	}
	return c
}

func defaultHome() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		return "offchaind"
	}
	return filepath.Join(dir, ".phala", "offchaind")
}

// readKey refuses a file that others may read: with the key they could spend the operator's funds.
func readKey(path string) (*cosmostx.Key, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the operator's key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("opening the operator's key: others may read %s (mode %04o). Run: chmod 600 %[1]s", path, st.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening the operator's key: %w", err)
	}
	defer clear(b)
	k, err := cosmostx.ParseKey(string(b))
	if err != nil {
		return nil, fmt.Errorf("opening the operator's key %s: %w", path, err)
	}
	return k, nil
}

func logger(w io.Writer, level string, jsonLog bool) (*slog.Logger, error) {
	var o slog.HandlerOptions
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", level)
	}
	o.Level = l
	if jsonLog {
		return slog.New(slog.NewJSONHandler(w, &o)), nil
	}
	return slog.New(slog.NewTextHandler(w, &o)), nil
}

// version is set by the linker.
var version = "dev"
