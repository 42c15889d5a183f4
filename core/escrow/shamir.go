package escrow

import (
	"fmt"

	"github.com/phala-go/phala/core/keytree"
)

// The field is GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, AES's. Products take the same time and touch the same memory whatever the bytes
// are; indices of shares are public.

// mul is a·b.
func mul(a, b byte) (p byte) {
	for i := range 8 {
		p ^= a & -(b >> i & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
	}
	return p
}

// inv is 1/a = a^254; of 0 it is 0.
func inv(a byte) byte {
	p := a
	for range 6 {
		p = mul(mul(p, p), a)
	}
	return mul(p, p)
}

const shareSize = keytree.Size

// point is where the share of a custodian lies: never 0, where the secret is.
func point(index uint32) byte { return byte(index) + 1 }

// evaluate gives the polynomials' values at x, one for each byte; coefficients[0] is the secret.
func evaluate(coefficients [][]byte, x byte) []byte {
	out := make([]byte, shareSize)
	for j := len(coefficients) - 1; j >= 0; j-- {
		for i := range out {
			out[i] = mul(out[i], x) ^ coefficients[j][i]
		}
	}
	return out
}

// interpolate gives the polynomials' values at 0 from their values at the points of different custodians (Lagrange).
func interpolate(shares map[uint32]*Share) ([]byte, error) {
	out := make([]byte, shareSize)
	for i, s := range shares {
		if i >= MaxCustodians {
			return nil, fmt.Errorf("share of custodian %d: at most %d", i, MaxCustodians)
		}
		l := byte(1)
		for j := range shares {
			if j != i {
				l = mul(l, mul(point(j), inv(point(j)^point(i))))
			}
		}
		for k := range out {
			out[k] ^= mul(l, s.value[k])
		}
	}
	return out, nil
}
