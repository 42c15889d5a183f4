package devhome

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"

	"cosmossdk.io/math"

	clienttx "github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	"github.com/cosmos/cosmos-sdk/version"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/phala-go/phala/chain/app"
)

// Validator is the chain's only validator at its beginning.
type Validator struct {
	Moniker   string
	Operator  cryptotypes.PrivKey
	Consensus cryptotypes.PubKey
}

// Genesis makes the genesis of a development chain. consensus.validators holds the set of the first block, so that a
// light client can begin from the file alone.
func Genesis(a *app.App, cfg Config, val Validator) (*genutiltypes.AppGenesis, error) {
	cfg = cfg.withDefaults()
	state := a.DefaultGenesis()
	if err := fund(a, state, cfg, sdk.AccAddress(val.Operator.PubKey().Address())); err != nil {
		return nil, err
	}
	gentx, err := genTx(a, cfg, val)
	if err != nil {
		return nil, fmt.Errorf("making the genesis transaction: %w", err)
	}
	if state[genutiltypes.ModuleName], err = a.Codec.MarshalJSON(&genutiltypes.GenesisState{GenTxs: []json.RawMessage{gentx}}); err != nil {
		return nil, err
	}
	bz, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	if cfg.Development {
		if bz, err = merge(bz, []byte(`{"attestation":{"network":{"development":true}},"cluster":{"params":{"min_storage_receipts":0}}}`)); err != nil {
			return nil, err
		}
	}
	if len(cfg.AppState) > 0 {
		if err := knownModules(state, cfg.AppState); err != nil {
			return nil, err
		}
		if bz, err = merge(bz, cfg.AppState); err != nil {
			return nil, fmt.Errorf("merging app_state: %w", err)
		}
	}
	params := cmttypes.DefaultConsensusParams()
	app.SetConsensusParams(params)
	g := &genutiltypes.AppGenesis{
		AppName: app.Binary, AppVersion: version.Version, GenesisTime: cfg.GenesisTime.UTC(), ChainID: cfg.ChainID, InitialHeight: 1,
		AppState: bz, Consensus: &genutiltypes.ConsensusGenesis{Params: params},
	}
	if g.Consensus.Validators, err = app.InitialValidators(g); err != nil {
		return nil, err
	}
	return g, nil
}

// fund writes the accounts and balances into state.
func fund(a *app.App, state map[string]json.RawMessage, cfg Config, operator sdk.AccAddress) error {
	var accs []authtypes.GenesisAccount
	bank := banktypes.GetGenesisStateFromAppState(a.Codec, state)
	seen := map[string]int{}
	add := func(addr sdk.AccAddress, coins sdk.Coins) {
		if i, ok := seen[addr.String()]; ok {
			bank.Balances[i].Coins = bank.Balances[i].Coins.Add(coins...)
			return
		}
		seen[addr.String()] = len(bank.Balances)
		accs = append(accs, authtypes.NewBaseAccount(addr, nil, 0, 0))
		bank.Balances = append(bank.Balances, banktypes.Balance{Address: addr.String(), Coins: coins})
	}
	add(operator, sdk.NewCoins(cfg.Stake.Add(cfg.Stake))) // half to bond, half to spend
	for _, acc := range cfg.Accounts {
		add(acc.Address, acc.Coins)
	}
	var err error
	if state[authtypes.ModuleName], err = a.Codec.MarshalJSON(authtypes.NewGenesisState(authtypes.DefaultParams(), accs)); err != nil {
		return err
	}
	state[banktypes.ModuleName], err = a.Codec.MarshalJSON(bank)
	return err
}

// genTx is the signed transaction with which the validator bonds cfg.Stake.
func genTx(a *app.App, cfg Config, val Validator) (json.RawMessage, error) {
	addr := val.Operator.PubKey().Address()
	rates := stakingtypes.NewCommissionRates(math.LegacyNewDecWithPrec(5, 2), math.LegacyNewDecWithPrec(20, 2), math.LegacyNewDecWithPrec(1, 2))
	msg, err := stakingtypes.NewMsgCreateValidator(sdk.ValAddress(addr).String(), val.Consensus, cfg.Stake,
		stakingtypes.NewDescription(val.Moniker, "", "", "", ""), rates, math.OneInt())
	if err != nil {
		return nil, err
	}
	const mode = signing.SignMode_SIGN_MODE_DIRECT
	b := a.TxConfig.NewTxBuilder()
	b.SetGasLimit(200_000)
	if err := b.SetMsgs(msg); err != nil {
		return nil, err
	}
	// The public key is part of what is signed, so it is set before.
	if err := b.SetSignatures(signing.SignatureV2{PubKey: val.Operator.PubKey(), Data: &signing.SingleSignatureData{SignMode: mode}}); err != nil {
		return nil, err
	}
	sig, err := clienttx.SignWithPrivKey(context.Background(), mode, authsigning.SignerData{
		ChainID: cfg.ChainID, Address: sdk.AccAddress(addr).String(), PubKey: val.Operator.PubKey(),
	}, b, val.Operator, a.TxConfig, 0)
	if err != nil {
		return nil, err
	}
	if err := b.SetSignatures(sig); err != nil {
		return nil, err
	}
	return a.TxConfig.TxJSONEncoder()(b.GetTx())
}

// operatorKey derives the operator's key and puts it into the home's test keyring.
func operatorKey(a *app.App, dir, mnemonic string) (cryptotypes.PrivKey, error) {
	path := hd.CreateHDPath(app.CoinType, 0, 0).String()
	bz, err := hd.Secp256k1.Derive()(mnemonic, "", path)
	if err != nil {
		return nil, fmt.Errorf("deriving the operator's key: %w", err)
	}
	key := &secp256k1.PrivKey{Key: bz}
	ring, err := keyring.New(sdk.KeyringServiceName(), keyring.BackendTest, dir, nil, a.Codec)
	if err != nil {
		return nil, fmt.Errorf("opening the keyring: %w", err)
	}
	if _, err := ring.NewAccount(ValidatorKey, mnemonic, "", path, hd.Secp256k1); err != nil {
		return nil, fmt.Errorf("storing the operator's key: %w", err)
	}
	return key, nil
}

// merge lays the JSON object patch over base: objects member by member, everything else replaced.
func merge(base, patch []byte) ([]byte, error) {
	b, err := object(base)
	if err != nil {
		return nil, err
	}
	p, err := object(patch)
	if err != nil {
		return nil, err
	}
	return json.Marshal(mergeObjects(b, p))
}

// knownModules refuses a patch for a module the chain does not have: it would be ignored in silence.
func knownModules(state map[string]json.RawMessage, patch []byte) error {
	p, err := object(patch)
	if err != nil {
		return fmt.Errorf("merging app_state: %w", err)
	}
	for name := range p {
		if _, ok := state[name]; !ok {
			return fmt.Errorf("merging app_state: there is no module %q", name)
		}
	}
	return nil
}

// object decodes a JSON object and keeps its numbers as they are written.
func object(bz []byte) (map[string]any, error) {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(bz))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("reading a JSON object: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("reading a JSON object: more data follows")
	}
	return m, nil
}

func mergeObjects(base, patch map[string]any) map[string]any {
	if base == nil {
		base = map[string]any{}
	}
	for k, v := range patch {
		bm, ok1 := base[k].(map[string]any)
		pm, ok2 := v.(map[string]any)
		if ok1 && ok2 {
			v = mergeObjects(bm, pm)
		}
		base[k] = v
	}
	return base
}
