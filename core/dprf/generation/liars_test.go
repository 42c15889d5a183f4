package generation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// forge lets member liar send another contribution than it made, signed, which it then stands by.
func (x *network) forge(liar int, change func(m *Member, c *wire.Contribution)) {
	x.liar = liar + 1
	done := false
	x.lie = func(s wire.Message) []wire.Message {
		c, ok := s.(*wire.Contribution)
		if !ok || int(c.Member) != liar || done {
			return nil
		}
		done = true
		var forged wire.Contribution
		if err := wire.Unmarshal(wire.Marshal(c), &forged); err != nil {
			x.t.Fatal(err)
		}
		m := x.members[liar]
		change(m, &forged)
		forged.Signature = ed25519.Sign(identityOf(liar), ContributionBytes(chainID, &forged))
		m.said = &forged
		return []wire.Message{&forged}
	}
}

// reseal seals plain to a member as the liar would.
func (x *network) reseal(m *Member, c *wire.Contribution, to uint32, plain []byte) {
	pk, err := seal.PublicKey(x.view.Joins[to].OneTimeKeys[m.me()])
	if err != nil {
		x.t.Fatal(err)
	}
	enc, s, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), m.round.info(m.me(), to))
	if err != nil {
		x.t.Fatal(err)
	}
	ct, err := s.Seal(aad(c), plain)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, o := range c.Shares {
		if o.To == to {
			o.Enc, o.Ciphertext = enc, ct
		}
	}
}

// plain is what the liar should have sealed, and did before it changed its mind.
func (x *network) plain(m *Member, to uint32) []byte {
	key, err := oneTimeKey(x.seeds[to][m.me()])
	if err != nil {
		x.t.Fatal(err)
	}
	values, err := open(m.round, m.sets, m.said, to, key)
	if err != nil {
		x.t.Fatal(err)
	}
	var out []byte
	for ; len(values) > keytree.Size; values = values[keytree.Size:] {
		out = appendShare(out, shareTag, values[:keytree.Size])
	}
	return appendShare(out, beaconTag, values)
}

// A liar of every kind is excluded by name and fault; the rest finish, agree, and hold nothing of what it said.
func TestLiarsAreExcludedAndTheRestFinish(t *testing.T) {
	const liar, victim = 1, 3
	for name, c := range map[string]struct {
		change func(x *network, m *Member, c *wire.Contribution)
		fault  wire.MemberFault
		judged int // complaints that were looked into; who is first is enough
	}{
		"a commitment to another value": {func(x *network, m *Member, c *wire.Contribution) {
			for i := range c.Commitments {
				c.Commitments[i] = bytes.Repeat([]byte{byte(i + 1)}, 32)
			}
			for to := range uint32(4) {
				if to != liar {
					x.reseal(m, c, to, x.plain(m, to))
				}
			}
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"garbage to all": {func(_ *network, _ *Member, c *wire.Contribution) {
			for _, s := range c.Shares {
				clear(s.Ciphertext)
			}
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"garbage to one": {func(_ *network, _ *Member, c *wire.Contribution) { clear(c.Shares[2].Ciphertext) }, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"one value wrong to one": {func(x *network, m *Member, c *wire.Contribution) {
			p := x.plain(m, victim)
			p[5] ^= 1
			x.reseal(m, c, victim, p)
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"two values in each other's place": {func(x *network, m *Member, c *wire.Contribution) {
			p := x.plain(m, victim)
			x.reseal(m, c, victim, append(bytes.Clone(p[shareSize:]), p[:shareSize]...))
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"not the encoding of values": {func(x *network, m *Member, c *wire.Contribution) {
			p := x.plain(m, victim)
			p[0]++
			x.reseal(m, c, victim, p)
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"values of other sizes, as long together": {func(x *network, m *Member, c *wire.Contribution) {
			p := x.plain(m, victim)
			p[1]++
			x.reseal(m, c, victim, p)
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"what was meant for another": {func(_ *network, _ *Member, c *wire.Contribution) {
			c.Shares[2].Enc, c.Shares[2].Ciphertext = c.Shares[1].Enc, c.Shares[1].Ciphertext
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"sealed under a point of low order": {func(_ *network, _ *Member, c *wire.Contribution) {
			clear(c.Shares[2].Enc[seal.EncSize-32:])
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"sealed with other commitments": {func(_ *network, _ *Member, c *wire.Contribution) {
			c.Commitments[0] = make([]byte, 32)
		}, wire.MEMBER_FAULT_BAD_CONTRIBUTION, 1},
		"one commitment less": {func(_ *network, _ *Member, c *wire.Contribution) {
			c.Commitments = c.Commitments[1:]
		}, wire.MEMBER_FAULT_SILENT, 0},
		"nothing for one": {func(_ *network, _ *Member, c *wire.Contribution) { c.Shares = c.Shares[:2] }, wire.MEMBER_FAULT_SILENT, 0},
		"one value less": {func(x *network, m *Member, c *wire.Contribution) {
			x.reseal(m, c, victim, x.plain(m, victim)[shareSize:])
		}, wire.MEMBER_FAULT_SILENT, 0},
	} {
		t.Run(name, func(t *testing.T) {
			x := newNetwork(t, 4, 2, name)
			x.forge(liar, func(m *Member, w *wire.Contribution) { c.change(x, m, w) })
			x.run()
			g := x.view.Generation
			if g.Phase != wire.GENERATION_PHASE_DONE || g.Members[liar].Fault != c.fault || strings.Count(x.faults(), "-") != 3 {
				t.Fatalf("phase %s, faults %s; refused: %v", g.Phase, x.faults(), x.refused)
			}
			if x.judged != c.judged {
				t.Errorf("%d complaints were judged, want %d", x.judged, c.judged)
			}
			keys := x.keys()
			if len(keys) != 3 || len(agree(t, 4, 2, keys)) != 4 {
				t.Errorf("%d members finished", len(keys))
			}
			if _, err := x.members[liar].Keys(g); err == nil {
				t.Error("the liar has keys")
			}
		})
	}
}

// Who lies only to one that is gone is not found, and does no harm: all that are left hold what it committed to.
func TestALieToNobodyDoesNoHarm(t *testing.T) {
	x := newNetwork(t, 4, 2, "lie to the dead")
	x.forge(0, func(_ *Member, c *wire.Contribution) { clear(c.Shares[1].Ciphertext) }) // for member 2
	x.block()
	x.block()
	x.down[2] = true
	x.run()
	if x.faults() != "--S-" {
		t.Fatalf("faults %s", x.faults())
	}
	agree(t, 4, 2, x.keys())
}

// A complaint about what is right excludes who made it; one with another key than the join gave does not count at all.
func TestFalseComplaints(t *testing.T) {
	complain := func(x *network, who, against uint32, key []byte) *wire.Complaint {
		k := &wire.Complaint{Epoch: 1, Attempt: 1, Member: who, Against: against, OneTimeKey: key}
		k.Signature = ed25519.Sign(identityOf(int(who)), ComplaintBytes(chainID, k))
		return k
	}
	instead := func(x *network, who uint32, key func() []byte) {
		x.lie = func(s wire.Message) []wire.Message {
			if c, ok := s.(*wire.Confirmation); ok && c.Member == who {
				return []wire.Message{complain(x, who, 2, key())}
			}
			return nil
		}
	}
	t.Run("about what is right", func(t *testing.T) {
		x := newNetwork(t, 4, 2, "false")
		instead(x, 0, func() []byte { return x.seeds[0][2] })
		x.run()
		if x.faults() != "F---" || x.judged != 1 {
			t.Fatalf("faults %s, refused %v", x.faults(), x.refused)
		}
		agree(t, 4, 2, x.keys())
	})
	for name, key := range map[string]func(x *network) []byte{
		"with the key for another": func(x *network) []byte { return x.seeds[0][1] },
		"with the key of another":  func(x *network) []byte { return x.seeds[1][2] },
		"without a key":            func(*network) []byte { return nil },
		"with a longer key":        func(x *network) []byte { return append(bytes.Clone(x.seeds[0][2]), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newNetwork(t, 4, 2, name)
			instead(x, 0, func() []byte { return key(x) })
			x.run()
			if x.faults() != "S---" || x.judged != 0 || len(x.refused) == 0 {
				t.Fatalf("faults %s, %d judged", x.faults(), x.judged)
			}
			agree(t, 4, 2, x.keys())
		})
	}
}

// Whoever falls silent at whatever step, alone or with another: the rest finish while t are left, and else it fails.
func TestACrashAtEachStep(t *testing.T) {
	phases := []wire.GenerationPhase{wire.GENERATION_PHASE_JOIN, wire.GENERATION_PHASE_CONTRIBUTE, wire.GENERATION_PHASE_CONFIRM}
	run := func(least uint32, crash map[int]wire.GenerationPhase) {
		t.Run(fmt.Sprintf("%v of which %d are enough", crash, least), func(t *testing.T) {
			x := newNetwork(t, 4, 2, "crash")
			x.least = least
			for x.view.Generation.Phase < wire.GENERATION_PHASE_DONE {
				for i, p := range crash {
					x.down[i] = x.down[i] || x.view.Generation.Phase == p
				}
				x.block()
			}
			want := wire.GENERATION_PHASE_DONE
			if 4-len(crash) < int(least) {
				want = wire.GENERATION_PHASE_FAILED
			}
			if x.view.Generation.Phase != want {
				t.Fatalf("phase %s, faults %s", x.view.Generation.Phase, x.faults())
			}
			for i, m := range x.view.Generation.Members {
				if _, gone := crash[i]; want == wire.GENERATION_PHASE_DONE && gone != (m.Fault == wire.MEMBER_FAULT_SILENT) {
					t.Errorf("faults %s", x.faults())
				}
			}
			if want == wire.GENERATION_PHASE_DONE {
				agree(t, 4, 2, x.keys())
			}
			if x.height > 100+3*6 {
				t.Errorf("it took until height %d", x.height)
			}
		})
	}
	for a := range 4 {
		for _, p := range phases {
			run(3, map[int]wire.GenerationPhase{a: p})
			for b := range a {
				for _, q := range phases {
					run(2, map[int]wire.GenerationPhase{a: p, b: q})
					run(3, map[int]wire.GenerationPhase{a: p, b: q})
				}
			}
		}
	}
}

// adversary is what a coalition knows at the end: c_{B,i} for every contribution that its members made, that opens with a key of
// theirs, or with one that somebody's complaint has shown to all.
func (x *network) adversary(coalition dprf.Set) map[string]bool {
	known := map[string]bool{}
	var keys []hpke.PrivateKey
	learn := func(seed []byte) {
		key, err := oneTimeKey(seed)
		if err != nil {
			x.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for i := range x.members {
		if coalition.Holds(i) {
			continue
		}
		for _, s := range x.seeds[i] {
			if s != nil {
				learn(s)
			}
		}
		for v := x.drawn[i]; len(v) > 0; v = v[keytree.Size:] {
			known[string(v[:keytree.Size])] = true
		}
	}
	for _, s := range x.record {
		if k, ok := s.(*wire.Complaint); ok && len(k.OneTimeKey) == SeedSize {
			learn(k.OneTimeKey)
		}
	}
	for _, s := range x.record {
		c, ok := s.(*wire.Contribution)
		if !ok {
			continue
		}
		for _, o := range c.Shares {
			for _, key := range keys {
				r, err := hpke.NewRecipient(o.Enc, key, hpke.HKDFSHA256(), hpke.AES256GCM(), round{chainID, 1, 1}.info(c.Member, o.To))
				if err != nil {
					continue
				}
				if p, err := r.Open(aad(c), o.Ciphertext); err == nil {
					for ; len(p) >= shareSize; p = p[shareSize:] {
						known[string(p[2:shareSize])] = true
					}
				}
			}
		}
	}
	return known
}

// P6: t-1 members with all they have ever had, all that was ever sent, liars and complaints true and false among them, know
// nothing of what honest members contributed to the one key that the t-1 are not to hold; and all of every other key.
func TestP06_OneLessThanThresholdLearnsNothingOfTheLastKey(t *testing.T) {
	for _, size := range [][2]int{{3, 2}, {4, 2}, {5, 3}} {
		n, k := size[0], size[1]
		coalitions, err := dprf.Sets(n, k)
		if err != nil {
			t.Fatal(err)
		}
		for c, coalition := range coalitions {
			liar := 0
			for coalition.Holds(liar) {
				liar++
			}
			honest := 0
			for !coalition.Holds(honest) {
				honest++
			}
			for i, kind := range []string{"honest to the end", "a bad contribution", "a false complaint"} {
				if n > 4 && i != c%3 {
					continue // one kind a coalition is enough
				}
				t.Run(fmt.Sprintf("%d of %d, coalition %b, %s", k, n, coalition, kind), func(t *testing.T) {
					x := newNetwork(t, n, k, kind)
					want := "-"
					switch kind {
					case "a bad contribution":
						want = "B"
						x.forge(liar, func(_ *Member, c *wire.Contribution) {
							for _, s := range c.Shares {
								clear(s.Ciphertext)
							}
						})
					case "a false complaint":
						want = "F"
						x.lie = func(s wire.Message) []wire.Message {
							if c, ok := s.(*wire.Confirmation); ok && int(c.Member) == liar {
								k := &wire.Complaint{Epoch: 1, Attempt: 1, Member: uint32(liar), Against: uint32(honest), OneTimeKey: x.seeds[liar][honest]}
								k.Signature = ed25519.Sign(identityOf(liar), ComplaintBytes(chainID, k))
								return []wire.Message{k}
							}
							return nil
						}
					}
					x.run()
					if x.view.Generation.Phase != wire.GENERATION_PHASE_DONE || x.faults()[liar:liar+1] != want {
						t.Fatalf("phase %s, faults %s, refused %v", x.view.Generation.Phase, x.faults(), x.refused)
					}
					known := x.adversary(coalition)
					sets, _ := dprf.Sets(n, k)
					for i := range n {
						for v, b := range held(sets, uint32(i)) {
							isKnown := known[string(x.drawn[i][v*keytree.Size:(v+1)*keytree.Size])]
							if secret := b == coalition; isKnown == secret {
								t.Errorf("what member %d contributed to the key of %b: known is %v", i, b, isKnown)
							}
						}
					}
				})
			}
		}
	}
}
