package story

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds the auction contract with the Go toolchain, into a folder.
func Build(ctx context.Context, dir string) ([]byte, error) {
	src, err := folder()
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "auction.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.Join(src, "contract")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the auction contract: %w: %s", err, strings.TrimSpace(string(msg)))
	}
	return os.ReadFile(out)
}

// DefaultBids are those of bids.csv.
func DefaultBids() ([]Bid, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, "bids.csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadBids(f)
}

// folder finds examples/auction from anywhere in the repository.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if f := filepath.Join(dir, "examples", "auction"); exists(filepath.Join(f, "bids.csv")) {
			return f, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("examples/auction is not here: run this inside the repository")
		}
		dir = up
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
