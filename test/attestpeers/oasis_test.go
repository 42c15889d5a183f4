package attestpeers

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/oasisprotocol/oasis-core/go/common/sgx/pcs"

	"github.com/phala-go/phala/core/attest/dcap"
)

// oasis is what oasis-core's verifier says of a quote. It takes no revocation lists.
func oasis(r dcap.Recorded) error {
	b := pcs.QuoteBundle{Quote: r.Quote, TCB: pcs.TCBBundle{
		TCBInfo:      pcs.SignedTCBInfo{TCBInfo: r.Collateral.TCBInfo, Signature: hex.EncodeToString(r.Collateral.TCBInfoSignature)},
		QEIdentity:   pcs.SignedQEIdentity{EnclaveIdentity: r.Collateral.QEIdentity, Signature: hex.EncodeToString(r.Collateral.QEIdentitySignature)},
		Certificates: r.Collateral.TCBInfoChain,
	}}
	_, err := b.Verify(&pcs.QuotePolicy{TCBValidityPeriod: 90, TDX: &pcs.TdxQuotePolicy{}}, r.At)
	return err
}

// oasis-core takes what is up to date or needs software hardening, without debug, and knows no quotes of version 5.
func TestRecordedOasis(t *testing.T) {
	for name, r := range recorded(t, "*.json") {
		if bytes.HasPrefix(r.Quote, []byte{5}) {
			continue
		}
		c, we := dcap.Verify(r.Quote, r.Collateral, dcap.Options{Now: r.At, Root: dcap.IntelRoot()})
		status := c.Status.String()
		want := we == nil && !c.Debug && strings.Contains("UpToDate SWHardeningNeeded", status)
		if their := oasis(r); (their == nil) != want {
			t.Errorf("%s: we %s debug %t %v, oasis-core %v", name, status, c.Debug, we, their)
		}
	}
}
