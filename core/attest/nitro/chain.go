package nitro

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// chain checks the document's certificates from the root down, all in force at now, and gives the key that signs documents.
// AWS issues no revocation lists for it: the signing certificate lives three hours instead.
func (d *Document) chain(root []byte, now time.Time, out *claims.Claims) (*ecdsa.PublicKey, error) {
	if !bytes.Equal(d.CABundle[0], root) {
		return nil, claims.Refuse("wrong-root", "cabundle[0]", "another certificate", "the trusted root", "send a document of a security module of AWS")
	}
	var above *x509.Certificate
	for i, der := range append(d.CABundle[:len(d.CABundle):len(d.CABundle)], d.Certificate) {
		name, below := fmt.Sprintf("cabundle[%d]", i), len(d.CABundle)-1-i // CA certificates that follow
		if i == len(d.CABundle) {
			name = "certificate"
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, malformed(name, err.Error(), "a certificate in DER")
		}
		if above == nil {
			above = c // the root stands for itself
		}
		if err := certifies(above, c, name); err != nil {
			return nil, err
		}
		if err := fits(c, below, name); err != nil {
			return nil, err
		}
		if now.Before(c.NotBefore) {
			return nil, claims.Refuse("not-yet-valid", name, "in force from "+stamp(c.NotBefore), stamp(now), "check the clock, then wait or take a new document")
		}
		if now.After(c.NotAfter) {
			return nil, claims.Refuse("expired", name, "in force until "+stamp(c.NotAfter), stamp(now), "take a new document: its certificate lives three hours")
		}
		out.Within(c.NotBefore, c.NotAfter)
		above = c
	}
	return above.PublicKey.(*ecdsa.PublicKey), nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// certifies is nil if above's key has signed c, under the name that c gives as its issuer.
func certifies(above, c *x509.Certificate, name string) error {
	const again = "send the document as the security module gave it"
	if !bytes.Equal(c.RawIssuer, above.RawSubject) {
		return claims.Refuse("chain", name, "issued by "+c.Issuer.String(), above.Subject.String(), again)
	}
	if c.SignatureAlgorithm != x509.ECDSAWithSHA384 {
		return claims.Refuse("chain", name, "signed with "+c.SignatureAlgorithm.String(), "ECDSA-SHA384", again)
	}
	if err := above.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return claims.Refuse("chain", name, "not signed by the certificate before it", "a chain from the root", again)
	}
	return nil
}

// fits is nil if c may stand where it does: below is how many CA certificates come after it, -1 for the one that signs documents.
func fits(c *x509.Certificate, below int, name string) error {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P384() {
		return malformed(name, "a key of "+c.PublicKeyAlgorithm.String(), "ECDSA on P-384")
	}
	if len(c.UnhandledCriticalExtensions) > 0 {
		return malformed(name, fmt.Sprintf("the critical extension %s", c.UnhandledCriticalExtensions[0]), "known ones")
	}
	if below < 0 {
		if !c.BasicConstraintsValid || c.IsCA || c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			return malformed(name, "a certificate of a CA, or without the usage digitalSignature", "one that signs documents")
		}
		return nil
	}
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return malformed(name, "no certificate of a CA", "a CA with the usage certSign")
	}
	if limited := c.MaxPathLen > 0 || c.MaxPathLenZero; limited && below > c.MaxPathLen {
		return malformed(name, fmt.Sprintf("pathlen %d above %d CAs", c.MaxPathLen, below), "a chain within it")
	}
	return nil
}
