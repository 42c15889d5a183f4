// Package devnet starts and supervises a whole network on one machine: a validator, a gatekeeper and executors as separate
// enclave processes with an offchaind each. It works with programs by path and sees only what is public; the enclaves are
// simulated and prove nothing. It must never be pointed at a network with anything of worth.
package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/wire"
)

// Config says what to start. Zero means the default.
type Config struct {
	Home            string        // made by Start; must not exist or be empty of an earlier network
	Bin             string        // folder with phalad, pruntime and offchaind
	ChainID         string        // default phala-dev-1
	PortBase        int           // first of the ports; 0: the usual ones of docs/protocol.md
	BlockTime       time.Duration // default 500 ms
	Executors       int           // default 3
	Members         int           // how many of them form cluster 1; default all
	Gatekeepers     int           // default 1
	Threshold       int           // how many of them make a key together; default half of them, rounded up, but two less than all
	Spare           int           // further gatekeepers that run and are in no roster
	EpochBlocks     int           // from one epoch of keys to the next; default 0: only when one is needed
	PhaseBlocks     int           // at most for each phase of the making of keys; default 20, less for short epochs
	ActivationDelay int           // blocks until what governance allows counts; default 0
	Endpoints       []string      // URLs under which executors say they are reached; default their own
	// Pruntimes replaces the enclave program of single executors, by their number from 0. The genesis approves it like the
	// real one: a broken TEE that governance trusts.
	Pruntimes map[int]string
	Liars     map[int]string // the same of gatekeepers
	// NodeFor gives the offchainds another way to the node, given its URL: a test that stands in between.
	NodeFor  func(rpc string) string
	Progress func(what string) // default: nobody is told
}

// Network is a running development network.
type Network struct {
	Home       string    `json:"home"`
	ChainID    string    `json:"chain_id"`
	RPC        string    `json:"rpc"`
	REST       string    `json:"rest"`
	GRPC       string    `json:"grpc"`
	Genesis    string    `json:"genesis"`
	Gateways   []string  `json:"gateways"` // of the executors, in the order of the cluster's members
	Channels   []string  `json:"channels"` // host:port of their attested channels, in the same order
	Cluster    uint64    `json:"cluster"`
	Accounts   []Account `json:"accounts"`
	Owner      Account   `json:"owner"`   // of cluster 1
	Workers    []Account `json:"workers"` // operators of the TEE workers, each of slot 0: the first gatekeeper, executors, the other gatekeepers
	Ports      Ports     `json:"ports"`
	FirstBlock Duration  `json:"first_block"` // from Start to the first block
	Ready      Duration  `json:"ready"`       // from Start to the cluster's announced key

	cfg       Config
	operators []Account // Workers
	starter   *starter

	mu        sync.Mutex
	processes []*process

	stopOnce sync.Once
	down     chan struct{} // closed when a program has died or the network was stopped
	downOnce sync.Once
	err      error
}

// Duration prints in milliseconds, as JSON too.
type Duration time.Duration

// MarshalJSON gives milliseconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d", time.Duration(d).Milliseconds()), nil
}

// ErrHomeInUse: the folder holds a network already.
var ErrHomeInUse = errors.New("holds a network already")

// defaultExecutors of a network.
const defaultExecutors = 3

// programs that a network needs.
var programs = []string{"phalad", "pruntime", "offchaind"}

// sizes fills in how many there are of all, which the ports depend on.
func (c *Config) sizes() {
	if c.Executors == 0 {
		c.Executors = defaultExecutors
	}
	if c.Gatekeepers == 0 {
		c.Gatekeepers = 1
	}
	if c.Threshold == 0 {
		c.Threshold = max(1, min((c.Gatekeepers+1)/2, c.Gatekeepers-2))
	}
	if c.PhaseBlocks == 0 {
		c.PhaseBlocks = 20
		if c.EpochBlocks > 0 { // an epoch is longer than its making
			c.PhaseBlocks = max(1, min(c.PhaseBlocks, (c.EpochBlocks-1)/3))
		}
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.ChainID == "" {
		c.ChainID = "phala-dev-1"
	}
	if c.BlockTime == 0 {
		c.BlockTime = 500 * time.Millisecond
	}
	c.sizes()
	if c.Members == 0 || c.Members > c.Executors {
		c.Members = c.Executors
	}
	if c.Threshold > c.Gatekeepers {
		return c, fmt.Errorf("%d of %d gatekeepers: the threshold is at most their number", c.Threshold, c.Gatekeepers)
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	var err error
	if c.Home, err = filepath.Abs(c.Home); err != nil {
		return c, err
	}
	for _, p := range programs {
		if _, err := os.Stat(filepath.Join(c.Bin, p)); err != nil {
			return c, fmt.Errorf("program %s is not in %s: build it first (make build), or name another folder", p, c.Bin)
		}
	}
	return c, nil
}

// Start makes the home, starts every program and waits until cluster 1 can be called. On an error nothing keeps running.
func Start(ctx context.Context, cfg Config) (_ *Network, err error) {
	began := time.Now()
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, err
	}
	n := &Network{Home: cfg.Home, ChainID: cfg.ChainID, Ports: cfg.ports(), Cluster: 1, cfg: cfg, down: make(chan struct{})}
	if err := checkHome(cfg.Home); err != nil {
		return nil, err
	}
	if err := checkPorts(n.Ports); err != nil {
		return nil, err
	}
	n.RPC, n.REST, n.GRPC = "http://"+local(n.Ports.RPC), "http://"+local(n.Ports.REST), local(n.Ports.GRPC)
	for _, p := range n.Ports.Executors[:cfg.Members] {
		n.Gateways = append(n.Gateways, "http://"+local(p))
	}
	for _, p := range n.Ports.Channels[:cfg.Members] {
		n.Channels = append(n.Channels, local(p))
	}
	n.Genesis = filepath.Join(cfg.Home, "chain", "config", "genesis.json")
	cfg.Progress("writing the genesis")
	if err := n.prepare(ctx); err != nil {
		return nil, err
	}

	n.starter = newStarter()
	defer func() {
		if err != nil {
			n.Stop()
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // a program that dies ends the waiting
		select {
		case <-n.down:
			cancel(n.err)
		case <-ctx.Done():
		}
	}()
	if err := n.bringUp(ctx, began); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return nil, err
	}
	n.Ready = Duration(time.Since(began))
	return n, nil
}

// bringUp starts the programs, the chain first, and makes cluster 1.
func (n *Network) bringUp(ctx context.Context, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	n.cfg.Progress("starting the validator")
	if err := n.run("phalad", n.program("phalad"), []string{"GOGC=50"}, "start", "--home", filepath.Join(n.Home, "chain")); err != nil {
		return err
	}
	for i := range n.operators {
		if err := n.startEnclave(i); err != nil {
			return err
		}
	}
	chain, err := node.Dial(n.RPC)
	if err != nil {
		return err
	}
	if _, err := chain.WaitReady(ctx); err != nil {
		return err
	}
	n.FirstBlock = Duration(time.Since(began))
	n.cfg.Progress("the first block is there; registering the enclaves")
	for i := range n.operators {
		if err := n.startOffchaind(i); err != nil {
			return err
		}
	}
	return n.makeCluster(ctx)
}

func (n *Network) makeCluster(ctx context.Context) error {
	owner, err := keys.FromMnemonic(Mnemonic, ownerIndex)
	if err != nil {
		return err
	}
	c, err := client.Open(ctx, client.Config{RPC: n.RPC, Genesis: n.Genesis, Key: owner})
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, op := range n.operators {
		g.Go(func() error {
			for {
				w, err := c.Worker(gctx, &wire.WorkerRef{Operator: op.Address})
				if err == nil && w != nil {
					return nil
				}
				select {
				case <-gctx.Done():
					return fmt.Errorf("waiting for the registration of %s: %w", op.Name, errors.Join(gctx.Err(), err))
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	n.cfg.Progress("making cluster 1")
	var members []*wire.WorkerRef
	for _, op := range n.operators[1 : 1+n.cfg.Members] {
		members = append(members, &wire.WorkerRef{Operator: op.Address})
	}
	if n.Cluster, _, err = c.CreateCluster(ctx, members, uint32(len(members)/2+1), true); err != nil {
		return err
	}
	n.cfg.Progress("waiting for the cluster's key")
	_, err = c.WaitCluster(ctx, n.Cluster)
	return err
}

// startEnclave starts operator i's pruntime.
func (n *Network) startEnclave(i int) error {
	op := n.operators[i]
	role, bin, keeper := "executor", n.program("pruntime"), n.keeper(i)
	other := n.cfg.Pruntimes[i-1]
	if keeper >= 0 {
		role, other = "gatekeeper", n.cfg.Liars[keeper]
	}
	if other != "" {
		bin = other
	}
	args := []string{
		"--home", filepath.Join(n.Home, op.Name, "enclave"), "--genesis", n.Genesis,
		"--role", role, "--tee", "simulated", "--listen", n.socket(op.Name),
	}
	if keeper < 0 {
		args = append(args, "--channel", n.channelSocket(op.Name))
	}
	return n.run("pruntime-"+op.Name, bin, []string{"GOGC=50"}, args...)
}

// keeper is which gatekeeper operator i is, from 0; -1: an executor.
func (n *Network) keeper(i int) int {
	switch {
	case i == 0:
		return 0
	case i <= n.cfg.Executors:
		return -1
	}
	return i - n.cfg.Executors
}

// startOffchaind starts operator i's offchaind.
func (n *Network) startOffchaind(i int) error {
	op := n.operators[i]
	dir, rpc := filepath.Join(n.Home, op.Name), n.RPC
	if n.cfg.NodeFor != nil {
		rpc = n.cfg.NodeFor(n.RPC)
	}
	args := []string{
		"--home", filepath.Join(dir, "offchain"), "--rpc", rpc, "--enclave", n.socket(op.Name),
		"--operator-key", filepath.Join(dir, "operator.key"), "--slot", "0",
	}
	switch keeper := n.keeper(i); {
	case keeper == 0:
		args = append(args, "--listen", local(n.Ports.Gatekeeper))
	case keeper > 0:
		args = append(args, "--listen", local(n.Ports.Keepers[keeper-1]))
	default:
		args = append(args, "--listen", local(n.Ports.Executors[i-1]),
			"--channel-listen", local(n.Ports.Channels[i-1]), "--enclave-channel", n.channelSocket(op.Name))
		if i <= len(n.cfg.Endpoints) {
			args = append(args, "--endpoint", n.cfg.Endpoints[i-1])
		}
	}
	return n.run("offchaind-"+op.Name, n.program("offchaind"), []string{"GOGC=50"}, args...)
}

// Gatekeeper names gatekeeper i's worker, from 0; the spare ones come last.
func (n *Network) Gatekeeper(i int) *wire.WorkerRef {
	return &wire.WorkerRef{Operator: n.operators[n.gatekeeper(i)].Address}
}

// gatekeeper is where among the operators gatekeeper i stands.
func (n *Network) gatekeeper(i int) int {
	if i == 0 {
		return 0
	}
	return n.cfg.Executors + i
}

// RestartGatekeeper kills gatekeeper i's enclave, from 0, and starts another: it holds nothing.
func (n *Network) RestartGatekeeper(i int) error {
	return n.restartEnclave(n.gatekeeper(i))
}

// RestartExecutor does the same with executor i's.
func (n *Network) RestartExecutor(i int) error { return n.restartEnclave(i + 1) }

// StopExecutor ends executor i's enclave, as a fault, until StartExecutor.
func (n *Network) StopExecutor(i int) error { return n.Kill("pruntime-" + n.operators[i+1].Name) }

// StartExecutor starts executor i's enclave anew: it holds nothing.
func (n *Network) StartExecutor(i int) error { return n.startEnclave(i + 1) }

// Cut ends a worker's offchaind, as a fault: until Mend its enclave hears of nothing, but for who dials its Socket.
func (n *Network) Cut(w *wire.WorkerRef) error {
	i, err := n.operator(w)
	if err != nil {
		return err
	}
	return n.Kill("offchaind-" + n.operators[i].Name)
}

// Mend starts that offchaind again.
func (n *Network) Mend(w *wire.WorkerRef) error {
	i, err := n.operator(w)
	if err != nil {
		return err
	}
	return n.startOffchaind(i)
}

// Socket is where a worker's enclave listens for its host.
func (n *Network) Socket(w *wire.WorkerRef) (string, error) {
	i, err := n.operator(w)
	if err != nil {
		return "", err
	}
	return n.socket(n.operators[i].Name), nil
}

func (n *Network) operator(w *wire.WorkerRef) (int, error) {
	i := slices.IndexFunc(n.operators, func(a Account) bool { return a.Address == w.GetOperator() })
	if i < 0 {
		return 0, fmt.Errorf("%s is no worker of this network", w.Name())
	}
	return i, nil
}

func (n *Network) restartEnclave(i int) error {
	if err := n.Kill("pruntime-" + n.operators[i].Name); err != nil {
		return err
	}
	return n.startEnclave(i)
}

// Executor names executor i's worker, from 0.
func (n *Network) Executor(i int) *wire.WorkerRef {
	return &wire.WorkerRef{Operator: n.operators[i+1].Address}
}

func (n *Network) program(name string) string { return filepath.Join(n.cfg.Bin, name) }

// socket is a path short enough for a Unix socket whatever the home is called.
func (n *Network) socket(name string) string {
	return filepath.Join(n.socketDir(), name+".sock")
}

func (n *Network) channelSocket(name string) string {
	return filepath.Join(n.socketDir(), name+".tls.sock")
}

// run starts a program and watches it.
func (n *Network) run(name, bin string, env []string, args ...string) error {
	p, err := n.starter.start(name, filepath.Join(n.Home, "logs"), bin, env, args...)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.processes = append(n.processes, p)
	n.mu.Unlock()
	go func() {
		<-p.done
		if !p.wasAsked() {
			n.fail(p.died())
		}
	}()
	return nil
}

func (n *Network) fail(err error) {
	n.downOnce.Do(func() {
		n.err = err
		close(n.down)
	})
}

// Down is closed when a program has ended by itself or the network was stopped; Err then says which.
func (n *Network) Down() <-chan struct{} { return n.down }

// Err is nil as long as all is well, and after a Stop.
func (n *Network) Err() error {
	select {
	case <-n.down:
		return n.err
	default:
		return nil
	}
}

// Stop ends all programs: those that depend on others first.
func (n *Network) Stop() {
	n.stopOnce.Do(func() {
		n.mu.Lock()
		ps := slices.Clone(n.processes)
		n.mu.Unlock()
		slices.Reverse(ps)
		for _, p := range ps {
			p.mu.Lock()
			p.expected = true
			p.mu.Unlock()
		}
		stop(ps, 5*time.Second)
		close(n.starter.quit)
		if dir := n.socketDir(); !strings.HasPrefix(dir, n.Home) {
			_ = os.RemoveAll(dir)
		}
		n.fail(nil)
	})
}

// Kill ends one program at once, as a fault: what is not asked to end makes the network go down.
func (n *Network) Kill(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.processes {
		if p.name != name {
			continue
		}
		select {
		case <-p.done: // of an earlier one of that name
		default:
			p.signal(syscall.SIGKILL)
			<-p.done
			return nil
		}
	}
	return fmt.Errorf("no program called %s runs", name)
}

// Process is one running program.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	Log  string `json:"log"`
	PSS  uint64 `json:"pss"` // bytes; 0 where it cannot be measured
}

// Processes lists the programs that run.
func (n *Network) Processes() []Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Process
	for _, p := range n.processes {
		select {
		case <-p.done:
			continue
		default:
		}
		mem, _ := pss(p.cmd.Process.Pid)
		out = append(out, Process{p.name, p.cmd.Process.Pid, p.log, mem})
	}
	return out
}

// Memory is the sum of the proportional set sizes of all programs, in bytes.
func (n *Network) Memory() uint64 {
	var sum uint64
	for _, p := range n.Processes() {
		sum += p.PSS
	}
	return sum
}

// Account finds a funded account by name.
func (n *Network) Account(name string) (Account, error) {
	for _, a := range n.Accounts {
		if a.Name == name {
			return a, nil
		}
	}
	return Account{}, fmt.Errorf("no account %q: there are %s", name, strings.Join(Names, ", "))
}

// Client opens the SDK for one of the named accounts.
func (n *Network) Client(ctx context.Context, name string) (*client.Client, error) {
	a, err := n.Account(name)
	if err != nil {
		return nil, err
	}
	k, err := a.Key()
	if err != nil {
		return nil, err
	}
	return client.Open(ctx, client.Config{RPC: n.RPC, Genesis: n.Genesis, Gateways: n.Gateways, Key: k})
}
