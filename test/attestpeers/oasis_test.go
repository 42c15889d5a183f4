package attestpeers

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
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
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded evidence to verify")
	}
	files, err := filepath.Glob(filepath.Join(dir, "dcap", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no evidence: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := dcap.ParseRecorded(b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(r.Quote, []byte{5}) {
			continue
		}
		c, we := dcap.Verify(r.Quote, r.Collateral, dcap.Options{Now: r.At, Root: dcap.IntelRoot()})
		status := c.Status.String()
		want := we == nil && !c.Debug && strings.Contains("UpToDate SWHardeningNeeded", status)
		if their := oasis(r); (their == nil) != want {
			t.Errorf("%s: we %s debug %t %v, oasis-core %v", filepath.Base(f), status, c.Debug, we, their)
		}
	}
}
