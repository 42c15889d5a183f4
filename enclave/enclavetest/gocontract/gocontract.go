// Package gocontract builds contracts in Go for tests. It must never be part of a program.
package gocontract

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the contract in dir with the toolchain that runs the test.
func Build(t testing.TB, dir string) []byte { return build(t, dir, "-s -w") }

// BuildNamed is Build with the names of functions, which a trap then tells.
func BuildNamed(t testing.TB, dir string) []byte { return build(t, dir, "-w") }

func build(t testing.TB, dir, flags string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "contract.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags="+flags, "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", dir, err, text)
	}
	code, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return code
}
