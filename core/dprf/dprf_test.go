package dprf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/phala-go/phala/core/keytree"
)

var label = keytree.Label(keytree.ClusterSecret, "phala-test", 1, 2, 3)

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

// vector is a line of docs/spec/keys.md; they were computed with another implementation (Python's hmac).
type vector struct {
	n, t int
	want string // HKDF-Expand(secret, "test")
}

func specified(t *testing.T) (out []vector) {
	t.Helper()
	b, err := os.ReadFile("../../docs/spec/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range regexp.MustCompile(`(?m)^\| (\d+) of (\d+) \| .([0-9a-f]{64}). \|$`).FindAllStringSubmatch(string(b), -1) {
		v := vector{want: l[3]}
		v.t, _ = strconv.Atoi(l[1])
		v.n, _ = strconv.Atoi(l[2])
		out = append(out, v)
	}
	if len(out) != 4 {
		t.Fatalf("%d vectors in the document", len(out))
	}
	return out
}

func TestAnyThresholdCombinesAndOneLessDoesNot(t *testing.T) {
	for _, c := range specified(t) {
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
	if bytes.Equal(Eval(0, k, label).Value, Eval(0, k, keytree.Label(keytree.ClusterSecret, "phala-test", 1, 2, 4)).Value) {
		t.Error("another roster gives the same part")
	}
}

// Parts of keys of two epochs come to no secret of either, whoever sends them; only a single one among many is outvoted.
func TestEpochsNeverCombine(t *testing.T) {
	now, before := keys(t, 4, 2), map[Set]*keytree.Secret{}
	for b, k := range now {
		before[b] = k.Derive("another epoch")
	}
	secret := func(p map[int][]Part) string {
		s, _, err := Combine(4, 2, p)
		if err != nil {
			return err.Error()
		}
		return derived(s)
	}
	right := []string{secret(of(now, 0b1111)), secret(of(before, 0b1111))}
	for who := range Set(1) << 4 {
		for old := range Set(1) << 4 {
			if old&^who != 0 || old == 0 || old == who {
				continue
			}
			p := of(now, who&^old)
			for i, parts := range of(before, old) {
				p[i] = parts
			}
			o, n := bits.OnesCount32(uint32(old)), bits.OnesCount32(uint32(who))
			outvoted := n > 2 && (o == 1 || o == n-1) // the one of the other epoch is a liar like any
			if slices.Contains(right, secret(p)) != outvoted {
				t.Errorf("gatekeepers %b, of whom %b sent parts of the epoch before, came to a secret of one epoch", who, old)
			}
		}
	}
}

// One gatekeeper evaluates all its parts, and a worker combines those of t.
func BenchmarkSecret(b *testing.B) {
	ks := keys(b, 10, 7)
	all := of(ks, 1<<7-1)
	for b.Loop() {
		all[3] = parts(ks, 3)
		if _, _, err := Combine(10, 7, all); err != nil {
			b.Fatal(err)
		}
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
