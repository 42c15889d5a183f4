package badinput

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/phala-go/phala/devnet"
)

// starts: what is taken or belongs to something else is refused before anything is done with it, and left as it was.
func (w *world) starts() {
	taken := strconv.Itoa(w.net.Ports.RPC)
	ends := func(name, program_ string, code int, words []string, args ...string) {
		w.row(name, func(w *world) {
			out, got := program(w.t, program_, args...)
			if got != code {
				w.t.Errorf("exit %d, want %d: %s", got, code, out)
			}
			for _, s := range words {
				if !strings.Contains(out, s) {
					w.t.Errorf("it says %q, want %q", out, s)
				}
			}
			if strings.Contains(out, "goroutine ") {
				w.t.Errorf("it ends in a trace: %s", out)
			}
		})
	}
	none := filepath.Join(w.t.TempDir(), "none")
	ends("phala dev on taken ports", "phala", 1, []string{"port " + taken, "next:", "--port-base"}, "dev", "--home", none, "--port-base", taken)
	if _, err := os.Stat(none); err == nil {
		w.t.Error("something was made although the ports are taken")
	}
	ends("phala dev in the home of a running network", "phala", 1, []string{"holds a network already", "--home", "--reset"}, "dev", "--home", w.net.Home, "--port-base", "30500")

	// The same chain's name with another genesis, and another chain.
	genesis, err := os.ReadFile(w.net.Genesis)
	check(w.t, err)
	other := filepath.Join(w.t.TempDir(), "genesis.json")
	check(w.t, os.WriteFile(other, bytes.ReplaceAll(genesis, []byte(w.net.ChainID), []byte("other-chain-1")), 0o600))
	home := w.cliHome(func(c map[string]any) { c["genesis"] = other })
	ends("a home of the command line from another chain", "phala", 1, []string{"wrong-chain", "other-chain-1", w.net.ChainID, `"next":"`}, "--home", home, "-o", "json", "status")
	var g map[string]any
	check(w.t, json.Unmarshal(genesis, &g))
	g["genesis_time"] = "2020-01-02T03:04:05Z"
	b, err := json.Marshal(g)
	check(w.t, err)
	old := filepath.Join(w.t.TempDir(), "genesis.json")
	check(w.t, os.WriteFile(old, b, 0o600))
	home = w.cliHome(func(c map[string]any) { c["genesis"] = old })
	ends("one whose genesis is too old to trust", "phala", 1, []string{"trusting period"}, "--home", home, "-o", "json", "status")
	home = w.cliHome(func(c map[string]any) { c["rpc"] = "http://127.0.0.1:1" })
	ends("one whose node is gone", "phala", 6, []string{"unreachable", `"next":"`}, "--home", home, "-o", "json", "status")
	home = w.cliHome(func(c map[string]any) { c["genesis"] = filepath.Join(w.t.TempDir(), "none.json") })
	ends("one whose genesis is gone", "phala", 1, []string{"reading the genesis", `"code":"file"`, `"next":"`}, "--home", home, "-o", "json", "status")
	bad := filepath.Join(w.t.TempDir(), "genesis.json")
	check(w.t, os.WriteFile(bad, []byte("{"), 0o600))
	home = w.cliHome(func(c map[string]any) { c["genesis"] = bad })
	ends("one whose genesis is damaged", "phala", 1, []string{"genesis"}, "--home", home, "-o", "json", "status")

	// The chain.
	ports := devnet.PortsAt(must(devnet.FreeBase(1)), 1)
	chain := filepath.Join(w.t.TempDir(), "chain")
	local := func(p int) string { return "127.0.0.1:" + strconv.Itoa(p) }
	ends("making a chain's home", "phalad", 0, nil, "devnet-init", "--home", chain, "--chain-id", "other-chain-1", "--development",
		"--rpc", local(w.net.Ports.RPC), "--p2p", local(ports.P2P), "--grpc", local(ports.GRPC), "--api", local(ports.REST))
	ends("phalad on a taken port", "phalad", 1, []string{taken, "in use"}, "start", "--home", chain)
	ends("phalad in a home in use", "phalad", 1, []string{"another"}, "start", "--home", filepath.Join(w.net.Home, "chain"))
	ends("phalad without a home", "phalad", 1, []string{"genesis"}, "start", "--home", none)

	// The worker's two programs.
	s := w.side
	args := func(home, listen string) []string {
		return []string{"--home", home, "--rpc", w.net.RPC, "--enclave", filepath.Join(s.dir, "other.sock"), "--listen", listen, "--operator-key", s.keyFile}
	}
	ends("offchaind on a taken port", "offchaind", 1, []string{"the port is taken", "--listen"}, args(w.t.TempDir(), local(s.port))...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(w.t, err)
	free := l.Addr().String()
	l.Close()
	file := filepath.Join(w.t.TempDir(), "file")
	check(w.t, os.WriteFile(file, nil, 0o600))
	ends("offchaind with a home that cannot be", "offchaind", 1, []string{"opening the object store"}, args(filepath.Join(file, "home"), free)...)
	ends("pruntime where another enclave serves", "pruntime", 1, []string{"another enclave serves there", "--listen"}, "--home", s.dir, "--genesis", w.net.Genesis, "--role", "executor", "--tee", "simulated", "--listen", s.socket())
	ends("pruntime without a TEE", "pruntime", 1, []string{"--tee simulated"}, "--home", s.dir, "--genesis", w.net.Genesis, "--role", "executor")
	ends("pruntime with a damaged genesis", "pruntime", 1, []string{"genesis"}, "--home", s.dir, "--genesis", bad, "--role", "executor", "--tee", "simulated", "--listen", filepath.Join(s.dir, "x.sock"))

	enclave := func(genesis string) *exec.Cmd {
		return s.run(w.t, "other", exec.Command(filepath.Join(bin, "pruntime"), "--home", s.dir, "--genesis", genesis, "--role", "executor", "--tee", "simulated", "--listen", filepath.Join(s.dir, "other.sock")))
	}
	p := enclave(w.net.Genesis)
	stray := w.t.TempDir()
	check(w.t, os.WriteFile(filepath.Join(stray, "chain.json"), []byte(`{"chain_id":"`+w.net.ChainID+`","genesis_hash":"AAAA"}`), 0o600))
	ends("offchaind in a home from another chain", "offchaind", 1, []string{"belongs to another chain", "Choose another with --home"}, args(stray, free)...)
	check(w.t, os.WriteFile(filepath.Join(stray, "chain.json"), []byte(`{"chain_id`), 0o600))
	ends("offchaind in a damaged home", "offchaind", 1, []string{"chain.json", "remove it"}, args(stray, free)...)
	kill(p)
	p = enclave(other)
	ends("offchaind with an enclave of another chain", "offchaind", 1, []string{"other-chain-1", "Start pruntime with the genesis"}, args(w.t.TempDir(), free)...)
	kill(p)
	w.good(2, w.echo2)
}

func must(base int, err error) int {
	if err != nil {
		panic(err) // no free ports on the machine
	}
	return base
}
