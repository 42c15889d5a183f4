package redistribution

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// kept is what every old gatekeeper has kept: SHA-256(B) as the part of B.
func kept(t testing.TB, f Family) map[int][]dprf.Part {
	t.Helper()
	sets, err := dprf.Sets(f.N, f.T)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int][]dprf.Part{}
	for _, b := range sets {
		v := sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(b)))
		for i := range f.N {
			if b.Holds(i) {
				out[i] = append(out[i], dprf.Part{Set: b, Value: bytes.Clone(v[:])})
			}
		}
	}
	return out
}

func target(t testing.TB, epoch uint64, f Family) Target {
	t.Helper()
	set := &wire.GatekeeperSet{Epoch: epoch, Threshold: uint32(f.T)}
	for i := range f.N {
		set.Members = append(set.Members, &wire.GatekeeperMember{Worker: &wire.WorkerRef{Operator: fmt.Sprint(i)}})
	}
	to, err := To(set)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func shown(t testing.TB, f Family, parts map[int][]dprf.Part) string {
	t.Helper()
	s, suspects, err := dprf.Combine(f.N, f.T, parts)
	if err != nil || suspects != nil {
		t.Fatalf("suspects %v: %v", suspects, err)
	}
	return hex.EncodeToString(s.Key("test"))
}

// move lets the old gatekeepers in who send to every new member.
func move(t testing.TB, from Family, to Target, old map[int][]dprf.Part, who dprf.Set, witnesses int) map[int][]dprf.Part {
	t.Helper()
	out := map[int][]dprf.Part{}
	for j := range to.N {
		r, err := NewReceiver(from, to, j)
		if err != nil {
			t.Fatal(err)
		}
		for i := range from.N {
			if who.Holds(i) {
				continue
			}
			sent, err := to.For(old[i], j)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Step(i, sent); err != nil {
				t.Fatal(err)
			}
		}
		parts, suspects, err := r.Parts(witnesses)
		if err != nil || suspects != nil {
			t.Fatalf("new member %d: suspects %v: %v", j, suspects, err)
		}
		out[j] = parts
		r.Wipe()
	}
	return out
}

// Whatever the sizes, any t old gatekeepers hand the same secret to the new set, of whom any t' come to it; and so on.
func TestTheSecretStaysTheSame(t *testing.T) {
	for _, c := range [][2]Family{{{4, 2}, {4, 2}}, {{4, 2}, {5, 3}}, {{5, 3}, {4, 2}}, {{3, 2}, {3, 3}}, {{1, 1}, {4, 2}}, {{4, 2}, {1, 1}}, {{7, 4}, {4, 2}}} {
		from, to := c[0], target(t, 2, c[1])
		old := kept(t, from)
		want := shown(t, from, old)
		for who := range dprf.Set(1) << from.N {
			if bits.OnesCount32(uint32(who)) != from.T || from.N == 7 && who%5 != 0 {
				continue
			}
			now := move(t, from, to, old, who, 1)
			for some := range dprf.Set(1) << to.N {
				if bits.OnesCount32(uint32(some)) != to.T {
					continue
				}
				few := map[int][]dprf.Part{}
				for j := range to.N {
					if some&(1<<j) != 0 {
						few[j] = now[j]
					}
				}
				if got := shown(t, to.Family, few); got != want {
					t.Fatalf("%v to %v: old %b, new %b come to another secret", from, c[1], who, some)
				}
			}
			again := target(t, 3, Family{3, 2})
			if got := shown(t, again.Family, move(t, to.Family, again, now, 1<<to.N-1, 1)); got != want {
				t.Fatalf("%v to %v and on: another secret", from, c[1])
			}
		}
	}
}

// Old holders send the same, so that one who does not is outvoted and named.
func TestALiarIsNamed(t *testing.T) {
	from, to := Family{4, 2}, target(t, 2, Family{4, 2})
	old := kept(t, from)
	want := shown(t, from, old)
	for liar := range 4 {
		now := map[int][]dprf.Part{}
		for j := range 4 {
			r, err := NewReceiver(from, to, j)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				sent, err := to.For(old[i], j)
				if err != nil {
					t.Fatal(err)
				}
				if i == liar {
					sent[1].Value[7] ^= 1
				}
				if err := r.Step(i, sent); err != nil {
					t.Fatal(err)
				}
			}
			parts, suspects, err := r.Parts(dprf.Majority(4, 2))
			if err != nil || !slices.Equal(suspects, []int{liar}) {
				t.Fatalf("liar %d: suspects %v: %v", liar, suspects, err)
			}
			now[j] = parts
		}
		if shown(t, to.Family, now) != want {
			t.Errorf("liar %d changed the secret", liar)
		}
	}
}

// t-1 old gatekeepers with all they kept, and t'-1 new ones with all that was sent to them, lack one share, without which the
// part that the old ones lack could be anything.
func TestP06_OldAndNewCoalitionsTogetherLackAShare(t *testing.T) {
	from, to := Family{4, 2}, target(t, 2, Family{5, 3})
	old := kept(t, from)
	oldSets, _ := dprf.Sets(from.N, from.T)
	newSets, _ := dprf.Sets(to.N, to.T)
	for _, corrupt := range oldSets {
		for _, with := range newSets {
			known := map[string]bool{}
			for j := range to.N {
				if with.Holds(j) {
					continue
				}
				for i := range from.N {
					sent, err := to.For(old[i], j)
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range sent {
						for v := p.Value; len(v) > 0; v = v[keytree.Size:] {
							known[string(v[:keytree.Size])] = true
						}
					}
				}
			}
			for i := range from.N {
				if corrupt.Holds(i) {
					continue
				}
				for _, p := range old[i] {
					known[string(p.Value)] = true
					shares, err := to.Split(p)
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range shares {
						known[string(s.Value)] = true
					}
				}
			}
			for i := range from.N {
				for _, p := range old[i] {
					shares, err := to.Split(p)
					if err != nil {
						t.Fatal(err)
					}
					if known[string(p.Value)] == (p.Set == corrupt) {
						t.Errorf("old %b: the part of %b is known: %v", corrupt, p.Set, known[string(p.Value)])
					}
					for _, s := range shares {
						if lacks := p.Set == corrupt && s.Set == with; known[string(s.Value)] == lacks {
							t.Errorf("old %b, new %b: the share of %b for %b is known: %v", corrupt, with, p.Set, s.Set, !lacks)
						}
					}
				}
			}
		}
	}
}

// Shares for one set are of no use in another, even of the same members.
func TestSetsSeparate(t *testing.T) {
	p := kept(t, Family{4, 2})[0][0]
	a, err := target(t, 2, Family{4, 2}).Split(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := target(t, 3, Family{4, 2}).Split(p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if bytes.Equal(a[i].Value, b[i].Value) {
			t.Errorf("the share for %b is the same in two epochs", a[i].Set)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	from, to := Family{4, 2}, target(t, 2, Family{4, 2})
	good, err := to.For(kept(t, from)[1], 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from   int
		shares []dprf.Part
	}{
		"no such gatekeeper": {4, good},
		"a negative one":     {-1, good},
		"of another":         {2, good},
		"nothing":            {1, nil},
		"one set less":       {1, good[1:]},
		"one set more":       {1, append(slices.Clone(good), good[0])},
		"out of order":       {1, []dprf.Part{good[1], good[0], good[2]}},
		"a share less":       {1, []dprf.Part{good[0], good[1], {Set: good[2].Set, Value: good[2].Value[32:]}}},
	} {
		r, err := NewReceiver(from, to, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Step(c.from, c.shares); err == nil {
			t.Errorf("%s: taken", name)
		}
		if len(r.sent) != 0 {
			t.Errorf("%s: left a trace", name)
		}
		if err := r.Step(1, good); err != nil {
			t.Errorf("%s: what is right is refused after it: %v", name, err)
		}
		if err := r.Step(1, good); err == nil {
			t.Errorf("%s: taken twice", name)
		}
		if _, _, err := r.Parts(1); err == nil {
			t.Errorf("%s: one of two was enough", name)
		}
	}
	if _, err := To(nil); err == nil {
		t.Error("to nobody")
	}
	if _, err := To(&wire.GatekeeperSet{Threshold: 1 << 31}); err == nil {
		t.Error("to a threshold without end")
	}
	if _, err := NewReceiver(from, to, 4); err == nil {
		t.Error("a member that is none")
	}
	if _, err := NewReceiver(Family{}, to, 0); err == nil {
		t.Error("from nobody")
	}
	if _, err := to.For(nil, -1); err == nil {
		t.Error("for a member that is none")
	}
	if _, err := to.Split(dprf.Part{Set: 1, Value: make([]byte, 31)}); err == nil {
		t.Error("a part of another size")
	}
	r, _ := NewReceiver(from, to, 0)
	if err := r.Step(1, good); err != nil {
		t.Fatal(err)
	}
	if two, err := to.For(kept(t, from)[0], 0); err != nil || r.Step(0, two) != nil {
		t.Fatal("the second is refused")
	}
	if _, _, err := r.Parts(1); err != nil {
		t.Errorf("two are enough without witnesses: %v", err)
	}
	if _, _, err := r.Parts(2); err == nil {
		t.Error("there are no two witnesses for all sets")
	}
	r.Wipe()
	if !bytes.Equal(good[0].Value, make([]byte, len(good[0].Value))) || fmt.Sprintf("%v %+v", r, *r) != "[redistribution receiver] [redistribution receiver]" {
		t.Error("what was received outlives Wipe, or prints")
	}
}
