package generation

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

// shares gives the beacon's shares of every member that finished.
func (x *network) shares() map[int]*beacon.Share {
	out := map[int]*beacon.Share{}
	for i, m := range x.members {
		if x.down[i] || x.view.Generation.Members[i].Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		s, err := m.Beacon(x.view.Generation)
		if err != nil {
			x.t.Fatalf("beacon share of member %d: %v", i, err)
		}
		out[i] = s
	}
	return out
}

// A generation makes a beacon besides: any t of those that are left sign for the key that the chain adds up, whoever lied.
func TestBeaconOfAGeneration(t *testing.T) {
	for name, lie := range map[string]func(x *network){
		"nobody lies": nil,
		"one is committed to another polynomial than it deals": func(x *network) {
			x.forge(1, func(m *Member, c *wire.Contribution) {
				other, _, err := beacon.Deal(5, 3, random("other", 1))
				if err != nil {
					t.Fatal(err)
				}
				var sent [5][]byte
				for _, s := range c.Shares {
					sent[s.To] = x.plain(m, s.To)
				}
				c.Beacon = other
				for _, s := range c.Shares {
					x.reseal(m, c, s.To, sent[s.To])
				}
			})
		},
	} {
		x := newNetwork(t, 5, 3, name)
		if lie != nil {
			lie(x)
		}
		x.run()
		if g := x.view.Generation; g.Phase != wire.GENERATION_PHASE_DONE || (g.Members[1].Fault == wire.MEMBER_FAULT_BAD_CONTRIBUTION) != (lie != nil) {
			t.Fatalf("%s: %s %s", name, g.Phase, x.faults())
		}
		key, err := BeaconKey(x.view.Generation, x.view.Contributions)
		if err != nil {
			t.Fatal(err)
		}
		g, err := beacon.NewGroup(key.Commitments, int(key.Members))
		if err != nil {
			t.Fatal(err)
		}
		parts := map[int][]byte{}
		for i, s := range x.shares() {
			if parts[i], err = s.Sign(chainID, 1, 7); err != nil {
				t.Fatal(err)
			}
			if err := g.VerifyPart(chainID, 1, 7, i, parts[i]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		whole, err := g.Combine(parts)
		if err != nil {
			t.Fatal(err)
		}
		delete(parts, 0)
		other, err := g.Combine(parts)
		if err != nil || !bytes.Equal(whole, other) {
			t.Errorf("%s: without member 0 another value, or none: %v", name, err)
		}
		if err := beacon.Verify(key.Commitments[0], chainID, 1, 7, whole); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBeaconKeyNeedsWhatTheChainHas(t *testing.T) {
	x := newNetwork(t, 3, 2, "needs")
	if _, err := BeaconKey(x.view.Generation, x.view.Contributions); err == nil {
		t.Error("a key before the end")
	}
	x.run()
	delete(x.view.Contributions, 1)
	if _, err := BeaconKey(x.view.Generation, x.view.Contributions); err == nil {
		t.Error("a key without member 1")
	}
}

func TestContributionNeedsAPolynomial(t *testing.T) {
	x := newNetwork(t, 3, 2, "polynomial")
	x.block()
	c, err := x.members[0].Contribute(x.view.Generation, x.view.Joins, x.random[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][][]byte{
		"none":       nil,
		"one less":   c.Beacon[:1],
		"one more":   append([][]byte{c.Beacon[0]}, c.Beacon...),
		"no points":  {make([]byte, beacon.PublicKeySize), make([]byte, beacon.PublicKeySize)},
		"short ones": {c.Beacon[0], c.Beacon[1][1:]},
	} {
		d := *c
		d.Beacon = b
		d.Signature = ed25519.Sign(identityOf(0), ContributionBytes(chainID, &d))
		if CheckContribution(chainID, x.view.Generation, &d) == nil {
			t.Errorf("%s is enough", name)
		}
	}
	if err := CheckContribution(chainID, x.view.Generation, c); err != nil {
		t.Error(err)
	}
}
