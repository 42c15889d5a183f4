package badinput

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

var httpClient = &http.Client{Timeout: 40 * time.Second}

// worker is a TEE worker of our own beside the network's: rows may stop, starve and restart its two programs.
type worker struct {
	ref     *wire.WorkerRef
	dir     string // for sockets: their paths must be short
	logs    string
	home    string // of offchaind, on a small file system of its own where that can be had
	small   bool
	keyFile string
	port    int
	genesis string
	rpc     string

	pruntime, offchaind *exec.Cmd
}

func (w *world) startSide(name string) *worker {
	w.t.Helper()
	a, err := w.net.Account(name)
	check(w.t, err)
	k, err := a.Key()
	check(w.t, err)
	dir, err := os.MkdirTemp("", "phala-bad-")
	check(w.t, err)
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	s := &worker{
		ref: &wire.WorkerRef{Operator: a.Address}, dir: dir, logs: w.t.TempDir(), home: filepath.Join(dir, "offchain"),
		keyFile: filepath.Join(dir, "key"), port: freePort(w.t), genesis: w.net.Genesis, rpc: w.net.RPC,
	}
	check(w.t, os.Mkdir(s.home, 0o700))
	check(w.t, os.WriteFile(s.keyFile, []byte(hex.EncodeToString(k.Bytes())), 0o600))
	s.startEnclave(w.t)
	s.startOffchain(w.t)
	w.t.Cleanup(func() {
		kill(s.offchaind)
		kill(s.pruntime)
	})
	w.waitRegistered(nil)
	return s
}

// waitRegistered waits until the worker's enclave is registered under another identity than before.
func (w *world) waitRegistered(before []byte) *wire.Worker {
	w.t.Helper()
	a, err := w.net.Account("judy")
	check(w.t, err)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		got, err := w.alice.Worker(w.ctx, &wire.WorkerRef{Operator: a.Address})
		check(w.t, err)
		if got != nil && string(got.IdentityKey) != string(before) {
			return got
		}
		if time.Now().After(end) {
			w.t.Fatal("the worker beside the network does not register")
		}
	}
}

func (s *worker) socket() string { return filepath.Join(s.dir, "e.sock") }

func (s *worker) url() string { return "http://127.0.0.1:" + strconv.Itoa(s.port) }

func (s *worker) startEnclave(t *testing.T) {
	t.Helper()
	s.pruntime = s.run(t, "pruntime", exec.Command(filepath.Join(bin, "pruntime"), "--home", s.dir, "--genesis", s.genesis, "--role", "executor", "--tee", "simulated", "--listen", s.socket()))
}

// smallDisk is how much offchaind's home holds.
const smallDisk = 512 << 10

func (s *worker) startOffchain(t *testing.T) {
	t.Helper()
	args := []string{filepath.Join(bin, "offchaind"), "--home", s.home, "--rpc", s.rpc, "--enclave", s.socket(), "--listen", "127.0.0.1:" + strconv.Itoa(s.port), "--operator-key", s.keyFile}
	if s.small = exec.Command("unshare", "-m", "true").Run() == nil; s.small {
		script := `mount -t tmpfs -o size=` + strconv.Itoa(smallDisk) + `,mode=700 none "$0" && exec "$@"`
		args = append([]string{"unshare", "-m", "sh", "-c", script, s.home}, args...)
	}
	s.offchaind = s.run(t, "offchaind", exec.Command(args[0], args[1:]...))
}

// disk is the home as offchaind sees it.
func (s *worker) disk() string {
	return filepath.Join("/proc", strconv.Itoa(s.offchaind.Process.Pid), "root", s.home)
}

func (s *worker) log(name string) string { return filepath.Join(s.logs, name+".log") }

func (s *worker) run(t *testing.T, name string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	f, err := os.OpenFile(s.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(t, err)
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	return cmd
}

func kill(cmd *exec.Cmd) {
	if cmd == nil || cmd.ProcessState != nil {
		return
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// records counts what offchaind has stored of a cluster.
func (s *worker) records(t *testing.T, cluster uint64) int {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(s.disk(), "objects", "index", strconv.FormatUint(cluster, 10)))
	if os.IsNotExist(err) {
		return 0
	}
	check(t, err)
	n := 0
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), ".") {
			n++
		}
	}
	return n
}

// waitServing waits until offchaind and its enclave serve cluster 2 again.
func (w *world) waitServing() {
	w.t.Helper()
	c := gatewayrpc.NewClient(httpClient, w.side.url())
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		r, err := c.Info(ctx, &wire.InfoRequest{})
		cancel()
		if err == nil && r.Identity != nil && len(r.Clusters) > 0 {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the worker beside the network does not serve: %v, %v", r, err)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// fullDisk: a disk without room stops one worker's storing, and nothing else; what could not be stored is stored when there is room.
func (w *world) fullDisk() {
	s := w.side
	if !s.small {
		w.t.Skip("needs the right to mount a small file system")
	}
	w.good(2, w.echo2)
	filler := filepath.Join(s.disk(), "filler")
	f, err := os.Create(filler)
	check(w.t, err)
	for n := 64 << 10; n > 0; n /= 2 {
		for b := make([]byte, n); ; {
			if _, err := f.Write(b); err != nil {
				break
			}
		}
	}
	check(w.t, f.Close())
	before := s.records(w.t, 2)
	w.good(2, w.echo2)
	w.good(2, w.echo2)
	waitLog(w.t, s.log("offchaind"), "is not stored", "Make room on the disk")
	if n := s.records(w.t, 2); n != before {
		w.t.Fatalf("%d records on a full disk, %d before: the row shows nothing", n, before)
	}
	check(w.t, os.Remove(filler))
	w.good(2, w.echo2)
	for end := time.Now().Add(20 * time.Second); s.records(w.t, 2) < before+3; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("after room was made there are %d records, want %d", s.records(w.t, 2), before+3)
		}
	}
}

func waitLog(t *testing.T, file string, words ...string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(file)
		check(t, err)
		for _, line := range strings.Split(string(b), "\n") {
			all := true
			for _, s := range words {
				all = all && strings.Contains(line, s)
			}
			if all {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q:\n%s", words, b)
		}
	}
}
