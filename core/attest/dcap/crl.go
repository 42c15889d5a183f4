package dcap

import (
	"bytes"
	"crypto/x509"
	"fmt"
)

// crl checks a revocation list of ca: form, issuer, signature, number, dates.
func (v *verification) crl(der []byte, ca *cert, what string) *x509.RevocationList {
	advice := "fetch the revocation lists again"
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		v.refuse("malformed-crl", what, err.Error(), "a certificate revocation list in DER", advice)
		return nil
	}
	v.claims.Within(l.ThisUpdate, l.NextUpdate)
	if l.NextUpdate.IsZero() || l.Number == nil || l.Number.Sign() < 0 {
		v.refuse("malformed-crl", what, "no number or no next update", "a list of Intel's profile", advice)
		return nil
	}
	if ext := critical(l); ext != "" {
		v.refuse("malformed-crl", what, "critical extension "+ext, "a list of Intel's profile", advice)
		return nil
	}
	if !v.between(what, l.ThisUpdate, l.NextUpdate, "crl", advice) {
		return nil
	}
	switch {
	case !bytes.Equal(l.RawIssuer, ca.RawSubject):
		v.refuse("wrong-crl", what, "issued by "+l.Issuer.String(), ca.Subject.String(), "fetch the list of the CA that issued the certificate (platform or processor)")
	case len(l.AuthorityKeyId) != 0 && len(ca.SubjectKeyId) != 0 && !bytes.Equal(l.AuthorityKeyId, ca.SubjectKeyId):
		v.refuse("wrong-crl", what+" authority key id", fmt.Sprintf("%x", l.AuthorityKeyId), fmt.Sprintf("%x", ca.SubjectKeyId), advice)
	case l.SignatureAlgorithm != x509.ECDSAWithSHA256 || !signedDER(ca.key, l.RawTBSRevocationList, l.Signature):
		v.refuse("bad-signature", what, "not signed by "+ca.Subject.CommonName, "its issuer's signature", advice)
	default:
		return l
	}
	return nil
}

// critical names a critical extension of the list or of an entry. None is understood: indirect and partial lists do not say what they seem to.
func critical(l *x509.RevocationList) string {
	for _, e := range l.Extensions {
		if e.Critical {
			return e.Id.String()
		}
	}
	for _, r := range l.RevokedCertificateEntries {
		for _, e := range r.Extensions {
			if e.Critical {
				return e.Id.String()
			}
		}
	}
	return ""
}

// revoked refuses c if its issuer's list names it. A serial number means something within one issuer only; crl has compared the issuers.
func (v *verification) revoked(c *cert, l *x509.RevocationList, what string) {
	for _, r := range l.RevokedCertificateEntries {
		if r.SerialNumber.Cmp(c.SerialNumber) == 0 {
			v.refuse("certificate-revoked", what, fmt.Sprintf("serial %x revoked on %s", c.SerialNumber, stamp(r.RevocationTime)), "a certificate in force",
				"this machine or signer is no longer trusted by Intel; use another machine")
			return
		}
	}
}

// lists checks both lists and what they revoke.
func (v *verification) lists(c Collateral, pck, pckCA *cert) {
	if v.root != nil {
		if l := v.crl(c.RootCRL, v.root, "root CA CRL"); l != nil {
			for _, r := range v.underRoot {
				v.revoked(r.cert, l, r.what)
			}
		}
	}
	ders := v.pem(c.PCKCRLChain, 2, "PCK CRL chain")
	if ders == nil || pckCA == nil || v.root == nil {
		return
	}
	ca := v.pckCA(ders[0], "PCK CRL chain CA")
	if ca == nil {
		return
	}
	if !bytes.Equal(ca.RawSubject, pckCA.RawSubject) || !bytes.Equal(ca.RawSubjectPublicKeyInfo, pckCA.RawSubjectPublicKeyInfo) {
		v.refuse("wrong-crl", "PCK CRL chain CA", ca.Subject.CommonName, pckCA.Subject.CommonName, "fetch the list of the CA that issued the certificate (platform or processor)")
		return
	}
	if l := v.crl(c.PCKCRL, pckCA, "PCK CRL"); l != nil && pck != nil {
		v.revoked(pck, l, "PCK certificate")
	}
}
