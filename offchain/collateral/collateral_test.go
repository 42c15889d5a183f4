package collateral_test

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/collateral"
)

func at() time.Time { return sevsnptest.Now() }

// td is a TD's evidence without collateral, its maker's root, and the file.
func td(t *testing.T, change func(*dcaptest.Machine)) (*wire.Evidence, attest.Roots, []byte) {
	t.Helper()
	m := dcaptest.New("offchain", 5, at())
	if change != nil {
		change(&m)
	}
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return &wire.Evidence{Kind: wire.TEE_KIND_TDX, Quote: e.Quote}, attest.Roots{Intel: e.Options.Root}, written(t, e.Collateral)
}

func written(t *testing.T, c dcap.Collateral) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]string{
		"tcb_info": string(c.TCBInfo), "tcb_info_signature": hex.EncodeToString(c.TCBInfoSignature), "tcb_info_issuer_chain": string(c.TCBInfoChain),
		"qe_identity": string(c.QEIdentity), "qe_identity_signature": hex.EncodeToString(c.QEIdentitySignature), "qe_identity_issuer_chain": string(c.QEIdentityChain),
		"pck_crl": hex.EncodeToString(c.PCKCRL), "pck_crl_issuer_chain": string(c.PCKCRLChain), "root_ca_crl": hex.EncodeToString(c.RootCRL),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func guest(t *testing.T) (*wire.Evidence, attest.Roots, sevsnp.Collateral) {
	t.Helper()
	m := sevsnptest.New(sevsnp.Genoa)
	m.SendMid = true
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return &wire.Evidence{Kind: wire.TEE_KIND_SEV_SNP, Quote: e.Report}, attest.Roots{AMD: e.Options.Roots}, e.Collateral
}

// folder holds files by their names.
func folder(t *testing.T, files map[string][]byte) collateral.Source {
	t.Helper()
	dir := t.TempDir()
	for n, b := range files {
		if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return collateral.Source(dir)
}

func TestFilesCompleteEvidence(t *testing.T) {
	ev, roots, file := td(t, nil)
	if _, err := attest.Check(ev, attest.Verifier{Time: at(), Roots: roots}); err == nil {
		t.Fatal("evidence without collateral is in order: nothing is tested")
	}
	dir := folder(t, map[string][]byte{"machine.json": file, ".machine.json.swp": []byte("half")})
	quote := bytes.Clone(ev.Quote)
	for name, s := range map[string]collateral.Source{"a folder": dir, "a file": collateral.Source(filepath.Join(string(dir), "machine.json"))} {
		ev.Collateral = nil
		for range 2 { // what is there already is replaced
			if err := s.Add(ev); err != nil {
				t.Fatal(name, err)
			}
		}
		if err := s.Judge(ev, roots, at()); err != nil || !bytes.Equal(ev.Quote, quote) {
			t.Errorf("%s: %v", name, err)
		}
	}

	snp, amd, c := guest(t)
	s := folder(t, map[string][]byte{"vcek.der": c.Leaf, "ask.der": c.Intermediate, "crl.der": c.CRL})
	if err := s.Add(snp); err != nil {
		t.Fatal(err)
	}
	if err := s.Judge(snp, amd, at()); err != nil {
		t.Error(err)
	}
	items, err := attest.ParseCollateral(snp.Collateral)
	if err != nil || len(items) != 3 {
		t.Errorf("%d pieces, %v", len(items), err)
	}
	none := &wire.Evidence{Kind: wire.TEE_KIND_SIMULATED}
	if err := collateral.Source("").Add(none); err != nil || len(none.Collateral) > 0 {
		t.Errorf("without a source: %v", err)
	}
}

// Newer files count without a restart.
func TestFilesAreReadAnew(t *testing.T) {
	ev, roots, file := td(t, nil)
	_, _, later := td(t, lasting)
	s := folder(t, map[string][]byte{"machine.json": file})
	first := func() collateral.End {
		if err := s.Add(ev); err != nil {
			t.Fatal(err)
		}
		items, err := attest.ParseCollateral(ev.Collateral)
		if err != nil {
			t.Fatal(err)
		}
		return collateral.Ends(items)[0]
	}
	old := first()
	if err := os.WriteFile(filepath.Join(string(s), "machine.json"), later, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := first(); e.At.Sub(old.At) != 15*24*time.Hour {
		t.Errorf("%v, then %v", old, e)
	}
	if err := s.Judge(ev, roots, at().AddDate(0, 0, 25)); err != nil {
		t.Error(err)
	}
}

// lasting has everything end 15 days later than it would.
func lasting(m *dcaptest.Machine) {
	later := func(s string) string {
		return strings.ReplaceAll(s, `"nextUpdate":"2026-06-21`, `"nextUpdate":"2026-07-06`)
	}
	m.TCBInfo, m.QEIdentity = later, later
	m.List = func(_ dcaptest.Role, l *x509.RevocationList) { l.NextUpdate = l.NextUpdate.AddDate(0, 0, 15) }
}

// What ends first is what the verdict ends by.
func TestEnds(t *testing.T) {
	ev, roots, file := td(t, nil)
	snp, amd, c := guest(t)
	for _, x := range []struct {
		ev    *wire.Evidence
		roots attest.Roots
		src   collateral.Source
		what  string
	}{
		{ev, roots, folder(t, map[string][]byte{"m": file}), "TCB info"},
		{snp, amd, folder(t, map[string][]byte{"a": c.Leaf, "b": c.Intermediate, "c": c.CRL}), "AMD CRL"},
	} {
		if err := x.src.Add(x.ev); err != nil {
			t.Fatal(err)
		}
		got, err := attest.Check(x.ev, attest.Verifier{Time: at(), Roots: x.roots})
		if err != nil {
			t.Fatal(err)
		}
		items, err := attest.ParseCollateral(x.ev.Collateral)
		if err != nil {
			t.Fatal(err)
		}
		ends := collateral.Ends(items)
		if len(ends) < 3 || !ends[0].At.Equal(got.NotAfter) {
			t.Errorf("%v: the verdict ends %s", ends, got.NotAfter)
		}
		found := false
		for _, e := range ends {
			found = found || e.What == x.what && e.At.Equal(got.NotAfter)
		}
		if !found {
			t.Errorf("%v: want %s among the first", ends, x.what)
		}
	}
	if e := collateral.Ends([]*wire.CollateralItem{{Kind: wire.COLLATERAL_KIND_TCB_INFO, Data: []byte("{")}, {Kind: wire.COLLATERAL_KIND_PCK_CRL}}); len(e) != 0 {
		t.Errorf("%v", e)
	}
}

func TestBadFiles(t *testing.T) {
	ev, roots, file := td(t, nil)
	_, _, other := td(t, func(m *dcaptest.Machine) { m.FMSPC[0]++ })
	_, _, later := td(t, func(m *dcaptest.Machine) { m.At = at().AddDate(0, 0, 29) })
	snp, _, c := guest(t)
	for name, x := range map[string]struct {
		ev    *wire.Evidence
		files map[string][]byte
		at    time.Time
		words []string
	}{
		"nothing there":    {ev, map[string][]byte{}, at(), []string{"is empty", "Intel's collateral as JSON"}},
		"a hidden file":    {ev, map[string][]byte{".x": file}, at(), []string{"is empty"}},
		"noise":            {ev, map[string][]byte{"good.json": file, "noise": []byte("noise")}, at(), []string{"noise", "It must hold one of"}},
		"an empty file":    {ev, map[string][]byte{"void": {}}, at(), []string{"void", "regular file"}},
		"half a file":      {ev, map[string][]byte{"half.json": file[:len(file)/2]}, at(), []string{"half.json"}},
		"AMD's for Intel":  {ev, map[string][]byte{"vcek": c.Leaf}, at(), []string{"vcek holds AMD VCEK", "TEE_KIND_TDX", "FMSPC"}},
		"Intel's for AMD":  {snp, map[string][]byte{"tcb": file}, at(), []string{"tcb holds TCB info", "TEE_KIND_SEV_SNP", "fetch the VCEK"}},
		"no VCEK":          {snp, map[string][]byte{"ask": c.Intermediate, "crl": c.CRL}, at(), []string{"lacks AMD VCEK or VLEK", "fetch the VCEK"}},
		"another platform": {ev, map[string][]byte{"m": other}, at(), []string{"FMSPC", "91c06f000000", "90c06f000000", "fetch TCB info"}},
		"ended":            {ev, map[string][]byte{"m": file}, at().AddDate(0, 0, 60), []string{"ended at 2026-06-21T12:00:00Z", "fetch TCB info"}},
		"not yet":          {ev, map[string][]byte{"m": later}, at(), []string{"2026-06-20"}},
		"needs none":       {&wire.Evidence{Kind: wire.TEE_KIND_NITRO}, map[string][]byte{"m": file}, at(), []string{"TEE_KIND_NITRO takes none", "without --collateral"}},
	} {
		s := folder(t, x.files)
		x.ev.Collateral = nil
		err := s.Add(x.ev)
		if err == nil {
			err = s.Judge(x.ev, roots, x.at)
		}
		for _, w := range x.words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q", name, err, w)
			}
		}
	}
	many := map[string][]byte{}
	for i := range 33 {
		many[string(rune('A'+i))] = file
	}
	if err := folder(t, many).Check(); err == nil || !strings.Contains(err.Error(), "at most 32") {
		t.Errorf("many files: %v", err)
	}
	if err := collateral.Source("/nowhere/at/all").Check(); err == nil || !strings.Contains(err.Error(), "--collateral") {
		t.Errorf("no file: %v", err)
	}
	deep := folder(t, map[string][]byte{"m": file})
	if err := os.Mkdir(filepath.Join(string(deep), "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := deep.Check(); err == nil || !strings.Contains(err.Error(), "more: want a regular file") {
		t.Errorf("a folder in it: %v", err)
	}
}
