package house

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the dependency lists anew")

func goTool(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0"}, env...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// deps lists what a program links besides the standard library.
func deps(t *testing.T, program string) []string {
	t.Helper()
	out := strings.Fields(goTool(t, []string{"GOOS=linux", "GOARCH=amd64"}, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/"+program))
	slices.Sort(out)
	return out
}

// programs and what each must not link.
var programs = map[string][]string{
	"phalad":    {module + "/enclave", module + "/offchain", module + "/client"},
	"pruntime":  {module + "/chain", module + "/offchain", module + "/client", "github.com/cosmos/cosmos-sdk", "github.com/cometbft/cometbft/light", "github.com/cometbft/cometbft/rpc"},
	"offchaind": {module + "/enclave", "github.com/cosmos/cosmos-sdk"},
	"phala":     {module + "/enclave", "github.com/cosmos/cosmos-sdk"},
}

// The lists of what programs link are read as diffs; pruntime's is the trusted base. After a wanted change: make deps.
func TestDependencyLists(t *testing.T) {
	for program, never := range programs {
		t.Run(program, func(t *testing.T) {
			got := deps(t, program)
			for _, d := range got {
				for _, n := range never {
					if under(d, n) {
						t.Errorf("%s links %s", program, d)
					}
				}
			}
			list := filepath.Join("deps", program+".txt")
			if *update {
				if err := os.WriteFile(list, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			file, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(string(file))
			for _, d := range got {
				if !slices.Contains(want, d) {
					t.Errorf("%s links %s, which its list lacks", program, d)
				}
			}
			for _, d := range want {
				if !slices.Contains(got, d) {
					t.Errorf("%s links %s no more, its list still has it", program, d)
				}
			}
			if t.Failed() {
				t.Log("if the change is wanted: make deps")
			}
		})
	}
}

// The verifier builds for the browser.
func TestCoreBuildsForTheBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("builds core for another platform")
	}
	goTool(t, []string{"GOOS=js", "GOARCH=wasm"}, "build", "-trimpath", "./core/...")
}
