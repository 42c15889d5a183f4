package escrow

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"

	"github.com/phala-go/phala/core/wire"
)

// SeedSize is the size in bytes of what a custodian keeps secret.
const SeedSize = 32

// Key is a custodian's. It does not print.
type Key struct {
	sealing  hpke.PrivateKey
	identity ed25519.PrivateKey
}

// NewKey derives a custodian's two keys from its seed, with HKDF-SHA256; the caller wipes its own copy.
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("seed of %d bytes: want %d", len(seed), SeedSize)
	}
	derive := func(domain string) ([]byte, error) { return hkdf.Expand(sha256.New, seed, domain, 32) }
	ikm, err := derive("phala/custodian-sealing/v1")
	if err != nil {
		return nil, err
	}
	defer clear(ikm)
	sealing, err := hpke.MLKEM768X25519().DeriveKeyPair(ikm)
	if err != nil {
		return nil, fmt.Errorf("deriving a custodian's sealing key: %w", err)
	}
	id, err := derive("phala/custodian-identity/v1")
	if err != nil {
		return nil, err
	}
	defer clear(id)
	return &Key{sealing, ed25519.NewKeyFromSeed(id)}, nil
}

// Custodian is the public half under a name.
func (k *Key) Custodian(name string) *wire.Custodian {
	return &wire.Custodian{Name: name, SealingKey: k.sealing.PublicKey().Bytes(), IdentityKey: k.identity.Public().(ed25519.PublicKey)}
}

// Format prints nothing of the key, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[custodian's key]")) }

// LogValue prints nothing of the key.
func (Key) LogValue() slog.Value { return slog.StringValue("[custodian's key]") }

// MarshalText refuses: a custodian's key is kept as its seed.
func (Key) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a custodian's key: refused")
}
