package attest

import (
	"crypto/sha256"
	"crypto/x509"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/nitro"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/wire"
)

// Roots are the makers of TEEs that are believed. The zero value believes nobody.
type Roots struct {
	Intel []byte        // DER of the SGX root CA
	AMD   []sevsnp.Root // the ARK of each line
	Nitro []byte        // DER of the root of AWS Nitro enclaves
	TPM   [][]byte      // DER of authorities that certify TPMs' attestation keys; no maker's
	AKs   [][]byte      // names of attestation keys that are believed by themselves
}

// VendorRoots are the makers themselves, as constants of this program.
func VendorRoots() Roots {
	return Roots{Intel: dcap.IntelRoot(), AMD: sevsnp.AMD(), Nitro: nitro.AWSRoot()}
}

// RootsOf are those that a network believes: the makers, and on a development network what its genesis puts in their place.
func RootsOf(n *wire.NetworkParams) Roots {
	r := VendorRoots()
	if !n.GetDevelopment() {
		return r
	}
	var amd []sevsnp.Root
	for _, d := range n.DevelopmentRoots {
		switch d.GetKind() {
		case wire.TEE_KIND_SGX, wire.TEE_KIND_TDX:
			r.Intel = d.Certificate
		case wire.TEE_KIND_SEV_SNP:
			amd = append(amd, developmentARK(d.Certificate)...)
		case wire.TEE_KIND_NITRO:
			r.Nitro = d.Certificate
		case wire.TEE_KIND_TPM:
			if len(d.Certificate) != 0 {
				r.TPM = append(r.TPM, d.Certificate)
			} else {
				r.AKs = append(r.AKs, d.AkName)
			}
		}
	}
	r.AMD = append(amd, r.AMD...)
	return r
}

func developmentARK(der []byte) (out []sevsnp.Root) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	key := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	for _, l := range []sevsnp.Line{sevsnp.Milan, sevsnp.Genoa, sevsnp.Turin} {
		out = append(out, sevsnp.Root{Line: l, Key: key, ARK: der})
	}
	return out
}
