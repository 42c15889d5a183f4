package light

import (
	"bytes"
	"fmt"

	"github.com/cometbft/cometbft/types"
)

// Checkpoint names one header of a chain, from which trust may start instead of the genesis: where the genesis is older than the
// trusting period nothing else can. Whoever takes one trusts whoever gave it as much as the genesis.
type Checkpoint struct {
	Height uint64 `json:"height"`
	Hash   []byte `json:"hash"` // of the header, 32 bytes
}

// FromCheckpoint starts at a checkpoint that the caller trusts: the first header taken is that one, and what follows is verified from
// there.
func FromCheckpoint(g *Genesis, c Checkpoint) (State, error) {
	if c.Height < g.InitialHeight || len(c.Hash) != 32 {
		return State{}, fmt.Errorf("starting from a checkpoint: height %d with a hash of %d bytes: the chain begins at %d, and a hash has 32", c.Height, len(c.Hash), g.InitialHeight)
	}
	return State{ChainID: g.ChainID, Time: g.Time, Height: c.Height - 1, first: g.InitialHeight, pinned: c.Hash}, nil
}

// verifyPinned takes the checkpoint's header: its hash vouches for it and for its validators, whatever the time.
func (s State) verifyPinned(lb *types.LightBlock) (State, error) {
	if h := uint64(lb.Height); h != s.Height+1 || !bytes.Equal(lb.Hash(), s.pinned) {
		return s, fmt.Errorf("verifying a header: height %d with hash %X: the first must be the checkpoint, height %d with hash %X", h, lb.Hash(), s.Height+1, s.pinned)
	}
	if err := types.VerifyCommitLight(s.ChainID, lb.ValidatorSet, lb.Commit.BlockID, lb.Height, lb.Commit); err != nil {
		return s, fmt.Errorf("verifying a header: checkpoint %d: %w", lb.Height, err)
	}
	return s.moveTo(lb), nil
}
