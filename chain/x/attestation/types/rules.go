package types

import (
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// Succeed is the policy that the chain stores at height when governance replaces old (nil: none) by next. A measurement that was
// approved before keeps the height of that; a new one is approved now and counts after the delay, or later if next says so.
func Succeed(n *wire.NetworkParams, old, next *wire.Policy, height uint64) (*wire.Policy, error) {
	if err := ValidatePolicy(n, next); err != nil {
		return nil, err
	}
	out := *next
	out.Measurements = nil
	for i, m := range next.Measurements {
		s := *m
		if s.ApprovedHeight != 0 {
			return nil, ErrPolicy.Wrapf("measurement %d: approved_height %d: the chain writes it, leave it out", i, m.ApprovedHeight)
		}
		before := attest.Approval(old, m.Digest)
		if before == nil {
			s.ApprovedHeight = height
		} else {
			s.ApprovedHeight = before.ApprovedHeight
		}
		least := s.ApprovedHeight + attest.ActivationDelay(n)
		if s.ApprovedHeight == 0 { // of the genesis
			least = before.ActivationHeight
		}
		switch {
		case s.ActivationHeight == 0:
			s.ActivationHeight = least
		case s.ActivationHeight < least:
			return nil, ErrPolicy.Wrapf("measurement %x: activation_height %d: the least is %d, %d blocks after its approval; leave it out for that",
				m.Digest, m.ActivationHeight, least, attest.ActivationDelay(n))
		}
		if s.RetireHeight != 0 && s.RetireHeight <= height {
			return nil, ErrPolicy.Wrapf("measurement %x: retire_height %d is over, this is %d: remove it from the policy to end it now", m.Digest, s.RetireHeight, height)
		}
		out.Measurements = append(out.Measurements, &s)
	}
	return &out, nil
}

// Ends is the height at which workers of a measurement end under a policy: 0 is never, height if it is not approved (any more).
func Ends(p *wire.Policy, digest []byte, height uint64) uint64 {
	m := attest.Approval(p, digest)
	if m == nil {
		return height
	}
	return m.RetireHeight
}
