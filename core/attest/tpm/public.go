package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"

	"github.com/phala-go/phala/core/attest/claims"
)

// Attributes are a TPMA_OBJECT (part 2, 8.3).
type Attributes uint32

// The attributes that make an attestation key.
const (
	FixedTPM            Attributes = 1 << 1  // never leaves this TPM
	FixedParent         Attributes = 1 << 4  // never moves to another parent
	SensitiveDataOrigin Attributes = 1 << 5  // the TPM itself made the secret
	Restricted          Attributes = 1 << 16 // signs only what the TPM itself made
	Decrypt             Attributes = 1 << 17
	Sign                Attributes = 1 << 18
)

// attributes that part 2 defines; every other bit is reserved and zero.
const definedAttributes Attributes = 0x000f0cf6

// Public is the public area of an asymmetric key.
type Public struct {
	Type       Alg
	NameAlg    Alg
	Attributes Attributes
	Policy     []byte // authPolicy
	Scheme     Alg    // of signatures; AlgNull if the caller of the TPM chooses
	SchemeHash Alg
	Key        crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
	name       []byte
}

// Name is the key's name: nameAlg || hash of the public area (part 1, 16).
func (p *Public) Name() []byte { return p.name }

// ParsePublic reads a TPMT_PUBLIC, without the length that a TPM2B_PUBLIC has before it: an RSA key of 2048 to 4096 bits, or one on
// P-256 or P-384. Any other is refused.
func ParsePublic(area []byte) (*Public, error) {
	r := read(area, "TPMT_PUBLIC")
	p := &Public{Type: r.alg(), NameAlg: r.alg(), Attributes: Attributes(r.U32()), Policy: r.sized()}
	hash, ok := p.NameAlg.Hash()
	if r.Short {
		return nil, r.end()
	}
	if !ok {
		return nil, claims.Refuse("ak-unsupported", "nameAlg", p.NameAlg.String(), "SHA256, SHA384 or SHA512", "make the key with a name of SHA-256")
	}
	if extra := p.Attributes &^ definedAttributes; extra != 0 {
		return nil, claims.Refuse("malformed", "objectAttributes", hex(uint32(p.Attributes)), "reserved bits zero", "take the evidence anew, and send it as the TPM gave it")
	}
	if n := len(p.Policy); n != 0 && n != hash.Size() {
		return nil, claims.Refuse("malformed", "authPolicy", count(n, "byte"), fmt.Sprintf("0 or %d", hash.Size()), "take the evidence anew, and send it as the TPM gave it")
	}
	if symmetric := r.alg(); symmetric != AlgNull {
		return nil, claims.Refuse("ak-unsupported", "symmetric", symmetric.String(), "NULL: a key that signs", "make the key for signing")
	}
	p.Scheme = r.alg()
	if p.Scheme != AlgNull {
		p.SchemeHash = r.alg()
	}
	if err := p.unique(&r); err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	p.name = append([]byte{byte(p.NameAlg >> 8), byte(p.NameAlg)}, sum(hash, area)...)
	return p, nil
}

// unique reads the parameters and the key itself.
func (p *Public) unique(r *reader) error {
	switch p.Type {
	case AlgRSA:
		return p.rsa(r)
	case AlgECC:
		return p.ecc(r)
	default:
		return claims.Refuse("ak-unsupported", "type", p.Type.String(), "RSA or ECC", "make the key with RSA 2048 or ECC P-256")
	}
}

func (p *Public) rsa(r *reader) error {
	bits, exponent := int(r.U16()), r.U32()
	n := r.sized()
	if exponent == 0 { // the specification's default
		exponent = 65537
	}
	if r.Short {
		return r.end()
	}
	if exponent != 65537 {
		return claims.Refuse("ak-unsupported", "exponent", fmt.Sprint(exponent), "65537", "make the key with the default exponent")
	}
	modulus := new(big.Int).SetBytes(n)
	if bits < 2048 || bits > 4096 || len(n) != bits/8 || modulus.BitLen() != bits || modulus.Bit(0) == 0 {
		return claims.Refuse("ak-unsupported", "unique", fmt.Sprintf("a modulus of %d bits in %d bytes, keyBits %d", modulus.BitLen(), len(n), bits), "2048 to 4096 bits, odd", "make the key with RSA 2048")
	}
	p.Key = &rsa.PublicKey{N: modulus, E: int(exponent)}
	return nil
}

// Curves by TPM_ECC_CURVE (part 2, 6.4).
const (
	curveP256 = 0x0003
	curveP384 = 0x0004
)

func (p *Public) ecc(r *reader) error {
	id := r.U16()
	kdf := r.alg()
	x, y := r.sized(), r.sized()
	if r.Short {
		return r.end()
	}
	var curve elliptic.Curve
	switch id {
	case curveP256:
		curve = elliptic.P256()
	case curveP384:
		curve = elliptic.P384()
	default:
		return claims.Refuse("ak-unsupported", "curveID", hex(id), "P-256 (0x3) or P-384 (0x4)", "make the key on P-256")
	}
	if kdf != AlgNull {
		return claims.Refuse("ak-unsupported", "kdf", kdf.String(), "NULL", "make the key for signing")
	}
	size := curve.Params().BitSize / 8
	if len(x) != size || len(y) != size {
		return claims.Refuse("malformed", "unique", fmt.Sprintf("coordinates of %d and %d bytes", len(x), len(y)), count(size, "byte")+" each", "take the evidence anew, and send it as the TPM gave it")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return claims.Refuse("malformed", "unique", "no point of the curve", "a point of "+curve.Params().Name, "take the evidence anew, and send it as the TPM gave it")
	}
	p.Key = key
	return nil
}

// attests is nil for a key that signs nothing but what its TPM made, and that never was outside.
func (p *Public) attests() error {
	const need = FixedTPM | FixedParent | SensitiveDataOrigin | Restricted | Sign
	if p.Attributes&need != need || p.Attributes&Decrypt != 0 {
		return claims.Refuse("ak-attributes", "objectAttributes", hex(uint32(p.Attributes)),
			"fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign, not decrypt", "make the AK as a restricted signing key inside the TPM")
	}
	if p.Scheme == AlgNull {
		return claims.Refuse("ak-attributes", "scheme", "NULL", "RSASSA, RSAPSS or ECDSA: a restricted key has one", "make the AK with its scheme")
	}
	return nil
}
