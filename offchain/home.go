package offchain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// pin is a home folder that belongs to one chain.
type pin string

type pinned struct {
	ChainID     string `json:"chain_id"`
	GenesisHash []byte `json:"genesis_hash"`
}

// check writes down the first chain it is asked about and refuses every other.
func (home pin) check(chainID string, genesisHash []byte) error {
	path := filepath.Join(string(home), "chain.json")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = json.Marshal(pinned{chainID, genesisHash})
		if err == nil {
			err = os.WriteFile(path, append(raw, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("writing down the home's chain: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the home's chain: %w", err)
	}
	var p pinned
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("reading %s: %w. If it is damaged, remove it", path, err)
	}
	if p.ChainID != chainID || !bytes.Equal(p.GenesisHash, genesisHash) {
		return fmt.Errorf("the home %s belongs to another chain: %s with genesis %x, not %s with genesis %x. Choose another with --home",
			string(home), p.ChainID, p.GenesisHash, chainID, genesisHash)
	}
	return nil
}
