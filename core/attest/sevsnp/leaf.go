package sevsnp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest/claims"
)

// leaf is the certificate of the key that signed a report (57230, VCEK and VLEK certificate).
type leaf struct {
	cert    *x509.Certificate
	kind    Key
	line    Line
	product string // with the stepping, where AMD gives it
	svns    SVNs
	hwID    []byte // of a VCEK
	cspID   string // of a VLEK: the cloud it was given to
}

// AMD's arc, 1.3.6.1.4.1.3704.1, and what stands below it.
var (
	arcAMD      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}
	extVersion  = "1"
	extProduct  = "2"
	extHWID     = "4"
	extCSPID    = "5"
	extReserved = []string{"3.4", "3.5", "3.6", "3.7"}
	extSVNs     = []struct {
		id string
		to func(*SVNs) *uint8
	}{
		{"3.1", func(s *SVNs) *uint8 { return &s.Bootloader }},
		{"3.2", func(s *SVNs) *uint8 { return &s.TEE }},
		{"3.3", func(s *SVNs) *uint8 { return &s.SNP }},
		{"3.8", func(s *SVNs) *uint8 { return &s.Microcode }},
	}
	extFMC = "3.9"
)

// parseLeaf reads a VCEK or VLEK certificate. It says nothing of who signed it.
func parseLeaf(raw []byte) (*leaf, error) {
	certs, err := parseCertificates("VCEK or VLEK certificate", raw, 1)
	if err != nil {
		return nil, err
	}
	k := &leaf{cert: certs[0]}
	if pub, ok := k.cert.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != elliptic.P384() {
		return nil, malformed("leaf key", k.cert.PublicKeyAlgorithm.String(), "ECDSA on P-384")
	}
	if err := k.names(); err != nil {
		return nil, err
	}
	if k.cert.IsCA || len(k.cert.UnhandledCriticalExtensions) > 0 {
		return nil, malformed("leaf certificate", "one of a CA, or with unknown critical extensions", "AMD's profile (57230)")
	}
	return k, k.extensions()
}

// names sets kind and line by subject and issuer.
func (k *leaf) names() error {
	cn, issuer := k.cert.Subject.CommonName, k.cert.Issuer.CommonName
	for _, l := range []Line{Milan, Genoa, Turin} {
		switch {
		case cn == "SEV-VCEK" && issuer == intermediateName(l, VCEK):
			k.kind, k.line = VCEK, l
			return nil
		case cn == "SEV-VLEK" && issuer == intermediateName(l, VLEK):
			k.kind, k.line = VLEK, l
			return nil
		}
	}
	return claims.Refuse("unknown-product", "leaf certificate", fmt.Sprintf("%q issued by %q", cn, issuer),
		`"SEV-VCEK" by "SEV-<line>" or "SEV-VLEK" by "SEV-VLEK-<line>" with Milan, Genoa or Turin`, "send the certificate of the key that signed the report")
}

// intermediateName is the common name of the ASK or ASVK.
func intermediateName(l Line, k Key) string {
	if k == VLEK {
		return "SEV-VLEK-" + string(l)
	}
	return "SEV-" + string(l)
}

// extensions reads AMD's, each of which stands there once.
func (k *leaf) extensions() error {
	e := amdExtensions{by: map[string][]byte{}}
	for _, x := range k.cert.Extensions {
		if len(x.Id) > len(arcAMD) && slices.Equal(x.Id[:len(arcAMD)], arcAMD) {
			id := fmt.Sprint(x.Id[len(arcAMD)])
			for _, n := range x.Id[len(arcAMD)+1:] {
				id += fmt.Sprintf(".%d", n)
			}
			e.by[id] = x.Value
		}
	}
	if v := e.number(extVersion); v > 1 {
		return malformed("structVersion", fmt.Sprint(v), "0 or 1")
	}
	k.product = e.text(extProduct)
	if e.err == nil && !k.line.named(k.product) {
		return claims.Refuse("wrong-product", "productName", fmt.Sprintf("%q", k.product), string(k.line)+", which is its issuer's line", "send the certificate of the chip that made the report")
	}
	for _, s := range extSVNs {
		*s.to(&k.svns) = e.number(s.id)
	}
	reserved := extReserved
	if k.line == Turin {
		k.svns.FMC = e.number(extFMC)
		reserved = reserved[1:] // the fifth version replaces spl4
	}
	for _, id := range reserved {
		if v := e.number(id); v != 0 {
			return malformed("extension "+id, fmt.Sprint(v), "0")
		}
	}
	if k.kind == VLEK {
		k.cspID = e.text(extCSPID)
	} else {
		k.hwID = e.raw(extHWID, k.line.chipIDSize())
	}
	return e.done()
}

// matches is nil if the certificate is of the key, the line, the chip and the security versions that the report names.
func (k *leaf) matches(r *Report) error {
	if r.SigningKey != k.kind {
		return claims.Refuse("wrong-key", "SIGNING_KEY", r.SigningKey.String(), k.kind.String()+", of which the certificate is", "send the certificate of the key that signed the report")
	}
	if r.Version >= 3 {
		l, err := r.CPU.Line()
		if err != nil {
			return err
		}
		if l != k.line {
			return claims.Refuse("wrong-product", "CPUID_FAM_ID and CPUID_MOD_ID", fmt.Sprintf("%s (%s)", r.CPU, l), string(k.line)+", of which the certificate is", "send the certificate of the chip that made the report")
		}
	}
	reported, err := r.ReportedTCB.SVNs(k.line, "REPORTED_TCB")
	if err != nil {
		return err
	}
	if reported != k.svns {
		return claims.Refuse("tcb-mismatch", "REPORTED_TCB", reported.String(), k.svns.String()+", as the certificate has it", "fetch the certificate for the reported TCB")
	}
	if k.kind == VLEK || allZero(r.ChipID[:]) {
		return nil
	}
	n := k.line.chipIDSize()
	if !bytes.Equal(r.ChipID[:n], k.hwID) || !allZero(r.ChipID[n:]) {
		return claims.Refuse("chip-mismatch", "CHIP_ID", fmt.Sprintf("%x", r.ChipID), fmt.Sprintf("%x, as the certificate has it", k.hwID), "send the certificate of the chip that made the report")
	}
	return nil
}
