package contracttest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"strings"

	"github.com/phala-go/phala/sdk/contract"
)

// The codes and bounds of docs/spec/contract-extensions.md.
const (
	notInQuery   = 1
	noKeys       = 2
	noRandomness = 3
	unknownCurve = 4
	badMessage   = 5
	badRecipient = 6
	unreachable  = 7
	tooMany      = 8

	maxPath         = 256
	maxSigned       = 64 << 10
	maxPrivate      = 32
	maxPrivateBytes = 64 << 10
)

func (h *host) Random() ([]byte, uint32) {
	switch {
	case h.query:
		return nil, notInQuery
	case h.c.Random == nil:
		return nil, noRandomness
	}
	h.draws++
	return expand(h.c.Random, "phala/random-draw/v1", binary.BigEndian.AppendUint32(nil, h.draws-1)), 0
}

func (h *host) PublicKey(path string, curve contract.Curve) ([]byte, uint32) {
	key, code := h.key(path, curve)
	switch {
	case code != 0:
		return nil, code
	case curve == contract.Ed25519:
		return ed25519.NewKeyFromSeed(key)[ed25519.SeedSize:], 0
	}
	return publicSecp256k1(key), 0
}

func (h *host) Sign(path string, curve contract.Curve, message []byte) ([]byte, uint32) {
	if h.query {
		return nil, notInQuery
	}
	key, code := h.key(path, curve)
	if len(message) > maxSigned {
		panic("contracttest: a message of more than 64 KiB to sign")
	}
	switch {
	case code != 0:
		return nil, code
	case curve == contract.Ed25519:
		return ed25519.Sign(ed25519.NewKeyFromSeed(key), message), 0
	case len(message) != 32:
		return nil, badMessage
	}
	return signSecp256k1(key, message), 0
}

// key derives as the enclave does.
func (h *host) key(path string, curve contract.Curve) ([]byte, uint32) {
	switch {
	case len(path) > maxPath:
		panic("contracttest: a path of more than 256 bytes")
	case h.c.Secret == nil:
		return nil, noKeys
	case curve != contract.Secp256k1 && curve != contract.Ed25519:
		return nil, unknownCurve
	}
	hash := sha256.Sum256([]byte(path))
	for i := uint32(0); ; i++ {
		key := expand(h.c.Secret, "phala/external-key/v1",
			binary.BigEndian.AppendUint32(nil, uint32(curve)), hash[:], binary.BigEndian.AppendUint32(nil, i))
		if n := new(big.Int).SetBytes(key); curve == contract.Ed25519 || n.Sign() > 0 && n.Cmp(order()) < 0 {
			return key, 0
		}
	}
}

func (h *host) EmitPrivate(recipient string, data []byte) uint32 {
	size := len(data)
	for _, e := range h.private {
		size += len(e)
	}
	switch {
	case h.query:
		return notInQuery
	case checkAddress(strings.ToLower(recipient)) != nil:
		return badRecipient
	case !strings.EqualFold(recipient, h.c.origin):
		return unreachable
	case len(h.private) == maxPrivate || size > maxPrivateBytes:
		return tooMany
	}
	h.private = append(h.private, bytes.Clone(data))
	return 0
}

// expand is HKDF-Expand (RFC 5869) to 32 bytes.
func expand(secret []byte, domain string, context ...[]byte) []byte {
	out, err := hkdf.Expand(sha256.New, secret, domain+string(bytes.Join(context, nil)), 32)
	if err != nil {
		panic("contracttest: " + err.Error()) // only more than 255 blocks can fail
	}
	return out
}
