// Package apptest runs the chain inside a test: Net drives the state machine block by block without consensus or
// network, Node runs it under a real CometBFT node. The genesis is that of a development home in both.
package apptest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/devhome"
)

// Options of a Net; zero means the default.
type Options struct {
	ChainID     string          // default phala-test-1
	Accounts    int             // funded accounts, default 4
	Balance     sdk.Coin        // of each, default 1,000,000 PHA
	AppState    json.RawMessage // merged over app_state
	Development bool
	Time        time.Time     // of the genesis, default 2026-01-01 UTC: runs repeat exactly
	BlockTime   time.Duration // by which Net.Time grows each block, default 1 s
}

// Account is a key with money.
type Account struct {
	Key  cryptotypes.PrivKey
	Addr sdk.AccAddress
}

// String returns the bech32 address.
func (a Account) String() string { return a.Addr.String() }

// NewAccount derives an account from a name; it has nothing unless the genesis or somebody gives it something.
func NewAccount(name string) Account {
	k := secp256k1.GenPrivKeyFromSecret([]byte("apptest " + name))
	return Account{k, sdk.AccAddress(k.PubKey().Address())}
}

// Net is the chain's state machine with one validator.
type Net struct {
	App       *app.App
	Genesis   *genutiltypes.AppGenesis
	Accounts  []Account
	Validator Account // the validator's operator

	Height int64     // of the last block
	Time   time.Time // of the last block
	Step   time.Duration

	t    testing.TB
	vals *cmttypes.ValidatorSet
}

// New makes the genesis, starts the chain and makes its first block.
func New(t testing.TB, o Options) *Net {
	t.Helper()
	app.Configure()
	if o.ChainID == "" {
		o.ChainID = "phala-test-1"
	}
	if o.Accounts == 0 {
		o.Accounts = 4
	}
	if o.Balance.Denom == "" {
		o.Balance = sdk.NewCoin(app.BaseDenom, app.PHA(1_000_000))
	}
	if o.Time.IsZero() {
		o.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	cfg := devhome.Config{ChainID: o.ChainID, AppState: o.AppState, Development: o.Development, GenesisTime: o.Time}
	var accs []Account
	for i := range o.Accounts {
		acc := NewAccount(fmt.Sprint(i))
		accs = append(accs, acc)
		cfg.Accounts = append(cfg.Accounts, devhome.Account{Name: fmt.Sprint(i), Address: acc.Addr, Coins: sdk.NewCoins(o.Balance)})
	}
	lender, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), app.Options{})
	check(t, err)
	op := NewAccount("validator")
	gen, err := devhome.Genesis(lender, cfg, devhome.Validator{
		Moniker: "validator", Operator: op.Key, Consensus: ed25519.GenPrivKeyFromSecret([]byte("apptest consensus")).PubKey(),
	})
	check(t, err)
	n := FromGenesis(t, gen)
	n.Accounts, n.Validator = accs, op
	if o.BlockTime != 0 {
		n.Step = o.BlockTime
	}
	return n
}

// FromGenesis starts a chain from a genesis and makes its first block.
func FromGenesis(t testing.TB, gen *genutiltypes.AppGenesis) *Net {
	t.Helper()
	a, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), app.Options{}, baseapp.SetChainID(gen.ChainID))
	check(t, err)
	doc, err := gen.ToGenesisDoc()
	check(t, err)
	var vals []*cmttypes.Validator
	for _, v := range doc.Validators {
		vals = append(vals, cmttypes.NewValidator(v.PubKey, v.Power))
	}
	set := cmttypes.NewValidatorSet(vals)
	params := doc.ConsensusParams.ToProto()
	_, err = a.InitChain(&abci.RequestInitChain{
		Time: doc.GenesisTime, ChainId: doc.ChainID, ConsensusParams: &params, InitialHeight: doc.InitialHeight,
		Validators: cmttypes.TM2PB.ValidatorUpdates(set), AppStateBytes: doc.AppState,
	})
	check(t, err)
	n := &Net{App: a, Genesis: gen, Height: doc.InitialHeight - 1, Time: doc.GenesisTime, Step: time.Second, t: t, vals: set}
	n.Block()
	return n
}

// Block makes a block of these transactions and commits it.
func (n *Net) Block(txs ...[]byte) *abci.ResponseFinalizeBlock {
	n.t.Helper()
	n.Height++
	n.Time = n.Time.Add(n.Step)
	hash := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(n.Genesis.ChainID), uint64(n.Height)))
	req := &abci.RequestFinalizeBlock{
		Txs: txs, Height: n.Height, Time: n.Time, Hash: hash[:],
		ProposerAddress: n.vals.Proposer.Address, NextValidatorsHash: n.vals.Hash(),
	}
	if n.Height > n.Genesis.InitialHeight {
		for _, v := range n.vals.Validators {
			req.DecidedLastCommit.Votes = append(req.DecidedLastCommit.Votes, abci.VoteInfo{
				Validator: abci.Validator{Address: v.Address, Power: v.VotingPower}, BlockIdFlag: 2, // committed
			})
		}
	}
	res, err := n.App.FinalizeBlock(req)
	check(n.t, err)
	_, err = n.App.Commit()
	check(n.t, err)
	return res
}

// Blocks makes n empty blocks.
func (n *Net) Blocks(count int) {
	n.t.Helper()
	for range count {
		n.Block()
	}
}

// Advance makes an empty block that comes d after the last.
func (n *Net) Advance(d time.Duration) {
	n.t.Helper()
	n.Time = n.Time.Add(d - n.Step)
	n.Block()
}

// Deliver signs a transaction of from, makes a block of it and returns its result, which may be a failure.
func (n *Net) Deliver(from Account, msgs ...sdk.Msg) *abci.ExecTxResult {
	n.t.Helper()
	return n.Block(n.Sign(from, 0, msgs...)).TxResults[0]
}

// MustDeliver is Deliver for a transaction that has to succeed.
func (n *Net) MustDeliver(from Account, msgs ...sdk.Msg) *abci.ExecTxResult {
	n.t.Helper()
	res := n.Deliver(from, msgs...)
	if res.Code != 0 {
		n.t.Fatalf("transaction failed with code %d of %s: %s", res.Code, res.Codespace, res.Log)
	}
	return res
}

// Sign makes a transaction of from without a fee. skip is how many of its transactions come before this one in the
// block to be made.
func (n *Net) Sign(from Account, skip uint64, msgs ...sdk.Msg) []byte {
	n.t.Helper()
	acc := n.App.AccountKeeper.GetAccount(n.Ctx(), from.Addr)
	if acc == nil {
		n.t.Fatalf("account %s is not on the chain", from)
	}
	tx, err := SignTx(n.App.TxConfig, from.Key, n.Genesis.ChainID, acc.GetAccountNumber(), acc.GetSequence()+skip, msgs...)
	check(n.t, err)
	return tx
}

// Ctx reads the state of the last block. What is written through it is lost with the next block.
func (n *Net) Ctx() sdk.Context {
	return n.App.NewContextLegacy(true, *(&cmttypes.Header{ChainID: n.Genesis.ChainID, Height: n.Height, Time: n.Time}).ToProto())
}

// Query asks a gRPC method, like /cosmos.bank.v1beta1.Query/Balance, of the last block's state.
func (n *Net) Query(method string, req, res proto.Message) error {
	bz, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	r, err := n.App.Query(context.Background(), &abci.RequestQuery{Path: method, Data: bz})
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("%s: %s", method, r.Log)
	}
	return proto.Unmarshal(r.Value, res)
}

// Prove reads a key of a store at the last block with the proof of its value. The proof is against the app hash that
// the next block's header carries, which is what App.LastCommitID returns.
func (n *Net) Prove(store string, key []byte) *abci.ResponseQuery {
	n.t.Helper()
	r, err := n.App.Query(context.Background(), &abci.RequestQuery{Path: "/store/" + store + "/key", Data: key, Height: n.Height, Prove: true})
	check(n.t, err)
	if r.Code != 0 {
		n.t.Fatalf("proof of %s/%X: %s", store, key, r.Log)
	}
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
