// Package sevsnp checks what an AMD secure processor says about a guest that runs under SEV-SNP: AMD's root vouches for the key of the
// chip (VCEK) or of the cloud (VLEK), that key has signed the report, the key's security versions are those that the report claims, and
// none of them is revoked. It must never look anything up, read a clock, or trust a root that came with the evidence.
//
// Sources: AMD 56860 (SEV-SNP firmware ABI: the report, TCB_VERSION, POLICY, PLATFORM_INFO), AMD 57230 (VCEK and VLEK certificates, key
// distribution), AMD security bulletins (floors.go). Numbers in reports are little-endian.
package sevsnp

import (
	"slices"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Collateral is what AMD has published about the key that signed a report. Certificates are DER, or PEM without anything around it.
type Collateral struct {
	// Leaf is the certificate of the VCEK or VLEK.
	Leaf []byte
	// Intermediate is the ASK or ASVK; in PEM the ARK may follow it, as AMD's cert_chain has it. Empty: the one that Options.Roots has.
	Intermediate []byte
	// CRL is the ARK's list of revoked certificates, DER. It covers the intermediate and the leaf.
	CRL []byte
}

// Options are what the verifier trusts. The zero value accepts nothing.
type Options struct {
	// Now is the time at which every certificate and list has to be in force.
	Now time.Time
	// Roots are the trusted ARKs; AMD() are the real ones.
	Roots []Root
	// AllowMissingCRL takes evidence without a CRL, with the warning "no-crl". A CRL that is there is always checked.
	AllowMissingCRL bool
	// Floors are security versions that the operator of the network requires beyond those of AMD's bulletins. Falling short of one
	// makes the status OutOfDate, as with a bulletin.
	Floors []Floor
}

// Size limits in bytes; larger is not even parsed.
const (
	maxCertificate = 8 << 10
	maxCRL         = 32 << 10
)

// Verify says what the report claims, once AMD's chain, the revocation list and the report's signature have been checked. Errors are
// claims.Reasons. Debug, warnings and status are for a policy to judge: Verify refuses only what is unproven or malformed.
//
// Measurement is the launch digest (MEASUREMENT, 48 bytes) alone. ReportData is 64 bytes, HostData 32. ChipID is 64 bytes, 8 for Turin,
// and empty for a VLEK, whose reports name no chip.
func Verify(report []byte, c Collateral, o Options) (claims.Claims, error) {
	r, err := Parse(report)
	if err != nil {
		return claims.Claims{}, err
	}
	if o.Now.IsZero() || len(o.Roots) == 0 {
		return claims.Claims{}, claims.Refuse("no-trust", "Options", "without time or roots", "the time of the block and AMD's roots", "who asks must give both: the evidence is not to blame")
	}
	k, err := parseLeaf(c.Leaf)
	if err != nil {
		return claims.Claims{}, err
	}
	if err := k.matches(r); err != nil {
		return claims.Claims{}, err
	}
	t, err := r.tcbs(k.line)
	if err != nil {
		return claims.Claims{}, err
	}
	var out claims.Claims
	if err := k.checkChain(c, o, &out); err != nil {
		return claims.Claims{}, err
	}
	if err := r.checkSignature(k.cert.PublicKey); err != nil {
		return claims.Claims{}, err
	}
	r.claim(k, t, &out)
	if len(c.CRL) == 0 {
		out.Warnings = append(out.Warnings, "no-crl")
		slices.Sort(out.Warnings)
	}
	rate(t.reported, k.line, r.CPU.Die(), o.Floors, &out)
	return out, nil
}
