package light

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"
)

// Genesis is where trust in a chain starts. Its hash and validators are part of an enclave's attested configuration.
type Genesis struct {
	ChainID       string
	InitialHeight uint64
	Time          time.Time
	Validators    *types.ValidatorSet
	Hash          []byte // SHA-256 of the file
	Development   bool   // the network's rules are lowered for development
}

// ParseGenesis reads what a light client needs from a genesis file.
func ParseGenesis(file []byte) (*Genesis, error) {
	var doc struct {
		ChainID       string          `json:"chain_id"`
		GenesisTime   time.Time       `json:"genesis_time"`
		InitialHeight json.RawMessage `json:"initial_height"`
		Consensus     struct {
			Validators []struct {
				PubKey struct {
					Type  string `json:"type"`
					Value []byte `json:"value"`
				} `json:"pub_key"`
				Power string `json:"power"`
			} `json:"validators"`
		} `json:"consensus"`
		AppState struct {
			Attestation struct {
				Network struct {
					Development bool `json:"development"`
				} `json:"network"`
			} `json:"attestation"`
		} `json:"app_state"`
	}
	if err := json.Unmarshal(file, &doc); err != nil {
		return nil, fmt.Errorf("reading the genesis: %w", err)
	}
	if doc.ChainID == "" {
		return nil, errors.New("reading the genesis: no chain_id")
	}
	if len(doc.Consensus.Validators) == 0 {
		return nil, errors.New("reading the genesis: no consensus.validators; a light client cannot start from it")
	}
	g := &Genesis{ChainID: doc.ChainID, Time: doc.GenesisTime, InitialHeight: 1, Development: doc.AppState.Attestation.Network.Development}
	// The SDK writes initial_height as a number, CometBFT as a string.
	if n := len(doc.InitialHeight); n > 0 {
		s := string(doc.InitialHeight)
		if s[0] == '"' {
			s = s[1 : n-1]
		}
		h, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			return nil, fmt.Errorf("reading the genesis: initial_height %s: %w", doc.InitialHeight, err)
		}
		g.InitialHeight = max(h, 1)
	}
	vals := make([]*types.Validator, len(doc.Consensus.Validators))
	seen := make(map[string]bool, len(vals)) // CometBFT panics on a validator that stands there twice
	for i, v := range doc.Consensus.Validators {
		power, err := strconv.ParseInt(v.Power, 10, 64)
		if err != nil || power <= 0 {
			return nil, fmt.Errorf("reading the genesis: validator %d has power %q", i, v.Power)
		}
		if v.PubKey.Type != "tendermint/PubKeyEd25519" || len(v.PubKey.Value) != ed25519.PubKeySize {
			return nil, fmt.Errorf("reading the genesis: validator %d has a key of type %q and %d bytes: want Ed25519", i, v.PubKey.Type, len(v.PubKey.Value))
		}
		if seen[string(v.PubKey.Value)] {
			return nil, fmt.Errorf("reading the genesis: validator %d stands there twice", i)
		}
		seen[string(v.PubKey.Value)] = true
		vals[i] = types.NewValidator(ed25519.PubKey(v.PubKey.Value), power)
	}
	set, err := types.ValidatorSetFromExistingValidators(vals)
	if err != nil {
		return nil, fmt.Errorf("reading the genesis: %w", err)
	}
	g.Validators = set
	sum := sha256.Sum256(file)
	g.Hash = sum[:]
	return g, nil
}
