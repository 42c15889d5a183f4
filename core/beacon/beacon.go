// Package beacon is a threshold BLS signature (Boldyreva 2003) over heights of the chain: any t of n gatekeepers make the value of
// a height, t-1 neither make nor foresee it, and there is one value for each height, so nobody chooses it. Keys lie on G2 of
// BLS12-381, 96 bytes, signatures on G1, 48 bytes; arithmetic is kyber's on circl. Its keys are made with the gatekeepers' own
// (core/dprf/generation): each member deals a polynomial (Feldman 1987), the key is the sum of those that count.
//
// Nothing secret may rest on it: a quantum computer finds its key.
package beacon

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"go.dedis.ch/kyber/v4"
	"go.dedis.ch/kyber/v4/pairing/bls12381/circl"
	"go.dedis.ch/kyber/v4/sign/bls"
)

// Sizes in bytes.
const (
	PublicKeySize = 96
	SignatureSize = 48
	ShareSize     = 32
	ValueSize     = 32
)

// MaxN bounds the members of a group, as in core/dprf.
const MaxN = 16

// Window is how many blocks after a height the chain takes its value at the latest. What waits for a value waits no longer: there never
// will be one.
const Window = 32

// Message is what is signed for a height: domain || len(chain id) as 4 bytes || chain id || epoch || height, 8 bytes each, big
// endian. No hash of a block is in it: who makes blocks could try several.
func Message(chainID string, epoch, height uint64) []byte {
	b := []byte("phala/beacon/v1")
	b = binary.BigEndian.AppendUint32(b, uint32(len(chainID)))
	b = append(b, chainID...)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return binary.BigEndian.AppendUint64(b, height)
}

// Value is the public randomness of a signature that has been verified, 32 bytes.
func Value(signature []byte) []byte {
	h := sha256.New()
	h.Write([]byte("phala/beacon-value/v1"))
	h.Write(signature)
	return h.Sum(nil)
}

// Verify checks the signature of a height under the group's public key. There is one signature that passes.
func Verify(public []byte, chainID string, epoch, height uint64, signature []byte) error {
	key, err := point(circl.NewSuiteBLS12381().G2(), public)
	if err != nil {
		return fmt.Errorf("reading the beacon's public key: %w", err)
	}
	return verify(key, Message(chainID, epoch, height), signature)
}

func verify(key kyber.Point, message, signature []byte) error {
	if len(signature) != SignatureSize {
		return fmt.Errorf("beacon signature of %d bytes: want %d", len(signature), SignatureSize)
	}
	if err := bls.NewSchemeOnG1(circl.NewSuiteBLS12381()).Verify(key, message, signature); err != nil {
		return fmt.Errorf("checking the beacon's signature: %w", err)
	}
	return nil
}

// point reads the one encoding of a point of the prime order group other than its identity.
func point(g kyber.Group, b []byte) (kyber.Point, error) {
	if len(b) != g.PointLen() {
		return nil, fmt.Errorf("point of %d bytes: want %d", len(b), g.PointLen())
	}
	p := g.Point()
	if err := p.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("reading a point: %w", err)
	}
	if p.Equal(g.Point().Null()) {
		return nil, errors.New("the point is the identity")
	}
	if again, err := p.MarshalBinary(); err != nil || string(again) != string(b) {
		return nil, errors.New("point in another encoding than its own")
	}
	return p, nil
}
