package app_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	"github.com/phala-go/phala/chain/app/devhome"
)

func pha(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewCoin(app.BaseDenom, app.PHA(n))) }

func TestTransfer(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	to := apptest.NewAccount("nobody yet")
	n.MustDeliver(n.Accounts[0], banktypes.NewMsgSend(n.Accounts[0].Addr, to.Addr, pha(5)))

	var res banktypes.QueryBalanceResponse
	if err := n.Query("/cosmos.bank.v1beta1.Query/Balance", &banktypes.QueryBalanceRequest{Address: to.String(), Denom: app.BaseDenom}, &res); err != nil {
		t.Fatal(err)
	}
	if want := pha(5)[0]; !res.Balance.Equal(want) {
		t.Errorf("balance is %s, want %s", res.Balance, want)
	}
	if r := n.Deliver(to, banktypes.NewMsgSend(to.Addr, n.Accounts[0].Addr, pha(6))); r.Code == 0 {
		t.Error("spent more than the balance")
	}
}

func TestTwoTransactionsInABlock(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	from, to := n.Accounts[0], n.Accounts[1]
	send := banktypes.NewMsgSend(from.Addr, to.Addr, pha(1))
	for i, r := range n.Block(n.Sign(from, 0, send), n.Sign(from, 1, send)).TxResults {
		if r.Code != 0 {
			t.Errorf("transaction %d: %s", i, r.Log)
		}
	}
}

func TestModuleAccountsAreBlocked(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	for name := range app.ModuleAccounts() {
		r := n.Deliver(n.Accounts[0], banktypes.NewMsgSend(n.Accounts[0].Addr, authtypes.NewModuleAddress(name), pha(1)))
		if open := name == "gov"; (r.Code == 0) != open {
			t.Errorf("sending to the account of %s: code %d, %s", name, r.Code, r.Log)
		}
	}
}

func TestGovernanceHoldsTheParameters(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	params, err := n.App.MintKeeper.Params.Get(n.Ctx())
	if err != nil {
		t.Fatal(err)
	}
	params.BlocksPerYear++
	msg := &minttypes.MsgUpdateParams{Authority: n.Accounts[0].String(), Params: params}
	if r := n.Deliver(n.Accounts[0], msg); r.Code == 0 {
		t.Error("an account changed parameters")
	}
	msg.Authority = apptest.Authority()
	if p := n.Govern(msg); p.Status != govv1.ProposalStatus_PROPOSAL_STATUS_PASSED {
		t.Fatalf("proposal: %s %s", p.Status, p.FailedReason)
	}
	if got, err := n.App.MintKeeper.Params.Get(n.Ctx()); err != nil || got.BlocksPerYear != params.BlocksPerYear {
		t.Errorf("blocks per year: %d, %v", got.BlocksPerYear, err)
	}
}

func TestDefaultGenesis(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	state := n.App.DefaultGenesis()
	if err := n.App.Basics.ValidateGenesis(n.App.Codec, n.App.TxConfig, state); err != nil {
		t.Error(err)
	}
	for name, bz := range state {
		if bytes.Contains(bz, []byte(`"stake"`)) {
			t.Errorf("the genesis of %s counts in the SDK's coin: %s", name, bz)
		}
	}
	if vals := n.Genesis.Consensus.Validators; len(vals) != 1 || vals[0].Power != 1_000_000 {
		t.Errorf("1,000,000 PHA bonded, validators %v", vals)
	}
	staking, err := n.App.StakingKeeper.GetParams(n.Ctx())
	if err != nil {
		t.Fatal(err)
	}
	if ev := n.Genesis.Consensus.Params.Evidence; ev.MaxAgeDuration < staking.UnbondingTime || time.Duration(ev.MaxAgeNumBlocks)*app.BlockTime < staking.UnbondingTime {
		t.Errorf("equivocation older than %s or %d blocks goes free, the stake only after %s", ev.MaxAgeDuration, ev.MaxAgeNumBlocks, staking.UnbondingTime)
	}
	meta, found := n.App.BankKeeper.GetDenomMetaData(n.Ctx(), app.BaseDenom)
	if err := meta.Validate(); !found || err != nil {
		t.Errorf("metadata of %s: %v, %v", app.BaseDenom, found, err)
	}
}

// What a node of a general-purpose chain checks at each start costs time there and cannot change between builds.
func TestProtoAnnotations(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	files, err := proto.MergedRegistry()
	if err != nil {
		t.Fatal(err)
	}
	if err := msgservice.ValidateProtoAnnotations(files); err != nil {
		t.Error(err)
	}
	if err := n.App.Registry.SigningContext().Validate(); err != nil {
		t.Error(err)
	}
}

func TestExportImport(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	n.MustDeliver(n.Accounts[0], banktypes.NewMsgSend(n.Accounts[0].Addr, n.Accounts[1].Addr, pha(7)))
	n.Blocks(3)

	ex, err := n.App.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	gen := *n.Genesis
	gen.AppState, gen.InitialHeight, gen.GenesisTime = ex.AppState, ex.Height, n.Time
	gen.Consensus = genutiltypes.NewConsensusGenesis(ex.ConsensusParams, ex.Validators)
	if err := gen.ValidateAndComplete(); err != nil {
		t.Fatal(err)
	}
	m := apptest.FromGenesis(t, &gen)
	for _, acc := range n.Accounts {
		was, is := n.App.BankKeeper.GetAllBalances(n.Ctx(), acc.Addr), m.App.BankKeeper.GetAllBalances(m.Ctx(), acc.Addr)
		if !was.Equal(is) {
			t.Errorf("account %s had %s and has %s", acc, was, is)
		}
	}
	if m.Height != n.Height+1 {
		t.Errorf("the new chain's first block is %d after %d", m.Height, n.Height)
	}
	// The account's sequence came along: a signature of the old chain's next transaction is good here.
	m.MustDeliver(n.Accounts[0], banktypes.NewMsgSend(n.Accounts[0].Addr, n.Accounts[1].Addr, pha(1)))

	// Modules that nothing moves between two blocks export the same.
	again, err := m.App.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(ex.AppState, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again.AppState, &after); err != nil {
		t.Fatal(err)
	}
	if len(before) != len(after) {
		t.Errorf("%d modules exported, then %d", len(before), len(after))
	}
	for _, name := range []string{"authz", "feegrant", "gov", "ibc", "transfer", "evidence"} {
		if !bytes.Equal(before[name], after[name]) {
			t.Errorf("%s exported %s, then %s", name, before[name], after[name])
		}
	}
}

func TestAppStateIsMerged(t *testing.T) {
	n := apptest.New(t, apptest.Options{AppState: json.RawMessage(`{"mint":{"params":{"blocks_per_year":"77"}}}`), Development: true})
	params, err := n.App.MintKeeper.Params.Get(n.Ctx())
	if err != nil || params.BlocksPerYear != 77 || params.MintDenom != app.BaseDenom {
		t.Errorf("mint: %v, %v", params, err)
	}
	var state map[string]map[string]any
	if err := json.Unmarshal(n.Genesis.AppState, &state); err != nil {
		t.Fatal(err)
	}
	if params, _ := state["attestation"]["network"].(map[string]any); params["development"] != true {
		t.Errorf("attestation: %v", state["attestation"])
	}
}

func TestDevhomeRefusesAnExistingHome(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	home := t.TempDir()
	precious := filepath.Join(home, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := devhome.Write(n.App, devhome.Config{Home: home})
	if err == nil || !strings.Contains(err.Error(), "phalad start --home "+home) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(home); len(entries) != 1 {
		t.Errorf("the home was touched: %v", entries)
	}
}

func TestDevhomeLeavesNothingAfterAnError(t *testing.T) {
	n := apptest.New(t, apptest.Options{})
	for state, want := range map[string]string{
		`{"staking":{"params":{"max_validators":"many"}}}`: "staking",
		`{"staking":{"params":{"bond_denom":"other"}}}`:    "other",
		`{"stakin":{}}`: `no module "stakin"`,
		`{} {}`:         "more data follows",
		`[]`:            "JSON object",
	} {
		parent := t.TempDir()
		_, err := devhome.Write(n.App, devhome.Config{Home: filepath.Join(parent, "home"), AppState: json.RawMessage(state)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", state, err)
		}
		if entries, _ := os.ReadDir(parent); len(entries) != 0 {
			t.Errorf("%s left behind: %v", state, entries)
		}
	}
}

func TestDevhomeKeysFollowFromTheMnemonic(t *testing.T) {
	const mnemonic = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	n := apptest.New(t, apptest.Options{})
	var first string
	for _, name := range []string{"a", "b"} {
		home := filepath.Join(t.TempDir(), name)
		res, err := devhome.Write(n.App, devhome.Config{Home: home, Mnemonic: mnemonic})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(home, "config", "validator.mnemonic")); err == nil || res.Mnemonic != "" {
			t.Error("a given mnemonic was written down again")
		}
		gen, err := genutiltypes.AppGenesisFromFile(filepath.Join(home, "config", "genesis.json"))
		if err != nil {
			t.Fatal(err)
		}
		id := res.Validator + gen.Consensus.Validators[0].Address.String()
		if first == "" {
			first = id
		}
		if id != first {
			t.Errorf("%s, then %s", first, id)
		}
	}
}
