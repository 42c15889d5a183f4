// Package channel is the certificate of an attested channel: TLS whose server key an enclave's identity key vouches for, with the
// evidence of that identity inside. It makes the one form of it, reads nothing but that form, and decides whether a reader may
// talk to who showed it (docs/spec/attested-channel.md). It must never open a connection, read a clock, or take a certificate for
// good because of anything but its evidence.
package channel

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// Protocol is what both ends of a channel name in TLS (ALPN); it is also the certificate's subject, so that the identity key
// signs it.
const Protocol = "phala/attested-channel/v1"

// Sizes in bytes.
const (
	MaxRequest     = 1<<20 + 128<<10 // of a frame to the enclave: the largest envelope, and what stands around it
	MaxAnswer      = 4 << 20         // of a frame from the enclave
	MaxCertificate = attest.MaxQuote + attest.MaxCollateral + 4<<10
)

// MaxLife is how long a certificate is good for at most.
const MaxLife = time.Hour

// evidenceOID is where the evidence stands: 1.3.6.1.4.1.62397 is Phala's private enterprise number, whose arc 1 holds the
// extensions of its earlier RA-TLS certificates. Arc 7 is that of attested channels.
func evidenceOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 62397, 7, 1} }

// ed25519OID is id-Ed25519 of RFC 8410, which has no parameters.
func ed25519OID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 101, 112} }

// Certificate is what the certificate of a channel says.
type Certificate struct {
	Key                 ed25519.PublicKey    // of the channel; TLS proves that the other end has its private half
	Evidence            *wire.WorkerEvidence // its identity key has signed the certificate
	NotBefore, NotAfter time.Time            // whole seconds
}

// The structures of RFC 5280, as far as a channel's certificate has them.
type certificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

type tbsCertificate struct {
	Version    int `asn1:"explicit,tag:0"`
	Serial     int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     pkix.RDNSequence
	Validity   validity
	Subject    pkix.RDNSequence
	PublicKey  publicKeyInfo
	Extensions []pkix.Extension `asn1:"explicit,tag:3"`
}

type validity struct{ NotBefore, NotAfter time.Time }

type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

func algorithm() pkix.AlgorithmIdentifier { return pkix.AlgorithmIdentifier{Algorithm: ed25519OID()} }

func bits(b []byte) asn1.BitString { return asn1.BitString{Bytes: b, BitLength: 8 * len(b)} }

// signed is the one encoding of what the identity key signs. It begins with 0x30, the head of a SEQUENCE: nothing else that an
// identity key signs does.
func (c *Certificate) signed() ([]byte, error) {
	inner, err := asn1.Marshal(wire.Marshal(c.Evidence))
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(tbsCertificate{
		Version: 2, Serial: 1, Algorithm: algorithm(),
		Issuer:     pkix.Name{CommonName: hex.EncodeToString(c.Evidence.GetIdentity().GetIdentityKey())}.ToRDNSequence(),
		Validity:   validity{c.NotBefore.UTC(), c.NotAfter.UTC()},
		Subject:    pkix.Name{CommonName: Protocol}.ToRDNSequence(),
		PublicKey:  publicKeyInfo{algorithm(), bits(c.Key)},
		Extensions: []pkix.Extension{{Id: evidenceOID(), Critical: true, Value: inner}},
	})
}

// Issue signs a certificate with the identity key that its evidence names, and gives it in DER.
func Issue(identity ed25519.PrivateKey, c Certificate) ([]byte, error) {
	if len(c.Key) != ed25519.PublicKeySize || !c.ownIdentity(identity) {
		return nil, fmt.Errorf("issuing a channel's certificate: a key of %d bytes, or evidence of another identity", len(c.Key))
	}
	tbs, err := c.signed()
	if err != nil {
		return nil, fmt.Errorf("issuing a channel's certificate: %w", err)
	}
	return c.assemble(tbs, ed25519.Sign(identity, tbs))
}

func (c *Certificate) ownIdentity(identity ed25519.PrivateKey) bool {
	public, ok := identity.Public().(ed25519.PublicKey)
	return ok && public.Equal(ed25519.PublicKey(c.Evidence.GetIdentity().GetIdentityKey()))
}

func (c *Certificate) assemble(tbs, signature []byte) ([]byte, error) {
	return asn1.Marshal(certificate{TBS: asn1.RawValue{FullBytes: tbs}, Algorithm: algorithm(), Signature: bits(signature)})
}

const takeItAsItIs = "this is no channel of an enclave of this version, or somebody stands in between: do not talk to it"

func malformed(field, got, want string) error {
	return claims.Refuse("malformed-certificate", field, got, want, takeItAsItIs)
}

// Parse reads a certificate and checks that the identity in its evidence has signed it. It takes the one encoding that Issue
// gives; errors are claims.Reasons. Whether the evidence is worth anything is not looked at.
func Parse(der []byte) (*Certificate, error) {
	if len(der) > MaxCertificate {
		return nil, claims.Refuse("too-large", "certificate", fmt.Sprintf("%d bytes", len(der)), fmt.Sprintf("at most %d", MaxCertificate), takeItAsItIs)
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, malformed("certificate", err.Error(), "one X.509 certificate in DER, nothing behind it")
	}
	key, ok := x.PublicKey.(ed25519.PublicKey)
	if !ok || x.SignatureAlgorithm != x509.PureEd25519 {
		return nil, claims.Refuse("key-algorithm", "certificate", fmt.Sprintf("a key of %s, signed with %s", x.PublicKeyAlgorithm, x.SignatureAlgorithm), "Ed25519 in both", takeItAsItIs)
	}
	ev, err := evidenceIn(x)
	if err != nil {
		return nil, err
	}
	c := &Certificate{Key: key, Evidence: ev, NotBefore: x.NotBefore, NotAfter: x.NotAfter}
	return c, c.verify(x)
}

// evidenceIn takes the evidence out of the extension that must be the only one.
func evidenceIn(x *x509.Certificate) (*wire.WorkerEvidence, error) {
	if len(x.Extensions) != 1 || !x.Extensions[0].Id.Equal(evidenceOID()) {
		return nil, claims.Refuse("evidence-missing", "extensions", fmt.Sprintf("%d, %s", len(x.Extensions), names(x.Extensions)), "the evidence alone, "+evidenceOID().String(), takeItAsItIs)
	}
	var inner []byte
	if rest, err := asn1.Unmarshal(x.Extensions[0].Value, &inner); err != nil || len(rest) != 0 {
		return nil, malformed("evidence", "no OCTET STRING", "one OCTET STRING, nothing behind it")
	}
	ev := new(wire.WorkerEvidence)
	if err := wire.Unmarshal(inner, ev); err != nil {
		return nil, malformed("evidence", err.Error(), "a deterministic WorkerEvidence")
	}
	if n := len(ev.GetIdentity().GetIdentityKey()); n != ed25519.PublicKeySize {
		return nil, malformed("identity key", fmt.Sprintf("%d bytes", n), fmt.Sprintf("%d", ed25519.PublicKeySize))
	}
	return ev, nil
}

func names(ext []pkix.Extension) (out []string) {
	for _, e := range ext[:min(len(ext), 4)] {
		out = append(out, e.Id.String())
	}
	return out
}

// verify compares x with the one encoding of what was read from it, and checks the identity's signature.
func (c *Certificate) verify(x *x509.Certificate) error {
	tbs, err := c.signed()
	if err != nil {
		return malformed("certificate", err.Error(), "the one form of a channel's certificate")
	}
	again, err := c.assemble(tbs, x.Signature)
	if err != nil || sha256.Sum256(again) != sha256.Sum256(x.Raw) {
		return malformed("certificate", "another encoding", "the one form of a channel's certificate")
	}
	if !ed25519.Verify(c.Evidence.Identity.IdentityKey, tbs, x.Signature) {
		return claims.Refuse("identity-signature", "certificate's signature", "not by the identity that the evidence names",
			fmt.Sprintf("one by %x", c.Evidence.Identity.IdentityKey), "somebody else shows this enclave's evidence: do not talk to it")
	}
	return nil
}
