package cosmostx

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/phala-go/phala/core/address"
)

// Key signs for one account. Its private part leaves it only by Hex.
type Key struct {
	priv *secp256k1.PrivateKey
}

// NewKey draws a key.
func NewKey() (*Key, error) {
	k, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, fmt.Errorf("drawing a key: %w", err)
	}
	return &Key{k}, nil
}

// KeyFromBytes takes the 32 bytes of a private key.
func KeyFromBytes(b []byte) (*Key, error) {
	var s secp256k1.ModNScalar
	if len(b) != 32 || s.SetByteSlice(b) || s.IsZero() {
		return nil, errors.New("reading a private key: want 32 bytes, a number from 1 to the order of secp256k1")
	}
	return &Key{secp256k1.NewPrivateKey(&s)}, nil
}

// ParseKey reads a private key from hex; white space around it is ignored. The error does not repeat what it read.
func ParseKey(text string) (*Key, error) {
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("reading a private key: want 64 hexadecimal digits")
	}
	return KeyFromBytes(b)
}

// Hex is the private key, for the file that keeps it.
func (k *Key) Hex() string { return hex.EncodeToString(k.priv.Serialize()) }

// String keeps the private part out of logs.
func (k *Key) String() string { return "key of " + k.Address() }

// GoString is String.
func (k *Key) GoString() string { return k.String() }

// PubKey is the compressed public key, 33 bytes.
func (k *Key) PubKey() []byte { return k.priv.PubKey().SerializeCompressed() }

// Address is the key's account.
func (k *Key) Address() string { return address.OfPubKey(k.PubKey()) }

// Sign gives r || s with low s over SHA-256(msg), 64 bytes; deterministic after RFC 6979.
func (k *Key) Sign(msg []byte) []byte {
	h := sha256.Sum256(msg)
	return ecdsa.SignCompact(k.priv, h[:], true)[1:]
}
