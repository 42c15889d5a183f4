package dcap_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

// fuzz gives a parser anything that is near to what it reads; it may refuse and must not panic.
func fuzz(f *testing.F, parser string, seed func(dcaptest.Evidence) []byte) {
	for _, version := range []uint16{3, 4, 5} {
		m := dcaptest.New("seed", version, at)
		e, err := m.Make()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed(e))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { dcap.Parsers[parser](b) })
}

func FuzzQuote(f *testing.F) { fuzz(f, "quote", func(e dcaptest.Evidence) []byte { return e.Quote }) }
func FuzzTCBInfo(f *testing.F) {
	fuzz(f, "tcbinfo", func(e dcaptest.Evidence) []byte { return e.Collateral.TCBInfo })
}
func FuzzQEIdentity(f *testing.F) {
	fuzz(f, "identity", func(e dcaptest.Evidence) []byte { return e.Collateral.QEIdentity })
}

func looseChain(f *testing.F) []byte {
	m := dcaptest.New("seed", 4, at)
	m.LoosePCK = true
	e, err := m.Make()
	if err != nil {
		f.Fatal(err)
	}
	return e.Collateral.PCKChain
}

func FuzzPEM(f *testing.F) {
	chain := looseChain(f)
	fuzz(f, "pem", func(dcaptest.Evidence) []byte { return chain })
}

func FuzzPlatform(f *testing.F) {
	block, _ := pem.Decode(looseChain(f))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range c.Extensions {
		if e.Id.String() == "1.2.840.113741.1.13.1" {
			fuzz(f, "platform", func(dcaptest.Evidence) []byte { return e.Value })
		}
	}
}

// FuzzVerify gives Verify another quote with collateral in order.
func FuzzVerify(f *testing.F) {
	e, err := dcaptest.New("seed", 4, at).Make()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Quote, e.Collateral.TCBInfo, e.Collateral.PCKCRL)
	f.Fuzz(func(t *testing.T, quote, info, crl []byte) {
		changed := e
		changed.Quote, changed.Collateral.TCBInfo, changed.Collateral.PCKCRL = quote, info, crl
		if got, err := verify(changed); err == nil && (got.Measurement == nil || got.Status == 0) {
			t.Error("accepted without claims")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for name, version := range map[string]uint16{"sgx": 3, "tdx": 4} {
		e := made(b, dcaptest.New("seed", version, at))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := verify(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
