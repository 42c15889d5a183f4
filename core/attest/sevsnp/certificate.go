package sevsnp

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// parseCertificates reads one certificate in DER, or one to most in PEM with nothing between but line ends.
func parseCertificates(what string, raw []byte, most int) ([]*x509.Certificate, error) {
	if len(raw) == 0 {
		return nil, claims.Refuse("missing-certificate", what, "empty", "DER or PEM", "send it with the report")
	}
	if len(raw) > maxCertificate*most {
		return nil, malformed(what, fmt.Sprintf("%d bytes", len(raw)), fmt.Sprintf("at most %d", maxCertificate*most))
	}
	ders := [][]byte{raw}
	if bytes.HasPrefix(raw, []byte("-----BEGIN")) {
		ders = ders[:0]
		for rest := bytes.TrimSpace(raw); len(rest) > 0; rest = bytes.TrimSpace(rest) {
			if !bytes.HasPrefix(rest, []byte("-----BEGIN")) {
				return nil, malformed(what, "PEM with text in between", "certificates alone")
			}
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
				return nil, malformed(what, "PEM of something else", "CERTIFICATE blocks")
			}
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) > most {
		return nil, malformed(what, fmt.Sprintf("%d certificates", len(ders)), fmt.Sprintf("at most %d", most))
	}
	out := make([]*x509.Certificate, len(ders))
	for i, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, malformed(what, err.Error(), "an X.509 certificate")
		}
		out[i] = c
	}
	return out, nil
}

// issued is nil if parent, a CA, has signed cert with RSA-PSS and SHA-384, which is all that AMD uses.
func issued(what string, cert, parent *x509.Certificate) error {
	if err := mayIssue(what, cert, parent); err != nil {
		return err
	}
	if err := parent.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return claims.Refuse("chain", "signature of "+what, "not made by "+parent.Subject.CommonName, "AMD's signature", "send certificates as AMD's key distribution service gives them")
	}
	return nil
}

// mayIssue is issued but for the signature itself.
func mayIssue(what string, cert, parent *x509.Certificate) error {
	if !bytes.Equal(cert.RawIssuer, parent.RawSubject) {
		is := "issued by " + cert.Issuer.String()
		if cert.Issuer.String() == parent.Subject.String() {
			is += ", whose name is encoded otherwise: another authority of the same name"
		}
		return claims.Refuse("chain", what, is, parent.Subject.String(),
			"send the certificates that lead from this chip's key to AMD's root; a root of its own counts only on a development network that names it")
	}
	if !parent.BasicConstraintsValid || !parent.IsCA || parent.KeyUsage&x509.KeyUsageCertSign == 0 {
		return claims.Refuse("chain", "issuer of "+what, "no CA", "a CA", "send the ASK or ASVK as AMD's key distribution service gives it")
	}
	if cert.SignatureAlgorithm != x509.SHA384WithRSAPSS {
		return malformed("signature of "+what, cert.SignatureAlgorithm.String(), "RSA-PSS with SHA-384")
	}
	return nil
}
