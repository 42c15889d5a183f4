package evidencefile

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/wire"
)

// AddCollateral takes into the evidence what another file holds of its maker's collateral: a recorded case or Intel's collateral in
// JSON, AMD's certificates and lists in DER or PEM, the certificates of a TPM's key in PEM, our own Collateral. Evidence without a time of judgement takes that of a case.
func (f *File) AddCollateral(b []byte) error {
	switch {
	case f.Evidence == nil:
		return errors.New("this file holds no evidence that collateral belongs to")
	case len(b) > MaxSize:
		return fmt.Errorf("%d bytes: collateral has at most %d", len(b), MaxSize)
	case bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")):
		return f.addJSON(b)
	case bytes.HasPrefix(b, []byte("HCLA")):
		return f.addHCL(b)
	}
	if items, err := attest.ParseCollateral(b); err == nil && len(items) > 0 {
		return f.add(items...)
	}
	if l, err := x509.ParseRevocationList(b); err == nil {
		return f.add(&wire.CollateralItem{Kind: wire.COLLATERAL_KIND_SNP_CRL, Data: l.Raw})
	}
	if f.Evidence.Kind == wire.TEE_KIND_TPM && bytes.HasPrefix(b, []byte("-----BEGIN CERTIFICATE")) {
		return f.add(&wire.CollateralItem{Kind: wire.COLLATERAL_KIND_TPM_AK_CHAIN, Data: b})
	}
	return f.addCertificates(b)
}

func (f *File) addJSON(b []byte) error {
	m, err := readMembers(b)
	if err != nil {
		return err
	}
	if !m.has("quote_hex") {
		c, err := dcap.ParseCollateralJSON(b)
		if err != nil {
			return err
		}
		return f.addIntel(c)
	}
	r, err := dcap.ParseRecorded(b)
	if err != nil {
		return err
	}
	if f.At.IsZero() {
		f.At = r.At
	}
	return f.addIntel(r.Collateral)
}

// addHCL puts a vTPM's quote and the report of its machine together.
func (f *File) addHCL(b []byte) error {
	var q wire.TpmQuote
	if f.Evidence.Kind != wire.TEE_KIND_TPM {
		return errors.New("an HCL report belongs to the quote of a vTPM")
	}
	if err := wire.Unmarshal(f.Evidence.Quote, &q); err != nil {
		return err
	}
	f.Evidence = azure(b, &q)
	return nil
}

func (f *File) addIntel(c dcap.Collateral) error {
	var items []*wire.CollateralItem
	for kind, data := range map[wire.CollateralKind][]byte{
		wire.COLLATERAL_KIND_TCB_INFO: c.TCBInfo, wire.COLLATERAL_KIND_TCB_INFO_SIGNATURE: c.TCBInfoSignature, wire.COLLATERAL_KIND_TCB_INFO_CHAIN: c.TCBInfoChain,
		wire.COLLATERAL_KIND_QE_IDENTITY: c.QEIdentity, wire.COLLATERAL_KIND_QE_IDENTITY_SIGNATURE: c.QEIdentitySignature,
		wire.COLLATERAL_KIND_QE_IDENTITY_CHAIN: c.QEIdentityChain,
		wire.COLLATERAL_KIND_PCK_CRL:           c.PCKCRL, wire.COLLATERAL_KIND_PCK_CRL_CHAIN: c.PCKCRLChain,
		wire.COLLATERAL_KIND_ROOT_CRL: c.RootCRL, wire.COLLATERAL_KIND_PCK_CHAIN: c.PCKChain,
	} {
		if len(data) != 0 {
			items = append(items, &wire.CollateralItem{Kind: kind, Data: data})
		}
	}
	return f.add(items...)
}

// addCertificates tells AMD's by their common names: the chip's or the cloud's key, and the one between it and the root, which itself is
// a constant of whoever verifies and is left out.
func (f *File) addCertificates(b []byte) error {
	ders := [][]byte{b}
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("-----BEGIN")) {
		ders = nil
		for rest := b; ; {
			var p *pem.Block
			if p, rest = pem.Decode(rest); p == nil {
				break
			}
			ders = append(ders, p.Bytes)
		}
	}
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return malformed("collateral", err.Error(), "Intel's in JSON, or AMD's certificates and lists in DER or PEM")
		}
		kind := wire.COLLATERAL_KIND_SNP_INTERMEDIATE
		switch name := c.Subject.CommonName; {
		case strings.HasPrefix(name, "ARK"):
			continue
		case strings.Contains(name, "VCEK") || strings.Contains(name, "VLEK"):
			if !strings.HasPrefix(name, "SEV-VLEK-") {
				kind = wire.COLLATERAL_KIND_SNP_LEAF
			}
		}
		if err := f.add(&wire.CollateralItem{Kind: kind, Data: c.Raw}); err != nil {
			return err
		}
	}
	return nil
}

// add puts pieces in the place of those of the same kind.
func (f *File) add(items ...*wire.CollateralItem) error {
	have, err := attest.ParseCollateral(f.Evidence.Collateral)
	if err != nil {
		return err
	}
	for _, i := range items {
		have = slices.DeleteFunc(have, func(h *wire.CollateralItem) bool { return h.Kind == i.Kind })
		have = append(have, i)
	}
	if len(have) == 0 {
		return nil
	}
	slices.SortFunc(have, func(a, b *wire.CollateralItem) int { return cmp.Compare(a.Kind, b.Kind) })
	f.Evidence.Collateral = wire.Marshal(&wire.Collateral{Items: have})
	return nil
}
