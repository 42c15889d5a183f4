package generation

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// Judge decides complaint k about contribution c, with the join of who complains: it opens what was sent as its receiver would
// and names who is excluded, the sender of what is not as committed or the receiver who says so of what is. An error is about a
// complaint that does not count, and puts nobody at fault.
//
// It opens nothing that the two do not know both: see docs/spec/keys.md.
func Judge(chainID string, g *wire.Generation, join *wire.GenerationJoin, c *wire.Contribution, k *wire.Complaint) (excluded uint32, fault wire.MemberFault, err error) {
	sets, seed, err := admit(chainID, g, join, c, k)
	if err != nil {
		return 0, wire.MEMBER_FAULT_NONE, fmt.Errorf("judging a complaint: %w", err)
	}
	defer forget(seed)
	values, bad := open(round{chainID, g.Epoch, g.Attempt}, sets, c, k.Member, seed)
	if bad != nil {
		return k.Against, wire.MEMBER_FAULT_BAD_CONTRIBUTION, nil
	}
	clear(values)
	return k.Member, wire.MEMBER_FAULT_FALSE_COMPLAINT, nil
}

// admit says whether a complaint is to be looked into: of this attempt, by a member that has not confirmed, about another that
// contributed, neither excluded, with the private half of the key that the join gave for it.
func admit(chainID string, g *wire.Generation, join *wire.GenerationJoin, c *wire.Contribution, k *wire.Complaint) ([]dprf.Set, hpke.PrivateKey, error) {
	m, sets, err := sender(g, wire.GENERATION_PHASE_CONFIRM, k.GetEpoch(), k.GetAttempt(), k.GetMember())
	if err != nil {
		return nil, nil, err
	}
	if m.Confirmed {
		return nil, nil, fmt.Errorf("member %d has confirmed", k.Member)
	}
	if k.Against == k.Member {
		return nil, nil, fmt.Errorf("member %d complains about itself", k.Member)
	}
	accused, err := active(g, k.Against)
	if err != nil {
		return nil, nil, err
	}
	if join == nil || !bytes.Equal(wire.Hash(join), m.JoinHash) || len(join.OneTimeKeys) != len(g.Members) {
		return nil, nil, fmt.Errorf("this is not how member %d joined", k.Member)
	}
	if c == nil || c.Member != k.Against || !bytes.Equal(wire.Hash(c), accused.ContributionHash) {
		return nil, nil, fmt.Errorf("this is not what member %d contributed", k.Against)
	}
	if !signed(m, ComplaintBytes(chainID, k), k.Signature) {
		return nil, nil, fmt.Errorf("not signed by member %d, for chain %s", k.Member, chainID)
	}
	if len(k.OneTimeKey) != SeedSize {
		return nil, nil, fmt.Errorf("one-time key of %d bytes, want %d", len(k.OneTimeKey), SeedSize)
	}
	key, err := oneTimeKey(k.OneTimeKey)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(key.PublicKey().Bytes(), join.OneTimeKeys[k.Against]) {
		forget(key)
		return nil, nil, fmt.Errorf("its key is not the one that member %d gave member %d", k.Member, k.Against)
	}
	return sets, key, nil
}

// open opens what c holds for member to and checks it against c's commitments: 32 bytes for each common set, ascending, one
// after another, and the member's value for the beacon. The caller wipes them. Every error is the sender's fault, and the same for its receiver as for the chain.
func open(r round, sets []dprf.Set, c *wire.Contribution, to uint32, key hpke.PrivateKey) ([]byte, error) {
	var s *wire.SealedShares
	for _, o := range c.Shares {
		if o != nil && o.To == to {
			s = o
			break
		}
	}
	own := held(sets, c.Member)
	if s == nil || len(c.Commitments) != len(own) {
		return nil, fmt.Errorf("member %d sent nothing to member %d", c.Member, to)
	}
	recipient, err := hpke.NewRecipient(s.Enc, key, hpke.HKDFSHA256(), hpke.AES256GCM(), r.info(c.Member, to))
	if err != nil {
		return nil, fmt.Errorf("opening the shares of member %d: %w", c.Member, err)
	}
	plain, err := recipient.Open(aad(c), s.Ciphertext)
	if err != nil {
		return nil, fmt.Errorf("opening the shares of member %d: sealed to another key or round, or changed", c.Member)
	}
	defer clear(plain)
	values, err := shares(plain, len(held(sets, c.Member, to)))
	if err != nil {
		return nil, fmt.Errorf("opening the shares of member %d: %w", c.Member, err)
	}
	rest := values
	for i, b := range own {
		if !b.Holds(int(to)) {
			continue
		}
		want := r.commitment(b, c.Member, rest[:keytree.Size])
		if !bytes.Equal(want[:], c.Commitments[i]) {
			clear(values)
			return nil, fmt.Errorf("opening the shares of member %d: the one for set %b is not what it committed to", c.Member, b)
		}
		rest = rest[keytree.Size:]
	}
	if err := beacon.CheckShare(c.Beacon, int(to), rest); err != nil {
		clear(values)
		return nil, fmt.Errorf("opening the shares of member %d: %w", c.Member, err)
	}
	return values, nil
}

// shares reads the one encoding of wire.Shares with n values, without a copy that nobody wipes: the values, then the beacon's.
func shares(plain []byte, n int) ([]byte, error) {
	if len(plain) != (n+1)*shareSize {
		return nil, fmt.Errorf("%d bytes, want %d values of 32", len(plain), n+1)
	}
	values := make([]byte, 0, (n+1)*keytree.Size)
	for ; len(plain) > 0; plain = plain[shareSize:] {
		tag := byte(shareTag)
		if len(plain) == shareSize {
			tag = beaconTag
		}
		if plain[0] != tag || plain[1] != keytree.Size {
			clear(values)
			return nil, errors.New("not values of 32 bytes")
		}
		values = append(values, plain[2:shareSize]...)
	}
	return values, nil
}

// appendShare is the inverse: one value of wire.Shares.
func appendShare(b []byte, tag byte, value []byte) []byte {
	b = append(b, tag, keytree.Size)
	return append(b, value...)
}

// Fields 1 and 2 with a length, as protobuf writes them.
const (
	shareTag  = 1<<3 | 2
	beaconTag = 2<<3 | 2
)
