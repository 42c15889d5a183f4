package dcap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Common names that Intel gives: they keep the roles apart, which keys and issuers alone do not. Source: PCK Certificate and CRL Profile.
const (
	namePCK       = "Intel SGX PCK Certificate"
	namePlatform  = "Intel SGX PCK Platform CA"
	nameProcessor = "Intel SGX PCK Processor CA"
	nameSigner    = "Intel SGX TCB Signing"
)

// cert is a certificate whose chain, validity and role have been checked; whether it is revoked has not.
type cert struct {
	*x509.Certificate
	key *ecdsa.PublicKey
}

// anchor reads the root CA that the caller trusts.
func (v *verification) anchor(der []byte) *cert {
	root := v.parse(der, "root CA")
	if root == nil || !v.inForce(root, "root CA") || !v.isCA(root, "root CA") {
		return nil
	}
	return root
}

// parse reads a certificate with a P-256 key whose every critical extension is understood.
func (v *verification) parse(der []byte, what string) *cert {
	advice := "hand in the certificates as Intel issued them"
	c, err := x509.ParseCertificate(der)
	if err != nil {
		v.refuse("malformed-certificate", what, err.Error(), "an X.509 certificate", advice)
		return nil
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		v.refuse("malformed-certificate", what, fmt.Sprintf("%v key, signed with %v", c.PublicKeyAlgorithm, c.SignatureAlgorithm), "ECDSA P-256 with SHA-256", advice)
		return nil
	}
	if len(c.UnhandledCriticalExtensions) != 0 {
		v.refuse("malformed-certificate", what, fmt.Sprintf("critical extension %v", c.UnhandledCriticalExtensions[0]), "only extensions of Intel's profile", advice)
		return nil
	}
	return &cert{c, key}
}

// inForce checks the certificate's validity and narrows the claims to it.
func (v *verification) inForce(c *cert, what string) bool {
	v.claims.Within(c.NotBefore, c.NotAfter)
	return v.between(what, c.NotBefore, c.NotAfter, "certificate", "hand in the certificates that Intel publishes now")
}

// between checks that now is in a period, both ends included.
func (v *verification) between(what string, from, to time.Time, code, advice string) bool {
	switch {
	case v.now.Before(from):
		v.refuse(code+"-not-yet-valid", what, "valid from "+stamp(from), "valid at "+stamp(v.now), "check the time; nothing of the future counts")
	case v.now.After(to):
		v.refuse(code+"-expired", what, "valid to "+stamp(to), "valid at "+stamp(v.now), advice)
	default:
		return true
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (v *verification) isCA(c *cert, what string) bool {
	if c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0 && c.KeyUsage&x509.KeyUsageCRLSign != 0 {
		return true
	}
	v.refuse("wrong-certificate", what, "not a CA for certificates and CRLs", "a CA", "hand in Intel's chain in its order: leaf, CA, root")
	return false
}

func (v *verification) isLeaf(c *cert, what string) bool {
	if c.BasicConstraintsValid && !c.IsCA && c.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
		return true
	}
	v.refuse("wrong-certificate", what, "a CA or not for signatures", "a certificate for signatures", "hand in Intel's chain in its order: leaf, CA, root")
	return false
}

// issued checks that parent issued c: names, key identifiers where both are there, path length, signature.
func (v *verification) issued(c, parent *cert, what string, below int) bool {
	advice := "hand in the chain that leads to the root CA"
	switch {
	case !bytes.Equal(c.RawIssuer, parent.RawSubject):
		v.refuse("wrong-issuer", what, c.Issuer.String(), parent.Subject.String(), advice)
	case len(c.AuthorityKeyId) != 0 && len(parent.SubjectKeyId) != 0 && !bytes.Equal(c.AuthorityKeyId, parent.SubjectKeyId):
		v.refuse("wrong-issuer", what+" authority key id", fmt.Sprintf("%x", c.AuthorityKeyId), fmt.Sprintf("%x", parent.SubjectKeyId), advice)
	case parent.MaxPathLen >= 0 && parent.MaxPathLen < below: // -1 is no limit
		v.refuse("wrong-certificate", what, fmt.Sprintf("path of %d CAs below its issuer", below), fmt.Sprintf("at most %d", parent.MaxPathLen), advice)
	case !signedDER(parent.key, c.RawTBSCertificate, c.Signature):
		v.refuse("bad-signature", what, "not signed by "+parent.Subject.CommonName, "its issuer's signature", advice)
	default:
		return true
	}
	return false
}

func (v *verification) named(c *cert, what string, names ...string) bool {
	for _, n := range names {
		if c.Subject.CommonName == n {
			return true
		}
	}
	v.refuse("wrong-certificate", what+" common name", c.Subject.CommonName, fmt.Sprintf("%q", names), "hand in the chain of this role")
	return false
}

// pckChain checks PCK certificate, PCK CA and root, in the PEM text.
func (v *verification) pckChain(text []byte, what string) (leaf, ca *cert) {
	ders := v.pem(text, 3, what)
	if ders == nil || v.root == nil {
		return nil, nil
	}
	if ca = v.pckCA(ders[1], what+" CA"); ca == nil {
		return nil, nil
	}
	leaf = v.parse(ders[0], what+" leaf")
	if leaf == nil || !v.inForce(leaf, what+" leaf") || !v.isLeaf(leaf, what+" leaf") || !v.named(leaf, what+" leaf", namePCK) || !v.issued(leaf, ca, what+" leaf", 0) {
		return nil, ca
	}
	return leaf, ca
}

// pckCA checks a CA of PCK certificates, once for the same bytes.
func (v *verification) pckCA(der []byte, what string) *cert {
	if v.ca != nil && bytes.Equal(v.ca.Raw, der) {
		return v.ca
	}
	c := v.parse(der, what)
	if c == nil || !v.inForce(c, what) || !v.isCA(c, what) || !v.named(c, what, namePlatform, nameProcessor) || !v.issued(c, v.root, what, 1) {
		return nil
	}
	v.ca = c
	v.underRoot = append(v.underRoot, role{c, what})
	return c
}

// signer checks TCB signing certificate and root, once for the same bytes.
func (v *verification) signer(text []byte, what string) *cert {
	ders := v.pem(text, 2, what)
	if ders == nil || v.root == nil {
		return nil
	}
	if v.tcbSigner != nil && bytes.Equal(v.tcbSigner.Raw, ders[0]) {
		return v.tcbSigner
	}
	c := v.parse(ders[0], what+" leaf")
	if c == nil || !v.inForce(c, what) || !v.isLeaf(c, what) || !v.named(c, what, nameSigner) || !v.issued(c, v.root, what, 0) {
		return nil
	}
	v.tcbSigner = c
	v.underRoot = append(v.underRoot, role{c, what})
	return c
}

// pem splits a chain of n certificates whose last is the trusted root itself.
func (v *verification) pem(text []byte, n int, what string) [][]byte {
	ders, err := splitPEM(text, n)
	if err != nil {
		v.refuse("malformed-certificate", what, err.Error(), fmt.Sprintf("%d certificates in PEM", n), "hand in the chain as Intel publishes it")
		return nil
	}
	if v.root != nil && !bytes.Equal(ders[n-1], v.root.Raw) {
		v.refuse("wrong-root", what, fmt.Sprintf("root with SHA-256 %x", sha256.Sum256(ders[n-1])), fmt.Sprintf("%x", sha256.Sum256(v.root.Raw)), "only Intel's own root counts")
		return nil
	}
	return ders
}

// signedDER is whether key signed message with SHA-256, signature in DER.
func signedDER(key *ecdsa.PublicKey, message, signature []byte) bool {
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(key, digest[:], signature)
}

// signedRaw is whether key signed message with SHA-256, signature as r || s of 32 bytes each.
func signedRaw(key *ecdsa.PublicKey, message, signature []byte) bool {
	if len(signature) != pairSize {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// refuse notes a reason.
func (v *verification) refuse(code, field, got, want, advice string) {
	v.errs = append(v.errs, claims.Refuse(code, field, got, want, advice))
}
