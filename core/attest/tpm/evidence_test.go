package tpm_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/attest/tpm/tpmtest"
	"github.com/phala-go/phala/core/wire"
)

// sent is evidence and what it is judged by.
type sent struct {
	q tpmtest.Quote
	c tpm.Collateral
	o tpm.Options
	w []byte // in the place of q
}

func (s sent) verify() (claims.Claims, error) {
	w := s.w
	if w == nil {
		w = s.q.Wire()
	}
	return tpm.Verify(w, s.c, s.o)
}

// byName is evidence of an AK that is trusted by its name.
func byName(t testing.TB, change func(*tpmtest.Machine)) sent {
	t.Helper()
	m, q := made(t, change)
	return sent{q: q, o: tpm.Options{Now: tpmtest.Now(), Names: [][]byte{akName(t, q.AK)}, Nonce: m.Nonce}}
}

// byChain is evidence of an AK that an authority has certified.
func byChain(t testing.TB, edit func(int, *x509.Certificate), change func(*tpmtest.Machine)) sent {
	t.Helper()
	a, err := tpmtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	a.Edit = edit
	m, q := made(t, change)
	chain, err := a.Chain(q.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return sent{q: q, c: tpm.Collateral{Chain: chain}, o: tpm.Options{Now: tpmtest.Now(), Roots: [][]byte{a.Root}, Nonce: m.Nonce}}
}

func TestVerify(t *testing.T) {
	for name, s := range map[string]sent{
		"by name":           byName(t, nil),
		"by chain":          byChain(t, nil, nil),
		"by chain, RSA":     byChain(t, nil, func(m *tpmtest.Machine) { m.Scheme = tpm.AlgRSASSA }),
		"any nonce":         func() sent { s := byName(t, nil); s.o.Nonce = nil; return s }(),
		"root in the chain": func() sent { s := byChain(t, nil, nil); s.o.Roots = append([][]byte{{1}}, s.o.Roots...); return s }(),
	} {
		got, err := s.verify()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		h := sha256.New()
		h.Write([]byte("phala/tpm-measurement/v1"))
		for _, i := range []int{4, 8, 9, 11, 12, 13, 14} {
			h.Write(append([]byte{byte(i)}, s.q.PCRs[i]...))
		}
		if !bytes.Equal(got.Measurement, h.Sum(nil)) || !bytes.Equal(got.ChipID, akName(t, s.q.AK)) || len(got.ReportData) != 64 ||
			len(got.Registers) != 16 || !bytes.Equal(got.Register("PCR15"), s.q.PCRs[15]) {
			t.Errorf("%s: %+v", name, got)
		}
		if chain := len(s.c.Chain) > 0; chain == got.NotAfter.IsZero() {
			t.Errorf("%s: in force until %v", name, got.NotAfter)
		}
	}
}

func TestP15_Refuses(t *testing.T) {
	other := byName(t, nil)
	for name, c := range map[string]struct {
		code   string
		change func(*sent)
	}{
		"zero options":   {"no-trust", func(s *sent) { s.o = tpm.Options{} }},
		"no time":        {"no-trust", func(s *sent) { s.o.Now = s.o.Now.AddDate(-s.o.Now.Year()+1, -5, 0) }},
		"nobody trusted": {"unknown-ak", func(s *sent) { s.o.Names = nil }},
		"another name":   {"unknown-ak", func(s *sent) { s.o.Names = other.o.Names }},
		"part of a name": {"unknown-ak", func(s *sent) { s.o.Names = [][]byte{s.o.Names[0][:10], nil} }},
		"garbage":        {"malformed", func(s *sent) { s.w = []byte{1, 2, 3} }},
		"goes on":        {"malformed", func(s *sent) { s.w = append(s.q.Wire(), 0x48, 1) }},
		"empty":          {"malformed", func(s *sent) { s.w = wire.Marshal(&wire.TpmQuote{}) }},
		"TPM2B":          {"malformed", func(s *sent) { s.q.AK = append([]byte{0, byte(len(s.q.AK))}, s.q.AK...) }},
		"other nonce":    {"nonce", func(s *sent) { s.o.Nonce = []byte("x") }},
		"other PCR":      {"pcr-digest", func(s *sent) { s.q.PCRs[4] = make([]byte, 32) }},
		"PCR missing":    {"pcr-missing", func(s *sent) { s.q.PCRs[4] = nil }},
		"signature":      {"signature", func(s *sent) { s.q.Signature = other.q.Signature }},
		"PCRs mixed": {"malformed", func(s *sent) {
			s.w = wire.Marshal(&wire.TpmQuote{AkPublic: s.q.AK, Attest: s.q.Attest, Signature: s.q.Signature, Pcrs: []*wire.TpmPcr{{Index: 3, Value: make([]byte, 32)}, {Index: 2, Value: make([]byte, 32)}}})
		}},
		"PCR 24": {"malformed", func(s *sent) {
			s.w = wire.Marshal(&wire.TpmQuote{AkPublic: s.q.AK, Attest: s.q.Attest, Signature: s.q.Signature, Pcrs: []*wire.TpmPcr{{Index: 24, Value: make([]byte, 32)}}})
		}},
		"log of others": {"event-log", func(s *sent) { s.c.Log = log(t, map[uint32]string{4: "program"}) }},
		"no log":        {"malformed-log", func(s *sent) { s.c.Log = []byte("log") }},
		"chain":         {"malformed", func(s *sent) { s.c.Chain = []byte("chain") }},
	} {
		s := byName(t, nil)
		c.change(&s)
		if got, err := s.verify(); code(err) != c.code || got.Measurement != nil || got.Registers != nil {
			t.Errorf("%s: %v, %+v, want %s", name, err, got, c.code)
		}
	}
	for name, c := range map[string]struct {
		code   string
		change func(*tpmtest.Machine)
	}{
		"SHA-384 bank":     {"bank", func(m *tpmtest.Machine) { m.Bank = tpm.AlgSHA384 }},
		"unrestricted":     {"ak-attributes", func(m *tpmtest.Machine) { m.Attributes &^= tpm.Restricted }},
		"nothing measured": {"pcr-missing", func(m *tpmtest.Machine) { m.PCRs = tpm.PCRs{0: make([]byte, 32), 15: make([]byte, 32)} }},
		"no nonce":         {"nonce", func(m *tpmtest.Machine) { m.Nonce = nil }},
	} {
		if _, err := byName(t, c.change).verify(); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestP15_ChainRefused(t *testing.T) {
	at := func(place int, f func(*x509.Certificate)) func(int, *x509.Certificate) {
		return func(p int, c *x509.Certificate) {
			if p == place {
				f(c)
			}
		}
	}
	for name, c := range map[string]struct {
		code string
		edit func(int, *x509.Certificate)
	}{
		"expired":            {"expired", at(0, func(c *x509.Certificate) { c.NotAfter = tpmtest.Now().AddDate(0, 0, -1) })},
		"CA to come":         {"not-yet-valid", at(1, func(c *x509.Certificate) { c.NotBefore = tpmtest.Now().AddDate(0, 0, 1) })},
		"of another use":     {"chain", at(0, func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}} })},
		"of no use":          {"chain", at(0, func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil })},
		"of a CA":            {"chain", at(0, func(c *x509.Certificate) { c.IsCA = true })},
		"issued by no CA":    {"chain", at(1, func(c *x509.Certificate) { c.IsCA = false })},
		"CA signs no others": {"chain", at(1, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })},
		"issued by anybody":  {"chain", at(1, func(c *x509.Certificate) { c.MaxPathLen, c.IsCA, c.BasicConstraintsValid = -1, false, false })},
		"unknown and critical": {"chain", at(0, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}})
		})},
	} {
		if _, err := byChain(t, c.edit, nil).verify(); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	s, stranger := byChain(t, nil, nil), byChain(t, nil, nil)
	for name, c := range map[string]struct {
		code   string
		change func(*sent)
	}{
		"another root":            {"wrong-root", func(s *sent) { s.o.Roots = stranger.o.Roots }},
		"another AK's":            {"wrong-ak", func(s *sent) { s.c.Chain = stranger.c.Chain }},
		"no issuer":               {"wrong-root", func(s *sent) { s.c.Chain = s.c.Chain[:bytes.Index(s.c.Chain[1:], []byte("-----BEGIN"))+1] }},
		"the chain before a name": {"wrong-root", func(s *sent) { s.o.Roots, s.o.Names = nil, [][]byte{akName(t, s.q.AK)} }},
		"words between":           {"malformed", func(s *sent) { s.c.Chain = append([]byte("x\n"), s.c.Chain...) }},
		"words behind":            {"malformed", func(s *sent) { s.c.Chain = append(bytes.Clone(s.c.Chain), 'x') }},
		"too many":                {"malformed", func(s *sent) { s.c.Chain = bytes.Repeat(s.c.Chain, 5) }},
		"twice": {"chain", func(s *sent) {
			s.c.Chain = append(bytes.Clone(s.c.Chain[:bytes.Index(s.c.Chain[1:], []byte("-----BEGIN"))+1]), s.c.Chain...)
		}},
	} {
		x := s
		c.change(&x)
		if _, err := x.verify(); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// A log that leads to the firmware's registers and to those that it has events of; 15 is extended without it.
func TestLog(t *testing.T) {
	events := map[uint32]string{0: "firmware", 4: "program", 7: "settings", 9: "initramfs"}
	b := log(t, events)
	l, err := eventlog.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	s := byName(t, func(m *tpmtest.Machine) {
		for i := range 15 {
			if m.PCRs[i], _, err = l.Replay(eventlog.PCR, crypto.SHA256, uint32(i)); err != nil {
				t.Fatal(err)
			}
		}
		m.PCRs[15] = bytes.Repeat([]byte{7}, 32)
	})
	s.c.Log = b
	if _, err := s.verify(); err != nil {
		t.Error(err)
	}
	for i := range events {
		changed := map[uint32]string{}
		for j, v := range events {
			changed[j] = v
		}
		changed[i] = "another"
		s.c.Log = log(t, changed)
		if _, err := s.verify(); code(err) != "event-log" {
			t.Errorf("another event of PCR%d: %v", i, err)
		}
	}
}

// Every byte changed alone, of what is sent, of the chain and of the log: refused, or the same is said.
func TestP15_Mutation(t *testing.T) {
	firmware := log(t, map[uint32]string{0: "firmware", 4: "program"})
	l, err := eventlog.Parse(firmware)
	if err != nil {
		t.Fatal(err)
	}
	s := byChain(t, nil, func(m *tpmtest.Machine) {
		for i := range 15 {
			if m.PCRs[i], _, err = l.Replay(eventlog.PCR, crypto.SHA256, uint32(i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	s.o.Nonce, s.c.Log = nil, firmware
	want, err := s.verify()
	if err != nil {
		t.Fatal(err)
	}
	whole, chain, same := s.q.Wire(), s.c.Chain, 0
	check := func(what string, i int) {
		got, err := s.verify()
		if err != nil {
			return
		}
		same++
		if !bytes.Equal(got.Measurement, want.Measurement) || !bytes.Equal(got.ReportData, want.ReportData) || len(got.Registers) != 16 {
			t.Errorf("byte %d of the %s changed: accepted with other content", i, what)
		}
	}
	for i := range whole {
		s.w = bytes.Clone(whole)
		s.w[i] ^= 1 << (i % 8)
		check("quote", i)
	}
	s.w = whole
	for i := range chain {
		s.c.Chain = bytes.Clone(chain)
		s.c.Chain[i] ^= 1 << (i % 8)
		check("chain", i)
	}
	s.c.Chain = chain
	for i := range firmware {
		s.c.Log = bytes.Clone(firmware)
		s.c.Log[i] ^= 1 << (i % 8)
		check("log", i)
	}
	t.Logf("%d of %d changes say the same", same, len(whole)+len(chain)+len(firmware))
}

// log is a log with one event of each of these registers, in ascending order.
func log(t testing.TB, events map[uint32]string) []byte {
	t.Helper()
	b, err := eventlog.NewHeader(crypto.SHA256)
	for i := range uint32(tpm.NumPCRs) {
		if data, ok := events[i]; ok && err == nil {
			b, err = eventlog.Append(b, eventlog.Measure(i, 0x0d, []byte(data), crypto.SHA256))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Everything recorded verifies once its key is named, and not before.
func TestP15_Recorded(t *testing.T) {
	for _, name := range recorded {
		q, nonce := readSerial(t, name)
		o := tpm.Options{Now: tpmtest.Now(), Nonce: nonce, Names: [][]byte{akName(t, q.AK)}}
		got, err := tpm.Verify(q.Wire(), tpm.Collateral{}, o)
		if err != nil || len(got.Measurement) != 32 || len(got.Registers) != 11 {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
		o.Names[0][5] ^= 1
		if _, err := tpm.Verify(q.Wire(), tpm.Collateral{}, o); code(err) != "unknown-ak" {
			t.Errorf("%s, with another name: %v", name, err)
		}
	}
}

// FuzzEvidence believes whatever key is sent, since a fuzzing process has other random keys than the one that made its seeds: what is accepted
// is signed by that key, all the same.
func FuzzEvidence(f *testing.F) {
	s := byChain(f, nil, nil)
	f.Add(s.q.Wire(), s.c.Chain, []byte(nil))
	f.Add(s.q.Wire(), []byte(nil), []byte(nil))
	f.Add(s.q.Wire(), []byte(nil), log(f, map[uint32]string{4: "program"}))
	f.Fuzz(func(t *testing.T, quote, chain, log []byte) {
		var w wire.TpmQuote
		if wire.Unmarshal(quote, &w) != nil {
			w = wire.TpmQuote{}
		}
		o := tpm.Options{Now: tpmtest.Now()}
		if ak, err := tpm.ParsePublic(w.AkPublic); err == nil {
			o.Names = [][]byte{ak.Name()}
		}
		got, err := tpm.Verify(quote, tpm.Collateral{Chain: chain, Log: log}, o)
		if err != nil {
			if got.Measurement != nil || got.Registers != nil {
				t.Error("refused, and yet something is said")
			}
			return
		}
		pcrs, err := tpm.Values(w.Pcrs)
		if err != nil || len(chain) > 0 {
			t.Fatal("accepted by a chain that leads to nobody, or with PCRs that are none")
		}
		if _, err := tpm.VerifyQuote(w.AkPublic, w.Attest, w.Signature, pcrs, got.ReportData); err != nil {
			t.Error("accepted, and the quote alone is not:", err)
		}
	})
}

// BenchmarkVerify is whole evidence: a quote, the AK's certificate and the CA's.
func BenchmarkVerify(b *testing.B) {
	s := byChain(b, nil, nil)
	w := s.q.Wire()
	for b.Loop() {
		if _, err := tpm.Verify(w, s.c, s.o); err != nil {
			b.Fatal(err)
		}
	}
}
