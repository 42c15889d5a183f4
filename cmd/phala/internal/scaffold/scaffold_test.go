package scaffold

import (
	"bytes"
	"errors"
	"flag"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write sdk.txtar anew")

const repository = "../../../.."

// pack makes the archive of the SDK: its files without tests, in the order of their paths, and the licence they come under.
func pack(t *testing.T) []byte {
	t.Helper()
	a := &txtar.Archive{Comment: []byte("The SDK of contracts, from sdk/contract: go generate ./cmd/phala/internal/scaffold\n")}
	add := func(name, path string) {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a.Files = append(a.Files, txtar.File{Name: name, Data: body})
	}
	root := filepath.Join(repository, "sdk", "contract")
	add("LICENSE", filepath.Join(repository, "LICENSE"))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return filepath.SkipDir
		}
		name := d.Name()
		if d.IsDir() || strings.HasSuffix(name, "_test.go") || !strings.HasSuffix(name, ".go") && name != "go.mod" && name != "go.sum" {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err == nil {
			add(filepath.ToSlash(rel), path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	packed := txtar.Format(a)
	for i, f := range txtar.Parse(packed).Files { // no file has a line that looks like the head of another
		if i >= len(a.Files) || f.Name != a.Files[i].Name || !bytes.Equal(f.Data, a.Files[i].Data) {
			t.Fatalf("%s does not come out of the archive as it went in", f.Name)
		}
	}
	return packed
}

func TestArchiveIsFresh(t *testing.T) {
	want := pack(t)
	if *update {
		if err := os.WriteFile("sdk.txtar", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(sdk, want) {
		t.Error("sdk.txtar is not what sdk/contract is: go generate ./cmd/phala/internal/scaffold, and commit what it changes")
	}
}

// goTool runs the go command as somebody would who has nothing but it: no workspace of ours, no network.
func goTool(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=", "GOWORK=", "PWD=" + dir}, env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestWrittenContract(t *testing.T) {
	for _, c := range []struct{ kind, name string }{{"alone", "note"}, {"inside a workspace", "my-2nd-note"}} {
		t.Run(c.kind, func(t *testing.T) {
			parent := t.TempDir()
			if c.kind != "alone" {
				if err := os.WriteFile(filepath.Join(parent, "go.work"), []byte("go 1.26\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			files, err := Write(parent, c.name)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(parent, c.name)
			for _, f := range files {
				body, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(body), "{{name}}") {
					t.Errorf("%s has a name to fill in", f)
				}
				if formatted, err := format.Source(body); strings.HasSuffix(f, ".go") && (err != nil || !bytes.Equal(formatted, body)) {
					t.Errorf("%s is not formatted: %v", f, err)
				}
			}
			if testing.Short() {
				t.Skip("builds the contract")
			}
			goTool(t, dir, nil, "vet", "-trimpath", "./...")
			goTool(t, dir, nil, "test", "-trimpath", "./...")
			out := filepath.Join(dir, c.name+".wasm")
			goTool(t, dir, []string{"GOOS=wasip1", "GOARCH=wasm"}, "build", "-trimpath", "-buildmode=c-shared", "-o", out, ".")
			module, err := os.ReadFile(out)
			if err != nil || !bytes.HasPrefix(module, []byte("\x00asm")) {
				t.Errorf("the build left no WebAssembly: %v", err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	parent := t.TempDir()
	std, err := exec.Command("go", "list", "std").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(std)) {
		first, _, _ := strings.Cut(path, "/")
		if _, err := Write(parent, first); !errors.Is(err, ErrName) {
			t.Errorf("%q, which is Go's: got %v", first, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "../a", "/a", "Note", "1note", "-note", "my note", "note_test", "é", "cmd", strings.Repeat("n", 41)} {
		if _, err := Write(parent, bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("a refusal left %v", left)
	}
	mine := filepath.Join(parent, "mine")
	if err := os.MkdirAll(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(parent, "mine"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing folder: got %v", err)
	}
	if left, err := os.ReadDir(mine); err != nil || len(left) > 0 {
		t.Errorf("an existing folder was changed: %v, %v", left, err)
	}
	if _, err := Write(filepath.Join(parent, "nowhere"), "note"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: got %v", err)
	}
}
