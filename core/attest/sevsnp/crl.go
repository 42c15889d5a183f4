package sevsnp

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// checkCRL is nil if der is the ARK's list, in force, and names none of certs. AMD has one list a line, for the certificates of the ARK
// and of its intermediates (57230, CRL); a serial on it revokes whichever of certs has that serial.
func checkCRL(der []byte, ark *x509.Certificate, certs []*x509.Certificate, now time.Time, out *claims.Claims) error {
	if len(der) > maxCRL {
		return malformed("CRL", fmt.Sprintf("%d bytes", len(der)), fmt.Sprintf("at most %d", maxCRL))
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return malformed("CRL", err.Error(), "an X.509 CRL in DER")
	}
	if !bytes.Equal(list.RawIssuer, ark.RawSubject) {
		return claims.Refuse("crl", "issuer", fmt.Sprintf("%q", list.Issuer.CommonName), fmt.Sprintf("%q", ark.Subject.CommonName), "send the CRL of the report's product line")
	}
	if list.SignatureAlgorithm != x509.SHA384WithRSAPSS || ark.KeyUsage&x509.KeyUsageCRLSign == 0 ||
		ark.CheckSignature(list.SignatureAlgorithm, list.RawTBSRevocationList, list.Signature) != nil {
		return claims.Refuse("crl", "signature", "not made by "+ark.Subject.CommonName, "AMD's signature, RSA-PSS with SHA-384", "send the CRL as AMD's key distribution service gives it")
	}
	if err := whole(list); err != nil {
		return err
	}
	if err := inForce("CRL", list.ThisUpdate, list.NextUpdate, now); err != nil {
		return err
	}
	out.Within(list.ThisUpdate, list.NextUpdate)
	for _, e := range list.RevokedCertificateEntries {
		for _, c := range certs {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return claims.Refuse("revoked", c.Subject.CommonName+" certificate", fmt.Sprintf("serial %x, revoked %s", e.SerialNumber, e.RevocationTime.UTC().Format(time.DateOnly)), "one that AMD has not revoked", "this machine's key is not trusted any more")
			}
		}
	}
	return nil
}

var (
	oidDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidDelta             = asn1.ObjectIdentifier{2, 5, 29, 27}
)

// whole is nil if the list says until when it holds and speaks of all certificates: it is no delta, is not limited to some, and says nothing critical that is unknown.
func whole(list *x509.RevocationList) error {
	if list.NextUpdate.IsZero() {
		return malformed("CRL", "without nextUpdate", "a date")
	}
	bad := func(x pkix.Extension) bool {
		if x.Id.Equal(oidDelta) {
			return true
		}
		return x.Critical && !(x.Id.Equal(oidDistributionPoint) && unlimited(x.Value))
	}
	for _, x := range list.Extensions {
		if bad(x) {
			return claims.Refuse("crl", "extension "+x.Id.String(), "critical", "a list of all revoked certificates", "send AMD's whole CRL")
		}
	}
	for _, e := range list.RevokedCertificateEntries {
		for _, x := range e.Extensions {
			if x.Critical {
				return claims.Refuse("crl", fmt.Sprintf("entry %x, extension %s", e.SerialNumber, x.Id), "critical", "none that is unknown", "a newer list needs a newer verifier")
			}
		}
	}
	return nil
}

// unlimited is whether an issuing distribution point (RFC 5280, 5.2.5) names nothing but a place. It is taken apart by hand, since
// encoding/asn1 passes over what follows the fields of a struct: there a list says that it covers some certificates only.
func unlimited(der []byte) bool {
	var point, place asn1.RawValue
	if !decodes(der, &point) || point.Class != asn1.ClassUniversal || point.Tag != asn1.TagSequence {
		return false
	}
	if len(point.Bytes) == 0 {
		return true
	}
	return decodes(point.Bytes, &place) && place.Class == asn1.ClassContextSpecific && place.Tag == 0
}
