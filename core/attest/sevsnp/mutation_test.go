package sevsnp_test

import (
	"bytes"
	"encoding/pem"
	"reflect"
	"testing"

	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
)

// Every byte of the evidence, changed alone: it is refused, or says the same as before.
func TestP15_Mutation(t *testing.T) {
	for _, m := range []sevsnptest.Machine{sevsnptest.New(sevsnp.Turin), sevsnptest.New(sevsnp.Genoa).WithVLEK()} {
		m.SendMid = true
		e := made(t, m)
		want, err := verify(e)
		if err != nil {
			t.Fatal(err)
		}
		accepted := 0
		mutate := func(what string, part *[]byte) {
			whole := *part
			defer func() { *part = whole }()
			for i := range whole {
				*part = bytes.Clone(whole)
				(*part)[i] ^= 1 << (i % 8)
				got, err := verify(e)
				if err != nil {
					continue
				}
				accepted++
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s, byte %d: accepted with other claims", what, i)
				}
			}
		}
		mutate("report", &e.Report)
		mutate("leaf", &e.Collateral.Leaf)
		mutate("intermediate", &e.Collateral.Intermediate)
		mutate("CRL", &e.Collateral.CRL)
		if accepted != 0 {
			t.Errorf("%d changes were accepted: every byte of DER and report is signed or fixed", accepted)
		}
		e.Collateral.Leaf = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Collateral.Leaf})
		mutate("leaf in PEM", &e.Collateral.Leaf) // line ends may change and nothing else
	}
}

func TestPEM(t *testing.T) {
	e := made(t, sevsnptest.New(sevsnp.Genoa))
	block := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	leaf, ask, ark := block(e.Collateral.Leaf), block(e.Options.Roots[0].ASK), block(e.Options.Roots[0].ARK)
	for _, c := range []struct {
		name      string
		leaf, mid []byte
		ok        bool
	}{
		{"leaf", leaf, nil, true},
		{"chain", leaf, append(bytes.Clone(ask), ark...), true},
		{"blank lines", append([]byte("\n\n"), leaf...), nil, false},
		{"blank lines after", append(bytes.Clone(leaf), "\r\n\n"...), nil, true},
		{"text after", append(bytes.Clone(leaf), 'x'), nil, false},
		{"two leaves", append(bytes.Clone(leaf), leaf...), nil, false},
		{"another root", leaf, append(bytes.Clone(ask), ask...), false},
		{"three", leaf, append(append(bytes.Clone(ask), ark...), ark...), false},
		{"key", bytes.ReplaceAll(leaf, []byte("CERTIFICATE"), []byte("PRIVATE KEY")), nil, false},
		{"header", bytes.Replace(leaf, []byte("-----\n"), []byte("-----\na: b\n\n"), 1), nil, false},
		{"begin alone", []byte("-----BEGIN"), nil, false},
	} {
		e.Collateral.Leaf, e.Collateral.Intermediate = c.leaf, c.mid
		if _, err := verify(e); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	m := sevsnptest.New(sevsnp.Turin)
	m.SendMid = true
	e := made(f, m)
	f.Add(e.Report, e.Collateral.Leaf, e.Collateral.Intermediate, e.Collateral.CRL)
	want, err := verify(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, report, leaf, mid, crl []byte) {
		got, err := sevsnp.Verify(report, sevsnp.Collateral{Leaf: leaf, Intermediate: mid, CRL: crl}, e.Options)
		if err == nil && !bytes.Equal(got.Measurement, want.Measurement) {
			t.Error("another measurement was accepted")
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, l := range []sevsnp.Line{sevsnp.Milan, sevsnp.Turin} {
		f.Add(made(f, sevsnptest.New(l)).Report)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := sevsnp.Parse(b); err == nil && (len(b) != sevsnp.ReportSize || r.SigningKey == sevsnp.None || r.VMPL > 3) {
			t.Error("read what must be refused")
		}
	})
}

// BenchmarkVerify has full collateral and keys of AMD's sizes.
func BenchmarkVerify(b *testing.B) {
	m := sevsnptest.New(sevsnp.Genoa)
	m.FullSize = true
	e := made(b, m)
	for b.Loop() {
		if _, err := verify(e); err != nil {
			b.Fatal(err)
		}
	}
}
