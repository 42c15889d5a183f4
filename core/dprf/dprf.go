// Package dprf is a distributed pseudorandom function from replicated secret sharing (Naor, Pinkas, Reingold 1999; DiSE, CCS
// 2018): for every set B of t-1 of n gatekeepers there is one random key k_B, held by all gatekeepers outside B;
//
//	secret(label) = XOR over B of HMAC-SHA256(k_B, label)
//
// Any t gatekeepers cover all keys; t-1 miss one. It must never see which gatekeepers exist in fact, nor draw randomness.
package dprf

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/bits"

	"github.com/phala-go/phala/core/keytree"
)

// MaxN bounds the number of gatekeepers; the number of keys is n over t-1.
const MaxN = 16

// Set is a set of gatekeepers as a bit mask: bit i is the i-th of the epoch's set.
type Set uint32

// Sets lists every B of t-1 of n, ascending.
func Sets(n, t int) ([]Set, error) {
	if n < 1 || n > MaxN || t < 1 || t > n {
		return nil, fmt.Errorf("%d of %d gatekeepers: want 1 <= t <= n <= %d", t, n, MaxN)
	}
	var out []Set
	for m := range Set(1) << n {
		if bits.OnesCount32(uint32(m)) == t-1 {
			out = append(out, m)
		}
	}
	return out, nil
}

// Holds says whether gatekeeper i holds the key of b.
func (b Set) Holds(i int) bool { return b&(1<<i) == 0 }

// Part is HMAC-SHA256(HKDF-Expand(k_B, "phala/dprf/v1"), label).
type Part struct {
	Set   Set
	Value []byte // 32 bytes a label; secret
}

// Eval computes the part of one key, for one label or several, whose values follow one another.
func Eval(b Set, key *keytree.Secret, labels ...[]byte) Part {
	k := key.Key("phala/dprf/v1")
	defer clear(k)
	mac := hmac.New(sha256.New, k)
	p := Part{Set: b}
	for _, l := range labels {
		mac.Reset()
		mac.Write(l)
		p.Value = mac.Sum(p.Value)
	}
	return p
}
