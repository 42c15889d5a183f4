package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/endpoint"
	"github.com/phala-go/phala/enclave/runtime"
)

// version is set by the linker; it is part of what evidence vouches for.
var version = "dev"

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("pruntime", flag.ContinueOnError)
	home := f.String("home", "", "folder for the endpoint's socket; nothing secret is ever written there")
	genesis := f.String("genesis", "", "genesis file of the chain to trust")
	role := f.String("role", "", "executor or gatekeeper")
	kind := f.String("tee", "", "the TEE to run in: tdx, sev-snp, nitro, tpm or simulated (no protection at all; development networks only); default: what this machine is")
	listen := f.String("listen", "", "unix socket of the endpoint (default HOME/enclave.sock)")
	show := f.Bool("version", false, "print the version")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *show {
		fmt.Println("pruntime of Phala in Go,", version)
		return nil
	}
	if *home == "" || *genesis == "" {
		return errors.New("--home and --genesis are needed: see pruntime --help")
	}
	if *listen == "" {
		*listen = filepath.Join(*home, "enclave.sock")
	}
	cfg := runtime.Config{Version: version, Tamper: tamper}
	switch *role {
	case "executor":
		cfg.Role = wire.ROLE_EXECUTOR
	case "gatekeeper":
		cfg.Role = wire.ROLE_GATEKEEPER
	default:
		return fmt.Errorf("--role %q: want executor or gatekeeper", *role)
	}
	var err error
	if cfg.Genesis, err = os.ReadFile(*genesis); err != nil {
		return fmt.Errorf("reading the genesis: %w", err)
	}
	if cfg.TEE, err = openTEE(*kind, cfg.Genesis, cfg.Role); err != nil {
		return err
	}
	if err := os.MkdirAll(*home, 0o700); err != nil {
		return fmt.Errorf("making the home: %w", err)
	}
	r, err := runtime.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer r.Close(context.WithoutCancel(ctx))
	l, err := open(*listen)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	switch kind := cfg.TEE.Kind(); kind {
	case wire.TEE_KIND_SIMULATED:
		log.Warn("SIMULATED TEE: this process protects nothing from its host", "role", *role, "endpoint", *listen, "version", version)
	case wire.TEE_KIND_TPM:
		log.Warn("a TPM vouches for what was booted and hides no memory from the host", "role", *role, "endpoint", *listen, "version", version)
	default:
		log.Info("serving", "tee", kind.String(), "role", *role, "endpoint", *listen, "version", version)
	}
	return endpoint.New(r, log).Serve(ctx, l)
}

// open listens on a unix socket; one that a dead process left behind is taken over.
func open(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if err == nil {
		return l, nil
	}
	if c, dialErr := net.Dial("unix", path); dialErr == nil {
		c.Close()
		return nil, fmt.Errorf("listening on %s: another enclave serves there. Stop it, or choose another socket with --listen", path)
	}
	if info, statErr := os.Lstat(path); statErr != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("removing a dead socket: %w", err)
	}
	return net.Listen("unix", path)
}
