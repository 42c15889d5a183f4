package objects

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/phala-go/phala/core/wire"
)

// fork is the file of a proof of a fork, for people and for whoever punishes the validators.
type fork struct {
	Height      uint64 `json:"height"`            // of the header that was verified first
	Hash        string `json:"verified_hash"`     // its hash, hex
	Conflicting []byte `json:"conflicting_block"` // tendermint.types.LightBlock of the other, base64
}

// PutFork keeps a proof of a fork and gives the path of its file. The same proof is kept once.
func (s *Store) PutFork(e *wire.ForkEvidence) (string, error) {
	data, err := json.MarshalIndent(fork{e.Height, hex.EncodeToString(e.Hash), e.Conflicting}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("keeping the proof of a fork at height %d: %w", e.Height, err)
	}
	path := filepath.Join(s.dir, "forks", fmt.Sprintf("%d-%x.json", e.Height, e.Hash))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(path, append(data, '\n')); err != nil {
		return "", fmt.Errorf("keeping the proof of a fork at height %d: %w", e.Height, err)
	}
	return path, nil
}
