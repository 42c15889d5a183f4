// Package address is the text form of accounts on the chain. It must never know what an account may do.
package address

import (
	"crypto/sha256"
	"fmt"

	"github.com/cosmos/btcutil/bech32"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // the chain's address format
)

// Prefix is the human-readable part of every account address.
const Prefix = "pha"

// maxText bounds what Decode looks at: 32 bytes with prefix and checksum are 62 characters.
const maxText = 128

// Encode gives the address of b: 20 bytes for a key, 32 for a contract or module.
func Encode(b []byte) string {
	five, err := bech32.ConvertBits(b, 8, 5, true)
	if err != nil {
		// Bytes always regroup with padding.
		panic(fmt.Sprintf("encoding an address of %d bytes: %v", len(b), err))
	}
	s, err := bech32.Encode(Prefix, five)
	if err != nil {
		panic(fmt.Sprintf("encoding an address of %d bytes: %v", len(b), err))
	}
	return s
}

// Decode is the inverse of Encode. It refuses other prefixes, lengths that no account has and wrong checksums.
func Decode(s string) ([]byte, error) {
	prefix, five, err := bech32.Decode(s, maxText)
	if err != nil {
		return nil, fmt.Errorf("reading address %.80q: %w", s, err)
	}
	if prefix != Prefix {
		return nil, fmt.Errorf("reading address %.80q: it begins with %q, accounts of this chain with %q", s, prefix, Prefix)
	}
	b, err := bech32.ConvertBits(five, 5, 8, false)
	if err != nil {
		return nil, fmt.Errorf("reading address %.80q: %w", s, err)
	}
	if len(b) != 20 && len(b) != 32 {
		return nil, fmt.Errorf("reading address %.80q: %d bytes, an account has 20 or 32", s, len(b))
	}
	return b, nil
}

// OfPubKey is the account of a secp256k1 public key in compressed form, 33 bytes.
func OfPubKey(pub []byte) string {
	sum := sha256.Sum256(pub)
	r := ripemd160.New()
	r.Write(sum[:])
	return Encode(r.Sum(nil))
}
