package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/dprf/redistribution"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

var lagging = keptLabel{cluster: 1, epoch: 1, roster: 1}

// keepers are 2 of 4 with the identities a, b, c, d.
func keepers(epoch uint64) *wire.GatekeeperSet {
	s := &wire.GatekeeperSet{Epoch: epoch, Threshold: 2, Height: 10 * epoch}
	for i := range 4 {
		s.Members = append(s.Members, &wire.GatekeeperMember{Worker: keeperName(i), IdentityKey: pub(key(byte('a' + i)))})
	}
	return s
}

func keeperName(i int) *wire.WorkerRef { return &wire.WorkerRef{Operator: "keeper", Slot: uint32(i)} }

// holder is number i of them, which keeps parts of the lagging label in the family of epoch 2.
func holder(t *testing.T, i int) (*Gatekeeper, *chain) {
	t.Helper()
	cfg := config()
	cfg.Identity, cfg.Worker = key(byte('a'+i)), func() *wire.WorkerRef { return keeperName(i) }
	g := New(cfg)
	g.limits.begin()
	g.kept.lags[lagging] = true
	sets, err := dprf.Sets(4, 2)
	if err != nil {
		t.Fatal(err)
	}
	var parts []dprf.Part
	for _, b := range sets {
		if b.Holds(i) {
			parts = append(parts, dprf.Part{Set: b, Value: bytes.Repeat([]byte{byte(b)}, keytree.Size)})
		}
	}
	g.kept.put(lagging, 2, parts)
	return g, &chain{height: 100, set: keepers(3), previous: keepers(2)}
}

func (g *Gatekeeper) asks(c *chain, t *testing.T) (*pull, *wire.KeptRequest) {
	t.Helper()
	me, ok := g.place(c.set)
	if !ok {
		t.Fatal("it has no place in the set")
	}
	p, err := newPull(c, me)
	if err != nil {
		t.Fatal(err)
	}
	r := &wire.KeptRequest{Cluster: 1, Epoch: 1, Roster: 1, To: 3, Gatekeeper: g.cfg.Worker(), OneTimeKey: p.key.PublicKey().Bytes()}
	r.Signature = ed25519.Sign(g.cfg.Identity, g.requestBytes(r))
	return p, r
}

// One of the four that keep parts asks the others, of whom one lies: it comes to the parts of the same secret, and says who it was.
func TestHandingOn(t *testing.T) {
	g, c := holder(t, 3)
	p, r := g.asks(c, t)
	g.own(c, lagging, p, 3)
	for i := range 3 {
		old, _ := holder(t, i)
		if i == 1 {
			old.kept.parts[lagging][2][0].Value[0] ^= 1
		}
		s, err := old.answer(c, lagging, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.takeShares(c, lagging, p, s); err != nil {
			t.Fatal(err)
		}
	}
	outs := g.collect(c, lagging, p)
	parts := g.kept.parts[lagging][3]
	if len(parts) != 3 || len(outs) != 1 || !strings.Contains(outs[0].GetFailure().GetMessage(), "gatekeepers [1] of epoch 2") {
		t.Fatalf("%d parts, said %v", len(parts), outs)
	}
	target, err := redistribution.To(c.set)
	if err != nil {
		t.Fatal(err)
	}
	for k, part := range parts {
		want := make([]byte, keytree.Size)
		for _, b := range []dprf.Set{1, 2, 4, 8} {
			shares, err := target.Split(dprf.Part{Set: b, Value: bytes.Repeat([]byte{byte(b)}, keytree.Size)})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(shares, func(s dprf.Part) bool { return s.Set == part.Set })
			for j := range want {
				want[j] ^= shares[i].Value[j]
			}
		}
		if !bytes.Equal(part.Value, want) {
			t.Errorf("part %d is another", k)
		}
	}
	if e := g.keptEpoch(lagging); e == nil || e.family != 3 || e.number != 1 || len(e.keys) != 0 {
		t.Errorf("what is given of the label is %v", e)
	}
}

// Nothing is handed on but to a member of the set in force, of what lags, once it is its turn.
func TestWhoIsRefusedShares(t *testing.T) {
	asks, _ := holder(t, 3)
	for name, change := range map[string]func(*Gatekeeper, *chain, *wire.KeptRequest) bool{ // true: to be signed again
		"a stranger": func(_ *Gatekeeper, _ *chain, r *wire.KeptRequest) bool { r.Gatekeeper = asker(); return true },
		"an excluded one": func(_ *Gatekeeper, c *chain, _ *wire.KeptRequest) bool {
			c.set.Members[3].Fault = wire.MEMBER_FAULT_LOST
			return false
		},
		"another boot": func(_ *Gatekeeper, c *chain, _ *wire.KeptRequest) bool {
			c.set.Members[3].IdentityKey = pub(key('x'))
			return false
		},
		"no identity": func(_ *Gatekeeper, c *chain, _ *wire.KeptRequest) bool {
			c.set.Members[3].IdentityKey = nil
			return false
		},
		"not signed":        func(_ *Gatekeeper, _ *chain, r *wire.KeptRequest) bool { r.Signature = nil; return false },
		"changed":           func(_ *Gatekeeper, _ *chain, r *wire.KeptRequest) bool { r.Roster++; return false },
		"a key too short":   func(_ *Gatekeeper, _ *chain, r *wire.KeptRequest) bool { r.OneTimeKey = r.OneTimeKey[1:]; return true },
		"it does not lag":   func(g *Gatekeeper, _ *chain, _ *wire.KeptRequest) bool { delete(g.kept.lags, lagging); return false },
		"nothing is kept":   func(g *Gatekeeper, _ *chain, _ *wire.KeptRequest) bool { g.kept.drop(lagging); return false },
		"of another family": func(_ *Gatekeeper, c *chain, _ *wire.KeptRequest) bool { c.previous.Epoch = 1; return false },
		"lost its own place": func(_ *Gatekeeper, c *chain, _ *wire.KeptRequest) bool {
			c.previous.Members[0].Fault = wire.MEMBER_FAULT_LOST
			return false
		},
		"too often": func(g *Gatekeeper, _ *chain, r *wire.KeptRequest) bool {
			for range perWorker {
				if err := g.limits.allow("kept/" + r.Gatekeeper.Name()); err != nil {
					break
				}
			}
			return false
		},
	} {
		g, c := holder(t, 0)
		_, r := asks.asks(c, t)
		if change(g, c, r) {
			r.Signature = ed25519.Sign(asks.cfg.Identity, asks.requestBytes(r))
		}
		if s, err := g.answer(c, lagging, r); err == nil {
			t.Errorf("%s: it is answered with %v", name, s)
		}
	}
}

// What comes in place of shares changes nothing.
func TestForgedSharesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*wire.KeptShares) int{ // whose signature it gets; -1: none
		"a stranger's":      func(s *wire.KeptShares) int { s.Gatekeeper = asker(); return 0 },
		"another's":         func(s *wire.KeptShares) int { s.Gatekeeper = keeperName(1); return 0 },
		"changed":           func(s *wire.KeptShares) int { s.Ciphertext[0] ^= 1; return -1 },
		"sealed otherwise":  func(s *wire.KeptShares) int { s.Ciphertext[0] ^= 1; return 0 },
		"of another holder": func(s *wire.KeptShares) int { s.Gatekeeper = keeperName(1); return 1 },
		"for another label": func(s *wire.KeptShares) int { s.Roster = 2; return 0 },
	} {
		g, c := holder(t, 3)
		p, r := g.asks(c, t)
		old, _ := holder(t, 0)
		s, err := old.answer(c, lagging, r)
		if err != nil {
			t.Fatal(err)
		}
		if by := change(s); by >= 0 {
			s.Signature = ed25519.Sign(key(byte('a'+by)), g.sharesBytes(s))
		}
		if err := g.takeShares(c, lagging, p, s); err == nil || len(p.heard) != 0 {
			t.Errorf("%s: taken", name)
		}
	}
}

// Which labels of a cluster lag, the gatekeepers being in epoch 5.
func TestWhatLags(t *testing.T) {
	for name, c := range map[string]struct {
		cluster wire.Cluster
		want    []keptLabel
	}{
		"it follows":                  {wire.Cluster{Id: 1, Epoch: 5, Roster: 1, PreviousEpoch: 4, PreviousRoster: 1}, nil},
		"it is behind by one":         {wire.Cluster{Id: 1, Epoch: 4, Roster: 1, PreviousEpoch: 3, PreviousRoster: 1}, []keptLabel{{1, 3, 1}, {1, 4, 1}}},
		"it has caught up from afar":  {wire.Cluster{Id: 1, Epoch: 5, Roster: 2, PreviousEpoch: 2, PreviousRoster: 2}, []keptLabel{{1, 2, 2}}},
		"it has never had a key":      {wire.Cluster{Id: 1, Roster: 1}, nil},
		"it was made an epoch before": {wire.Cluster{Id: 1, Epoch: 4, Roster: 1}, []keptLabel{{1, 4, 1}}},
	} {
		g := New(config())
		g.kept.survey = survey{found: map[keptLabel]bool{}, named: map[keptLabel]bool{}}
		g.note(&c.cluster, true, 5)
		var got []keptLabel
		for l := range g.kept.survey.found {
			got = append(got, l)
		}
		slices.SortFunc(got, keptLabel.compare)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Memory is bounded, and money goes first.
func TestMoneyGoesFirstWhereThereIsNoRoom(t *testing.T) {
	k := newKeeping()
	s := survey{found: map[keptLabel]bool{}}
	for i := range uint64(maxKept + 10) {
		l := keptLabel{i, 1, 1}
		s.find(l, false)
		if got := k.put(l, 2, []dprf.Part{{Value: []byte{1}}}); got != (i < maxKept) {
			t.Fatalf("label %d of a cluster without money: %v", i, got)
		}
	}
	rich := keptLabel{1000, 1, 1}
	s.find(rich, true)
	if _, there := s.found[rich]; !there || len(s.found) != maxKept {
		t.Errorf("of %d labels that lag, the one with money is not", len(s.found))
	}
	k.lags[rich] = true
	if !k.put(rich, 2, []dprf.Part{{Value: []byte{1}}}) || len(k.parts) != maxKept {
		t.Errorf("the one with money has no room among %d", len(k.parts))
	}
	for l := range k.parts {
		k.lags[l] = true
	}
	k.lags[keptLabel{1001, 1, 1}] = true
	if k.put(keptLabel{1001, 1, 1}, 2, nil) || len(k.parts) != maxKept {
		t.Error("what money lies in was dropped for another")
	}
}

// Parts end with their family, with their label, and with the identity; each is overwritten.
func TestKeptPartsEnd(t *testing.T) {
	for name, end := range map[string]func(*Gatekeeper, *chain){
		"two sets on":     func(g *Gatekeeper, c *chain) { c.previous, c.set = keepers(3), keepers(4); g.outdated(c) },
		"place lost":      func(g *Gatekeeper, c *chain) { c.previous.Members[0].Fault = wire.MEMBER_FAULT_LOST; g.outdated(c) },
		"no longer named": func(g *Gatekeeper, _ *chain) { g.surveyed() },
		"identity lost":   func(g *Gatekeeper, _ *chain) { g.Wipe() },
	} {
		g, c := holder(t, 0)
		value := g.kept.parts[lagging][2][0].Value
		g.outdated(c)
		if len(g.kept.parts) != 1 {
			t.Fatal("they ended before their time")
		}
		end(g, c)
		if len(g.kept.parts) != 0 || !bytes.Equal(value, make([]byte, keytree.Size)) {
			t.Errorf("%s: %d labels are kept, the first value is %x", name, len(g.kept.parts), value)
		}
	}
}
