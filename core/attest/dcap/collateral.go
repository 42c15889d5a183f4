package dcap

import (
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Recorded is a quote with its collateral and the time at which it is to be judged, as one file holds them.
type Recorded struct {
	Quote      []byte
	Collateral Collateral
	At         time.Time
}

// ParseCollateralJSON reads collateral in the layout of Phala's QuoteCollateralV3: certificate chains and JSON as text, CRLs and
// signatures in hexadecimal. Members it does not know are ignored, a member that stands twice is refused.
func ParseCollateralJSON(b []byte) (Collateral, error) {
	c := cursor{data: b}
	out, err := c.collateral()
	if err == nil {
		err = c.end()
	}
	if err != nil {
		return Collateral{}, claims.Refuse("collateral-malformed", "collateral JSON", err.Error(), "the layout of QuoteCollateralV3", "export the collateral again")
	}
	return out, nil
}

// ParseRecorded reads a file that holds a quote ("quote_hex"), its collateral ("collateral", as for ParseCollateralJSON) and the time
// of judgement ("verify_at_unix", seconds; zero if it is missing).
func ParseRecorded(b []byte) (Recorded, error) {
	c := cursor{data: b}
	var r Recorded
	err := c.object([]string{"quote_hex", "collateral"}, func(name []byte) (err error) {
		switch string(name) {
		case "quote_hex":
			r.Quote, err = c.blob()
		case "collateral":
			r.Collateral, err = c.collateral()
		case "verify_at_unix":
			var at uint64
			at, err = c.uint(1 << 40)
			r.At = time.Unix(int64(at), 0).UTC()
		default:
			err = c.skip()
		}
		return err
	})
	if err == nil {
		err = c.end()
	}
	if err != nil {
		return Recorded{}, claims.Refuse("collateral-malformed", "recorded quote", err.Error(), "quote_hex, collateral, verify_at_unix", "record the quote again")
	}
	return r, nil
}

var collateralMembers = []string{
	"tcb_info", "tcb_info_signature", "tcb_info_issuer_chain", "qe_identity", "qe_identity_signature", "qe_identity_issuer_chain",
	"pck_crl", "pck_crl_issuer_chain", "root_ca_crl",
}

func (c *cursor) collateral() (Collateral, error) {
	var o Collateral
	err := c.object(collateralMembers, func(name []byte) (err error) {
		switch string(name) {
		case "tcb_info":
			o.TCBInfo, err = c.text()
		case "tcb_info_signature":
			o.TCBInfoSignature, err = c.blob()
		case "tcb_info_issuer_chain":
			o.TCBInfoChain, err = c.text()
		case "qe_identity":
			o.QEIdentity, err = c.text()
		case "qe_identity_signature":
			o.QEIdentitySignature, err = c.blob()
		case "qe_identity_issuer_chain":
			o.QEIdentityChain, err = c.text()
		case "pck_crl":
			o.PCKCRL, err = c.blob()
		case "pck_crl_issuer_chain":
			o.PCKCRLChain, err = c.text()
		case "root_ca_crl":
			o.RootCRL, err = c.blob()
		case "pck_certificate_chain":
			if !c.null() {
				o.PCKChain, err = c.text()
			}
		default:
			err = c.skip()
		}
		return err
	})
	return o, err
}
