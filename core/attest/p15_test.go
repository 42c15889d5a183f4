package attest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
	"github.com/phala-go/phala/core/wire"
)

// real is what has been recorded of a real machine as evidence of this network: the policy approves what it measured. Nobody asked these
// machines about one of our identities, so report data and the runtime register speak of others.
func real(t *testing.T, kind wire.TeeKind, file string) (Input, dcap.Collateral) {
	t.Helper()
	root := os.Getenv("PHALA_EVIDENCE")
	if root == "" {
		t.Skip("PHALA_EVIDENCE names no folder of recorded evidence: nothing real can be refused")
	}
	b, err := os.ReadFile(filepath.Join(root, "dcap", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := dcap.ParseRecorded(b)
	if err != nil {
		t.Fatal(err)
	}
	in := valid()
	in.Evidence.Evidence = &wire.Evidence{Kind: kind, Quote: r.Quote, Collateral: items(r.Collateral)}
	in.Time, in.Roots, in.Network = r.At, VendorRoots(), &wire.NetworkParams{}
	in.Policy.Kinds, in.Policy.WorstLevel = []wire.TeeKind{kind}, 1
	c, err := Check(in.Evidence.Evidence, Verifier{Time: in.Time, Roots: in.Roots})
	if err != nil {
		t.Fatal(err)
	}
	in.Policy.Measurements = []*wire.Measurement{{Digest: c.Measurement, ActivationHeight: 1}}
	in.Policy.Warnings = c.Warnings
	return in, r.Collateral
}

func items(c dcap.Collateral) []byte {
	out := &wire.Collateral{}
	for i, b := range [][]byte{
		c.TCBInfo, c.TCBInfoSignature, c.TCBInfoChain, c.QEIdentity, c.QEIdentitySignature, c.QEIdentityChain, c.PCKCRL, c.PCKCRLChain, c.RootCRL, c.PCKChain,
	} {
		if len(b) > 0 {
			out.Items = append(out.Items, &wire.CollateralItem{Kind: wire.CollateralKind(i + 1), Data: b})
		}
	}
	return wire.Marshal(out)
}

// P15, each of its words on recorded evidence: what is changed adds its reason to what is left of others' evidence, and nothing is accepted.
func TestP15_EveryWordOnRecordedEvidence(t *testing.T) {
	const machine, debugged, old = "tdx-v4-UpToDate-0441bfc6ebb8", "tdx-v4-UpToDate-debug-12b401a88a51", "tdx-v4-OutOfDate-platform-4cc1d75d1f91"
	type change = func(*Input, *dcap.Collateral)
	quote := func(at int) change {
		return func(in *Input, _ *dcap.Collateral) {
			in.Evidence.Evidence.Quote = bytes.Clone(in.Evidence.Evidence.Quote)
			in.Evidence.Evidence.Quote[at] ^= 1
		}
	}
	for name, c := range map[string]struct {
		file, code string
		change     change
	}{
		"another identity":          {machine, "report-data", nil},
		"another configuration":     {machine, "runtime-config", nil},
		"signature: body":           {machine, "bad-signature", quote(48 + 136)},
		"signature: header":         {machine, "bad-signature", quote(28)},
		"chain: another root":       {machine, "wrong-root", func(in *Input, _ *dcap.Collateral) { in.Roots.Intel = root(t) }},
		"chain: nobody is believed": {machine, "no-root", func(in *Input, _ *dcap.Collateral) { in.Roots = Roots{} }},
		"no PCK CRL":                {machine, "collateral-missing", func(_ *Input, c *dcap.Collateral) { c.PCKCRL = nil }},
		"no root CRL":               {machine, "collateral-missing", func(_ *Input, c *dcap.Collateral) { c.RootCRL = nil }},
		"PCK CRL of another CA":     {machine, "wrong-crl", func(_ *Input, c *dcap.Collateral) { c.PCKCRL = c.RootCRL }},
		"no QE identity":            {machine, "collateral-missing", func(_ *Input, c *dcap.Collateral) { c.QEIdentity = nil }},
		"QE identity edited": {machine, "bad-signature", func(_ *Input, c *dcap.Collateral) {
			c.QEIdentity = bytes.Replace(c.QEIdentity, []byte("TD_QE"), []byte("TD_QF"), 1)
		}},
		"QE identity of SGX": {machine, "wrong-collateral", other("sgx-v3-SWHardeningNeeded-c81a90ee23bb", func(c, o *dcap.Collateral) {
			c.QEIdentity, c.QEIdentitySignature, c.QEIdentityChain = o.QEIdentity, o.QEIdentitySignature, o.QEIdentityChain
		})},
		"TCB info of another platform": {machine, "wrong-collateral", other("tdx-v4-UpToDate-00b2526ab190", func(c, o *dcap.Collateral) {
			c.TCBInfo, c.TCBInfoSignature, c.TCBInfoChain = o.TCBInfo, o.TCBInfoSignature, o.TCBInfoChain
		})},
		"TCB level": {old, "tcb-level", nil},
		"TCB floor of the network": {machine, "tcb-floor", func(in *Input, _ *dcap.Collateral) {
			in.Policy.Floors = []*wire.TcbFloor{{Kind: wire.TEE_KIND_TDX, Name: "tcb-eval", Least: 99}}
		}},
		"no level allowed":              {machine, "tcb-level", func(in *Input, _ *dcap.Collateral) { in.Policy.WorstLevel = 0 }},
		"debug":                         {debugged, "debug", nil},
		"measurement":                   {machine, "unknown-measurement", func(in *Input, _ *dcap.Collateral) { in.Policy.Measurements[0].Digest = digest("mine") }},
		"measurement of tomorrow":       {machine, "not-active", func(in *Input, _ *dcap.Collateral) { in.Policy.Measurements[0].ActivationHeight = 1001 }},
		"measurement without the delay": {machine, "no-delay", func(in *Input, _ *dcap.Collateral) { in.Policy.Measurements[0].ApprovedHeight = 1 }},
		"nonce":                         {machine, "nonce-unknown", func(in *Input, _ *dcap.Collateral) { in.NonceHash = digest("fork") }},
		"nonce of long ago":             {machine, "nonce-too-old", func(in *Input, _ *dcap.Collateral) { in.Height = 2000 }},
		"evidence ended":                {machine, "expired", func(in *Input, _ *dcap.Collateral) { in.Policy.MaxAgeBlocks = 1 }},
		"collateral ended":              {machine, "collateral-expired", func(in *Input, _ *dcap.Collateral) { in.Time = in.Time.AddDate(0, 2, 0) }},
		"lists ended":                   {machine, "crl-expired", func(in *Input, _ *dcap.Collateral) { in.Time = in.Time.AddDate(2, 0, 0) }},
		"collateral of the future":      {machine, "collateral-not-yet-valid", func(in *Input, _ *dcap.Collateral) { in.Time = in.Time.AddDate(-1, 0, 0) }},
		"no time":                       {machine, "no-time", func(in *Input, _ *dcap.Collateral) { in.Time = time.Time{} }},
		"another kind":                  {machine, "kind-not-allowed", func(in *Input, _ *dcap.Collateral) { in.Policy.Kinds = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			in, coll := real(t, wire.TEE_KIND_TDX, c.file)
			before := told(Verify(in))
			if c.change != nil {
				if slices.Contains(before, c.code) {
					t.Fatalf("it is refused for %s as it is: %v", c.code, before)
				}
				c.change(&in, &coll)
				in.Evidence.Evidence.Collateral = items(coll)
			}
			v := Verify(in)
			if v.Accepted || !slices.Contains(told(v), c.code) {
				t.Errorf("accepted %t, reasons %v, want %s", v.Accepted, v.Reasons, c.code)
			}
			if c.change != nil && c.file == machine && !slices.Equal(before, []string{"report-data", "runtime-config"}) {
				t.Errorf("unchanged, its reasons are %v", before)
			}
		})
	}
	// What a policy allows a development network to debug it allows no other.
	allowed, _ := real(t, wire.TEE_KIND_TDX, debugged)
	allowed.Policy.Debug = true
	if v := Verify(allowed); v.Accepted || !slices.Contains(told(v), "debug") {
		t.Errorf("debug in production: %v", v.Reasons)
	}
	// The chip is told, so that one chip of an operator is one worker.
	in, _ := real(t, wire.TEE_KIND_TDX, machine)
	if v := Verify(in); len(v.ChipID) != 16 {
		t.Errorf("chip %x", v.ChipID)
	}
}

// other takes parts of another machine's collateral.
func other(file string, take func(c, o *dcap.Collateral)) func(*Input, *dcap.Collateral) {
	return func(_ *Input, c *dcap.Collateral) {
		b, err := os.ReadFile(filepath.Join(os.Getenv("PHALA_EVIDENCE"), "dcap", file+".json"))
		if err != nil {
			panic(err) // the case itself was read from there
		}
		r, err := dcap.ParseRecorded(b)
		if err != nil {
			panic(err)
		}
		take(c, &r.Collateral)
	}
}

func told(v Verdict) (out []string) {
	for _, r := range v.Reasons {
		out = append(out, r.Code)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// root is that of a maker whom nobody knows.
func root(t *testing.T) []byte {
	t.Helper()
	e, err := dcaptest.New("unknown", 5, time.Unix(1_780_000_000, 0)).Make()
	if err != nil {
		t.Fatal(err)
	}
	return e.Options.Root
}
