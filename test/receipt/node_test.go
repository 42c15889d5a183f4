package receipt

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/receipt"
)

// script is a page: it loads the program, and gives it the file and what it trusts.
const script = `
require(process.argv[2]);
const fs = require("fs");
const go = new Go();
WebAssembly.instantiate(fs.readFileSync(process.argv[3]), go.importObject).then((r) => {
  go.run(r.instance);
  for (const f of process.argv.slice(5)) {
    console.log(phalaVerifyReceipt(new Uint8Array(fs.readFileSync(f)), fs.readFileSync(process.argv[4], "utf8")));
  }
  process.exit(0);
});
`

func nodePath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	switch {
	case err == nil:
		return path
	case os.Getenv("PHALA_NODE") == "must":
		t.Fatal("PHALA_NODE=must and there is no node: install the package nodejs")
	}
	t.Skip("no node in PATH: nothing was verified under js/wasm")
	return ""
}

// compile builds the page's program, and gives the script that runs such programs.
func compile(t *testing.T) (program, runner string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "verify.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "../../cmd/phala-verify")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building for js/wasm: %v\n%s", err, out)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return program, filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js")
}

// What a browser says of a receipt is what the native program says.
func TestP19_UnderNode(t *testing.T) {
	node := nodePath(t)
	program, runner := compile(t)
	size, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("phala-verify: %.1f MiB", float64(size.Size())/(1<<20))
	w := newWorld(t)
	file := receipt.Encode(w.make(t, nil))
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lie := w.make(t, nil)
	lie.Result.Result.Data = []byte("lie")
	trust, err := json.Marshal(map[string]any{"genesis": string(w.net.Chain.Genesis), "now": w.options().Now, "trusting_period_seconds": int64(w.options().TrustingPeriod / time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(node, "--stack-size=8192", write("page.js", []byte(script)), runner, program, write("trust.json", trust),
		write("good", file), write("lie", receipt.Encode(lie)), write("cut", file[:len(file)-1])).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 3 {
		t.Fatalf("%v\n%s", err, out)
	}
	native, err := check(file, receipt.Trust{Genesis: w.genesis}, w.options())
	if err != nil || lines[0] != native {
		t.Errorf("natively %v\n%s\nunder Node\n%s", err, native, lines[0])
	}
	for _, l := range lines[1:] {
		if !strings.HasPrefix(l, `{"error":"`) {
			t.Errorf("a wrong receipt: %s", l)
		}
	}
}
