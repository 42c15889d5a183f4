package readme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	repository = "../.."
	heading    = "A contract of your own"
	network    = "bin/phala dev" // what the reader types in a second terminal
)

// section gives the section's Go block, and its shell blocks: before the network is there, and after.
func section(t *testing.T) (program string, before, after []Command) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Section(string(doc), heading)
	if err != nil {
		t.Fatal(err)
	}
	started := false
	for _, b := range Blocks(text) {
		switch b.Language {
		case "go":
			program = strings.Join(b.Lines, "\n")
		case "sh":
			commands, err := b.Commands()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range commands {
				switch {
				case c.Line == network:
					started = true
				case started:
					after = append(after, c)
				default:
					before = append(before, c)
				}
			}
		default:
			t.Errorf("a block in %q, which nobody runs", b.Language)
		}
	}
	if program == "" || len(before) == 0 || len(after) == 0 || !started {
		t.Fatalf("the section has lost a part: program %t, %d commands, network %t, %d commands", program != "", len(before), started, len(after))
	}
	return program, before, after
}

// ofContract gives what the README of a written contract tells to type.
func ofContract(t *testing.T, dir string) []Command {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []Command
	for _, b := range Blocks(string(doc)) {
		commands, err := b.Commands()
		if err != nil || b.Language != "sh" {
			t.Fatalf("a block in %q: %v", b.Language, err)
		}
		all = append(all, commands...)
	}
	return all
}

// clone is a folder that looks to the reader's shell as a clone of the repository after `make build`, inside one of its own.
func clone(t *testing.T, bin string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "phala")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bin, filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// environment is what both of the reader's terminals have.
func environment(dir string) []string {
	return append(os.Environ(), "PWD="+dir, "PHALA_HOME="+filepath.Join(filepath.Dir(dir), "home"), "CGO_ENABLED=0", "GOWORK=", "GOFLAGS=-trimpath", "GOPROXY=off")
}

// typed types the commands into one shell and checks each: that it prints what it should, and that it succeeds; answers are
// JSON, so one that is not is a refusal.
func typed(ctx context.Context, t *testing.T, dir string, commands []Command) {
	t.Helper()
	outputs := t.TempDir()
	var script strings.Builder
	for i, c := range commands {
		fmt.Fprintf(&script, "{ %s\n} >'%s/%d.out' 2>&1; echo $? >'%[2]s/%[3]d.code'\n", c.Line, outputs, i)
	}
	cmd := exec.CommandContext(ctx, "sh", "-s")
	cmd.Dir, cmd.Env, cmd.Stdin = dir, environment(dir), strings.NewReader(script.String())
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the shell: %v: %s", err, out)
	}
	t.Logf("%d commands in %.1f s", len(commands), time.Since(began).Seconds())
	for i, c := range commands {
		out, _ := os.ReadFile(fmt.Sprintf("%s/%d.out", outputs, i))
		code, _ := os.ReadFile(fmt.Sprintf("%s/%d.code", outputs, i))
		refused := false
		for _, w := range c.Wants {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s\nprints %swhich lacks %q", c.Line, out, w)
			}
			refused = refused || !json.Valid([]byte(w))
		}
		if succeeded := string(code) == "0\n"; succeeded == refused {
			t.Errorf("%s\nexits with %swith refusal wanted: %t\n%s", c.Line, code, refused, out)
		}
	}
}

// TestContract types what needs the go command and nothing else.
func TestContract(t *testing.T) {
	if testing.Short() {
		t.Skip("builds phala and a contract")
	}
	program, before, _ := section(t)
	bin := os.Getenv("PHALA_BIN")
	if bin == "" {
		bin = t.TempDir()
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(bin, "phala"), "github.com/phala-go/phala/cmd/phala")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building phala: %v: %s", err, out)
		}
	}
	dir := clone(t, bin)
	typed(t.Context(), t, dir, before)
	written, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "note", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(written), program) {
		t.Error("the program in the README is not the one that phala contract new writes")
	}
}

// TestWalkthrough types everything, with a network in the second terminal.
func TestWalkthrough(t *testing.T) {
	bin := os.Getenv("PHALA_BIN")
	if bin == "" {
		t.Skip("needs the real programs: make e2e, or PHALA_BIN=bin")
	}
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	_, before, after := section(t)
	dir := clone(t, bin)
	secondTerminal(t, dir)
	typed(ctx, t, dir, append(before, after...))
	note := filepath.Join(filepath.Dir(dir), "note")
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	typed(ctx, t, note, ofContract(t, note))
}

// secondTerminal runs the network until the test ends; the flags keep it off the ports of other networks, and say when it is ready.
func secondTerminal(t *testing.T, dir string) {
	t.Helper()
	ctx, interrupt := context.WithTimeout(context.Background(), 5*time.Minute) // not the test's, which ends before its cleanups
	args := append(strings.Fields(network), "--free-ports", "--json")
	cmd := exec.CommandContext(ctx, filepath.Join(dir, args[0]), args[1:]...)
	cmd.Dir, cmd.Env = dir, environment(dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		interrupt()
		t.Fatal(err)
	}
	var ready struct {
		Ready int `json:"ready"`
	}
	err = json.NewDecoder(out).Decode(&ready)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() {
		interrupt()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the network: %v: %s", err, errs.String())
		}
	})
	if err != nil {
		t.Fatalf("starting the network: %v: %s", err, errs.String())
	}
	t.Logf("the network was ready after %d ms", ready.Ready)
}

func TestReading(t *testing.T) {
	const doc = "# x\n\n## One\n\n```sh\na\n# → b\n# → c\n\nd # e\n```\n\ntext\n\n## Two\n\n```sh\nf\n```\n"
	text, err := Section(doc, "One")
	if err != nil {
		t.Fatal(err)
	}
	blocks := Blocks(text)
	if len(blocks) != 1 || blocks[0].Language != "sh" {
		t.Fatalf("got %v", blocks)
	}
	got, err := blocks[0].Commands()
	if err != nil || len(got) != 2 || got[0].Line != "a" || strings.Join(got[0].Wants, "") != "bc" || got[1].Line != "d # e" || got[1].Wants != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Section(doc, "Three"); err == nil {
		t.Error("a section that is not there was found")
	}
	if _, err := (Block{Lines: []string{"# → b"}}).Commands(); err == nil {
		t.Error("an answer to nothing was taken")
	}
}
