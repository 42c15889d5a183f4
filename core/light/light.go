// Package light verifies a CometBFT chain without believing whoever brings it: headers by their commits, from a genesis that the
// caller trusts, and values in the application's store by proofs. After the light client specification of CometBFT and
// ICS-23. Time is an argument. It must never fetch, keep or retry anything: enclave/lightclient and client do.
package light

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// Options bound trust in time.
type Options struct {
	// TrustingPeriod must be well below the unbonding time: validators that have left can no longer be punished.
	TrustingPeriod time.Duration
	// MaxClockDrift is how far a header's time may be ahead of now.
	MaxClockDrift time.Duration
}

// What a client keeps of old headers, and what a host must bring one that starts late: a header of every Spacing heights, for History
// heights, so that it can look back over the activation delay of a network.
const (
	Spacing = 64
	History = 86_400 + 1_024
)

// State is the newest header verified, with the validators that may sign what follows. Immutable.
type State struct {
	ChainID string
	Height  uint64 // 0: nothing but the genesis
	Hash    []byte
	AppHash []byte // state after block Height-1
	Time    time.Time

	first          uint64
	validators     *types.ValidatorSet // of Height; of the genesis at 0
	validatorsHash []byte              // of validators; nil at 0
	nextValidators []byte              // hash of the set of Height+1
	pinned         []byte              // hash of the only header that may follow; nil: any that verifies
}

// FromGenesis starts from a genesis that the caller trusts.
func FromGenesis(g *Genesis) State {
	return State{ChainID: g.ChainID, Time: g.Time, first: g.InitialHeight, validators: g.Validators, nextValidators: g.Validators.Hash()}
}

// Decode parses one light block as offchaind sends it: tendermint.types.LightBlock. Sizes are checked by the caller.
func Decode(b []byte) (*types.LightBlock, error) {
	var p cmtproto.LightBlock
	if err := p.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("decoding a light block: %w", err)
	}
	lb, err := types.LightBlockFromProto(&p)
	if err != nil {
		return nil, fmt.Errorf("decoding a light block: %w", err)
	}
	return lb, nil
}

// Encode is the inverse of Decode.
func Encode(lb *types.LightBlock) ([]byte, error) {
	p, err := lb.ToProto()
	if err != nil {
		return nil, fmt.Errorf("encoding a light block: %w", err)
	}
	return p.Marshal()
}

// Verify checks that lb is the header of a later height of the same chain, signed by more than two thirds of its validators, who
// are those that the trusted header named (adjacent) or overlap with trusted ones by more than a third (a jump). now is a
// hint that can only make it refuse.
func (s State) Verify(lb *types.LightBlock, now time.Time, o Options) (State, error) {
	fail := func(format string, args ...any) (State, error) {
		return s, fmt.Errorf("verifying a header: "+format, args...)
	}
	if lb == nil || lb.SignedHeader == nil || lb.ValidatorSet == nil {
		return fail("no header, commit or validator set")
	}
	if o.TrustingPeriod <= 0 {
		return fail("no trusting period given")
	}
	// ValidateBasic compares chain id, the header's hash with the commit's and the set's hash with the header's.
	if err := lb.ValidateBasic(s.ChainID); err != nil {
		return fail("%w", err)
	}
	if s.pinned != nil {
		return s.verifyPinned(lb)
	}
	h := uint64(lb.Height)
	switch {
	case h <= s.Height || h < s.first:
		return fail("height %d, and %d is verified already", h, s.Height)
	case !lb.Time.After(s.Time) && (s.Height > 0 || lb.Time.Before(s.Time)): // the first block may have the genesis' time
		return fail("height %d has time %s, not after the trusted %s", h, lb.Time, s.Time)
	case lb.Time.After(now.Add(o.MaxClockDrift)):
		return fail("height %d is from the future: %s, now is %s", h, lb.Time, now)
	case s.Expired(now, o.TrustingPeriod):
		return fail("the trusted height %d is of %s, older than the trusting period of %s: start again from a newer genesis or checkpoint", s.Height, s.Time, o.TrustingPeriod)
	}
	if h == s.Height+1 || (s.Height == 0 && h == s.first) {
		if !bytes.Equal(lb.ValidatorsHash, s.nextValidators) {
			return fail("height %d has validators %X, the trusted header named %X", h, lb.ValidatorsHash, s.nextValidators)
		}
	} else {
		if err := types.VerifyCommitLightTrusting(s.ChainID, s.validators, lb.Commit, cmtmath.Fraction{Numerator: 1, Denominator: 3}); err != nil {
			return fail("jump from %d to %d: %w", s.Height, h, err)
		}
	}
	if err := types.VerifyCommitLight(s.ChainID, lb.ValidatorSet, lb.Commit.BlockID, lb.Height, lb.Commit); err != nil {
		return fail("height %d: %w", h, err)
	}
	return s.moveTo(lb), nil
}

// Expired says that the validators of s can no longer be believed: they may have left, and cannot be punished any more.
func (s State) Expired(now time.Time, trustingPeriod time.Duration) bool {
	return !now.Before(s.Time.Add(trustingPeriod))
}

// moveTo is the state at a header that was verified. A set that has not changed is kept once, whatever the number of states.
func (s State) moveTo(lb *types.LightBlock) State {
	vals := lb.ValidatorSet
	if s.validators != nil && s.Height > 0 && bytes.Equal(lb.ValidatorsHash, s.validatorsHash) {
		vals = s.validators
	}
	return State{
		ChainID:        s.ChainID,
		Height:         uint64(lb.Height),
		Hash:           lb.Hash(),
		AppHash:        lb.AppHash,
		Time:           lb.Time,
		first:          s.first,
		validators:     vals,
		validatorsHash: lb.ValidatorsHash,
		nextValidators: lb.NextValidatorsHash,
	}
}

// ErrNoProof is returned for a value that came without a proof.
var ErrNoProof = errors.New("no proof")
