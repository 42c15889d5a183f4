package dprf

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
)

// lie makes gatekeeper i send other values for the sets that which picks.
func lie(parts map[int][]Part, i int, which func(Set) bool) {
	for k, p := range parts[i] {
		if which(p.Set) {
			v := sha256.Sum256(fmt.Appendf(p.Value, "a lie of %d", i))
			parts[i][k].Value = v[:]
		}
	}
}

func every(Set) bool { return true }

// All n up to 6 with all t: any t come to the secret, and t-1 lack exactly the part of the set that they are.
func TestEveryCoalition(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for k := 1; k <= n; k++ {
			ks := keys(t, n, k)
			want, _, err := Combine(n, k, of(ks, 1<<n-1))
			if err != nil {
				t.Fatal(err)
			}
			for who := range Set(1) << n {
				s, suspects, err := Combine(n, k, of(ks, who))
				if size := bits.OnesCount32(uint32(who)); size >= k {
					if err != nil || suspects != nil || derived(s) != derived(want) {
						t.Fatalf("%d of %d, gatekeepers %b: %v, suspects %v", k, n, who, err, suspects)
					}
				} else if err == nil {
					t.Fatalf("%d of %d: gatekeepers %b came to a secret", k, n, who)
				}
			}
			sets, _ := Sets(n, k)
			for _, who := range sets {
				var lacks []Set
				for _, b := range sets {
					if held := of(ks, who); !slices.ContainsFunc(slices.Concat(values(held)...), func(p Part) bool { return p.Set == b }) {
						lacks = append(lacks, b)
					}
				}
				if !slices.Equal(lacks, []Set{who}) {
					t.Errorf("%d of %d: gatekeepers %b lack %b", k, n, who, lacks)
				}
			}
		}
	}
}

func values(m map[int][]Part) [][]Part {
	var out [][]Part
	for _, p := range m {
		out = append(out, p)
	}
	return out
}

// With the one part that t-1 lack guessed, every secret there is comes out for some guess: what they hold says nothing of it.
func TestWithTheLastPartGuessedAnySecretIsPossible(t *testing.T) {
	ks := keys(t, 4, 3)
	const who = Set(0b0011)
	right, _, err := Combine(4, 3, of(ks, 0b1111))
	if err != nil {
		t.Fatal(err)
	}
	p := of(ks, who)
	seen := map[Set][]byte{}
	for _, x := range slices.Concat(values(p)...) {
		seen[x.Set] = x.Value
	}
	for i := range 100 {
		target := sha256.Sum256(fmt.Appendf(nil, "target %d", i))
		guess := bytes.Clone(target[:])
		for _, v := range seen {
			for k := range guess {
				guess[k] ^= v[k]
			}
		}
		// Gatekeeper 2 would hold the key of who: a guess stands in for its part.
		p[2] = []Part{{who, guess}}
		s, _, err := Combine(4, 3, p)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := keytree.NewSecret(target[:])
		if derived(s) != derived(want) || derived(s) == derived(right) {
			t.Errorf("guess %d did not come to its target", i)
		}
	}
}

// As many liars as can be outvoted, in every place, lying about everything or something: all honest parts give the secret, and
// the liars are named.
func TestLiarsAreOutvoted(t *testing.T) {
	for _, c := range [][2]int{{3, 1}, {4, 2}, {5, 2}, {6, 2}, {7, 4}, {5, 1}} {
		n, k := c[0], c[1]
		ks := keys(t, n, k)
		want, _, err := Combine(n, k, of(ks, 1<<n-1))
		if err != nil {
			t.Fatal(err)
		}
		for liars := range Set(1) << n {
			if size := bits.OnesCount32(uint32(liars)); size == 0 || size >= Majority(n, k) {
				continue
			}
			for name, which := range map[string]func(Set) bool{
				"about all":   every,
				"about some":  func(b Set) bool { return b%3 != 0 || k < 3 },
				"conspiring":  nil,
				"sets in two": func(b Set) bool { return bits.TrailingZeros32(uint32(b))%2 == 0 },
			} {
				p := of(ks, 1<<n-1)
				named := Set(0)
				for i := range n {
					if liars&(1<<i) == 0 {
						continue
					}
					if which == nil { // all liars the same value
						for x := range p[i] {
							p[i][x].Value = bytes.Repeat([]byte{7}, 32)
						}
						named |= 1 << i
						continue
					}
					lie(p, i, which)
					if slices.ContainsFunc(p[i], func(x Part) bool { return which(x.Set) }) {
						named |= 1 << i
					}
				}
				s, suspects, err := Combine(n, k, p)
				if err != nil || derived(s) != derived(want) || !slices.Equal(suspects, members(named)) {
					t.Fatalf("%d of %d, liars %b %s: suspects %v, %v", k, n, liars, name, suspects, err)
				}
			}
		}
	}
}

// While one stands against one, nobody is named and nothing comes out; the third decides.
func TestOneAgainstOneWaitsForAThird(t *testing.T) {
	ks := keys(t, 4, 2)
	want, _, _ := Combine(4, 2, of(ks, 0b1111))
	p := of(ks, 0b0011)
	lie(p, 1, every)
	s, suspects, err := Combine(4, 2, p)
	if s != nil || suspects != nil || err == nil || !strings.Contains(err.Error(), "differ") {
		t.Fatalf("secret %v, suspects %v: %v", s, suspects, err)
	}
	p[3] = parts(ks, 3)
	s, suspects, err = Combine(4, 2, p)
	if err != nil || !slices.Equal(suspects, []int{1}) || derived(s) != derived(want) {
		t.Fatalf("suspects %v: %v", suspects, err)
	}
}

// What no holder sends names its sender, and the rest decides without it.
func TestImpossiblePartsNameTheirSenders(t *testing.T) {
	ks := keys(t, 4, 2)
	for name, c := range map[string]struct {
		liar   int
		change func(p []Part) []Part
	}{
		"a key it cannot hold":    {1, func(p []Part) []Part { return append(p, Part{0b0010, make([]byte, 32)}) }},
		"a value of another size": {0, func(p []Part) []Part { p[0].Value = p[0].Value[:31]; return p }},
		"no value":                {0, func(p []Part) []Part { p[0].Value = nil; return p }},
		"a set outside":           {0, func(p []Part) []Part { p[0].Set = 1 << 4; return p }},
		"a set far outside":       {0, func(p []Part) []Part { p[0].Set = 1 << 31; return p }},
		"a set of another size":   {0, func(p []Part) []Part { p[0].Set = 0b0110; return p }},
		"two values for one set":  {0, func(p []Part) []Part { return append(p, Part{p[0].Set, make([]byte, 32)}) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := of(ks, 0b0011)
			p[c.liar] = c.change(p[c.liar])
			s, suspects, err := Combine(4, 2, p)
			if err == nil || s != nil || !slices.Equal(suspects, []int{c.liar}) {
				t.Fatalf("suspects %v: %v", suspects, err)
			}
			p[3] = parts(ks, 3)
			s, suspects, err = Combine(4, 2, p)
			if err != nil || s == nil || !slices.Equal(suspects, []int{c.liar}) {
				t.Fatalf("with one more: suspects %v: %v", suspects, err)
			}
		})
	}
	for _, i := range []int{-1, 4, 1 << 40} {
		p := of(ks, 0b0011)
		p[i] = p[0]
		if s, _, err := Combine(4, 2, p); err == nil || s != nil {
			t.Errorf("gatekeeper %d took part", i)
		}
		if s, _, err := Match(4, 2, p, func(*keytree.Secret) bool { return true }); err == nil || s != nil {
			t.Errorf("gatekeeper %d took part", i)
		}
	}
	again := of(ks, 0b0011)
	again[0] = append(again[0], again[0]...)
	if s, suspects, err := Combine(4, 2, again); s == nil || suspects != nil || err != nil {
		t.Errorf("the same parts twice: suspects %v, %v", suspects, err)
	}
}

// Whatever n-t liars send, with t honest gatekeepers the announced secret is found, and no other is ever taken.
func TestMatchFindsTheAnnouncedSecret(t *testing.T) {
	for _, c := range [][2]int{{2, 1}, {3, 2}, {4, 2}, {5, 3}, {7, 4}} {
		n, k := c[0], c[1]
		ks := keys(t, n, k)
		want, _, _ := Combine(n, k, of(ks, 1<<n-1))
		tries := 0
		right := func(s *keytree.Secret) bool { tries++; return derived(s) == derived(want) }
		for liars := range Set(1) << n {
			p := of(ks, 1<<n-1)
			for i := range n {
				if liars&(1<<i) != 0 {
					lie(p, i, every)
				}
			}
			s, suspects, err := Match(n, k, p, right)
			if bits.OnesCount32(uint32(liars)) > n-k {
				if err == nil {
					t.Fatalf("%d of %d, liars %b: found", k, n, liars)
				}
				continue
			}
			if err != nil || derived(s) != derived(want) || !slices.Equal(suspects, members(liars)) {
				t.Fatalf("%d of %d, liars %b: suspects %v: %v", k, n, liars, suspects, err)
			}
		}
		if tries > 1<<n*(n+1) {
			t.Errorf("%d of %d: %d tries", k, n, tries)
		}
	}
}

// A lie where nobody is there to compare passes Combine, and Match refuses it.
func TestALieWithoutWitnessIsForTheAnnouncement(t *testing.T) {
	ks := keys(t, 4, 2)
	want, _, _ := Combine(4, 2, of(ks, 0b1111))
	p := of(ks, 0b0011)
	lie(p, 1, func(b Set) bool { return b == 0b0001 }) // gatekeeper 0 is in it
	if s, _, err := Combine(4, 2, p); err != nil || derived(s) == derived(want) {
		t.Fatalf("combined rightly: %v", err)
	}
	right := func(s *keytree.Secret) bool { return derived(s) == derived(want) }
	if _, _, err := Match(4, 2, p, right); err == nil {
		t.Fatal("matched")
	}
	p[2] = parts(ks, 2)
	if s, suspects, err := Match(4, 2, p, right); err != nil || derived(s) != derived(want) || !slices.Equal(suspects, []int{1}) {
		t.Fatalf("with one more: suspects %v: %v", suspects, err)
	}
}

// However the parts of one gatekeeper of 2 of 4 are changed, the honest parts decide and no error shows a value.
func FuzzCombine(f *testing.F) {
	f.Add(uint8(0), []byte{0b0010, 1}, uint8(3))
	f.Add(uint8(3), bytes.Repeat([]byte{0b0001, 9, 0b0100, 8}, 20), uint8(0))
	ks := keys(f, 4, 2)
	want, _, _ := Combine(4, 2, of(ks, 0b1111))
	f.Fuzz(func(t *testing.T, liar uint8, changes []byte, keep uint8) {
		i := int(liar % 4)
		p := of(ks, 0b1111)
		p[i] = p[i][:int(keep)%(len(p[i])+1)]
		for ; len(changes) >= 2; changes = changes[2:] {
			p[i] = append(p[i], Part{Set(changes[0]), bytes.Repeat(changes[1:2], 32)})
		}
		s, suspects, err := Combine(4, 2, p)
		if err != nil || derived(s) != derived(want) || len(suspects) > 1 || len(suspects) == 1 && suspects[0] != i {
			t.Fatalf("liar %d: suspects %v: %v", i, suspects, err)
		}
	})
}

// Values that fewer holders have sent than are wanted are not taken yet; several labels are matched as one.
func TestWitnesses(t *testing.T) {
	ks := keys(t, 4, 2)
	want, _, _ := Combine(4, 2, of(ks, 0b1111))
	for _, c := range []struct {
		who       Set
		witnesses int
		ok        bool
	}{{0b0011, 1, true}, {0b0011, 2, false}, {0b0111, 2, true}, {0b0111, 3, false}, {0b1111, 3, true}, {0b1111, 4, false}} {
		s, suspects, err := CombineAll(4, 2, 1, c.witnesses, of(ks, c.who))
		if (err == nil) != c.ok || suspects != nil || c.ok && derived(s[0]) != derived(want) {
			t.Errorf("%b with %d witnesses: %v, suspects %v", c.who, c.witnesses, err, suspects)
		}
	}
	p := of(ks, 0b0111)
	lie(p, 2, every)
	if _, suspects, err := CombineAll(4, 2, 1, 2, p); err == nil || !slices.Equal(suspects, []int{2}) {
		t.Errorf("with a liar left out two are no three: suspects %v, %v", suspects, err)
	}
}

func TestMatchAllWantsBothSecrets(t *testing.T) {
	ks := keys(t, 4, 2)
	of := func(i int) (out []Part) {
		for b, k := range ks {
			if b.Holds(i) {
				out = append(out, Eval(b, k, []byte("one"), []byte("two")))
			}
		}
		return out
	}
	p := map[int][]Part{0: of(0), 1: of(1), 2: of(2), 3: of(3)}
	want, _, err := CombineAll(4, 2, 2, 3, p)
	if err != nil {
		t.Fatal(err)
	}
	right := func(s []*keytree.Secret) bool {
		return derived(s[0]) == derived(want[0]) && derived(s[1]) == derived(want[1])
	}
	for _, x := range p[1] {
		x.Value[len(x.Value)-1] ^= 1 // the second secret alone
	}
	delete(p, 2)
	s, suspects, err := MatchAll(4, 2, 2, p, right)
	if err != nil || !right(s) || !slices.Equal(suspects, []int{1}) {
		t.Errorf("suspects %v, %v", suspects, err)
	}
	delete(p, 3)
	if s, _, err := MatchAll(4, 2, 2, p, right); err == nil || s != nil {
		t.Error("a liar and one more come to it")
	}
}
