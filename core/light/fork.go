package light

import (
	"bytes"
	"errors"
	"fmt"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/types"
)

// Conflicts is nil if lb proves that the chain has forked: it is another header than the verified one of the same height, signed by more
// than two thirds of its own validators and by more than one third of the verified ones, so that at least one of them signed both.
// After "light client attack" of CometBFT's evidence specification; votes for two blocks (equivocation) and headers whose validators
// were exchanged (lunatic) are caught alike. An error says why lb is no evidence.
func (s State) Conflicts(lb *types.LightBlock) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("looking for a fork: "+format, args...)
	}
	if lb == nil || lb.SignedHeader == nil || lb.ValidatorSet == nil {
		return fail("no header, commit or validator set")
	}
	if err := lb.ValidateBasic(s.ChainID); err != nil {
		return fail("%w", err)
	}
	if s.Height == 0 || s.Hash == nil || uint64(lb.Height) != s.Height {
		return fail("height %d, the verified header is of %d", lb.Height, s.Height)
	}
	if bytes.Equal(lb.Hash(), s.Hash) {
		return fail("it is the verified header of height %d", s.Height)
	}
	if err := types.VerifyCommitLight(s.ChainID, lb.ValidatorSet, lb.Commit.BlockID, lb.Height, lb.Commit); err != nil {
		return fail("height %d: %w", lb.Height, err)
	}
	if err := types.VerifyCommitLightTrusting(s.ChainID, s.validators, lb.Commit, cmtmath.Fraction{Numerator: 1, Denominator: 3}); err != nil {
		return fail("height %d: %w", lb.Height, err)
	}
	return nil
}

// ErrFork: the validators of the chain have signed two headers of one height. Nothing that rests on the chain can be trusted until
// people have decided which is the true one.
var ErrFork = errors.New("the chain has forked")

// Unlinked says that lb, which was verified as the next height, follows another header than the verified one: its signers saw another
// chain, so it proves a fork.
func (s State) Unlinked(lb *types.LightBlock) bool {
	return s.Hash != nil && uint64(lb.Height) == s.Height+1 && !bytes.Equal(lb.LastBlockID.Hash, s.Hash)
}
