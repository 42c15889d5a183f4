// Package keytree derives every key of a cluster from its secret, each with its own domain, with HKDF-SHA256 (RFC 5869).
//
//	cluster secret (cluster, epoch, roster)
//	  ├ input key        HPKE X-Wing key pair; its public half is announced on the chain
//	  ├ state key        seals the log and snapshots
//	  ├ randomness key   secret half of contracts' randomness, contracts' secrets, salts of outputs and effects
//	  └ check            HMAC, announced: members see that they hold the same secret
//
// Secrets are types that do not print. It must never hold a secret longer than its caller does.
package keytree

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// Size of a secret in bytes.
const Size = 32

// Secret is 32 bytes that nobody prints, compares or marshals by accident.
type Secret struct {
	_ [0]func() // not comparable
	b [Size]byte
}

// NewSecret takes 32 bytes; the caller wipes its own copy.
func NewSecret(b []byte) (*Secret, error) {
	if len(b) != Size {
		return nil, fmt.Errorf("secret of %d bytes: want %d", len(b), Size)
	}
	s := new(Secret)
	copy(s.b[:], b)
	return s, nil
}

// Wipe overwrites the secret.
func (s *Secret) Wipe() { clear(s.b[:]) }

// Format prints nothing of the secret, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// LogValue prints nothing of the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText refuses: a secret leaves memory only sealed.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a secret: refused")
}

// derive is HKDF-Expand of the secret with a domain and context of fixed-size parts.
func (s *Secret) derive(domain string, context ...[]byte) []byte {
	info := domain
	for _, c := range context {
		info += string(c)
	}
	out, err := hkdf.Expand(sha256.New, s.b[:], info, Size)
	if err != nil {
		panic("expanding 32 bytes: " + err.Error()) // only more than 255 blocks can fail
	}
	return out
}

// Derive gives a sub-secret under domain. Parts of context must have a fixed size for their domain.
func (s *Secret) Derive(domain string, context ...[]byte) *Secret {
	d := new(Secret)
	copy(d.b[:], s.derive(domain, context...))
	return d
}

// Key gives 32 bytes for one use as a symmetric key.
func (s *Secret) Key(domain string, context ...[]byte) []byte { return s.derive(domain, context...) }

// Label names a cluster secret among all: the input of the gatekeepers' distributed PRF.
// domain || len(chain id) as 4 bytes || chain id || cluster || epoch || roster, 8 bytes each, big endian.
func Label(chainID string, cluster, epoch, roster uint64) []byte {
	b := []byte("phala/cluster-secret/v1")
	b = binary.BigEndian.AppendUint32(b, uint32(len(chainID)))
	b = append(b, chainID...)
	b = binary.BigEndian.AppendUint64(b, cluster)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return binary.BigEndian.AppendUint64(b, roster)
}

// Cluster is everything that a member derives from the secret of one (cluster, epoch, roster).
type Cluster struct {
	Input      hpke.PrivateKey
	State      *Secret
	Randomness *Secret
	Check      []byte // public
}

// NewCluster derives a cluster's keys and wipes secret.
func NewCluster(secret *Secret) (*Cluster, error) {
	defer secret.Wipe()
	ikm := secret.derive("phala/input-key/v1")
	defer clear(ikm)
	input, err := hpke.MLKEM768X25519().DeriveKeyPair(ikm)
	if err != nil {
		return nil, fmt.Errorf("deriving the input key: %w", err)
	}
	mac := hmac.New(sha256.New, secret.b[:])
	mac.Write([]byte("check"))
	return &Cluster{
		Input:      input,
		State:      secret.Derive("phala/state-key/v1"),
		Randomness: secret.Derive("phala/randomness-key/v1"),
		Check:      mac.Sum(nil),
	}, nil
}

// Format prints nothing of the keys, whatever the verb.
func (Cluster) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[cluster keys]")) }

// LogValue prints nothing of the keys.
func (Cluster) LogValue() slog.Value { return slog.StringValue("[cluster keys]") }

// MarshalText refuses: keys are derived anew, never written.
func (Cluster) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a cluster's keys: refused")
}

// Wipe overwrites what can be overwritten.
func (c *Cluster) Wipe() {
	c.State.Wipe()
	c.Randomness.Wipe()
	c.Input = nil
}
