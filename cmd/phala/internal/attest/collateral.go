package attest

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// piece is a piece of collateral and when it is in force.
type piece struct {
	Name  string    `json:"name"`
	Bytes int       `json:"bytes"`
	Hash  string    `json:"hash,omitempty"` // where the evidence names it by hash alone and nobody gave the bytes
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"` // next update of what is signed anew, else the end of a certificate
	data  []byte
	kind  wire.CollateralKind
}

var pieceNames = map[wire.CollateralKind]string{
	wire.COLLATERAL_KIND_TCB_INFO: "TCB info", wire.COLLATERAL_KIND_TCB_INFO_SIGNATURE: "TCB info signature", wire.COLLATERAL_KIND_TCB_INFO_CHAIN: "TCB info chain",
	wire.COLLATERAL_KIND_QE_IDENTITY: "QE identity", wire.COLLATERAL_KIND_QE_IDENTITY_SIGNATURE: "QE identity signature",
	wire.COLLATERAL_KIND_QE_IDENTITY_CHAIN: "QE identity chain", wire.COLLATERAL_KIND_PCK_CRL: "PCK CRL", wire.COLLATERAL_KIND_PCK_CRL_CHAIN: "PCK CRL chain",
	wire.COLLATERAL_KIND_ROOT_CRL: "root CA CRL", wire.COLLATERAL_KIND_PCK_CHAIN: "PCK chain", wire.COLLATERAL_KIND_SNP_LEAF: "VCEK or VLEK",
	wire.COLLATERAL_KIND_SNP_INTERMEDIATE: "ASK or ASVK", wire.COLLATERAL_KIND_SNP_CRL: "ARK CRL",
}

// pieces are those of the evidence, with the bytes that are kept elsewhere if they are found.
func (l *loaded) pieces() ([]piece, error) {
	items, err := attest.ParseCollateral(l.Evidence.GetCollateral())
	if err != nil {
		return nil, err
	}
	out := []piece{}
	for _, i := range items {
		p := piece{Name: pieceNames[i.Kind], kind: i.Kind, data: i.Data}
		if len(i.Hash) != 0 {
			p.Hash = hexOf(i.Hash)
			if l.kept != nil {
				p.data = l.kept(i.Hash)
			}
		}
		if p.Name == "" {
			p.Name = i.Kind.String()
		}
		p.Bytes = len(p.data)
		p.dates()
		out = append(out, p)
	}
	return out, nil
}

// dates reads when the piece is in force; nothing relies on it but what people are told.
func (p *piece) dates() {
	switch {
	case p.kind == wire.COLLATERAL_KIND_TCB_INFO || p.kind == wire.COLLATERAL_KIND_QE_IDENTITY:
		var d struct{ IssueDate, NextUpdate time.Time }
		if json.Unmarshal(p.data, &d) == nil {
			p.From, p.Until = d.IssueDate, d.NextUpdate
		}
	case strings.HasSuffix(p.Name, "CRL"):
		if l, err := x509.ParseRevocationList(p.data); err == nil {
			p.From, p.Until = l.ThisUpdate, l.NextUpdate
		}
	default:
		for _, c := range certificates(p.data) {
			if p.From.IsZero() || c.NotBefore.After(p.From) {
				p.From = c.NotBefore
			}
			if p.Until.IsZero() || c.NotAfter.Before(p.Until) {
				p.Until = c.NotAfter
			}
		}
	}
}

func certificates(b []byte) (out []*x509.Certificate) {
	if !bytes.HasPrefix(b, []byte("-----BEGIN")) {
		if c, err := x509.ParseCertificate(b); err == nil {
			out = append(out, c)
		}
		return out
	}
	for p, rest := pem.Decode(b); p != nil; p, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(p.Bytes); err == nil {
			out = append(out, c)
		}
	}
	return out
}
