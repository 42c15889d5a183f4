// Package redistribution hands the parts of one cluster secret, which old gatekeepers have kept for a cluster that lags, to the
// gatekeepers of a new set, without anybody seeing the secret. Each part is split for every set B' of the new family:
//
//	share(B, B') = HKDF(part of B, new set || B'), the last share closing the XOR to the part
//	new part of B' = XOR over B of share(B, B')
//
// All old holders of a part come to equal shares, so their receivers compare them. docs/spec/keys.md says why it is safe. It must
// never see a k_B, nor send a share for B' to a member of B'.
package redistribution

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// Family is n gatekeepers of whom t are needed.
type Family struct{ N, T int }

// Target is the new set that parts are split for.
type Target struct {
	Family
	ID [sha256.Size]byte // SHA-256 of the deterministic wire.GatekeeperSet
}

// To reads the new set, and refuses one that has no sets.
func To(set *wire.GatekeeperSet) (Target, error) {
	if set == nil || set.Threshold > dprf.MaxN {
		return Target{}, fmt.Errorf("redistributing: to no set, or threshold %d", set.GetThreshold())
	}
	t := Target{Family: Family{len(set.Members), int(set.Threshold)}}
	if _, err := dprf.Sets(t.N, t.T); err != nil {
		return Target{}, fmt.Errorf("redistributing: %w", err)
	}
	copy(t.ID[:], wire.Hash(set))
	return t, nil
}

// Split splits a part into one share for each B' of the new family, ascending. The caller wipes them.
func (t Target) Split(part dprf.Part) ([]dprf.Part, error) {
	sets, err := dprf.Sets(t.N, t.T)
	if err != nil {
		return nil, fmt.Errorf("splitting a part: %w", err)
	}
	secret, err := keytree.NewSecret(part.Value)
	if err != nil {
		return nil, fmt.Errorf("splitting a part: %w", err)
	}
	defer secret.Wipe()
	out := make([]dprf.Part, len(sets))
	last := make([]byte, keytree.Size)
	copy(last, part.Value)
	for i, b := range sets[:len(sets)-1] {
		out[i] = dprf.Part{Set: b, Value: secret.Key("phala/redistribution/v1", t.ID[:], binary.BigEndian.AppendUint32(nil, uint32(b)))}
		xor(last, out[i].Value)
	}
	out[len(sets)-1] = dprf.Part{Set: sets[len(sets)-1], Value: last}
	return out, nil
}

// For gives what an old holder sends to a new member: for each part that it has kept, the shares for all B' that the member is
// outside of, ascending, one after another. The caller seals and wipes them.
func (t Target) For(kept []dprf.Part, member int) ([]dprf.Part, error) {
	if member < 0 || member >= t.N {
		return nil, fmt.Errorf("redistributing: there is no new member %d of %d", member, t.N)
	}
	out := make([]dprf.Part, 0, len(kept))
	for _, p := range kept {
		shares, err := t.Split(p)
		if err != nil {
			return nil, fmt.Errorf("redistributing set %b: %w", p.Set, err)
		}
		var v []byte
		for _, s := range shares {
			if s.Set.Holds(member) {
				v = append(v, s.Value...)
			}
			clear(s.Value)
		}
		out = append(out, dprf.Part{Set: p.Set, Value: v})
	}
	return out, nil
}

// Receiver collects what old holders send to one new member. It does not print.
type Receiver struct {
	from Family
	to   Target
	me   int
	mine []dprf.Set
	sent map[int][]dprf.Part
}

// NewReceiver is for member me of the new set.
func NewReceiver(from Family, to Target, me int) (*Receiver, error) {
	if _, err := dprf.Sets(from.N, from.T); err != nil {
		return nil, fmt.Errorf("receiving parts: %w", err)
	}
	sets, err := dprf.Sets(to.N, to.T)
	if err != nil {
		return nil, fmt.Errorf("receiving parts: %w", err)
	}
	if me < 0 || me >= to.N {
		return nil, fmt.Errorf("receiving parts: there is no new member %d of %d", me, to.N)
	}
	r := &Receiver{from: from, to: to, me: me, sent: map[int][]dprf.Part{}}
	for _, b := range sets {
		if b.Holds(me) {
			r.mine = append(r.mine, b)
		}
	}
	return r, nil
}

// Step takes what old gatekeeper i sent, once; it keeps it until Wipe. It refuses what no holder sends.
func (r *Receiver) Step(i int, shares []dprf.Part) error {
	if i < 0 || i >= r.from.N {
		return fmt.Errorf("receiving parts: there is no old gatekeeper %d of %d", i, r.from.N)
	}
	if r.sent[i] != nil {
		return fmt.Errorf("receiving parts: gatekeeper %d has sent its shares", i)
	}
	held := 0
	sets, err := dprf.Sets(r.from.N, r.from.T)
	if err != nil {
		return fmt.Errorf("receiving parts: %w", err)
	}
	for _, b := range sets {
		if !b.Holds(i) {
			continue
		}
		if held >= len(shares) || shares[held].Set != b || len(shares[held].Value) != len(r.mine)*keytree.Size {
			return fmt.Errorf("receiving parts: gatekeeper %d sent no %d shares for set %b at place %d", i, len(r.mine), b, held)
		}
		held++
	}
	if held != len(shares) {
		return fmt.Errorf("receiving parts: gatekeeper %d sent shares for %d sets, it holds %d", i, len(shares), held)
	}
	r.sent[i] = shares
	return nil
}

// Parts gives the member's new parts, ascending, once every old part has come from at least witnesses holders that agree: with 1,
// nobody is compared where one holder has sent; with dprf.Majority nobody lied unless so many did. Suspects and what is decided
// between holders who differ are those of dprf.Agree.
func (r *Receiver) Parts(witnesses int) (parts []dprf.Part, suspects []int, err error) {
	values, votes, suspects, err := dprf.Agree(r.from.N, r.from.T, len(r.mine)*keytree.Size, r.sent)
	if err != nil {
		return nil, suspects, fmt.Errorf("receiving parts: %w", err)
	}
	for i, n := range votes {
		if n < witnesses {
			return nil, suspects, fmt.Errorf("receiving parts: %d holders of set %b have sent their shares, %d are to", n, values[i].Set, witnesses)
		}
	}
	for k, b := range r.mine {
		p := dprf.Part{Set: b, Value: make([]byte, keytree.Size)}
		for _, v := range values {
			xor(p.Value, v.Value[k*keytree.Size:(k+1)*keytree.Size])
		}
		parts = append(parts, p)
	}
	return parts, suspects, nil
}

// Wipe overwrites what was received.
func (r *Receiver) Wipe() {
	for i, shares := range r.sent {
		for _, s := range shares {
			clear(s.Value)
		}
		delete(r.sent, i)
	}
}

// Format prints nothing of what was received, whatever the verb.
func (Receiver) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redistribution receiver]")) }

// LogValue prints nothing of what was received.
func (Receiver) LogValue() slog.Value { return slog.StringValue("[redistribution receiver]") }

// MarshalText refuses: shares live in memory alone.
func (Receiver) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a redistribution: refused")
}

func xor(acc, b []byte) {
	for i := range acc {
		acc[i] ^= b[i]
	}
}
