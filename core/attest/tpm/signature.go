package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"math/big"

	"github.com/phala-go/phala/core/attest/claims"
)

// Signature is a TPMT_SIGNATURE (part 2, 11.3.4).
type Signature struct {
	Scheme Alg
	Hash   Alg
	RSA    []byte // of RSASSA and RSAPSS
	R, S   []byte // of ECDSA
}

// ParseSignature reads a TPMT_SIGNATURE by RSASSA, RSAPSS or ECDSA.
func ParseSignature(b []byte) (*Signature, error) {
	r := read(b, "TPMT_SIGNATURE")
	s := &Signature{Scheme: r.alg(), Hash: r.alg()}
	switch s.Scheme {
	case AlgRSASSA, AlgRSAPSS:
		s.RSA = r.sized()
	case AlgECDSA:
		s.R, s.S = r.sized(), r.sized()
	default:
		if !r.Short {
			return nil, claims.Refuse("malformed", "sigAlg", s.Scheme.String(), "RSASSA, RSAPSS or ECDSA", "make the AK with one of these schemes")
		}
	}
	return s, r.end()
}

// check is nil if key has signed message so.
func (s *Signature) check(key crypto.PublicKey, message []byte) error {
	hash, ok := s.Hash.Hash()
	if !ok {
		return claims.Refuse("ak-unsupported", "hash of the signature", s.Hash.String(), "SHA256, SHA384 or SHA512", "make the AK with SHA-256")
	}
	digest := sum(hash, message)
	valid := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N == nil || k.N.BitLen() < 2048 {
			return claims.Refuse("ak-unsupported", "RSA key", "less than 2048 bits", "2048 bits or more", "make the AK with RSA 2048")
		}
		switch s.Scheme {
		case AlgRSASSA:
			valid = rsa.VerifyPKCS1v15(k, hash, digest, s.RSA) == nil
		case AlgRSAPSS: // part 1, B.7: the salt is as long as the hash, in TPMs that follow FIPS 186; others fill the room
			valid = rsa.VerifyPSS(k, hash, digest, s.RSA, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
		default:
			return mismatch(s, "RSA")
		}
	case *ecdsa.PublicKey:
		if s.Scheme != AlgECDSA {
			return mismatch(s, "ECC")
		}
		size := (k.Curve.Params().BitSize + 7) / 8
		if len(s.R) > size || len(s.S) > size {
			return claims.Refuse("malformed", "TPMS_SIGNATURE_ECDSA", fmt.Sprintf("numbers of %d and %d bytes", len(s.R), len(s.S)), fmt.Sprintf("at most %d", size), "take the evidence anew, and send it as the TPM gave it")
		}
		valid = ecdsa.Verify(k, digest, new(big.Int).SetBytes(s.R), new(big.Int).SetBytes(s.S))
	default:
		return claims.Refuse("ak-unsupported", "key", fmt.Sprintf("%T", key), "*rsa.PublicKey or *ecdsa.PublicKey", "attest with an RSA or ECDSA key")
	}
	if !valid {
		return claims.Refuse("signature", "signature of the quote", "not the AK's", "one that the AK made over this quote", "send quote, signature and AK of one TPM and one command")
	}
	return nil
}

func mismatch(s *Signature, key string) error {
	return claims.Refuse("signature", "sigAlg", s.Scheme.String(), "a scheme of an "+key+" key", "send quote, signature and AK of one TPM")
}
