// Package e2e runs whole networks of the real programs. PHALA_BIN names a folder with them; without it they are built first.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
)

var programs = []string{"phalad", "pruntime", "offchaind", "phala"}

// bin is the folder of the programs.
var bin string

func TestMain(m *testing.M) {
	code, err := withPrograms(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withPrograms builds the programs, unless PHALA_BIN names them, runs f and removes them.
func withPrograms(f func() int) (int, error) {
	if bin = os.Getenv("PHALA_BIN"); bin != "" {
		return f(), nil
	}
	var err error
	if bin, err = os.MkdirTemp("", "phala-e2e-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin + string(filepath.Separator)}
	for _, p := range programs {
		args = append(args, "github.com/phala-go/phala/cmd/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the programs: %w: %s", err, out)
	}
	cmd = exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=liar", "-o", filepath.Join(bin, "pruntime-liar"), "github.com/phala-go/phala/cmd/pruntime")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the liar: %w: %s", err, out)
	}
	return f(), nil
}

// TestAuction is one call on real parts: the command line and then the demo's story, every fact of it.
func TestAuction(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	module, err := story.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bids, err := story.DefaultBids()
	if err != nil {
		t.Fatal(err)
	}
	n, liar, err := story.StartNetwork(ctx, filepath.Join(t.TempDir(), "net"), bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(liar.Close)
	t.Cleanup(n.Stop)
	t.Logf("dev/first_block %d ms", time.Duration(n.FirstBlock).Milliseconds())
	t.Logf("dev/ready %d ms", time.Duration(n.Ready).Milliseconds())

	t.Run("command line", func(t *testing.T) { commandLine(t, bin, n, module) })
	t.Run("attested channels", func(t *testing.T) { attestedChannels(ctx, t, bin, n) })
	t.Run("refusals of a start", func(t *testing.T) { startRefused(ctx, t, bin, n) })

	headings := 0
	err = story.Run(ctx, story.Config{
		Network: n, Module: module, Bids: bids, Liar: liar,
		Heading: func(i int, title string) { headings = i; t.Logf("%d. %s", i, title) },
		Tell:    func(f story.Fact) { t.Logf("   %s  %s", f.Text, f.Detail) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 8; liar != nil && headings != want || headings < want-1 {
		t.Errorf("%d headings were told, of %d", headings, want)
	}
	if mem := n.Memory(); mem > 3<<29 {
		t.Errorf("the network takes %d MiB: at most 1536", mem>>20)
	} else {
		t.Logf("dev/memory %d MiB", mem>>20)
	}
	if err := n.Err(); err != nil {
		t.Error(err)
	}
}

// phala runs the command line and gives its output, errors and exit code.
func phala(t *testing.T, bin, home string, args ...string) (out, errOut string, code int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "phala"), append([]string{"--home", home, "-o", "json"}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func commandLine(t *testing.T, bin string, n *devnet.Network, module []byte) {
	home := t.TempDir()
	wasm := filepath.Join(home, "auction.wasm")
	if err := os.WriteFile(wasm, module, 0o600); err != nil {
		t.Fatal(err)
	}
	conf, _ := json.Marshal(map[string]any{"rpc": n.RPC, "genesis": n.Genesis, "keyring": "test"})
	if err := os.WriteFile(filepath.Join(home, "config.json"), conf, 0o600); err != nil {
		t.Fatal(err)
	}
	ring := &keys.Ring{Dir: filepath.Join(home, "keys"), Backend: keys.BackendTest}
	for _, a := range n.Accounts[:2] {
		k, err := a.Key()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Add(a.Name, k); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, into any, args ...string) string {
		t.Helper()
		out, errOut, code := phala(t, bin, home, args...)
		if code != want {
			t.Fatalf("phala %s: exit %d, want %d: %s%s", strings.Join(args, " "), code, want, out, errOut)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(out), into); err != nil {
				t.Fatalf("phala %s: %v: %s", strings.Join(args, " "), err, out)
			}
		}
		return errOut
	}
	var res struct {
		Contract string `json:"contract"`
		Input    uint64 `json:"input"`
		Ordered  uint64 `json:"ordered_height"`
		Final    uint64 `json:"final_height"`
		Sigs     int    `json:"signatures"`
	}
	run(0, &res, "contract", "deploy", wasm, "--init", `{"item":"a lamp"}`, "--from", "alice")
	contract := res.Contract
	run(0, &res, "contract", "call", contract, `{"bid":{"amount":"41"}}`, "--from", "bob")
	if res.Sigs < 2 || res.Final <= res.Ordered {
		t.Errorf("the call: %+v", res)
	}
	run(0, &res, "contract", "call", contract, `{"bid":{"amount":"42"}}`, "--from", "bob", "--no-wait")
	run(0, &res, "result", strconv.FormatUint(res.Input, 10))
	ask := `{"bid":{"bidder":"` + n.Accounts[1].Address + `"}}`
	var answer struct {
		Data struct {
			Amount string `json:"amount"`
		} `json:"data"`
	}
	run(0, &answer, "contract", "query", contract, ask, "--from", "bob")
	if answer.Data.Amount != "42" {
		t.Errorf("bob's own bid: %+v", answer)
	}
	many := exec.Command(filepath.Join(bin, "phala"), "--home", home, "contract", "query", contract, "-", "--from", "bob", "-o", "json")
	many.Stdin = strings.NewReader(ask + "\n\n" + ask + "\n")
	if out, err := many.Output(); err != nil || strings.Count(string(out), `"amount":"42"`)+strings.Count(string(out), `"amount": "42"`) != 2 {
		t.Errorf("bob's own bid twice in a session: %s, %v", out, err)
	}
	for args, code := range map[string]string{"--from alice": "query-denied", "": "permit-missing"} {
		if e := run(7, nil, append([]string{"contract", "query", contract, ask}, strings.Fields(args)...)...); !strings.Contains(e, code) {
			t.Errorf("with %q: %s", args, e)
		}
	}
	if e := run(4, nil, "contract", "call", contract, `{"close":{}}`, "--from", "bob"); !strings.Contains(e, "only the seller") {
		t.Errorf("bob closes: %s", e)
	}
	var listed []struct{ Address, Label, State, Query string }
	run(0, &listed, "contract", "list")
	if len(listed) != 1 || listed[0].Address != contract || listed[0].State != "live" || listed[0].Query != "self" {
		t.Errorf("the contracts: %+v", listed)
	}
	run(0, nil, "cluster", "show", "1")
	run(3, nil, "cluster", "show", "99")
	run(3, nil, "result", "9999")
	run(0, nil, "status")
}

// startRefused: what is in use is left alone, and said.
func startRefused(ctx context.Context, t *testing.T, bin string, n *devnet.Network) {
	if _, err := devnet.Start(ctx, devnet.Config{Home: n.Home, Bin: bin, PortBase: 31000}); !errors.Is(err, devnet.ErrHomeInUse) {
		t.Errorf("in the home of another network: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "net")
	_, err := devnet.Start(ctx, devnet.Config{Home: dir, Bin: bin, PortBase: n.Ports.RPC})
	if err == nil || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), strconv.Itoa(n.Ports.RPC)) {
		t.Errorf("on taken ports: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was made before the ports were looked at")
	}
}

// TestDevCommand: `phala dev` says that it is ready, ends cleanly when asked, and leaves nothing running.
func TestDevCommand(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	home := filepath.Join(t.TempDir(), "home")
	cmd := exec.Command(filepath.Join(bin, "phala"), "dev", "--home", home, "--json", "--free-ports")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var ready struct {
		TEE      string           `json:"tee"`
		RPC      string           `json:"rpc"`
		REST     string           `json:"rest"`
		Gateways []string         `json:"gateways"`
		Accounts []devnet.Account `json:"accounts"`
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	if ready.TEE != "simulated" || len(ready.Gateways) != 3 || len(ready.Accounts) != 10 {
		t.Errorf("ready: %+v", ready)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	for _, was := range append(ready.Gateways, ready.RPC, ready.REST) {
		l, err := net.Listen("tcp", strings.TrimPrefix(was, "http://"))
		if err != nil {
			t.Errorf("something still listens: %v", err)
			continue
		}
		l.Close()
	}
	if _, errOut, code := phala(t, bin, home, "dev"); code != 1 || !strings.Contains(errOut, "home-in-use") {
		t.Errorf("a second time in the same home: %d %s", code, errOut)
	}
}
