package dcap_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

// Every byte of a quote and its collateral, changed alone in one bit, is refused: each is signed, or has one form only.
func TestP15_Mutation(t *testing.T) {
	e := made(t, dcaptest.New("seed", 5, at))
	mutateAll(t, &e, 1)
	e = made(t, dcaptest.New("seed", 3, at))
	mutateAll(t, &e, 1)
}

// mutateAll changes every step-th byte of each part.
func mutateAll(t *testing.T, e *dcaptest.Evidence, step int) {
	t.Helper()
	want, err := verify(*e)
	if err != nil {
		t.Fatal(err)
	}
	c := &e.Collateral
	for _, p := range []struct {
		name string
		part *[]byte
	}{
		{"quote", &e.Quote}, {"TCB info", &c.TCBInfo}, {"TCB info signature", &c.TCBInfoSignature}, {"TCB info chain", &c.TCBInfoChain},
		{"QE identity", &c.QEIdentity}, {"QE identity signature", &c.QEIdentitySignature}, {"QE identity chain", &c.QEIdentityChain},
		{"PCK CRL", &c.PCKCRL}, {"PCK CRL chain", &c.PCKCRLChain}, {"root CRL", &c.RootCRL},
	} {
		whole := *p.part
		for i := 0; i < len(whole); i += step {
			*p.part = bytes.Clone(whole)
			(*p.part)[i] ^= 1 << (i % 8)
			refused(t, p.name, i, *e, want)
		}
		for _, n := range []int{1, len(whole) / 2, len(whole) - 2} {
			*p.part = whole[:n]
			refused(t, p.name+" cut short", n, *e, want)
		}
		*p.part = whole
	}
}

// refused says that changed evidence is refused, and if it is not, whether it says the same as before.
func refused(t *testing.T, what string, i int, e dcaptest.Evidence, want claims.Claims) {
	t.Helper()
	if got, err := verify(e); err == nil {
		t.Errorf("%s, byte %d: accepted, with the same claims: %t", what, i, reflect.DeepEqual(got, want))
	}
}

// The same for the evidence of real machines, at some of the bytes.
func TestP15_MutationRecorded(t *testing.T) {
	for _, r := range dcap.Evidence(t, "dcap") {
		if r.Name != "tdx-v5-UpToDate-cf77a6e91e48" && r.Name != "sgx-v3-SWHardeningNeeded-c81a90ee23bb" {
			continue
		}
		mutateAll(t, &dcaptest.Evidence{Quote: r.Quote, Collateral: r.Collateral, Options: dcap.Options{Now: r.At, Root: dcap.IntelRoot()}}, 11)
	}
}
