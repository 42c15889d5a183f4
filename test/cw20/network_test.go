package cw20

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// network is a development network of the real programs, used by the command line as anyone would.
type network struct {
	bin   string
	home  string
	names map[string]string // addresses by name
}

// start runs `phala dev` until the test ends. PHALA_BIN names the folder of the programs: without it the test is skipped, and
// make e2e, which is part of make test-system, always sets it.
func start(t *testing.T) *network {
	t.Helper()
	bin := os.Getenv("PHALA_BIN")
	if bin == "" {
		t.Skip("needs the real programs: make e2e, or PHALA_BIN with a folder's full path")
	}
	n := &network{filepath.Join(bin, "phala"), filepath.Join(t.TempDir(), "home"), map[string]string{}}
	ctx, interrupt := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, n.bin, "--home", n.home, "dev", "--free-ports", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		interrupt()
		t.Fatal(err)
	}
	var ready struct {
		Ready    int
		Accounts []struct{ Name, Address string }
	}
	err = json.NewDecoder(out).Decode(&ready)
	t.Cleanup(func() {
		interrupt()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the network: %v: %s", err, errs.String())
		}
	})
	if err != nil {
		t.Fatalf("starting the network: %v: %s", err, errs.String())
	}
	for _, a := range ready.Accounts {
		n.names[a.Name] = a.Address
	}
	t.Logf("the network was ready after %d ms", ready.Ready)
	return n
}

// stored says whether a text occurs in any file of the chain or of the workers' hosts.
func (n *network) stored(t *testing.T, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(n.home, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // compacted away meanwhile
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		found = found || bytes.Contains(body, []byte(text))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// phala runs the command line with JSON in and out. A wanted code is that of a refusal.
func (n *network) phala(t *testing.T, wantCode string, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), n.bin, append([]string{"--home", n.home, "-o", "json", "contract"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var refusal struct {
		Error struct{ Code, Message, Next string }
	}
	_ = json.Unmarshal(errs.Bytes(), &refusal)
	switch {
	case (err == nil) != (wantCode == "") || refusal.Error.Code != wantCode:
		t.Fatalf("phala contract %s: %v, want code %q: %s%s", strings.Join(args, " "), err, wantCode, out.Bytes(), errs.Bytes())
	case wantCode != "" && (refusal.Error.Message == "" || refusal.Error.Next == ""):
		t.Errorf("%s comes without its reason or next step: %s", wantCode, errs.Bytes())
	}
	if into != nil {
		if err := json.Unmarshal(out.Bytes(), into); err != nil {
			t.Fatalf("phala contract %s: %v: %s", strings.Join(args, " "), err, out.Bytes())
		}
	}
}

// result is what the command line says of a call.
type result struct {
	Contract   string
	Ordered    uint64 `json:"ordered_height"`
	Final      uint64 `json:"final_height"`
	Signatures int
	Attributes []struct{ Key, Value string }
	Failure    *struct{ Code, Message string }
}
