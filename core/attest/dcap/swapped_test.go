package dcap_test

import (
	"bytes"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

// Each part of the collateral from another PKI, of the same names and serial numbers, is refused; so is each from another role.
func TestP15_Swapped(t *testing.T) {
	ours, theirs := made(t, dcaptest.New("seed", 4, at)), made(t, dcaptest.New("other", 4, at))
	sgx := made(t, dcaptest.New("seed", 3, at))
	processor := dcaptest.New("seed", 4, at)
	processor.Processor = true
	p := made(t, processor)
	for _, c := range []struct {
		name   string
		change func(*dcaptest.Evidence)
		code   string
	}{
		{"root", func(e *dcaptest.Evidence) { e.Options.Root = theirs.Options.Root }, "wrong-root"},
		{"Intel's root", func(e *dcaptest.Evidence) { e.Options.Root = dcap.IntelRoot() }, "wrong-root"},
		{"TCB info", func(e *dcaptest.Evidence) { e.Collateral.TCBInfoSignature = theirs.Collateral.TCBInfoSignature }, "bad-signature"},
		{"TCB info chain", func(e *dcaptest.Evidence) { e.Collateral.TCBInfoChain = theirs.Collateral.TCBInfoChain }, "wrong-root"},
		{"TCB info by the PCK CA", func(e *dcaptest.Evidence) { e.Collateral.TCBInfoChain = e.Collateral.PCKCRLChain }, "wrong-certificate"},
		{"QE identity", func(e *dcaptest.Evidence) { e.Collateral.QEIdentitySignature = theirs.Collateral.QEIdentitySignature }, "bad-signature"},
		{"QE identity chain", func(e *dcaptest.Evidence) { e.Collateral.QEIdentityChain = theirs.Collateral.QEIdentityChain }, "wrong-root"},
		{"PCK CRL", func(e *dcaptest.Evidence) { e.Collateral.PCKCRL = theirs.Collateral.PCKCRL }, "wrong-crl"},
		{"PCK CRL of the root", func(e *dcaptest.Evidence) { e.Collateral.PCKCRL = e.Collateral.RootCRL }, "wrong-crl"},
		{"PCK CRL chain", func(e *dcaptest.Evidence) { e.Collateral.PCKCRLChain = theirs.Collateral.PCKCRLChain }, "wrong-root"},
		{"PCK CRL of the processor CA", func(e *dcaptest.Evidence) {
			e.Collateral.PCKCRL, e.Collateral.PCKCRLChain = p.Collateral.PCKCRL, p.Collateral.PCKCRLChain
		}, "wrong-crl"},
		{"root CRL", func(e *dcaptest.Evidence) { e.Collateral.RootCRL = theirs.Collateral.RootCRL }, "wrong-crl"},
		{"root CRL of the PCK CA", func(e *dcaptest.Evidence) { e.Collateral.RootCRL = e.Collateral.PCKCRL }, "wrong-crl"},
		{"TCB info of SGX", func(e *dcaptest.Evidence) {
			e.Collateral.TCBInfo, e.Collateral.TCBInfoSignature = sgx.Collateral.TCBInfo, sgx.Collateral.TCBInfoSignature
		}, "wrong-collateral"},
		{"QE identity of SGX", func(e *dcaptest.Evidence) {
			e.Collateral.QEIdentity, e.Collateral.QEIdentitySignature = sgx.Collateral.QEIdentity, sgx.Collateral.QEIdentitySignature
		}, "wrong-collateral"},
		{"quote", func(e *dcaptest.Evidence) { e.Quote = theirs.Quote }, "wrong-root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := ours
			c.change(&e)
			expect(t, e, c.code, "")
		})
	}
}

// Debug, and levels below the best, are said and not refused: a policy judges them.
func TestP15_Levels(t *testing.T) {
	for _, c := range []struct {
		name                     string
		change                   func(*dcaptest.Machine)
		status, module, platform claims.Status
		debug                    bool
	}{
		{"debug", func(m *dcaptest.Machine) { m.Debug = true }, claims.UpToDate, claims.UpToDate, claims.UpToDate, true},
		{"hardening", func(m *dcaptest.Machine) { m.SVN[0] = 2 }, claims.SWHardeningNeeded, claims.UpToDate, claims.SWHardeningNeeded, false},
		{"platform", func(m *dcaptest.Machine) { m.SVN[0] = 1 }, claims.OutOfDate, claims.UpToDate, claims.OutOfDate, false},
		{"module", func(m *dcaptest.Machine) { m.TDXSVN[0] = 5 }, claims.OutOfDate, claims.OutOfDate, claims.UpToDate, false},
		{"quoting enclave", func(m *dcaptest.Machine) { m.QESVN = 3 }, claims.OutOfDate, claims.UpToDate, claims.UpToDate, false},
		{"revoked level", func(m *dcaptest.Machine) {
			m.SVN[0] = 1
			m.TCBInfo = replace(`T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["INTEL-SA-01036"`, `T00:00:00Z","tcbStatus":"Revoked","advisoryIDs":["INTEL-SA-01036"`)
		},
			claims.Revoked, claims.UpToDate, claims.Revoked, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := dcaptest.New("seed", 5, at)
			c.change(&m)
			got, err := verify(made(t, m))
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != c.status || got.ModuleStatus != c.module || got.PlatformStatus != c.platform || got.Debug != c.debug {
				t.Errorf("%v, module %v, platform %v, debug %t", got.Status, got.ModuleStatus, got.PlatformStatus, got.Debug)
			}
		})
	}
}

func TestP15_Module(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*dcaptest.Machine)
		code   string
	}{
		{"major version nobody lists", func(m *dcaptest.Machine) { m.TDXSVN[1] = 9 }, "wrong-module"},
		{"signer", func(m *dcaptest.Machine) { m.Edit = func(p *dcaptest.Parts) { p.Body[64] = 1 } }, "wrong-module"},
		{"attributes", func(m *dcaptest.Machine) { m.Edit = func(p *dcaptest.Parts) { p.Body[112] = 1 } }, "wrong-module"},
		{"SVN below every level", func(m *dcaptest.Machine) { m.TDXSVN[0] = 3 }, "no-tcb-level"},
		{"major version 0 below the platform's levels", func(m *dcaptest.Machine) { m.TDXSVN[0], m.TDXSVN[1] = 4, 0 }, "no-tcb-level"},
		{"listed twice", func(m *dcaptest.Machine) {
			m.TCBInfo = replace(`"tdxModuleIdentities":[`, `"tdxModuleIdentities":[{"id":"TDX_01","mrsigner":"`+string(bytes.Repeat([]byte("0"), 96))+`","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF","tcbLevels":[]},`)
		}, "collateral-malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := dcaptest.New("seed", 4, at)
			c.change(&m)
			expect(t, made(t, m), c.code, "")
		})
	}
}
