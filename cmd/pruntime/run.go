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

	"github.com/phala-go/phala/cmd/pruntime/internal/boot"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/runtime"
)

// version is set by the linker; it is part of what evidence vouches for.
var version = "dev"

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("pruntime", flag.ContinueOnError)
	home := f.String("home", "", "folder for the endpoint's socket; nothing secret is ever written there")
	genesis := f.String("genesis", "", "genesis file of the chain to trust")
	role := f.String("role", "", "executor or gatekeeper")
	kind := f.String("tee", "", "the TEE to run in: tdx, sev-snp, azure-sev-snp, nitro, tpm or simulated (no protection at all; development networks only); default: what this machine is")
	listen := f.String("listen", "", "unix socket of the endpoint (default HOME/enclave.sock)")
	channels := f.String("channel", "", "unix socket of attested channels: TLS for strangers, whose bytes offchaind carries (default: none)")
	disk := f.String("write-config", "", "write --genesis and --role as a disk for a machine of the measured image into this file, and end")
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
	if *genesis == "" || *home == "" && *disk == "" {
		return errors.New("--home and --genesis are needed: see pruntime --help")
	}
	c, err := config(*role, *genesis)
	if err != nil {
		return err
	}
	if *disk != "" {
		return writeConfig(*disk, c, os.Stdout)
	}
	if *listen == "" {
		*listen = filepath.Join(*home, "enclave.sock")
	}
	if err := os.MkdirAll(*home, 0o700); err != nil {
		return fmt.Errorf("making the home: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return serve(ctx, c, *kind, func() (net.Listener, error) { return open(*listen) }, *channels, log)
}

func config(role, genesis string) (c boot.Config, err error) {
	switch role {
	case "executor":
		c.Role = wire.ROLE_EXECUTOR
	case "gatekeeper":
		c.Role = wire.ROLE_GATEKEEPER
	default:
		return c, fmt.Errorf("--role %q: want executor or gatekeeper", role)
	}
	if c.Genesis, err = os.ReadFile(genesis); err != nil {
		return c, fmt.Errorf("reading the genesis: %w", err)
	}
	return c, nil
}

// serve runs an enclave until ctx ends. The hardware records the configuration before the first key, and nobody is listened to before.
func serve(ctx context.Context, c boot.Config, kind string, listen func() (net.Listener, error), channels string, log *slog.Logger) error {
	t, err := openTEE(kind, c.Genesis, c.Role)
	if err != nil {
		return err
	}
	r, err := runtime.New(ctx, runtime.Config{Version: version, Tamper: tamper, TamperContribution: tamperContribution, Role: c.Role, Genesis: c.Genesis, TEE: t})
	if err != nil {
		return err
	}
	defer r.Close(context.WithoutCancel(ctx))
	l, err := listen()
	if err != nil {
		return err
	}
	attributes := []any{"role", c.Role.String(), "endpoint", l.Addr().String(), "version", version}
	switch kind := t.Kind(); kind {
	case wire.TEE_KIND_SIMULATED:
		log.Warn("SIMULATED TEE: this process protects nothing from its host", attributes...)
	case wire.TEE_KIND_TPM:
		log.Warn("a TPM vouches for what was booted and hides no memory from the host", attributes...)
	default:
		log.Info("serving", append(attributes, "tee", kind.String())...)
	}
	return serveDoors(ctx, r, l, channels, log)
}

// open listens on a unix socket; one that a dead process left behind is taken over.
func open(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if err == nil {
		return l, nil
	}
	if c, dialErr := net.Dial("unix", path); dialErr == nil {
		c.Close()
		return nil, fmt.Errorf("listening on %s: another enclave serves there. Stop it, or choose another socket with --listen (or --channel)", path)
	}
	if info, statErr := os.Lstat(path); statErr != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("removing a dead socket: %w", err)
	}
	return net.Listen("unix", path)
}
