// Package seal seals what users send to clusters, and what comes back.
//
// Envelope: HPKE (RFC 9180) base mode with KEM X-Wing (0x647a), KDF HKDF-SHA256 (0x0001), AEAD AES-256-GCM (0x0002); no other
// suite exists, so nothing that lies on a public chain rests on a discrete logarithm alone (P18). Plaintexts are padded to
// classes. A reply is sealed with HKDF(secret exported by the envelope's context, fresh nonce), as in RFC 9458. It must never
// reuse an HPKE context for two plaintexts of one party, nor accept a size between classes.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

// Suite is the only value of wire.Envelope.Suite.
const Suite = 1

// Sizes in bytes.
const (
	EncSize       = 1120 // X-Wing ciphertext
	PublicKeySize = 1216 // X-Wing public key
	tagSize       = 16
	nonceSize     = 32
	lengthSize    = 4
	// MaxPlaintext bounds what one envelope carries.
	MaxPlaintext = 1 << 20
)

var classes = []int{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10}

// Class is the padded size of n bytes: 256 B, 1 KiB, 4 KiB, 16 KiB, 64 KiB, then multiples of 64 KiB. The 4 bytes of the
// length are inside it.
func Class(n int) int {
	n += lengthSize
	for _, c := range classes {
		if n <= c {
			return c
		}
	}
	last := classes[len(classes)-1]
	return (n + last - 1) / last * last
}

// ValidCiphertextSize says whether n is the size of some padded plaintext with its tag.
func ValidCiphertextSize(n int) bool {
	n -= tagSize
	return n > lengthSize && n <= MaxPlaintext+classes[len(classes)-1] && Class(n-lengthSize) == n
}

// Pad gives length || b || zeros, in b's class, with room behind it for a tag.
func Pad(b []byte) []byte {
	n := Class(len(b))
	out := make([]byte, n, n+tagSize)
	binary.BigEndian.PutUint32(out, uint32(len(b)))
	copy(out[lengthSize:], b)
	return out
}

// Unpad undoes Pad and refuses any other padding of the same bytes.
func Unpad(p []byte) ([]byte, error) {
	if len(p) < lengthSize {
		return nil, fmt.Errorf("padded text of %d bytes: too short", len(p))
	}
	n := binary.BigEndian.Uint32(p)
	if uint64(n) > uint64(len(p)-lengthSize) || Class(int(n)) != len(p) {
		return nil, fmt.Errorf("padded text of %d bytes claims to hold %d: not its class", len(p), n)
	}
	for _, b := range p[lengthSize+int(n):] {
		if b != 0 {
			return nil, errors.New("padding is not zero")
		}
	}
	return p[lengthSize : lengthSize+int(n)], nil
}

// Context says which cluster and key an envelope is for; it is HPKE's info.
type Context struct {
	Domain  string // DomainInput, DomainQuery, DomainKeyPart or DomainSession
	ChainID string
	Cluster uint64
	Epoch   uint64
	Roster  uint64
}

// Domains of envelopes. What is sealed for one never opens for another.
const (
	DomainInput   = "phala/input/v1"
	DomainQuery   = "phala/query/v1"
	DomainKeyPart = "phala/key-part/v1"
	DomainSession = "phala/session/v1"
)

func (c Context) info() []byte {
	b := []byte(c.Domain)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.ChainID)))
	b = append(b, c.ChainID...)
	b = binary.BigEndian.AppendUint64(b, c.Cluster)
	b = binary.BigEndian.AppendUint64(b, c.Epoch)
	return binary.BigEndian.AppendUint64(b, c.Roster)
}

// ReplyKey opens or seals the replies to one envelope. It does not print.
type ReplyKey struct{ secret []byte }

// Format prints nothing of the key.
func (ReplyKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[reply key]")) }

// PublicKey parses an X-Wing public key.
func PublicKey(b []byte) (hpke.PublicKey, error) {
	if len(b) != PublicKeySize {
		return nil, fmt.Errorf("public key of %d bytes: X-Wing has %d", len(b), PublicKeySize)
	}
	pk, err := hpke.MLKEM768X25519().NewPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("parsing an X-Wing public key: %w", err)
	}
	return pk, nil
}

// Seal seals plaintext to pk. Only a holder of the private half, told the same context and aad, opens it.
func Seal(pk hpke.PublicKey, ctx Context, aad, plaintext []byte) (*wire.Envelope, *ReplyKey, error) {
	e, key, err := sealed(pk, ctx, aad, plaintext, replyExport)
	if err != nil {
		return nil, nil, err
	}
	return e, &ReplyKey{key}, nil
}

// sealed seals, and exports a secret of 32 bytes from the same context.
func sealed(pk hpke.PublicKey, ctx Context, aad, plaintext []byte, export string) (*wire.Envelope, []byte, error) {
	if len(plaintext) > MaxPlaintext {
		return nil, nil, fmt.Errorf("message of %d bytes: at most %d fit in one envelope", len(plaintext), MaxPlaintext)
	}
	if pk.KEM().ID() != hpke.MLKEM768X25519().ID() {
		return nil, nil, fmt.Errorf("sealing to KEM %#x: only X-Wing (%#x) is used", pk.KEM().ID(), hpke.MLKEM768X25519().ID())
	}
	enc, sender, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), ctx.info())
	if err != nil {
		return nil, nil, fmt.Errorf("sealing: %w", err)
	}
	ct, err := sender.Seal(aad, Pad(plaintext))
	if err != nil {
		return nil, nil, fmt.Errorf("sealing: %w", err)
	}
	key, err := sender.Export(export, sha256.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("exporting %s: %w", export, err)
	}
	return &wire.Envelope{Suite: Suite, Enc: enc, Ciphertext: ct}, key, nil
}

const replyExport = "phala/reply/v1"

// Check refuses an envelope that no key could open: another suite, sizes that are not the suite's.
func Check(e *wire.Envelope) error {
	switch {
	case e == nil:
		return errors.New("no envelope")
	case e.Suite != Suite:
		return fmt.Errorf("suite %d: only suite %d (X-Wing, HKDF-SHA256, AES-256-GCM) is accepted", e.Suite, Suite)
	case len(e.Enc) != EncSize:
		return fmt.Errorf("encapsulated key of %d bytes: X-Wing has %d", len(e.Enc), EncSize)
	case !ValidCiphertextSize(len(e.Ciphertext)):
		return fmt.Errorf("ciphertext of %d bytes is in no padding class: truncated or padded wrongly", len(e.Ciphertext))
	}
	return nil
}

// Open opens an envelope.
func Open(sk hpke.PrivateKey, ctx Context, aad []byte, e *wire.Envelope) ([]byte, *ReplyKey, error) {
	plain, key, err := opened(sk, ctx, aad, e, replyExport)
	if key == nil {
		return nil, nil, err
	}
	return plain, &ReplyKey{key}, err
}

// opened undoes sealed. An error with a secret says that what was sealed is padded wrongly.
func opened(sk hpke.PrivateKey, ctx Context, aad []byte, e *wire.Envelope, export string) ([]byte, []byte, error) {
	if err := Check(e); err != nil {
		return nil, nil, fmt.Errorf("opening an envelope: %w", err)
	}
	r, err := hpke.NewRecipient(e.Enc, sk, hpke.HKDFSHA256(), hpke.AES256GCM(), ctx.info())
	if err != nil {
		return nil, nil, fmt.Errorf("opening an envelope: %w", err)
	}
	padded, err := r.Open(aad, e.Ciphertext)
	if err != nil {
		return nil, nil, errors.New("opening an envelope: sealed to another key, cluster or epoch, or submitted by another sender")
	}
	key, err := r.Export(export, sha256.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("exporting %s: %w", export, err)
	}
	plain, err := Unpad(padded)
	if err != nil {
		return nil, key, fmt.Errorf("opening an envelope: %w", err)
	}
	return plain, key, nil
}

// Reply seals plaintext for whoever made the envelope; every call draws a fresh nonce.
func (k *ReplyKey) Reply(plaintext []byte) *wire.SealedReply {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	a := k.aead(nonce)
	return &wire.SealedReply{Nonce: nonce, Ciphertext: a.Seal(nil, make([]byte, a.NonceSize()), Pad(plaintext), nil)}
}

// OpenReply opens what Reply sealed.
func (k *ReplyKey) OpenReply(r *wire.SealedReply) ([]byte, error) {
	if len(r.GetNonce()) != nonceSize {
		return nil, fmt.Errorf("opening a reply: nonce of %d bytes, want %d", len(r.GetNonce()), nonceSize)
	}
	a := k.aead(r.Nonce)
	padded, err := a.Open(nil, make([]byte, a.NonceSize()), r.Ciphertext, nil)
	if err != nil {
		return nil, errors.New("opening a reply: it answers another envelope or was changed")
	}
	return Unpad(padded)
}

// aead is used for exactly one message: its key comes from a fresh nonce, so a constant GCM nonce is safe.
func (k *ReplyKey) aead(nonce []byte) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, k.secret, nonce, replyExport, 32)
	if err != nil {
		panic("deriving 32 bytes: " + err.Error())
	}
	a, err := NewAEAD(key)
	if err != nil {
		panic(err.Error())
	}
	clear(key)
	return a
}

// NewAEAD is AES-256-GCM with a key of 32 bytes; other sizes are refused.
func NewAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("making AES-256-GCM: key of %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making AES-256-GCM: %w", err)
	}
	return cipher.NewGCM(block)
}
