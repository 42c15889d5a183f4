// Package dcaptest makes Intel's evidence for tests: SGX quotes of version 3 and TDX quotes of versions 4 and 5, with certificates,
// revocation lists, TCB info and QE identity under a root of its own, everything of them open to change, and the same bytes each
// time. Its keys come from a name and prove nothing: it must never be linked into a program.
package dcaptest

import (
	"crypto/x509"
	"time"

	"github.com/phala-go/phala/core/attest/dcap"
)

// Role is a certificate of the PKI.
type Role string

// The certificates.
const (
	Root   Role = "root"
	PCKCA  Role = "pck-ca"
	PCK    Role = "pck"
	Signer Role = "signer" // of TCB info and QE identity
)

// Machine is what to make evidence of. New's is in order and up to date; a test changes what it is about.
type Machine struct {
	Seed      string    // names the PKI: two machines of one seed have one root, CA and signer
	Chip      string    // names the platform: its PPID, PCK and attestation key
	At        time.Time // the time around which everything is in force
	Version   uint16    // of the quote: 3 (SGX), 4 or 5 (TDX)
	TDX15     bool      // a version 5 quote has the body of TDX 1.5
	Processor bool      // the PCK CA is the processor CA
	LoosePCK  bool      // the PCK chain is in the collateral and the quote names the platform only

	ReportData  [64]byte
	Measurement [48]byte // MRTD, or in its first 32 bytes MRENCLAVE
	RTMR        [4][48]byte
	Debug       bool

	SVN    [16]byte // SGX TCB components in the PCK certificate
	TDXSVN [16]byte // TEE_TCB_SVN
	PCESVN int
	FMSPC  [6]byte
	QESVN  uint16

	// Cert changes a certificate before it is signed, List a revocation list (its issuer is Root or PCKCA).
	Cert func(Role, *x509.Certificate)
	List func(issuer Role, l *x509.RevocationList)
	// SignedBy names the role whose key signs a certificate instead of its issuer's.
	SignedBy map[Role]Role
	// Revoked are the certificates that their issuers' lists name.
	Revoked []Role
	// TCBInfo and QEIdentity change the JSON before it is signed.
	TCBInfo, QEIdentity func(string) string
	// Edit changes the quote's parts before they are signed.
	Edit func(*Parts)
}

// Parts are what is signed in a quote.
type Parts struct {
	Header   []byte // 48 bytes
	Body     []byte // enclave report or TD report
	QEReport []byte // 384 bytes; its report data are set after the edit
	QEAuth   []byte
}

// Evidence is a quote with everything it takes to judge it.
type Evidence struct {
	Quote      []byte
	Collateral dcap.Collateral
	Options    dcap.Options
}

// New is a machine in order, up to date at a time, of a quote version (3, 4 or 5).
func New(seed string, version uint16, at time.Time) Machine {
	return Machine{
		Seed: seed, Chip: "chip", At: at.UTC().Truncate(time.Second), Version: version, TDX15: version == 5, QESVN: 4,
		SVN: [16]byte{3, 3, 2, 2, 4, 1, 0, 5}, TDXSVN: [16]byte{6, 1, 3}, PCESVN: 13, FMSPC: [6]byte{0x90, 0xc0, 0x6f},
		Measurement: [48]byte{1, 2, 3},
	}
}

// Make makes the evidence. It is an error if the machine cannot be encoded, never if it merely deserves refusal.
func (m Machine) Make() (Evidence, error) {
	p := pki{m: m, made: map[Role]*x509.Certificate{}}
	if err := p.certify(); err != nil {
		return Evidence{}, err
	}
	c, err := p.collateral()
	if err != nil {
		return Evidence{}, err
	}
	q, err := p.quote()
	return Evidence{Quote: q, Collateral: c, Options: dcap.Options{Now: m.At, Root: p.made[Root].Raw}}, err
}
