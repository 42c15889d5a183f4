package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
)

const hashBytes = 32

func secp256r1Verify(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a, hashBytes, signatureBytes, 65)
	if err != nil {
		return 0, err
	}
	return verifySecp256r1(in[0], in[1], in[2]), nil
}

// verifySecp256r1 accepts a high s, as CosmWasm does.
func verifySecp256r1(hash, sig, key []byte) uint64 {
	switch {
	case len(hash) != hashBytes:
		return badHash
	case len(sig) != signatureBytes:
		return badSignature
	case !sec1Format(key):
		return badPublicKey
	}
	r, s, ok := scalars(sig)
	if !ok {
		return badOther
	}
	public := parseP256(key)
	if public == nil {
		return badOther
	}
	if !ecdsa.Verify(public, hash, r, s) {
		return invalid
	}
	return valid
}

// sec1Format is whether key has the form of a point, compressed or not.
func sec1Format(key []byte) bool {
	switch {
	case len(key) == 33:
		return key[0] == 2 || key[0] == 3
	case len(key) == 65:
		return key[0] == 4
	}
	return false
}

// scalars reads r and s, each in 1 … n-1.
func scalars(sig []byte) (r, s *big.Int, ok bool) {
	n := elliptic.P256().Params().N
	r, s = new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	return r, s, r.Sign() > 0 && s.Sign() > 0 && r.Cmp(n) < 0 && s.Cmp(n) < 0
}

// parseP256 gives nil for what is no point of the curve.
func parseP256(key []byte) *ecdsa.PublicKey {
	if len(key) == 33 {
		x, y := elliptic.UnmarshalCompressed(elliptic.P256(), key)
		if x == nil {
			return nil
		}
		key = uncompressed(x, y)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key)
	if err != nil {
		return nil
	}
	return public
}

func uncompressed(x, y *big.Int) []byte {
	out := make([]byte, 65)
	out[0] = 4
	x.FillBytes(out[1:33])
	y.FillBytes(out[33:])
	return out
}

// secp256r1Recover answers a pointer in the low half or a code in the high.
func secp256r1Recover(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a, hashBytes, signatureBytes)
	if err != nil {
		return 0, err
	}
	key, code := recoverSecp256r1(in[0], in[1], a.ptr(2))
	if code != valid {
		return code << 32, nil
	}
	return f.give(key)
}

// recoverSecp256r1 takes bit 0 of param for the parity of the nonce's point
// and bit 1 for an x that was reduced by the order (SEC 1, 4.1.6).
func recoverSecp256r1(hash, sig []byte, param uint32) ([]byte, uint64) {
	switch {
	case len(hash) != hashBytes:
		return nil, badHash
	case len(sig) != signatureBytes:
		return nil, badSignature
	case param > 3:
		return nil, badRecoveryParam
	}
	r, s, ok := scalars(sig)
	if !ok {
		return nil, badOther
	}
	curve := elliptic.P256()
	n, x := curve.Params().N, new(big.Int).Set(r)
	if param&2 != 0 {
		if x.Add(x, n); x.Cmp(curve.Params().P) >= 0 {
			return nil, badOther
		}
	}
	point := make([]byte, 33)
	point[0] = 2 + byte(param&1)
	x.FillBytes(point[1:])
	px, py := elliptic.UnmarshalCompressed(curve, point)
	if px == nil {
		return nil, badOther
	}
	// Q = r⁻¹(sR − zG)
	inverse := new(big.Int).ModInverse(r, n)
	u1 := new(big.Int).Mul(new(big.Int).SetBytes(hash), inverse)
	u1.Neg(u1).Mod(u1, n)
	u2 := new(big.Int).Mul(s, inverse)
	u2.Mod(u2, n)
	qx, qy := combine(curve, u1, px, py, u2)
	if qx.Sign() == 0 && qy.Sign() == 0 { // infinity
		return nil, badOther
	}
	key := uncompressed(qx, qy)
	if verifySecp256r1(hash, sig, key) != valid {
		return nil, badOther
	}
	return key, valid
}

// combine is u1·G + u2·P. The standard library offers arithmetic on points
// nowhere else, and its reasons against it are about secrets and points off
// the curve: here all is public, and P has been decoded.
func combine(curve elliptic.Curve, u1, px, py, u2 *big.Int) (x, y *big.Int) {
	//lint:ignore SA1019 see above
	ax, ay := curve.ScalarBaseMult(u1.FillBytes(make([]byte, 32)))
	//lint:ignore SA1019 see above
	bx, by := curve.ScalarMult(px, py, u2.FillBytes(make([]byte, 32)))
	//lint:ignore SA1019 see above
	return curve.Add(ax, ay, bx, by)
}
