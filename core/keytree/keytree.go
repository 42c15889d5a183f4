// Package keytree derives every key of a cluster from its secret, each with its own domain, with HKDF-SHA256 (RFC 5869).
//
//	cluster secret (cluster, epoch, roster)
//	  ├ input key        HPKE X-Wing key pair; its public half is announced on the chain
//	  ├ randomness key   secret half of contracts' randomness, contracts' secrets, salts of outputs and effects
//	  └ check            HMAC, announced: members see that they hold the same secret
//	state secret (cluster, epoch, roster)
//	  ├ state key        seals the log and snapshots
//	  └ check            HMAC, announced with the other
//
// Both are values of the gatekeepers' distributed PRF, of labels that differ, so that who is given the one learns nothing of the
// other: what is kept for a cluster that lags opens its state and none of its inputs.
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

// Purpose is the domain of a label.
type Purpose string

// The secrets of one (cluster, epoch, roster).
const (
	ClusterSecret Purpose = "phala/cluster-secret/v1"
	StateSecret   Purpose = "phala/state-secret/v1"
)

// Label names a secret among all: the input of the gatekeepers' distributed PRF.
// purpose || len(chain id) as 4 bytes || chain id || cluster || epoch || roster, 8 bytes each, big endian.
func Label(purpose Purpose, chainID string, cluster, epoch, roster uint64) []byte {
	b := []byte(purpose)
	b = binary.BigEndian.AppendUint32(b, uint32(len(chainID)))
	b = append(b, chainID...)
	b = binary.BigEndian.AppendUint64(b, cluster)
	b = binary.BigEndian.AppendUint64(b, epoch)
	return binary.BigEndian.AppendUint64(b, roster)
}

// CheckSize is the size in bytes of what members announce of both secrets.
const CheckSize = 2 * sha256.Size

// Cluster is everything that a member derives from both secrets of one (cluster, epoch, roster).
type Cluster struct {
	Input      hpke.PrivateKey
	State      *Secret
	Randomness *Secret
	Check      []byte // public, CheckSize: that of the cluster secret, then that of the state secret
}

// NewCluster derives a cluster's keys and wipes secret and state.
func NewCluster(secret, state *Secret) (*Cluster, error) {
	defer secret.Wipe()
	defer state.Wipe()
	ikm := secret.derive("phala/input-key/v1")
	defer clear(ikm)
	input, err := hpke.MLKEM768X25519().DeriveKeyPair(ikm)
	if err != nil {
		return nil, fmt.Errorf("deriving the input key: %w", err)
	}
	return &Cluster{
		Input:      input,
		State:      StateKey(state),
		Randomness: secret.Derive("phala/randomness-key/v1"),
		Check:      append(secret.check(), state.check()...),
	}, nil
}

// StateKey is the state key of a state secret.
func StateKey(state *Secret) *Secret { return state.Derive("phala/state-key/v1") }

// IsState says whether a state secret is the one that members have announced with check.
func IsState(state *Secret, check []byte) bool {
	return len(check) == CheckSize && hmac.Equal(state.check(), check[CheckSize/2:])
}

// IsPair says whether a cluster secret and a state secret are those that members have announced with check.
func IsPair(secret, state *Secret, check []byte) bool {
	return IsState(state, check) && hmac.Equal(secret.check(), check[:CheckSize/2])
}

// check is HMAC-SHA256(secret, "check").
func (s *Secret) check() []byte {
	mac := hmac.New(sha256.New, s.b[:])
	mac.Write([]byte("check"))
	return mac.Sum(nil)
}

// Format prints nothing of the keys, whatever the verb.
func (Cluster) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[cluster keys]")) }

// LogValue prints nothing of the keys.
func (Cluster) LogValue() slog.Value { return slog.StringValue("[cluster keys]") }

// MarshalText refuses: keys are derived anew, never written.
func (Cluster) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a cluster's keys: refused")
}

// Wipe overwrites what can be overwritten: of the input key its seed; what Go has expanded of it is the collector's.
func (c *Cluster) Wipe() {
	c.State.Wipe()
	c.Randomness.Wipe()
	if c.Input != nil {
		if seed, err := c.Input.Bytes(); err == nil {
			clear(seed)
		}
	}
	c.Input = nil
}
