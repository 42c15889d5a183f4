package generation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// Contribute draws the member's contributions, commits to them and seals them to each other member that joined, by index in
// joins. It does so once: asked again, it gives the same. Rand is read for 32 bytes a key and 64 for each coefficient of the
// beacon's polynomial; crypto/hpke draws for itself.
func (m *Member) Contribute(g *wire.Generation, joins map[uint32]*wire.GenerationJoin, rand io.Reader) (*wire.Contribution, error) {
	if err := m.takesPart(g, wire.GENERATION_PHASE_CONTRIBUTE); err != nil {
		return nil, fmt.Errorf("contributing: %w", err)
	}
	if m.said != nil {
		return m.said, nil
	}
	for i, o := range g.Members {
		if j := joins[uint32(i)]; joined(o) && (j == nil || j.Member != uint32(i) || len(j.OneTimeKeys) != m.cfg.N || !bytes.Equal(wire.Hash(j), o.JoinHash)) {
			return nil, fmt.Errorf("contributing: this is not how member %d joined", i)
		}
	}
	c := &wire.Contribution{Epoch: m.cfg.Epoch, Attempt: m.cfg.Attempt, Member: m.me()}
	own := make([]byte, len(held(m.sets, m.me()))*keytree.Size)
	if _, err := io.ReadFull(rand, own); err != nil {
		clear(own)
		return nil, fmt.Errorf("drawing contributions: %w", err)
	}
	for i, b := range held(m.sets, m.me()) {
		h := m.round.commitment(b, m.me(), own[i*keytree.Size:(i+1)*keytree.Size])
		c.Commitments = append(c.Commitments, h[:])
	}
	commitments, dealt, err := beacon.Deal(m.cfg.N, int(m.cfg.Threshold), rand)
	if err != nil {
		clear(own)
		return nil, fmt.Errorf("contributing: %w", err)
	}
	c.Beacon = commitments
	for i, o := range g.Members {
		if i == m.cfg.Me || !joined(o) {
			continue
		}
		s, err := m.seal(c, own, dealt[i], uint32(i), joins[uint32(i)].OneTimeKeys[m.me()])
		clear(dealt[i])
		if err != nil {
			clear(own)
			return nil, fmt.Errorf("contributing to member %d: %w", i, err)
		}
		c.Shares = append(c.Shares, s)
	}
	c.Signature = ed25519.Sign(m.identity, ContributionBytes(m.cfg.ChainID, c))
	m.own, m.dealt, m.said = own, dealt[m.me()], c
	return c, nil
}

// seal seals what the member and another hold both, and the other's value for the beacon.
func (m *Member) seal(c *wire.Contribution, own, dealt []byte, to uint32, key []byte) (*wire.SealedShares, error) {
	pk, err := seal.PublicKey(key)
	if err != nil {
		return nil, err
	}
	enc, s, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), m.round.info(m.me(), to))
	if err != nil {
		return nil, fmt.Errorf("sealing shares: %w", err)
	}
	plain := make([]byte, 0, (len(held(m.sets, m.me(), to))+1)*shareSize)
	for i, b := range held(m.sets, m.me()) {
		if b.Holds(int(to)) {
			plain = appendShare(plain, shareTag, own[i*keytree.Size:(i+1)*keytree.Size])
		}
	}
	plain = appendShare(plain, beaconTag, dealt)
	defer clear(plain)
	ct, err := s.Seal(aad(c), plain)
	if err != nil {
		return nil, fmt.Errorf("sealing shares: %w", err)
	}
	return &wire.SealedShares{To: to, Enc: enc, Ciphertext: ct}, nil
}

// Confirm opens what the members that are not excluded contributed, by index in contributions, and erases each one-time key
// once it has opened with it. It gives a complaint about each that is not as committed; the confirmation only when there is none
// left, because the chain has excluded who was complained about. Asked again, it says the same of the same.
func (m *Member) Confirm(g *wire.Generation, contributions map[uint32]*wire.Contribution) ([]*wire.Complaint, *wire.Confirmation, error) {
	if err := m.takesPart(g, wire.GENERATION_PHASE_CONFIRM); err != nil {
		return nil, nil, fmt.Errorf("confirming: %w", err)
	}
	if m.said == nil || !bytes.Equal(g.Members[m.me()].ContributionHash, wire.Hash(m.said)) {
		return nil, nil, errors.New("confirming: the chain has another contribution of this member than this")
	}
	var complaints []*wire.Complaint
	for i, o := range g.Members {
		if i == m.cfg.Me || o.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		got, err := m.take(uint32(i), o, contributions[uint32(i)])
		if err != nil {
			return nil, nil, fmt.Errorf("confirming: %w", err)
		}
		if got.complaint != nil {
			complaints = append(complaints, got.complaint)
		}
	}
	if complaints != nil {
		return complaints, nil, nil
	}
	for _, s := range m.seeds {
		clear(s) // of members that sent nothing that counts
	}
	c := &wire.Confirmation{Epoch: m.cfg.Epoch, Attempt: m.cfg.Attempt, Member: m.me(), Transcript: Transcript(g)}
	c.Signature = ed25519.Sign(m.identity, ConfirmationBytes(m.cfg.ChainID, c))
	return nil, c, nil
}

// take opens what member i contributed, once.
func (m *Member) take(i uint32, as *wire.GenerationMember, c *wire.Contribution) (*opened, error) {
	if o := m.received[i]; o != nil && bytes.Equal(o.hash, as.ContributionHash) {
		return o, nil
	}
	if m.received[i] != nil || c == nil || c.Member != i || !bytes.Equal(wire.Hash(c), as.ContributionHash) {
		return nil, fmt.Errorf("this is not what member %d contributed", i)
	}
	key, err := oneTimeKey(m.seeds[i])
	if err != nil {
		return nil, err
	}
	defer forget(key)
	o := &opened{hash: as.ContributionHash}
	if o.values, err = open(m.round, m.sets, c, m.me(), key); err != nil {
		k := &wire.Complaint{Epoch: m.cfg.Epoch, Attempt: m.cfg.Attempt, Member: m.me(), Against: i, OneTimeKey: bytes.Clone(m.seeds[i])}
		k.Signature = ed25519.Sign(m.identity, ComplaintBytes(m.cfg.ChainID, k))
		o.complaint = k
	}
	clear(m.seeds[i])
	m.received[i] = o
	return o, nil
}
