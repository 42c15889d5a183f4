// Package keys holds a user's account keys: derived from a mnemonic, kept in a folder. It must never print or log a secret, nor
// write one readable by others.
package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cosmos/go-bip39"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/phala-go/phala/core/permit"
)

// Key is one secp256k1 account key. It does not print.
type Key struct {
	private *secp256k1.PrivateKey
	public  []byte
	address string
}

// Format prints only the address.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[key of " + k.address + "]")) }

// FromBytes makes a key of its 32 bytes.
func FromBytes(b []byte) (*Key, error) {
	var s secp256k1.ModNScalar
	if len(b) != 32 || s.SetByteSlice(b) || s.IsZero() {
		return nil, errors.New("not the 32 bytes of a secp256k1 key")
	}
	p := secp256k1.NewPrivateKey(&s)
	pub := p.PubKey().SerializeCompressed()
	addr, err := permit.Address(pub)
	if err != nil {
		return nil, err
	}
	return &Key{p, pub, addr}, nil
}

// FromMnemonic derives m/44'/118'/0'/0/index, as Cosmos wallets do.
func FromMnemonic(mnemonic string, index uint32) (*Key, error) {
	mnemonic = strings.Join(strings.Fields(mnemonic), " ")
	seed, err := bip39.NewSeedWithErrorChecking(mnemonic, "")
	if err != nil {
		return nil, errors.New("the mnemonic is not valid: a word is misspelled, missing or out of order")
	}
	const hard = 1 << 31
	b, err := derive(seed, 44+hard, 118+hard, hard, 0, index)
	if err != nil {
		return nil, err
	}
	return FromBytes(b)
}

// NewMnemonic draws 24 words.
func NewMnemonic() (string, error) {
	entropy, err := bip39.NewEntropy(256)
	if err != nil {
		return "", fmt.Errorf("drawing a mnemonic: %w", err)
	}
	return bip39.NewMnemonic(entropy)
}

// Address is the account, bech32.
func (k *Key) Address() string { return k.address }

// PubKey is the compressed public key.
func (k *Key) PubKey() []byte { return append([]byte(nil), k.public...) }

// Private is for what signs with it: permits.
func (k *Key) Private() *secp256k1.PrivateKey { return k.private }

// Bytes are the 32 secret bytes.
func (k *Key) Bytes() []byte { return k.private.Serialize() }

// Sign gives 64 bytes r || s, low s, over SHA-256 of msg, as the chain wants them.
func (k *Key) Sign(msg []byte) []byte {
	sum := sha256.Sum256(msg)
	return ecdsa.SignCompact(k.private, sum[:], true)[1:]
}

// derive walks a BIP-32 path from a seed.
func derive(seed []byte, path ...uint32) ([]byte, error) {
	key, chain, err := split(hmac512([]byte("Bitcoin seed"), seed), nil)
	if err != nil {
		return nil, err
	}
	for _, i := range path {
		var data []byte
		if i >= 1<<31 {
			k := key.Bytes()
			data = append([]byte{0}, k[:]...)
		} else {
			data = secp256k1.NewPrivateKey(key).PubKey().SerializeCompressed()
		}
		if key, chain, err = split(hmac512(chain, binary.BigEndian.AppendUint32(data, i)), key); err != nil {
			return nil, err
		}
	}
	b := key.Bytes()
	return b[:], nil
}

// split parses HMAC output as key (plus the parent's) and chain code.
func split(h []byte, parent *secp256k1.ModNScalar) (*secp256k1.ModNScalar, []byte, error) {
	var k secp256k1.ModNScalar
	over := k.SetByteSlice(h[:32])
	if parent != nil {
		k.Add(parent)
	}
	if over || k.IsZero() {
		return nil, nil, errors.New("deriving a key: this index has none (1 in 2^127): take the next")
	}
	return &k, h[32:], nil
}

func hmac512(key, data []byte) []byte {
	m := hmac.New(sha512.New, key)
	m.Write(data)
	return m.Sum(nil)
}
