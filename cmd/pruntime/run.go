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
	"github.com/phala-go/phala/enclave/tee"
)

// version is set by the linker; it is part of what evidence vouches for.
var version = "dev"

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("pruntime", flag.ContinueOnError)
	home := f.String("home", "", "folder for the endpoint's socket; nothing secret is ever written there")
	genesis := f.String("genesis", "", "genesis file of the chain to trust")
	role := f.String("role", "", "executor or gatekeeper")
	kind := f.String("tee", "", "the TEE to run in: simulated (no protection at all; development networks only)")
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
	if *kind != "simulated" {
		return fmt.Errorf("--tee %q: this version runs only in the simulated TEE, which protects nothing: say --tee simulated", *kind)
	}
	var err error
	if cfg.TEE, err = tee.NewSimulated(); err != nil {
		return err
	}
	if cfg.Genesis, err = os.ReadFile(*genesis); err != nil {
		return fmt.Errorf("reading the genesis: %w", err)
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
	log.Warn("SIMULATED TEE: this process protects nothing from its host", "role", *role, "endpoint", *listen, "version", version)
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
