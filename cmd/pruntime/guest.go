package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/phala-go/phala/cmd/pruntime/internal/boot"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
)

// serveGuest is pruntime as the only program of a machine.
func serveGuest(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	g, err := boot.Up(log)
	if err != nil {
		return fmt.Errorf("bringing the machine up: %w", err)
	}
	return serve(ctx, g.Config, "", func() (net.Listener, error) { return g.Endpoint, nil }, "", log)
}

// writeConfig writes the disk that tells a machine what it is started for, and says what its hardware will have recorded then.
func writeConfig(path string, c boot.Config, out io.Writer) error {
	g, err := light.ParseGenesis(c.Genesis)
	if err != nil {
		return err
	}
	b, err := c.Disk()
	if err != nil {
		return fmt.Errorf("making the configuration's disk: %w", err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return fmt.Errorf("writing the configuration's disk: %w", err)
	}
	config := attest.RuntimeConfig(g.ChainID, g.Hash, c.Role)
	for _, kind := range []wire.TeeKind{wire.TEE_KIND_TPM, wire.TEE_KIND_TDX} {
		name, value := attest.RuntimeRegister(kind, config)
		fmt.Fprintf(out, "%s %s %x\n", kind, name, value)
	}
	return nil
}
