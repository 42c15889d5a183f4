// Package beacon is a gatekeeper's work on the beacon in one epoch: it signs heights that are final, takes the other members' parts,
// and gives out a height's value. The members take turns, so that a value is not sent to the chain once by each.
//
// It must never sign a height whose epoch has not been proven, nor give out a value that it has not checked.
package beacon

import (
	"fmt"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

const (
	window = beacon.Window // heights that are worked on at a time; the chain takes no older ones
	turn   = 3             // blocks until the next member sends what the chain still lacks
)

// Config of a Signer; every field is required.
type Config struct {
	ChainID string
	Epoch   uint64
	Since   uint64 // the block that began the epoch: the first height that it signs
	Members int    // of the gatekeeper set
	Me      int    // index among them
	Share   *beacon.Share
	Group   *beacon.Group
}

// Signer is not safe for concurrent use.
type Signer struct {
	cfg     Config
	newest  uint64 // last height signed
	heights map[uint64]*height
}

type height struct {
	parts map[int][]byte
	value *wire.Beacon // checked
	sent  uint64       // when it was given out; 0: not yet
}

// New begins an epoch.
func New(cfg Config) *Signer {
	return &Signer{cfg: cfg, heights: map[uint64]*height{}}
}

// Wipe ends it.
func (s *Signer) Wipe() {
	s.cfg.Share.Wipe()
	clear(s.heights)
}

// Sign gives this member's parts of all heights up to final that it has not signed, at most a window: nobody waits for older ones.
func (s *Signer) Sign(final uint64) (out []*wire.BeaconPart, err error) {
	first := max(s.newest+1, s.cfg.Since)
	if final >= window {
		first = max(first, final-window+1)
	}
	for h := first; h <= final; h++ {
		part, err := s.cfg.Share.Sign(s.cfg.ChainID, s.cfg.Epoch, h)
		if err != nil {
			return nil, err
		}
		at := s.at(h)
		at.parts[s.cfg.Me] = part
		s.newest = h
		if err := s.combine(h, at); err != nil { // parts may have come before: whose is wrong has been dropped
			at.value = nil
		}
		out = append(out, &wire.BeaconPart{Epoch: s.cfg.Epoch, Height: h, Member: uint32(s.cfg.Me), Part: part})
	}
	maps.DeleteFunc(s.heights, func(h uint64, _ *height) bool { return h+window <= s.newest })
	return out, nil
}

func (s *Signer) at(h uint64) *height {
	if s.heights[h] == nil {
		s.heights[h] = &height{parts: map[int][]byte{}}
	}
	return s.heights[h]
}

// Take keeps another member's part, of a height not further ahead than a window. The first one of a member stays until it is found
// to be wrong.
func (s *Signer) Take(p *wire.BeaconPart) error {
	switch {
	case p.GetEpoch() != s.cfg.Epoch:
		return fmt.Errorf("taking a beacon part: it is of epoch %d, this is %d", p.GetEpoch(), s.cfg.Epoch)
	case p.Height < s.cfg.Since || p.Height+window <= s.newest || p.Height > s.newest+window:
		return fmt.Errorf("taking a beacon part: height %d is not among those worked on, the newest is %d", p.Height, s.newest)
	case int64(p.Member) >= int64(s.cfg.Members) || int(p.Member) == s.cfg.Me || len(p.Part) != beacon.SignatureSize:
		return fmt.Errorf("taking a beacon part: %d bytes of member %d of %d", len(p.Part), p.Member, s.cfg.Members)
	}
	at := s.at(p.Height)
	if at.value != nil || at.parts[int(p.Member)] != nil {
		return nil
	}
	at.parts[int(p.Member)] = p.Part
	return s.combine(p.Height, at)
}

// combine tries the whole before it looks at the parts: one check where nobody lies.
func (s *Signer) combine(h uint64, at *height) error {
	if len(at.parts) < s.cfg.Group.Threshold() || at.parts[s.cfg.Me] == nil {
		return nil
	}
	sig, err := s.cfg.Group.Combine(at.parts)
	if err == nil {
		err = beacon.Verify(s.cfg.Group.PublicKey(), s.cfg.ChainID, s.cfg.Epoch, h, sig)
	}
	if err == nil {
		at.value = &wire.Beacon{Height: h, Epoch: s.cfg.Epoch, Signature: sig}
		at.parts = nil
		return nil
	}
	for i, p := range at.parts {
		if bad := s.cfg.Group.VerifyPart(s.cfg.ChainID, s.cfg.Epoch, h, i, p); bad != nil {
			delete(at.parts, i)
			err = bad
		}
	}
	return fmt.Errorf("combining the beacon of height %d: %w", h, err)
}

// Known says that the chain has a height's value.
func (s *Signer) Known(h uint64) { delete(s.heights, h) }

// Waiting are the heights whose value this member has given out, or could, and the chain was not seen to have.
func (s *Signer) Waiting() []uint64 {
	var out []uint64
	for _, h := range slices.Sorted(maps.Keys(s.heights)) {
		if s.heights[h].value != nil {
			out = append(out, h)
		}
	}
	return out
}

// Due gives the values that are this member's to send: at once where it is its turn, else when those before it have let it pass
// and the chain is known to lack them.
func (s *Signer) Due(newest uint64, lacks func(height uint64) bool) (out []*wire.Beacon) {
	for _, h := range s.Waiting() {
		at, n := s.heights[h], uint64(s.cfg.Members)
		rank := (uint64(s.cfg.Me) + n - h%n) % n
		first := rank == 0 && at.sent == 0
		if first || newest >= h+turn*rank && (at.sent == 0 || newest >= at.sent+turn*n) && lacks(h) {
			at.sent = newest
			out = append(out, at.value)
		}
	}
	return out
}
