// Package tpm checks what a TPM 2.0 says about the program that it booted: the quote is signed by an attestation key (AK) that can
// sign nothing else, the AK belongs to something that is trusted, the platform registers (PCRs) are those that were signed, and the
// event log explains each of them. It must never trust a key because it came with the evidence, and never read a clock or a device.
//
// Sources: Trusted Computing Group, TPM 2.0 Library Specification, part 1 (attestation, names) and part 2 (structures), and PC Client
// Platform Firmware Profile (PCR usage). TPM structures are big-endian.
package tpm

import (
	"crypto"
	_ "crypto/sha256" // linked for crypto.Hash
	_ "crypto/sha512" // linked for crypto.Hash
	"fmt"
)

// Alg is a TPM_ALG_ID.
type Alg uint16

// Algorithms of which a quote may be made.
const (
	AlgRSA    Alg = 0x0001
	AlgNull   Alg = 0x0010
	AlgSHA256 Alg = 0x000b
	AlgSHA384 Alg = 0x000c
	AlgSHA512 Alg = 0x000d
	AlgRSASSA Alg = 0x0014
	AlgRSAPSS Alg = 0x0016
	AlgECDSA  Alg = 0x0018
	AlgECC    Alg = 0x0023
)

// String is the specification's name.
func (a Alg) String() string {
	switch a {
	case AlgRSA:
		return "RSA"
	case AlgNull:
		return "NULL"
	case AlgSHA256:
		return "SHA256"
	case AlgSHA384:
		return "SHA384"
	case AlgSHA512:
		return "SHA512"
	case AlgRSASSA:
		return "RSASSA"
	case AlgRSAPSS:
		return "RSAPSS"
	case AlgECDSA:
		return "ECDSA"
	case AlgECC:
		return "ECC"
	default:
		return fmt.Sprintf("0x%04x", uint16(a))
	}
}

// Hash is the hash function of that name; false for everything else, and for SHA-1, on which nothing may rest.
func (a Alg) Hash() (crypto.Hash, bool) {
	switch a {
	case AlgSHA256:
		return crypto.SHA256, true
	case AlgSHA384:
		return crypto.SHA384, true
	case AlgSHA512:
		return crypto.SHA512, true
	default:
		return 0, false
	}
}

// NumPCRs is how many PCRs a PC's TPM has.
const NumPCRs = 24

// PCRs are the values of one bank's registers by index; nil where none is given.
type PCRs [NumPCRs][]byte
