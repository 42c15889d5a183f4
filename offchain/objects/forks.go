package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/phala-go/phala/core/wire"
)

// fork is the file of a proof of a fork, for people and for whoever punishes the validators.
type fork struct {
	Height      uint64 `json:"height"`            // of the header that was verified first
	Hash        string `json:"verified_hash"`     // its hash, hex
	Conflicting []byte `json:"conflicting_block"` // tendermint.types.LightBlock of the other, base64
}

// maxForks bounds the proofs that are kept: an enclave makes one in its life, but a host that leads boot after boot into forks must not
// fill its disk with them. The first are worth most, so what comes later is refused.
const maxForks = 64

// PutFork keeps a proof of a fork and gives the path of its file. The same proof is kept once.
func (s *Store) PutFork(e *wire.ForkEvidence) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("keeping the proof of a fork at height %d: %w", e.Height, err)
	}
	data, err := json.MarshalIndent(fork{e.Height, hex.EncodeToString(e.Hash), e.Conflicting}, "", "  ")
	if err != nil {
		return fail(err)
	}
	id := sha256.Sum256(data)
	dir := filepath.Join(s.dir, "forks")
	path := filepath.Join(dir, fmt.Sprintf("%d-%x.json", e.Height, id[:8]))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	kept, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	if len(kept) >= maxForks {
		return fail(fmt.Errorf("%s holds %d already: move them elsewhere", dir, len(kept)))
	}
	if err := s.write(path, append(data, '\n')); err != nil {
		return fail(err)
	}
	return path, nil
}
