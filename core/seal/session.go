package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

const sessionExport = "phala/session-secret/v1"

// SessionSecret is what both ends export from the envelope that opens a session: the same whichever holder of the key opens it. It seals
// nothing itself; core/session takes keys from it. It does not print.
type SessionSecret struct{ b []byte }

// Format prints nothing of the secret.
func (SessionSecret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[session secret]")) }

// AEAD is AES-256-GCM with the key HKDF-SHA256(secret, salt, info).
func (s *SessionSecret) AEAD(salt []byte, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.b, salt, info, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a session's key: %w", err)
	}
	defer clear(key)
	return NewAEAD(key)
}

// SealSession seals the opening of a session.
func SealSession(pk hpke.PublicKey, ctx Context, plaintext []byte) (*wire.Envelope, *SessionSecret, error) {
	ctx.Domain = DomainSession
	e, secret, err := sealed(pk, ctx, nil, plaintext, sessionExport)
	if err != nil {
		return nil, nil, err
	}
	return e, &SessionSecret{secret}, nil
}

// OpenSession opens what SealSession sealed.
func OpenSession(sk hpke.PrivateKey, ctx Context, e *wire.Envelope) ([]byte, *SessionSecret, error) {
	ctx.Domain = DomainSession
	plain, secret, err := opened(sk, ctx, nil, e, sessionExport)
	if err != nil {
		return nil, nil, err
	}
	return plain, &SessionSecret{secret}, nil
}
