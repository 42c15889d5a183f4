package devnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/phala-go/phala/client/keys"
)

// parts are the folders and files that a network makes in its home; Reset removes exactly these.
func parts(home string) []string {
	names := []string{"chain", "logs", "run", "network.json", "config.json", "pending"}
	more, _ := filepath.Glob(filepath.Join(home, "executor*"))
	keepers, _ := filepath.Glob(filepath.Join(home, "gatekeeper*"))
	more = append(more, keepers...)
	for i, n := range names {
		names[i] = filepath.Join(home, n)
	}
	return append(names, more...)
}

// marker says that a home was made by us.
const marker = "network.json"

func checkHome(home string) error {
	for _, name := range []string{marker, "config.json", "chain"} {
		if _, err := os.Lstat(filepath.Join(home, name)); err == nil {
			return fmt.Errorf("%s %w: begin in another folder (--home DIR), or remove that network for good (--reset)", home, ErrHomeInUse)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking at the home: %w", err)
		}
	}
	return nil
}

// Reset removes an earlier development network from a home, and nothing else.
func Reset(home string) error {
	if _, err := os.Lstat(filepath.Join(home, marker)); errors.Is(err, fs.ErrNotExist) {
		return checkHome(home) // a home of something else is not ours to remove
	}
	for _, p := range parts(home) {
		if err := os.RemoveAll(p); err != nil {
			return fmt.Errorf("removing the earlier network: %w", err)
		}
	}
	return nil
}

// maxSocket is how long a Unix socket's path may be on every system we know.
const maxSocket = 100

func (n *Network) socketDir() string {
	dir := filepath.Join(n.Home, "run")
	if len(dir)+len("/executor99.tls.sock") <= maxSocket {
		return dir
	}
	sum := sha256.Sum256([]byte(n.Home))
	return filepath.Join(os.TempDir(), "phala-"+hex.EncodeToString(sum[:6]))
}

// prepare makes the home: operators' keys, genesis and the validator's home.
func (n *Network) prepare(ctx context.Context) error {
	var err error
	if n.Accounts, err = Accounts(); err != nil {
		return err
	}
	for _, d := range []string{n.Home, filepath.Join(n.Home, "logs"), n.socketDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("making the home: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(n.Home, marker), []byte("{}\n"), 0o600); err != nil {
		return fmt.Errorf("making the home: %w", err)
	}
	funded := append([]Account(nil), n.Accounts...)
	owner, err := keys.FromMnemonic(Mnemonic, ownerIndex)
	if err != nil {
		return err
	}
	n.Owner = Account{Name: "owner", Address: owner.Address(), Index: ownerIndex}
	funded = append(funded, n.Owner)
	for i := range n.cfg.Executors + n.cfg.Gatekeepers + n.cfg.Spare {
		op := Account{Name: fmt.Sprintf("executor%d", i), Index: uint32(executorIndex + i - 1)}
		switch keeper := n.keeper(i); {
		case keeper == 0:
			op = Account{Name: "gatekeeper", Index: gatekeeperIndex}
		case keeper > 0:
			op = Account{Name: fmt.Sprintf("gatekeeper%d", keeper+1), Index: uint32(keeperIndex + keeper - 1)}
		}
		k, err := op.Key()
		if err != nil {
			return err
		}
		op.Address = k.Address()
		dir := filepath.Join(n.Home, op.Name)
		for _, d := range []string{filepath.Join(dir, "enclave"), filepath.Join(dir, "offchain")} {
			if err := os.MkdirAll(d, 0o700); err != nil {
				return fmt.Errorf("making the home: %w", err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "operator.key"), []byte(hex.EncodeToString(k.Bytes())+"\n"), 0o600); err != nil {
			return fmt.Errorf("making the home: %w", err)
		}
		n.operators = append(n.operators, op)
		funded = append(funded, op)
	}
	n.Workers = n.operators
	state, err := n.appState()
	if err != nil {
		return err
	}
	return n.initChain(ctx, funded, state)
}

func (n *Network) initChain(ctx context.Context, funded []Account, state []byte) error {
	stateFile := filepath.Join(n.Home, "run-app-state.json")
	if err := os.WriteFile(stateFile, state, 0o600); err != nil {
		return fmt.Errorf("making the home: %w", err)
	}
	defer os.Remove(stateFile)
	args := []string{
		"devnet-init", "--home", filepath.Join(n.Home, "chain"), "--chain-id", n.ChainID, "--development", "--app-state", stateFile,
		"--block-time", n.cfg.BlockTime.String(),
		"--rpc", local(n.Ports.RPC), "--p2p", local(n.Ports.P2P), "--grpc", local(n.Ports.GRPC), "--api", local(n.Ports.REST),
	}
	for _, a := range funded {
		args = append(args, "--account", a.Name+"="+a.Address+":"+funds)
	}
	cmd := exec.CommandContext(ctx, n.program("phalad"), args...)
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("writing the validator's home: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
}

// appState approves the enclave programs by the hash of their executables, names the gatekeepers, lets votes be short, and says what this is.
func (n *Network) appState() ([]byte, error) {
	measurements := []any{}
	seen := map[string]bool{}
	bins := []string{n.program("pruntime")}
	for _, b := range n.cfg.Pruntimes {
		bins = append(bins, b)
	}
	for _, b := range n.cfg.Liars {
		bins = append(bins, b)
	}
	for _, b := range bins {
		sum, err := fileHash(b)
		if err != nil {
			return nil, err
		}
		if !seen[string(sum)] {
			seen[string(sum)] = true
			measurements = append(measurements, map[string]any{"digest": sum})
		}
	}
	policy := func(role string) map[string]any {
		return map[string]any{"role": role, "measurements": measurements, "kinds": []string{"TEE_KIND_SIMULATED"}, "max_age_blocks": "1000000"}
	}
	var keepers []any
	for i := range n.cfg.Gatekeepers {
		keepers = append(keepers, map[string]any{"operator": n.Gatekeeper(i).Operator, "slot": 0})
	}
	return json.Marshal(map[string]any{
		"attestation": map[string]any{
			"network":  map[string]any{"development": true, "activation_delay": strconv.Itoa(n.cfg.ActivationDelay)},
			"policies": []any{policy("ROLE_EXECUTOR"), policy("ROLE_GATEKEEPER")},
		},
		"gatekeeper": map[string]any{
			"params": map[string]any{
				"epoch_blocks": strconv.Itoa(n.cfg.EpochBlocks), "phase_blocks": strconv.Itoa(n.cfg.PhaseBlocks), "announce_ahead": "3",
				"slash_silent": 0, "slash_lie": 1000,
			},
			"roster": map[string]any{"threshold": n.cfg.Threshold, "members": keepers},
		},
		"gov": map[string]any{"params": map[string]any{"voting_period": "10s", "expedited_voting_period": "5s"}},
	})
}

func fileHash(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("measuring the enclave program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("measuring the enclave program: %w", err)
	}
	return h.Sum(nil), nil
}
