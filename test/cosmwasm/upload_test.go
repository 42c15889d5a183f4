package cosmwasm

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/engine"
)

// Every binary that these modules have: it uploads, or is refused for a reason. A refusal names all that is missing.
func TestUploads(t *testing.T) {
	e, err := engine.New(context.Background(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()
	const (
		stargate = "requires stargate;"
		staking  = "requires staking;"
		both     = "requires staking, stargate;"
	)
	done, listed := map[string]bool{}, map[string]bool{}
	for _, c := range []struct{ module, file, refusal string }{
		{wasmd, "benchmarks/testdata/cw1_whitelist.wasm", staking},
		{wasmd, "benchmarks/testdata/cw20_base.wasm", ""},
		{wasmd, keeper + "burner.wasm", ""},
		{wasmd, keeper + "cyberpunk.wasm", ""},
		{wasmd, keeper + "hackatom.wasm", ""},
		{wasmd, keeper + "hackatom.wasm.gzip", ""},
		{wasmd, keeper + "hackatom_42.wasm", ""},
		{wasmd, keeper + "hackatom_420.wasm", ""},
		{wasmd, keeper + "ibc_reflect.wasm", stargate},
		{wasmd, keeper + "queue.wasm", ""},
		{wasmd, keeper + "reflect.wasm.v1_0", both},
		{wasmd, keeper + "reflect_1_1.wasm", both},
		{wasmd, keeper + "reflect_1_5.wasm", both},
		{wasmd, keeper + "reflect_2_0.wasm", both},
		{wasmd, keeper + "replier.wasm", ""},
		{wasmd, keeper + "staking.wasm", staking},
		{wasmd, "tests/e2e/testdata/cw20_base.wasm.gz", staking},
		{wasmd, "tests/e2e/testdata/cw20_ics20.wasm.gz", stargate},
		{wasmd, "tests/e2e/testdata/ibc2.wasm", "requires ibc2;"},
		{wasmd, "tests/e2e/testdata/ibc_callbacks.wasm", stargate},
		{wasmd, "tests/e2e/testdata/reflect_2_2.wasm", both},
		{wasmd, "tests/integration/testdata/burner.wasm", ""},
		{wasmd, "tests/integration/testdata/escrow_0.7.wasm", "imports what is not offered here: env.canonicalize_address, env.humanize_address"},
		{wasmd, "tests/integration/testdata/hackatom.wasm", ""},
		{wasmd, "tests/integration/testdata/ibc_reflect.wasm", stargate},
		{wasmd, "tests/integration/testdata/ibc_reflect_send.wasm", both},
		{wasmd, "tests/integration/testdata/reflect_1_5.wasm", both},
		{wasmd, "x/wasm/types/testdata/reflect.wasm", both},
		{wasmvm, "testdata/cyberpunk.wasm", ""},
		{wasmvm, "testdata/floaty_2.0.wasm", ""},
		{wasmvm, "testdata/hackatom.wasm", ""},
		{wasmvm, "testdata/ibc_reflect.wasm", stargate},
		{wasmvm, "testdata/queue.wasm", ""},
		{wasmvm, "testdata/reflect.wasm", both},
		{former, "testdata/cyberpunk.wasm", ""},
		{former, "testdata/floaty_2.0.wasm", ""},
		{former, "testdata/hackatom.wasm", ""},
		{former, "testdata/ibc_reflect.wasm", stargate},
		{former, "testdata/queue.wasm", ""},
		{former, "testdata/reflect.wasm", both},
	} {
		listed[c.module+"/"+c.file] = true
		code := load(t, c.module, c.file)
		if bytes.HasPrefix(code, []byte{0x1f, 0x8b}) {
			r, err := gzip.NewReader(bytes.NewReader(code))
			if err == nil {
				code, err = io.ReadAll(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if done[short(code)] {
			continue // the same contract under another name
		}
		done[short(code)] = true
		contract, err := e.Compile(context.Background(), code)
		switch {
		case c.refusal == "" && err != nil:
			t.Errorf("%s is refused: %v", c.file, err)
		case c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)):
			t.Errorf("%s: got %v, want %q", c.file, err, c.refusal)
		}
		if contract != nil {
			if err := contract.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d distinct contracts", len(done))
	for _, module := range []string{wasmd, wasmvm, former} {
		for _, file := range binaries(t, module) {
			if !listed[module+"/"+file] {
				t.Errorf("%s of %s is not listed", file, module)
			}
		}
	}
}

// binaries finds every contract in a module, by what its file begins with: WebAssembly, or gzip around it.
func binaries(t *testing.T, module string) (out []string) {
	t.Helper()
	root := folder(t, module)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		head := make([]byte, 4)
		if _, err := io.ReadFull(file, head); err != nil {
			return nil // shorter than any
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		packed := bytes.HasPrefix(head, []byte{0x1f, 0x8b}) && !strings.Contains(name, "broken_crc") // wasmd's own example of what does not unpack
		if packed || string(head) == "\x00asm" {
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
