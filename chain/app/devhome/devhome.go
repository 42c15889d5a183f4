// Package devhome writes the home folder of a development chain with one validator, ready for `phalad start`.
package devhome

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cosmos/go-bip39"

	cmtcfg "github.com/cometbft/cometbft/config"

	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"

	"github.com/phala-go/phala/chain/app"
)

// ValidatorKey is the name of the validator's operator key in the home's test keyring.
const ValidatorKey = "validator"

// mnemonicFile holds a generated mnemonic, relative to the home.
const mnemonicFile = "config/validator.mnemonic"

// Config says what to write. Zero means the default.
type Config struct {
	Home    string // must not exist, or be an empty folder
	ChainID string // default phala-dev-1

	// Mnemonic gives the validator's operator and consensus keys; empty: a new one, kept in the home.
	Mnemonic string
	// Stake is what the validator bonds; its operator has as much again to spend. Default 1,000,000 PHA.
	Stake    sdk.Coin
	Accounts []Account

	// AppState is a JSON object merged over app_state: objects member by member, anything else replaced.
	AppState json.RawMessage
	// Development marks the genesis as one that may lower the rules protecting production.
	Development bool

	GenesisTime time.Time     // default now
	BlockTime   time.Duration // default 500 ms

	// Addresses to listen on, host:port. Defaults: the usual ports on 127.0.0.1.
	RPC, P2P, GRPC, API string
}

// Account is funded in the genesis.
type Account struct {
	Name    string
	Address sdk.AccAddress
	Coins   sdk.Coins
}

// Result says what was written. It holds no secret.
type Result struct {
	Home      string            `json:"home"`
	ChainID   string            `json:"chain_id"`
	NodeID    string            `json:"node_id"`
	Validator string            `json:"validator"`          // account of the operator
	Mnemonic  string            `json:"mnemonic,omitempty"` // path of the file, if one was generated
	Accounts  map[string]string `json:"accounts,omitempty"` // name → address
	RPC       string            `json:"rpc"`
	GRPC      string            `json:"grpc"`
	API       string            `json:"api"`
}

// ErrExists: the home is not empty.
var ErrExists = errors.New("home already exists")

func (c Config) withDefaults() Config {
	if c.ChainID == "" {
		c.ChainID = "phala-dev-1"
	}
	if c.Stake.Denom == "" {
		c.Stake = sdk.NewCoin(app.BaseDenom, app.PHA(1_000_000))
	}
	if c.GenesisTime.IsZero() {
		c.GenesisTime = time.Now()
	}
	if c.BlockTime == 0 {
		c.BlockTime = 500 * time.Millisecond
	}
	for p, d := range map[*string]string{&c.RPC: "127.0.0.1:26657", &c.P2P: "127.0.0.1:26656", &c.GRPC: "127.0.0.1:9090", &c.API: "127.0.0.1:1317"} {
		if *p == "" {
			*p = d
		}
	}
	return c
}

// Write makes the home. The application a only lends its codecs. On an error nothing is left behind.
func Write(a *app.App, cfg Config) (Result, error) {
	cfg = cfg.withDefaults()
	if err := mustBeEmpty(cfg.Home); err != nil {
		return Result{}, err
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Home), 0o755); err != nil {
		return Result{}, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(cfg.Home), ".devhome-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(tmp)
	res, err := write(a, cfg, tmp)
	if err != nil {
		return Result{}, err
	}
	if err := os.Rename(tmp, cfg.Home); err != nil {
		return Result{}, err
	}
	return res, nil
}

func mustBeEmpty(home string) error {
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s. Go on with it by `phalad start --home %s`, or remove the folder to begin a new chain", ErrExists, home, home)
}

// write fills the folder dir, which will become cfg.Home.
func write(a *app.App, cfg Config, dir string) (Result, error) {
	generated := cfg.Mnemonic == ""
	if generated {
		entropy, err := bip39.NewEntropy(256)
		if err != nil {
			return Result{}, err
		}
		if cfg.Mnemonic, err = bip39.NewMnemonic(entropy); err != nil {
			return Result{}, err
		}
	}
	comet := cometConfig(cfg)
	comet.SetRoot(dir)
	for _, d := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return Result{}, err
		}
	}
	nodeID, consKey, err := genutil.InitializeNodeValidatorFilesFromMnemonic(comet, cfg.Mnemonic)
	if err != nil {
		return Result{}, fmt.Errorf("making the validator's keys: %w", err)
	}
	op, err := operatorKey(a, dir, cfg.Mnemonic)
	if err != nil {
		return Result{}, err
	}
	gen, err := Genesis(a, cfg, Validator{Moniker: comet.Moniker, Operator: op, Consensus: consKey})
	if err != nil {
		return Result{}, err
	}
	if err := gen.SaveAs(comet.GenesisFile()); err != nil {
		return Result{}, err
	}
	cmtcfg.WriteConfigFile(filepath.Join(dir, "config", "config.toml"), comet)
	serverconfig.WriteConfigFile(filepath.Join(dir, "config", "app.toml"), serverConfig(cfg))
	if err := os.WriteFile(filepath.Join(dir, "config", "client.toml"), clientConfig(cfg), 0o600); err != nil {
		return Result{}, err
	}

	res := Result{
		Home: cfg.Home, ChainID: cfg.ChainID, NodeID: nodeID, Validator: sdk.AccAddress(op.PubKey().Address()).String(),
		Accounts: map[string]string{}, RPC: "tcp://" + cfg.RPC, GRPC: cfg.GRPC, API: "http://" + cfg.API,
	}
	for _, acc := range cfg.Accounts {
		res.Accounts[acc.Name] = acc.Address.String()
	}
	if generated {
		res.Mnemonic = filepath.Join(cfg.Home, mnemonicFile)
		if err := os.WriteFile(filepath.Join(dir, mnemonicFile), []byte(cfg.Mnemonic+"\n"), 0o600); err != nil {
			return Result{}, err
		}
	}
	return res, nil
}
