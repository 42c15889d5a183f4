package dprf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
)

var label = keytree.Label("phala-test", 1, 2, 3)

// keys makes k_B = SHA-256(B as 4 bytes) for every B.
func keys(t testing.TB, n, threshold int) map[Set]*keytree.Secret {
	t.Helper()
	sets, err := Sets(n, threshold)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[Set]*keytree.Secret)
	for _, b := range sets {
		k := sha256.Sum256(binary.BigEndian.AppendUint32(nil, uint32(b)))
		out[b], _ = keytree.NewSecret(k[:])
	}
	return out
}

// parts is what gatekeeper i sends.
func parts(ks map[Set]*keytree.Secret, i int) []Part {
	var out []Part
	for b, k := range ks {
		if b.Holds(i) {
			out = append(out, Eval(b, k, label))
		}
	}
	return out
}

func of(ks map[Set]*keytree.Secret, who Set) map[int][]Part {
	out := map[int][]Part{}
	for i := range MaxN {
		if who&(1<<i) != 0 {
			out[i] = parts(ks, i)
		}
	}
	return out
}

// derived stands for a secret in comparisons; secrets themselves are not for comparing.
func derived(s *keytree.Secret) string { return hex.EncodeToString(s.Key("test")) }

func TestAnyThresholdCombinesAndOneLessDoesNot(t *testing.T) {
	for _, c := range []struct {
		n, t int
		want string // HKDF-Expand(secret, "test")
	}{
		{1, 1, "95c880c03962da288d03b1289f51c43f5038abd10cabd4de3b6a22daca9fadfb"},
		{4, 2, "8d7391c55effd650879478b699a2df1f88c89f2cbba89fb0b00dafd7926b6f20"},
		{7, 4, "1c76b42e5ab0d2be60e490bceeb76234ad45d11613650080c8334dd19005170a"},
		{10, 7, "735dd7f3125f5afc765b56686e1ab3281213f82f7aaedfc72faf1184e40b9cc5"},
	} { // computed with another implementation (Python's hmac)
		t.Run(fmt.Sprintf("%d of %d", c.t, c.n), func(t *testing.T) {
			ks := keys(t, c.n, c.t)
			for who := range Set(1) << c.n {
				switch bits.OnesCount32(uint32(who)) {
				case c.t:
					s, suspects, err := Combine(c.n, c.t, of(ks, who))
					if err != nil || suspects != nil {
						t.Fatalf("gatekeepers %b: %v, suspects %v", who, err, suspects)
					}
					if got := derived(s); got != c.want {
						t.Fatalf("gatekeepers %b come to %s, want %s", who, got, c.want)
					}
				case c.t - 1:
					s, suspects, err := Combine(c.n, c.t, of(ks, who))
					if err == nil || s != nil || suspects != nil {
						t.Fatalf("gatekeepers %b, one too few, came to a secret (suspects %v)", who, suspects)
					}
				}
			}
		})
	}
}

// What t-1 gatekeepers lack is a whole key: the secret with it and with another in its place have nothing to do with each other.
func TestThresholdLessOneMissesAKey(t *testing.T) {
	ks := keys(t, 4, 2)
	for i := range 4 {
		missing := 0
		for b := range ks {
			if !b.Holds(i) {
				missing++
			}
		}
		if missing != 1 {
			t.Errorf("gatekeeper %d of 2 of 4 misses %d keys, want 1", i, missing)
		}
	}
}

func TestWrongPartsNameTheirSenders(t *testing.T) {
	ks := keys(t, 4, 2)
	flipped := func(who, liar int) map[int][]Part {
		p := of(ks, Set(who))
		p[liar][0].Value = bytes.Repeat([]byte{9}, 32)
		return p
	}
	foreign := of(ks, 0b0011)
	foreign[1] = append(foreign[1], Part{Set: 0b0010, Value: make([]byte, 32)}) // gatekeeper 1 is in this set: it holds no key of it
	short := of(ks, 0b0011)
	short[0][0].Value = short[0][0].Value[:31]
	outside := of(ks, 0b0011)
	outside[0][0].Set = 1 << 4
	two := of(ks, 0b0011)
	two[0][0].Set = 0b0110
	stranger := of(ks, 0b0011)
	stranger[4] = stranger[0]
	negative := of(ks, 0b0011)
	negative[-1] = negative[0]
	twice := of(ks, 0b0001)
	twice[0] = append(twice[0], Part{Set: twice[0][0].Set, Value: make([]byte, 32)})

	for name, c := range map[string]struct {
		parts    map[int][]Part
		suspects []int // one of them is the liar
	}{
		"a value changed":         {flipped(0b0111, 2), []int{2}},
		"a key it cannot hold":    {foreign, []int{1}},
		"a value of another size": {short, []int{0}},
		"a set outside":           {outside, []int{0}},
		"a set of another size":   {two, []int{0}},
		"no such gatekeeper":      {stranger, []int{4}},
		"a negative gatekeeper":   {negative, []int{-1}},
		"one sender, two values":  {twice, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			s, suspects, err := Combine(4, 2, c.parts)
			if err == nil || s != nil {
				t.Fatal("combined all the same")
			}
			for _, want := range c.suspects {
				if !slices.Contains(suspects, want) {
					t.Errorf("suspects %v lack %d: %v", suspects, want, err)
				}
			}
			if len(suspects) > 2 {
				t.Errorf("%d suspects", len(suspects))
			}
			if strings.Contains(err.Error(), "0909") {
				t.Error("the error shows a value")
			}
		})
	}
}

func TestSetsRefusesWhatIsNoThreshold(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {2, 3}, {MaxN + 1, 2}, {-1, -1}} {
		if s, err := Sets(c[0], c[1]); err == nil {
			t.Errorf("%d of %d: %v", c[1], c[0], s)
		}
		if _, _, err := Combine(c[0], c[1], nil); err == nil {
			t.Errorf("%d of %d combined", c[1], c[0])
		}
	}
	if s, err := Sets(16, 11); err != nil || len(s) != 8008 {
		t.Errorf("11 of 16 has %d keys, want 8008 (%v)", len(s), err)
	}
}

func TestLabelsSeparate(t *testing.T) {
	k := keys(t, 1, 1)[0]
	if bytes.Equal(Eval(0, k, label).Value, Eval(0, k, keytree.Label("phala-test", 1, 2, 4)).Value) {
		t.Error("another roster gives the same part")
	}
}

func BenchmarkCombine(b *testing.B) {
	for _, c := range [][2]int{{4, 2}, {10, 7}, {16, 11}} {
		b.Run(fmt.Sprintf("%d_of_%d", c[1], c[0]), func(b *testing.B) {
			all := of(keys(b, c[0], c[1]), 1<<c[1]-1)
			for b.Loop() {
				if _, _, err := Combine(c[0], c[1], all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
