// Package escrow splits a cluster's state key among named people, its custodians: any threshold of them together give it, fewer give
// nothing (Shamir's secret sharing over GF(256), byte by byte). Each share is sealed to its custodian and committed to, so that whoever
// is sent a false one can say whose it is. docs/spec/escrow.md. It must never see another key than a state key: no gatekeeper's, no
// input key.
package escrow

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// Bounds.
const (
	MinThreshold  = 2  // one custodian alone never reads
	MaxCustodians = 16 // of a cluster
	MaxName       = 64 // bytes of a custodian's name
	MaxLabels     = 3  // whose keys the chain keeps dealt
	MaxDeals      = 3  // of one label: more than one only where somebody lies
)

// CheckTerms refuses terms that no escrow may have.
func CheckTerms(t *wire.EscrowTerms) error {
	n := len(t.GetCustodians())
	if t.GetCluster() == 0 {
		return errors.New("terms of an escrow for no cluster")
	}
	if n > MaxCustodians || uint64(t.Threshold) > uint64(n) || t.Threshold < MinThreshold {
		return fmt.Errorf("terms of an escrow: %d of %d custodians: want at least %d of at most %d", t.Threshold, n, MinThreshold, MaxCustodians)
	}
	seen := map[string]bool{}
	for i, c := range t.Custodians {
		if err := checkCustodian(c); err != nil {
			return fmt.Errorf("terms of an escrow: custodian %d: %w", i, err)
		}
		for _, what := range []string{"name " + c.Name, "key " + string(c.SealingKey), "key " + string(c.IdentityKey)} {
			if seen[what] {
				return fmt.Errorf("terms of an escrow: custodian %d, %s, has another's name or key", i, c.Name)
			}
			seen[what] = true
		}
	}
	return nil
}

func checkCustodian(c *wire.Custodian) error {
	if c == nil || c.Name == "" || len(c.Name) > MaxName || !utf8.ValidString(c.Name) {
		return fmt.Errorf("name %q: want 1 to %d bytes of UTF-8", c.GetName(), MaxName)
	}
	for _, r := range c.Name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("name %q: want printable characters", c.Name)
		}
	}
	if len(c.IdentityKey) != ed25519.PublicKeySize {
		return fmt.Errorf("identity key of %d bytes: Ed25519 has %d", len(c.IdentityKey), ed25519.PublicKeySize)
	}
	_, err := seal.PublicKey(c.SealingKey)
	return err
}

// TermsHash names terms: what an owner consents to.
func TermsHash(t *wire.EscrowTerms) []byte { return wire.Hash(t) }

// About names the state key that something is about.
type About struct {
	ChainID                string
	Cluster, Epoch, Roster uint64
	Terms                  []byte // TermsHash
}

// AboutDeal is what a deal says that it is about.
func AboutDeal(chainID string, d *wire.EscrowDeal) About {
	return About{chainID, d.Cluster, d.Epoch, d.Roster, d.Terms}
}

// hash stands for all of it wherever it is bound: SHA-256 of len(chain id) as 4 bytes || chain id || cluster || epoch || roster, 8 bytes
// each, big endian || terms.
func (a About) hash() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(a.ChainID)))
	b = append(b, a.ChainID...)
	b = binary.BigEndian.AppendUint64(b, a.Cluster)
	b = binary.BigEndian.AppendUint64(b, a.Epoch)
	b = binary.BigEndian.AppendUint64(b, a.Roster)
	h := sha256.Sum256(append(b, a.Terms...))
	return h[:]
}

func (a About) context(domain string) seal.Context {
	return seal.Context{Domain: domain, ChainID: a.ChainID, Cluster: a.Cluster, Epoch: a.Epoch, Roster: a.Roster}
}

// aad binds what is sealed to a custodian's index as well.
func (a About) aad(index uint32) []byte {
	return binary.BigEndian.AppendUint32(a.hash(), index)
}

// Domains of what is sealed and signed.
const (
	domainDeal    = "phala/escrow-deal/v1"
	domainRequest = "phala/escrow-request/v1"
	domainShare   = "phala/escrow-share/v1"
)

// DealBytes is what a member's identity key signs in a deal.
func DealBytes(chainID string, d *wire.EscrowDeal) []byte {
	c := *d
	c.Signature, c.Height = nil, 0
	return wire.SignBytes(domainDeal+"/"+chainID, &c)
}

// RequestBytes is what a member's identity key signs in a request.
func RequestBytes(chainID string, r *wire.EscrowRequest) []byte {
	c := *r
	c.Signature, c.Height = nil, 0
	return wire.SignBytes(domainRequest+"/"+chainID, &c)
}

// ShareBytes is what a custodian's identity key signs in a share.
func ShareBytes(chainID string, s *wire.EscrowShare) []byte {
	c := *s
	c.Signature, c.Height = nil, 0
	return wire.SignBytes(domainShare+"/"+chainID, &c)
}

// RequestID names a request by its one-time key.
func RequestID(oneTimeKey []byte) []byte {
	h := sha256.Sum256(oneTimeKey)
	return h[:]
}

// CheckRequest refuses a request that no custodian could answer, or that the identity it names has not signed. Whether that identity is
// a member's is for the chain to say.
func CheckRequest(chainID string, r *wire.EscrowRequest) error {
	switch {
	case r == nil || r.Worker == nil:
		return errors.New("request of no worker")
	case len(r.IdentityKey) != ed25519.PublicKeySize:
		return fmt.Errorf("identity key of %d bytes: Ed25519 has %d", len(r.IdentityKey), ed25519.PublicKeySize)
	case !ed25519.Verify(r.IdentityKey, RequestBytes(chainID, r), r.Signature):
		return errors.New("request that its identity has not signed")
	}
	_, err := seal.PublicKey(r.OneTimeKey)
	return err
}

// CheckDeal refuses a deal that cannot be one under terms. Whether a member signed it is for the caller, whether its shares are right
// for those who hold the key or a share.
func CheckDeal(t *wire.EscrowTerms, d *wire.EscrowDeal) error {
	n := len(t.GetCustodians())
	switch {
	case d == nil || d.Worker == nil:
		return errors.New("deal of no worker")
	case d.Cluster != t.GetCluster() || !bytes.Equal(d.Terms, TermsHash(t)):
		return fmt.Errorf("deal under other terms than those in force for cluster %d", t.GetCluster())
	case len(d.Check) != sha256.Size:
		return fmt.Errorf("check value of %d bytes, want %d", len(d.Check), sha256.Size)
	case len(d.Shares) != n || len(d.Sealed) != n:
		return fmt.Errorf("%d commitments and %d seals for %d custodians", len(d.Shares), len(d.Sealed), n)
	}
	for i := range d.Shares {
		if len(d.Shares[i]) != sha256.Size {
			return fmt.Errorf("commitment %d of %d bytes, want %d", i, len(d.Shares[i]), sha256.Size)
		}
		if err := checkSealed(d.Sealed[i]); err != nil {
			return fmt.Errorf("share %d: %w", i, err)
		}
	}
	return nil
}

// checkSealed refuses what is not the size of one share.
func checkSealed(e *wire.Envelope) error {
	if err := seal.Check(e); err != nil {
		return err
	}
	if want := seal.Class(2*(shareSize+2)) + 16; len(e.Ciphertext) != want {
		return fmt.Errorf("sealed share of %d bytes, want %d", len(e.Ciphertext), want)
	}
	return nil
}

// CheckShare refuses a share that cannot answer request r with deal d, or that its custodian has not signed.
func CheckShare(chainID string, t *wire.EscrowTerms, d *wire.EscrowDeal, r *wire.EscrowRequest, s *wire.EscrowShare) error {
	switch {
	case s == nil || s.Worker == nil || !s.Worker.Is(r.GetWorker()) || !bytes.Equal(s.Request, RequestID(r.GetOneTimeKey())):
		return errors.New("share for another request than the newest of its worker")
	case s.Cluster != d.GetCluster() || s.Epoch != d.GetEpoch() || s.Roster != d.GetRoster():
		return errors.New("share of another deal")
	case uint64(s.Custodian) >= uint64(len(t.GetCustodians())):
		return fmt.Errorf("custodian %d of %d", s.Custodian, len(t.GetCustodians()))
	}
	if c := t.Custodians[s.Custodian]; !ed25519.Verify(c.IdentityKey, ShareBytes(chainID, s), s.Signature) {
		return fmt.Errorf("share that custodian %s has not signed", c.Name)
	}
	return checkSealed(s.Sealed)
}
