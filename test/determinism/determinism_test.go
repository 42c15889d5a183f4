package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

// TestConfigurations plays the records on both of wazero's engines, on new instances and on used ones, alone and side by side.
func TestConfigurations(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles eight contracts five times")
	}
	dir := contracts(t)
	var want string
	for _, c := range []config{
		{mode: "compiler", pool: "warm", goroutines: 1},
		{mode: "compiler", pool: "warm", goroutines: 4},
		{mode: "compiler", pool: "cold", goroutines: 1},
		{mode: "interpreter", pool: "warm", goroutines: 2},
		{mode: "interpreter", pool: "cold", goroutines: 1},
	} {
		c.contracts = dir
		var out bytes.Buffer
		if err := run(t.Context(), c, &out); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if want == "" {
			want = out.String()
			t.Log("\n" + want)
		}
		compare(t, fmt.Sprintf("%s, %s, %d goroutines", c.mode, c.pool, c.goroutines), out.String(), want)
	}
}

// TestArm64 builds the program for arm64 and plays the records in an emulation of that processor. It takes a minute, so only
// PHALA_ARM64 asks for it: 1 where there is an emulator, must where there has to be one.
func TestArm64(t *testing.T) {
	asked := os.Getenv("PHALA_ARM64")
	if asked == "" {
		t.Skip("PHALA_ARM64 is not set: `make emulated` runs this")
	}
	emulator, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		if asked == "must" {
			t.Fatal("no qemu-aarch64-static: install Debian's qemu-user-static: ", err)
		}
		t.Skip("NOT COMPARED WITH ARM64: no qemu-aarch64-static here, which is in Debian's qemu-user-static")
	}
	dir := contracts(t)
	program := filepath.Join(t.TempDir(), "determinism")
	build := exec.Command("go", "build", "-trimpath", "-o", program, ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building for arm64: %v\n%s", err, out)
	}
	var here bytes.Buffer
	if err := run(t.Context(), config{contracts: dir, mode: "compiler", pool: "warm", goroutines: 1}, &here); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), emulator, program, "-contracts", dir, "-goroutines", "1")
	cmd.Stderr = os.Stderr
	there, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "arm64", string(there), here.String())
}

func compare(t *testing.T, what, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("%s parts at line %d:\n%s\ninstead of\n%s", what, i+1, got, want)
			return
		}
	}
}

// contracts puts all contracts in one folder: the published ones from the module cache, in the versions that test/cosmwasm names.
func contracts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, code []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), code, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for module, files := range map[string]map[string]string{
		"github.com/CosmWasm/wasmd": {
			"cw20_base.wasm": "benchmarks/testdata/cw20_base.wasm",
			"replier.wasm":   "x/wasm/keeper/testdata/replier.wasm",
		},
		"github.com/CosmWasm/wasmvm/v3": {
			"cyberpunk.wasm": "testdata/cyberpunk.wasm",
			"floaty.wasm":    "testdata/floaty_2.0.wasm",
			"hackatom.wasm":  "testdata/hackatom.wasm",
			"queue.wasm":     "testdata/queue.wasm",
			"reflect.wasm":   "testdata/reflect.wasm",
		},
	} {
		cmd := exec.Command("go", "mod", "download", "-json", module)
		cmd.Dir = filepath.Join("..", "cosmwasm")
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		out, err := cmd.Output()
		var found struct{ Dir string }
		if err == nil {
			err = json.Unmarshal(out, &found)
		}
		if err != nil {
			t.Fatalf("downloading %s: %v: %s", module, err, out)
		}
		for name, path := range files {
			code, err := os.ReadFile(filepath.Join(found.Dir, path))
			if err != nil {
				t.Fatal(err)
			}
			put(name, code)
		}
	}
	put("numbers.wasm", gocontract.Build(t, "testdata/numbers"))
	return dir
}

// TestRecords: what is no record is not played, or the digests would stand for less than they seem to.
func TestRecords(t *testing.T) {
	all, err := records()
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, r := range all {
		calls += len(r.calls)
		for _, c := range r.calls {
			if strings.Contains(c.msg, "$") {
				t.Errorf("%s: a name is left in %s", r.name, c.msg)
			}
		}
	}
	if len(all) < 8 || calls < 600 {
		t.Errorf("%d records with %d calls", len(all), calls)
	}
	for _, text := range []string{
		"", "code x\n", "instantiate a {}\n", "code x\nexecute a {}\n", "code x\ninstantiate a\n", "code x\ninstantiate@many a {}\n",
	} {
		if r, err := parse("x", text); err == nil {
			t.Errorf("%q is read as %+v", text, r)
		}
	}
	for _, c := range []config{{}, {mode: "compiler", pool: "warm"}, {mode: "jit", pool: "warm", goroutines: 1}, {mode: "compiler", goroutines: 1}} {
		if run(t.Context(), c, &bytes.Buffer{}) == nil {
			t.Errorf("%+v is a configuration", c)
		}
	}
}
