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

// load reads it out of the module cache, downloading the module if it is not
// there. The version is that of go.mod, and go.sum has its hash.
func (b binary) load(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", b.module)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.Output()
	var found struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w: %s", b.module, err, out)
	}
	return os.ReadFile(filepath.Join(found.Dir, b.file))
}
