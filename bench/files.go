package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A binary among the files of a module's tests.
type binary struct{ module, file string }

const wasmd = "github.com/CosmWasm/wasmd"

var (
	cw20      = binary{wasmd, "benchmarks/testdata/cw20_base.wasm"}
	cyberpunk = binary{wasmd, "x/wasm/keeper/testdata/cyberpunk.wasm"}
	hackatom  = binary{wasmd, "x/wasm/keeper/testdata/hackatom.wasm"}
)

func (b binary) load(ctx context.Context) ([]byte, error) {
	file, err := b.path(ctx)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// path is where it lies in the module cache, to which the module is downloaded
// if it is not there. The version is that of go.mod, and go.sum has its hash.
func (b binary) path(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", b.module)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.Output()
	var found struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		return "", fmt.Errorf("downloading %s: %w: %s", b.module, err, out)
	}
	return filepath.Join(found.Dir, b.file), nil
}

// program is a contract in Go, by its folder in the repository.
type program string

const goToken program = "examples/token/contract"

func (p program) load(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "bench-contract-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "contract.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.Join("..", string(p))
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", p, err, text)
	}
	return os.ReadFile(out)
}
