package engine

import (
	"github.com/cloudflare/circl/ecc/bls12381"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// Further answers, of the functions on BLS12-381.
const (
	badPoint        = 8
	badHashFunction = 9
	badG1List       = 11
	badG2List       = 12
	badPairCount    = 13
	badEmptyList    = 14
	badListLength   = 15
	g1Bytes         = bls12381.G1SizeCompressed
	g2Bytes         = bls12381.G2SizeCompressed
	maxPoints       = 2 << 20
	maxCurveMessage = 5 << 20
	maxCurveDST     = 5 << 10
	hashToCurveSHA2 = 0 // the only hash function there is

	hashedPerCurveHash = 256 << 10 // bytes hashed that take as long as one hash to a curve
)

// A list of points may be long enough to take seconds, so the clock is looked
// at between two of them. Points are compressed, as Zcash writes them, and
// belong to the group of prime order.

func blsAggregateG1(f *frame, a args) (uint64, error) {
	list, err := f.read(a.ptr(0), maxPoints)
	if err != nil {
		return 0, err
	}
	if code := listFault(list, g1Bytes); code != valid {
		return code, nil
	}
	var sum bls12381.G1
	sum.SetIdentity()
	for ; len(list) > 0; list = list[g1Bytes:] {
		var p bls12381.G1
		if p.SetBytes(list[:g1Bytes]) != nil {
			return badPoint, nil
		}
		sum.Add(&sum, &p)
		if err := f.ctx.Err(); err != nil {
			return 0, err
		}
	}
	return valid, f.fill(a.ptr(1), sum.BytesCompressed())
}

func blsAggregateG2(f *frame, a args) (uint64, error) {
	list, err := f.read(a.ptr(0), maxPoints)
	if err != nil {
		return 0, err
	}
	if code := listFault(list, g2Bytes); code != valid {
		return code, nil
	}
	var sum bls12381.G2
	sum.SetIdentity()
	for ; len(list) > 0; list = list[g2Bytes:] {
		var p bls12381.G2
		if p.SetBytes(list[:g2Bytes]) != nil {
			return badPoint, nil
		}
		sum.Add(&sum, &p)
		if err := f.ctx.Err(); err != nil {
			return 0, err
		}
	}
	return valid, f.fill(a.ptr(1), sum.BytesCompressed())
}

func listFault(list []byte, size int) uint64 {
	switch {
	case len(list) == 0:
		return badEmptyList
	case len(list)%size != 0:
		return badListLength
	}
	return valid
}

// blsPairingEquality is whether e(p1, q1)·…·e(pn, qn) = e(r, s).
func blsPairingEquality(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a, maxPoints, maxPoints, g1Bytes, g2Bytes)
	if err != nil {
		return 0, err
	}
	ps, qs := in[0], in[1]
	switch {
	case len(ps)%g1Bytes != 0:
		return badG1List, nil
	case len(qs)%g2Bytes != 0:
		return badG2List, nil
	case len(ps)/g1Bytes != len(qs)/g2Bytes:
		return badPairCount, nil
	}
	// The product of all with the last one inverted is one.
	product := new(bls12381.Gt)
	product.SetIdentity()
	multiply := func(p1, q1 []byte, negate bool) (bool, error) {
		var p bls12381.G1
		var q bls12381.G2
		if p.SetBytes(p1) != nil || q.SetBytes(q1) != nil {
			return false, nil
		}
		if p.IsIdentity() || q.IsIdentity() { // their pairing is one; the library's loop is not made for them
			return true, nil
		}
		if negate {
			p.Neg()
		}
		product.Mul(product, bls12381.Pair(&p, &q))
		return true, f.ctx.Err()
	}
	for ; len(ps) > 0; ps, qs = ps[g1Bytes:], qs[g2Bytes:] {
		if ok, err := multiply(ps[:g1Bytes], qs[:g2Bytes], false); !ok || err != nil {
			return badPoint, err
		}
	}
	if ok, err := multiply(in[2], in[3], true); !ok || err != nil {
		return badPoint, err
	}
	if !product.IsIdentity() {
		return invalid, nil
	}
	return valid, nil
}

func blsHashToG1(f *frame, a args) (uint64, error) {
	return f.hashToCurve(a, func(msg, dst []byte) []byte {
		var p bls12381.G1
		p.Hash(msg, dst)
		return p.BytesCompressed()
	})
}

func blsHashToG2(f *frame, a args) (uint64, error) {
	return f.hashToCurve(a, func(msg, dst []byte) []byte {
		var p bls12381.G2
		p.Hash(msg, dst)
		return p.BytesCompressed()
	})
}

// hashToCurve is called with a hash function, a message, a domain separation
// tag and a region for the point: the suites BLS12381G1_XMD:SHA-256_SSWU_RO_
// and BLS12381G2_XMD:SHA-256_SSWU_RO_ of RFC 9380.
func (f *frame) hashToCurve(a args, hash func(msg, dst []byte) []byte) (uint64, error) {
	in, err := f.readAll(a[1:], maxCurveMessage, maxCurveDST)
	if err != nil {
		return 0, err
	}
	if a.ptr(0) != hashToCurveSHA2 {
		return badHashFunction, nil
	}
	if err := f.spend(meter.BLSHash, len(in[0])/hashedPerCurveHash); err != nil {
		return 0, err
	}
	return valid, f.fill(a.ptr(3), hash(in[0], in[1]))
}
