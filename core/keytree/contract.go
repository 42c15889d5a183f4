package keytree

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// What a contract may use of its cluster's keys:
//
//	randomness key
//	  ├ contract secret (address, input that made it)   kept in the state from then on
//	  │   └ external key (curve, path)                   of accounts on other chains
//	  ├ object secret                                    drawn once in a cluster, kept in the state from then on
//	  │   └ object key (object)                           of one data set of an owner
//	  └ random value (input, beacon)
//	      └ of one call in it (contract, place)
//	          └ draw 0, 1, 2, …

// Curve is one on which a contract has keys.
type Curve uint32

// Curves, as contracts number them.
const (
	Secp256k1 Curve = 1
	Ed25519   Curve = 2
)

// ContractSecret draws the secret of a contract that comes to life: 32 bytes
// for the cluster's sealed state, which outlive the epoch. Address is the
// contract's, input the hash of the input that makes it; so all members draw
// the same, and nobody who lacks the randomness key can tell any of it.
func (c *Cluster) ContractSecret(address, input [32]byte) []byte {
	return c.Randomness.Key("phala/contract-secret/v1", address[:], input[:])
}

// ObjectSecret draws the secret of all data objects that a cluster keeps: 32 bytes for its sealed state, which outlive the epoch.
func (c *Cluster) ObjectSecret() []byte { return c.Randomness.Key("phala/object-secret/v1") }

// ObjectKey is the key of one data object, named by 32 bytes, under its cluster's object secret.
func (s *Secret) ObjectKey(object [32]byte) *Secret {
	return s.Derive("phala/object-key/v1", object[:])
}

// InputRandomness is the randomness of one input: HKDF(randomness key,
// input hash || beacon), the beacon being that of the first height after the
// input's place in the order became final, hashed to 32 bytes.
func (c *Cluster) InputRandomness(input, beacon [32]byte) *Secret {
	return c.Randomness.Derive("phala/random/v1", input[:], beacon[:])
}

// CallRandomness is the randomness of one call within an input: calls are
// counted through the input, from 1.
func (s *Secret) CallRandomness(contract [32]byte, call uint32) *Secret {
	return s.Derive("phala/random-call/v1", contract[:], binary.BigEndian.AppendUint32(nil, call))
}

// Draw is the n-th value of a call's randomness, 32 bytes, from 0.
func (s *Secret) Draw(n uint32) []byte {
	return s.Key("phala/random-draw/v1", binary.BigEndian.AppendUint32(nil, n))
}

// ExternalKey derives a private key of 32 bytes from a contract's secret: a
// scalar of secp256k1 or a seed of Ed25519 (RFC 8032). The path is any bytes.
// The caller wipes the key. Its error is an unknown curve.
//
// For secp256k1 the first of the candidates 0, 1, 2, … counts that is a scalar
// other than zero; a candidate fails with a probability of 2^-128.
func (s *Secret) ExternalKey(curve Curve, path []byte) ([]byte, error) {
	if curve != Secp256k1 && curve != Ed25519 {
		return nil, fmt.Errorf("deriving a key: no curve %d", curve)
	}
	hash := sha256.Sum256(path)
	for i := uint32(0); ; i++ {
		key := s.Key("phala/external-key/v1", binary.BigEndian.AppendUint32(nil, uint32(curve)), hash[:], binary.BigEndian.AppendUint32(nil, i))
		if curve == Ed25519 || isScalar(key) {
			return key, nil
		}
	}
}

// isScalar is whether 0 < b < n, the order of secp256k1's group.
func isScalar(b []byte) bool {
	const order = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xba\xae\xdc\xe6\xaf\x48\xa0\x3b\xbf\xd2\x5e\x8c\xd0\x36\x41\x41"
	return string(b) < order && string(b) > string(make([]byte, Size))
}
