package generation

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// CheckJoin says whether j counts in g: of this attempt and phase, by a member that has not joined, with one key that can be
// sealed to for each other member, signed by the identity key in it. That this key is the one registered is for the caller.
func CheckJoin(chainID string, g *wire.Generation, j *wire.GenerationJoin) error {
	m, _, err := sender(g, wire.GENERATION_PHASE_JOIN, j.GetEpoch(), j.GetAttempt(), j.GetMember())
	if err != nil {
		return fmt.Errorf("checking a join: %w", err)
	}
	if joined(m) {
		return fmt.Errorf("checking a join: member %d has joined", j.Member)
	}
	if len(j.IdentityKey) != ed25519.PublicKeySize {
		return fmt.Errorf("checking a join: identity key of %d bytes, want %d", len(j.IdentityKey), ed25519.PublicKeySize)
	}
	if len(j.OneTimeKeys) != len(g.Members) {
		return fmt.Errorf("checking a join: %d one-time keys for %d members", len(j.OneTimeKeys), len(g.Members))
	}
	if !ed25519.Verify(j.IdentityKey, JoinBytes(chainID, j), j.Signature) {
		return fmt.Errorf("checking a join: not signed by the identity key in it, for chain %s", chainID)
	}
	for i, k := range j.OneTimeKeys {
		if uint32(i) == j.Member {
			if len(k) != 0 {
				return fmt.Errorf("checking a join: member %d gives itself a key", i)
			}
			continue
		}
		if err := checkOneTimeKey(k); err != nil {
			return fmt.Errorf("checking a join: one-time key for member %d: %w", i, err)
		}
	}
	return nil
}

// CheckContribution says whether c counts in g: of this attempt and phase, by a member that joined and has not contributed, with
// a commitment for each set that it is outside of, a polynomial for the beacon, and something of the right size for each other member that joined, whatever
// has become of that one since, signed by the identity that joined. What is sealed in it only its receivers can check.
func CheckContribution(chainID string, g *wire.Generation, c *wire.Contribution) error {
	m, sets, err := sender(g, wire.GENERATION_PHASE_CONTRIBUTE, c.GetEpoch(), c.GetAttempt(), c.GetMember())
	if err != nil {
		return fmt.Errorf("checking a contribution: %w", err)
	}
	if len(m.ContributionHash) != 0 {
		return fmt.Errorf("checking a contribution: member %d has contributed, and the first counts", c.Member)
	}
	if err := shape(g, sets, c); err != nil {
		return fmt.Errorf("checking a contribution: %w", err)
	}
	if !signed(m, ContributionBytes(chainID, c), c.Signature) {
		return fmt.Errorf("checking a contribution: not signed by member %d, for chain %s", c.Member, chainID)
	}
	if _, err := beacon.NewGroup(c.Beacon, len(g.Members)); err != nil {
		return fmt.Errorf("checking a contribution: the polynomial for the beacon: %w", err)
	}
	return nil
}

// shape checks counts and sizes.
func shape(g *wire.Generation, sets []dprf.Set, c *wire.Contribution) error {
	if want := len(held(sets, c.Member)); len(c.Commitments) != want {
		return fmt.Errorf("%d commitments, member %d holds %d keys", len(c.Commitments), c.Member, want)
	}
	for i, d := range c.Commitments {
		if len(d) != CommitmentSize {
			return fmt.Errorf("commitment %d of %d bytes, want %d", i, len(d), CommitmentSize)
		}
	}
	if len(c.Beacon) != int(g.Threshold) {
		return fmt.Errorf("%d commitments for the beacon, want %d", len(c.Beacon), g.Threshold)
	}
	next := 0
	for to, m := range g.Members {
		if uint32(to) == c.Member || !joined(m) {
			continue
		}
		if next >= len(c.Shares) || c.Shares[next] == nil || c.Shares[next].To != uint32(to) {
			return fmt.Errorf("nothing at place %d for member %d", next, to)
		}
		s := c.Shares[next]
		if want := sealedSize(sets, c.Member, uint32(to)); len(s.Enc) != seal.EncSize || len(s.Ciphertext) != want {
			return fmt.Errorf("for member %d: %d and %d bytes, want %d and %d", to, len(s.Enc), len(s.Ciphertext), seal.EncSize, want)
		}
		next++
	}
	if next != len(c.Shares) {
		return fmt.Errorf("%d sealed shares for %d members", len(c.Shares), next)
	}
	return nil
}

// sealedSize is the size of the ciphertext between two members.
func sealedSize(sets []dprf.Set, from, to uint32) int {
	return (len(held(sets, from, to))+1)*shareSize + tagSize // one more for the beacon
}

// CheckConfirmation says whether c counts in g: of this attempt and phase, by a member that contributed and has not confirmed,
// over the contributions that the chain has, signed by the identity that joined.
func CheckConfirmation(chainID string, g *wire.Generation, c *wire.Confirmation) error {
	m, _, err := sender(g, wire.GENERATION_PHASE_CONFIRM, c.GetEpoch(), c.GetAttempt(), c.GetMember())
	if err != nil {
		return fmt.Errorf("checking a confirmation: %w", err)
	}
	if m.Confirmed {
		return fmt.Errorf("checking a confirmation: member %d has confirmed", c.Member)
	}
	if !bytes.Equal(c.Transcript, Transcript(g)) {
		return errors.New("checking a confirmation: it is about other contributions than the chain has")
	}
	if !signed(m, ConfirmationBytes(chainID, c), c.Signature) {
		return fmt.Errorf("checking a confirmation: not signed by member %d, for chain %s", c.Member, chainID)
	}
	return nil
}

// sender finds the member that a message of phase is from: of this attempt, not excluded, and joined if the phase is a later one.
func sender(g *wire.Generation, phase wire.GenerationPhase, epoch uint64, attempt, member uint32) (*wire.GenerationMember, []dprf.Set, error) {
	sets, err := setsOf(g)
	if err != nil {
		return nil, nil, err
	}
	if epoch != g.Epoch || attempt != g.Attempt {
		return nil, nil, fmt.Errorf("it is for epoch %d attempt %d, under way is epoch %d attempt %d", epoch, attempt, g.Epoch, g.Attempt)
	}
	if g.Phase != phase {
		return nil, nil, fmt.Errorf("it belongs to phase %s, under way is %s", phase, g.Phase)
	}
	m, err := active(g, member)
	if err != nil {
		return nil, nil, err
	}
	if phase != wire.GENERATION_PHASE_JOIN && !joined(m) {
		return nil, nil, fmt.Errorf("member %d has not joined", member)
	}
	return m, sets, nil
}

// active is a member that is not excluded.
func active(g *wire.Generation, member uint32) (*wire.GenerationMember, error) {
	if member >= uint32(len(g.Members)) {
		return nil, fmt.Errorf("there is no member %d of %d", member, len(g.Members))
	}
	m := g.Members[member]
	if m.Fault != wire.MEMBER_FAULT_NONE {
		return nil, fmt.Errorf("member %d is excluded (%s)", member, m.Fault)
	}
	return m, nil
}

func signed(m *wire.GenerationMember, message, signature []byte) bool {
	return len(m.IdentityKey) == ed25519.PublicKeySize && ed25519.Verify(m.IdentityKey, message, signature)
}
