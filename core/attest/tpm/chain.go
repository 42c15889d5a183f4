package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// maxChain is the most certificates that an AK may come with.
const maxChain = 8

// Object identifiers. Source: TCG EK Credential Profile 2.5, 3.5 and 4 (tcg-kp-AIKCertificate); RFC 5280, 4.2.1.6.
var (
	aikUse         = asn1.ObjectIdentifier{2, 23, 133, 8, 3}
	subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17} // critical, and of no names that Go knows, where the subject is empty
)

// trusted is nil if the AK's chain leads to one of o's roots or, if it has none, its name is one of o's.
func (p *Public) trusted(chain []byte, o Options, out *claims.Claims) error {
	if len(chain) == 0 {
		if !contains(o.Names, p.name) {
			return claims.Refuse("unknown-ak", "name of the AK", fmt.Sprintf("%x", p.name), "one that is trusted, or a certificate of it",
				"name this AK in the development network's roots, or send its certificate chain")
		}
		return nil
	}
	certs, err := parseChain(chain)
	if err != nil {
		return err
	}
	if equal(p.Key, certs[0].PublicKey) {
		return walk(certs, o, out)
	}
	return claims.Refuse("wrong-ak", "certificate of the AK", "for another key", "one for the AK of the quote", "send quote and certificate of one TPM")
}

func equal(a, b any) bool {
	switch k := a.(type) {
	case *rsa.PublicKey:
		return k.Equal(b)
	case *ecdsa.PublicKey:
		return k.Equal(b)
	}
	return false
}

func parseChain(b []byte) (out []*x509.Certificate, err error) {
	for len(b) > 0 {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || !bytes.HasPrefix(b, []byte("-----BEGIN")) {
			return nil, claims.Refuse("malformed", "chain of the AK", "no PEM of certificates alone", "CERTIFICATE blocks, nothing between them", "send the certificates alone, without text around them")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, claims.Refuse("malformed", "chain of the AK", err.Error(), "certificates in DER", "send the certificates as their authority issued them")
		}
		if out = append(out, c); len(out) > maxChain {
			return nil, claims.Refuse("malformed", "chain of the AK", "longer", count(maxChain, "certificate")+" at most", "send the certificates from the AK's to the one below the root alone")
		}
		b = rest
	}
	return out, nil
}

// walk goes from the AK's certificate up to a root of o's. No revocation is looked at: authorities of AKs publish lists in no common way.
func walk(certs []*x509.Certificate, o Options, out *claims.Claims) error {
	root := certs[len(certs)-1]
	if !contains(o.Roots, root.Raw) {
		found := false
		for _, der := range o.Roots {
			c, err := x509.ParseCertificate(der)
			if err == nil && bytes.Equal(c.RawSubject, root.RawIssuer) && root.CheckSignatureFrom(c) == nil {
				certs, found = append(certs, c), true
				break
			}
		}
		if !found {
			return claims.Refuse("wrong-root", "chain of the AK", "issued by "+root.Issuer.String(), "one that ends at a trusted root", "name the authority in the development network's roots")
		}
	}
	if len(certs) < 2 {
		return claims.Refuse("chain", "certificate of the AK", "a root", "one that a root has issued", "name the AK itself by its name")
	}
	for i, c := range certs {
		if err := fits(c, i, o.Now); err != nil {
			return err
		}
		if i+1 < len(certs) {
			above := certs[i+1]
			if !bytes.Equal(c.RawIssuer, above.RawSubject) || c.CheckSignatureFrom(above) != nil {
				return claims.Refuse("chain", c.Subject.String(), "issued by "+c.Issuer.String(), "by "+above.Subject.String()+", with its signature", "send each certificate before its issuer's")
			}
		}
		out.Within(c.NotBefore, c.NotAfter)
	}
	return nil
}

// fits is nil if c may stand at place i above the AK's certificate, which is 0. That one must say that it is of an attestation key: it
// binds the key alone, and the area that says "restricted" is only believed because the authority has looked at it.
func fits(c *x509.Certificate, i int, now time.Time) error {
	name := fmt.Sprintf("certificate %d", i)
	const again = "send the chain as the authority gave it"
	if now.Before(c.NotBefore) {
		return claims.Refuse("not-yet-valid", name, "in force from "+stamp(c.NotBefore), stamp(now), "check the clock")
	}
	if now.After(c.NotAfter) {
		return claims.Refuse("expired", name, "in force until "+stamp(c.NotAfter), stamp(now), "have the authority certify the AK anew")
	}
	for _, id := range c.UnhandledCriticalExtensions {
		if i > 0 || !id.Equal(subjectAltName) {
			return claims.Refuse("chain", name, "the critical extension "+id.String(), "known ones", again)
		}
	}
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		return claims.Refuse("chain", name, fmt.Sprintf("RSA of %d bits", k.N.BitLen()), "2048 or more", again)
	}
	if i == 0 {
		if c.IsCA || !slices.ContainsFunc(c.UnknownExtKeyUsage, aikUse.Equal) {
			return claims.Refuse("chain", name, "not for an attestation key", "extended key usage 2.23.133.8.3, no CA", "take a certificate of the AK, not of another key")
		}
		return nil
	}
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return claims.Refuse("chain", name, "no certificate of a CA", "a CA with the usage certSign", again)
	}
	if limited := c.MaxPathLen > 0 || c.MaxPathLenZero; limited && i-1 > c.MaxPathLen {
		return claims.Refuse("chain", name, fmt.Sprintf("pathlen %d above %d CAs", c.MaxPathLen, i-1), "a chain within it", again)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
