// Package session is how a client asks an enclave many times for the price of one key agreement (docs/spec/session.md): an envelope
// opens the session, each request and each reply after it is one AES-256-GCM with a counter for nonce, padded to core/seal's classes.
// It holds the rules for both ends; who keeps sessions, and for how long, is the caller's. It must never use a nonce twice, and never
// the exported secret itself for anything but deriving keys.
package session

import (
	"crypto/cipher"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// Sizes in bytes, and limits.
const (
	IDSize   = 16
	SaltSize = 32
	// MaxLife is how many blocks a session lasts at most.
	MaxLife = 3600
	// MaxRequests is the highest counter of a request. AES-256-GCM with a counter would bear 2^32.
	MaxRequests = 1 << 20
)

// ID names a session to whoever carries it. It says nothing of who opened it.
type ID [IDSize]byte

// String is the id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IDOf is the id of the session that e opens: the first 16 bytes of SHA-256(domain || enc).
func IDOf(e *wire.Envelope) (id ID) {
	sum := sha256.Sum256(append([]byte("phala/session-id/v1"), e.GetEnc()...))
	copy(id[:], sum[:])
	return id
}

// Secret is what both ends have in common. It does not print.
type Secret struct{ *seal.SessionSecret }

// Seal seals the opening of a session to a cluster's input key; at's domain does not matter.
func Seal(pk hpke.PublicKey, at seal.Context, o *wire.SessionOpening) (*wire.Envelope, Secret, error) {
	e, s, err := seal.SealSession(pk, at, wire.Marshal(o))
	if err != nil {
		return nil, Secret{}, fmt.Errorf("opening a session: %w", err)
	}
	return e, Secret{s}, nil
}

// ErrMalformed: what was sealed is no opening of this version. The secret is good for saying so.
var ErrMalformed = errors.New("no session opening of this version")

// Open opens what Seal sealed. With ErrMalformed it gives the secret nevertheless.
func Open(sk hpke.PrivateKey, at seal.Context, e *wire.Envelope) (*wire.SessionOpening, Secret, error) {
	plain, s, err := seal.OpenSession(sk, at, e)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("opening a session: %w", err)
	}
	o := new(wire.SessionOpening)
	if err := wire.Unmarshal(plain, o); err != nil {
		return nil, Secret{s}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return o, Secret{s}, nil
}

// Purpose is what a session's keys are for. What is sealed for one never opens for another.
type Purpose string

// Query is the purpose of asking contracts.
const Query Purpose = "query"

// Keys are a session's two keys of one purpose, one for each direction. They do not print and are safe for concurrent use.
type Keys struct{ request, reply cipher.AEAD }

// Format prints nothing of the keys.
func (Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[session keys]")) }

// Keys derives the keys of a purpose. The salt is 32 bytes which the enclave draws when it takes the session in: without it an opening
// that is shown again, to this member or another, would use nonces twice.
func (s Secret) Keys(p Purpose, salt []byte) (*Keys, error) {
	if s.SessionSecret == nil || len(salt) != SaltSize {
		return nil, fmt.Errorf("making a session's keys: a salt of %d bytes, want %d, and a secret", len(salt), SaltSize)
	}
	request, err := s.AEAD(salt, "phala/session/v1/"+string(p)+"/request")
	if err != nil {
		return nil, err
	}
	reply, err := s.AEAD(salt, "phala/session/v1/"+string(p)+"/reply")
	if err != nil {
		return nil, err
	}
	return &Keys{request, reply}, nil
}

func nonce(counter uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), counter)
}

// SealRequest is the client's: each counter, from 1, for one plaintext only.
func (k *Keys) SealRequest(counter uint64, plain []byte) ([]byte, error) {
	if counter == 0 || counter > MaxRequests {
		return nil, fmt.Errorf("sealing request %d of a session: it has the requests 1 to %d", counter, MaxRequests)
	}
	return sealed(k.request, counter, plain)
}

// OpenRequest is the enclave's. Whether the counter was used already is for a Window to say.
func (k *Keys) OpenRequest(counter uint64, ciphertext []byte) ([]byte, error) {
	return opened(k.request, counter, ciphertext)
}

// SealReply is the enclave's: once for each request, with the request's counter; the counter 0 answers the opening.
func (k *Keys) SealReply(counter uint64, plain []byte) ([]byte, error) {
	return sealed(k.reply, counter, plain)
}

// OpenReply is the client's: a reply opens for the request that it answers, and for no other.
func (k *Keys) OpenReply(counter uint64, ciphertext []byte) ([]byte, error) {
	return opened(k.reply, counter, ciphertext)
}

func sealed(a cipher.AEAD, counter uint64, plain []byte) ([]byte, error) {
	if len(plain) > seal.MaxPlaintext {
		return nil, fmt.Errorf("a message of %d bytes: at most %d go through a session at once", len(plain), seal.MaxPlaintext)
	}
	p := seal.Pad(plain)
	return a.Seal(p[:0], nonce(counter), p, nil), nil
}

func opened(a cipher.AEAD, counter uint64, ciphertext []byte) ([]byte, error) {
	if !seal.ValidCiphertextSize(len(ciphertext)) {
		return nil, fmt.Errorf("a ciphertext of %d bytes is in no padding class", len(ciphertext))
	}
	p, err := a.Open(nil, nonce(counter), ciphertext, nil)
	if err != nil {
		return nil, fmt.Errorf("message %d of the session does not open: it was changed, or belongs elsewhere", counter)
	}
	return seal.Unpad(p)
}
