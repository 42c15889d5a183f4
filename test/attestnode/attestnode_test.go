package attestnode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// otherwise is when evidence that states no time is judged: all recorded certificates of AMD were in force.
var otherwise = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// node is the path of Node; PHALA_NODE=must makes its absence a failure.
func node(t *testing.T) string {
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

func recorded(t *testing.T) (root string, files []string) {
	t.Helper()
	if root = os.Getenv("PHALA_EVIDENCE"); root == "" {
		t.Skip("PHALA_EVIDENCE names no folder of recorded evidence: nothing real can be verified")
	}
	for _, pattern := range []string{"dcap/*.json", "dcap-broken/*.json", "snp/*.report.bin", "snp/*.json", "nitro/*.cose", "tpm/*.txt"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no evidence in %s: %v", filepath.Join(root, pattern), err)
		}
		for _, f := range found {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, rel)
		}
	}
	return root, files
}

// compile builds the program for js/wasm, and gives the script that runs such programs under Node.
func compile(t *testing.T) (program, runner string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "program.wasm")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./program")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building for js/wasm: %v\n%s", err, out)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return program, filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec_node.js")
}

// What a verifier in a browser says of every recorded case is what the native one says, and what the case itself expects.
func TestUnderNode(t *testing.T) {
	nodePath := node(t)
	root, files := recorded(t)
	program, runner := compile(t)

	cmd := exec.Command(nodePath, append([]string{"--stack-size=8192", runner, program, fmt.Sprint(otherwise.Unix())}, files...)...)
	cmd.Dir = root
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // the runner has little room for an environment
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("running under Node: %v\n%s", err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(files) {
		t.Fatalf("%d lines for %d files:\n%s", len(lines), len(files), out.String())
	}
	verified := 0
	for i, name := range files {
		file := read(t, root, name)
		var beside []byte
		if base, ok := strings.CutSuffix(name, ".report.bin"); ok {
			beside = read(t, root, base+".cert.der")
		}
		if native := Judge(file, beside, otherwise); lines[i] != native {
			t.Errorf("%s: under Node %q, natively %q", name, lines[i], native)
		}
		if strings.Contains(lines[i], "status=") {
			verified++
		}
		compare(t, name, file, lines[i])
	}
	if verified < 15 {
		t.Errorf("only %d of %d files verified under Node", verified, len(files))
	}
}

func read(t *testing.T, root, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compare holds the line against what a recorded case expects.
func compare(t *testing.T, name string, file []byte, line string) {
	t.Helper()
	if !strings.HasPrefix(name, "dcap") {
		return
	}
	var c struct {
		Expected struct {
			Verdict, Status, Platform, Module, QE string
			Advisories                            []string
			Debug                                 bool
			Refuse                                bool
			ReportData                            string `json:"report_data"`
		}
	}
	if err := json.Unmarshal(file, &c); err != nil {
		t.Fatal(err)
	}
	e := c.Expected
	if e.Verdict != "" || e.Refuse {
		if !strings.Contains(line, "refused: ") {
			t.Errorf("%s: %q, which was to be refused", name, line)
		}
		return
	}
	slices.Sort(e.Advisories)
	want := fmt.Sprintf("status=%s platform=%s module=%s qe=%s advisories=%s debug=%t ", e.Status, e.Platform, e.Module, e.QE, strings.Join(e.Advisories, ","), e.Debug)
	if !strings.Contains(line, want) || !strings.Contains(line, "report_data="+e.ReportData) {
		t.Errorf("%s: %q, want %q and report data %s", name, line, want, e.ReportData)
	}
}
