package dcap

import (
	"crypto/x509"

	"github.com/phala-go/phala/core/attest/claims"
)

// Platform is under what Intel publishes a platform's collateral.
type Platform struct {
	FMSPC [6]byte // of the TCB info
	PCEID [2]byte
	CA    string // of the PCK certificate, and so of the PCK CRL: "platform" or "processor"
}

// PlatformOf reads it in the PCK certificate that stands in a quote, or else in the chain beside it (PEM). NOTHING of it is verified: it is for
// people who look for collateral.
func PlatformOf(quote, chain []byte) (Platform, error) {
	const advice = "fetch the platform's PCK certificate and hand it in with the collateral"
	q, err := parseQuote(quote)
	if err != nil {
		return Platform{}, err
	}
	if q.certType == certPCKChain {
		chain = q.certData
	}
	if len(chain) == 0 {
		return Platform{}, claims.Refuse("collateral-missing", "PCK chain", "none in the quote", "a chain in the quote or beside it", advice)
	}
	ders, err := splitPEM(chain, 3)
	if err != nil {
		return Platform{}, claims.Refuse("malformed-certificate", "PCK chain", err.Error(), "three certificates in PEM", advice)
	}
	c, err := x509.ParseCertificate(ders[0])
	if err != nil {
		return Platform{}, claims.Refuse("malformed-certificate", "PCK certificate", err.Error(), "an X.509 certificate", advice)
	}
	v := &verification{}
	p := v.platform(&cert{Certificate: c})
	if p == nil {
		return Platform{}, v.errs[0]
	}
	out := Platform{FMSPC: p.fmspc, PCEID: p.pceID}
	switch c.Issuer.CommonName {
	case namePlatform:
		out.CA = "platform"
	case nameProcessor:
		out.CA = "processor"
	}
	return out, nil
}
