package contracttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"math/big"
)

// The curve y² = x³ + 7 as SEC 2 defines secp256k1, in big integers: slow, not
// in constant time, and so for tests alone. It keeps the SDK free of
// dependencies; that it agrees with the enclave is a test of both.

type point struct{ x, y *big.Int } // x nil: infinity

func hex256(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("contracttest: not hexadecimal: " + s)
	}
	return n
}

func field() *big.Int {
	return hex256("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")
}
func order() *big.Int {
	return hex256("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
}

func generator() point {
	return point{
		hex256("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
		hex256("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"),
	}
}

func add(a, b point, p *big.Int) point {
	switch {
	case a.x == nil:
		return b
	case b.x == nil:
		return a
	}
	num, den := new(big.Int).Sub(b.y, a.y), new(big.Int).Sub(b.x, a.x)
	if den.Sign() == 0 {
		if a.y.Cmp(b.y) != 0 {
			return point{}
		}
		num.Mul(a.x, a.x).Mul(num, big.NewInt(3))
		den.Lsh(a.y, 1)
	}
	slope := num.Mul(num, den.ModInverse(den.Mod(den, p), p))
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, a.x).Sub(x, b.x).Mod(x, p)
	y := new(big.Int).Sub(a.x, x)
	y.Mul(y, slope).Sub(y, a.y).Mod(y, p)
	return point{x, y}
}

func multiply(k *big.Int, at point) point {
	var sum point
	p := field()
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = add(sum, sum, p)
		if k.Bit(i) == 1 {
			sum = add(sum, at, p)
		}
	}
	return sum
}

func publicSecp256k1(key []byte) []byte {
	q := multiply(new(big.Int).SetBytes(key), generator())
	out := make([]byte, 65)
	out[0] = 4
	q.x.FillBytes(out[1:33])
	q.y.FillBytes(out[33:])
	return out
}

// signSecp256k1 gives r || s || v, with the nonce of RFC 6979.
func signSecp256k1(key, hash []byte) []byte {
	n := order()
	d, z := new(big.Int).SetBytes(key), new(big.Int).SetBytes(hash)
	nonces := newNonces(key, z)
	for {
		k := nonces.next()
		if k.Sign() == 0 || k.Cmp(n) >= 0 {
			continue
		}
		at := multiply(k, generator())
		r := new(big.Int).Mod(at.x, n)
		s := new(big.Int).Mul(r, d)
		s.Add(s, z).Mul(s, k.ModInverse(k, n)).Mod(s, n)
		if r.Sign() == 0 || s.Sign() == 0 {
			continue
		}
		v := byte(at.y.Bit(0))
		if s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
			s.Sub(n, s)
			v ^= 1
		}
		out := make([]byte, 65)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:64])
		out[64] = v
		return out
	}
}

// nonces are those of RFC 6979, section 3.2, with SHA-256.
type nonces struct {
	k, v []byte
	used bool
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func newNonces(key []byte, z *big.Int) *nonces {
	reduced := new(big.Int).Mod(z, order()).FillBytes(make([]byte, 32))
	n := &nonces{k: make([]byte, 32), v: make([]byte, 32)}
	for i := range n.v {
		n.v[i] = 1
	}
	for _, round := range []byte{0, 1} {
		n.k = mac(n.k, n.v, []byte{round}, key, reduced)
		n.v = mac(n.k, n.v)
	}
	return n
}

func (n *nonces) next() *big.Int {
	if n.used {
		n.k = mac(n.k, n.v, []byte{0})
		n.v = mac(n.k, n.v)
	}
	n.used = true
	n.v = mac(n.k, n.v)
	return new(big.Int).SetBytes(n.v)
}
