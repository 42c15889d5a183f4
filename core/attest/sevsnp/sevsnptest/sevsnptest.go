// Package sevsnptest makes SEV-SNP evidence for tests: reports of every version and product line with certificates and revocation lists
// of a root of its own, everything of them open to change, and the same bytes each time. It must never be linked into a program.
package sevsnptest

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

	"github.com/phala-go/phala/core/attest/sevsnp"
)

// Machine is what to make evidence of. New's is in order; a test changes what it is about.
type Machine struct {
	Line    sevsnp.Line
	Key     sevsnp.Key // VCEK or VLEK
	Version uint32     // of the report
	CPU     sevsnp.CPU // left away in version 2

	Policy      sevsnp.Policy
	Platform    sevsnp.Platform
	VMPL        uint32
	GuestSVN    uint32
	Measurement [48]byte
	ReportData  [64]byte
	HostData    [32]byte
	ChipID      []byte // of the report; 64 bytes, 8 for Turin

	Reported, Current, Committed, Launch sevsnp.SVNs
	CurrentFirmware, CommittedFirmware   sevsnp.Firmware

	// Cert is the leaf certificate; what of it is zero is taken from the report.
	Cert Leaf
	// Mid and Root are the periods of the intermediate and the ARK.
	Mid, Root Period
	// CRL is the list; nil makes none.
	CRL *CRL
	// Edit changes the report before it is signed, EditSigned after.
	Edit, EditSigned func(report []byte)
	// Signer names the key that signs the report, if it is not the leaf's.
	Signer string
	// FullSize gives ARK and ASK keys of 4096 bits, as AMD's are, for measurements; 2048 are faster.
	FullSize bool
	// SendMid puts the intermediate into the collateral instead of leaving it to the options.
	SendMid bool
}

// Leaf is how the leaf certificate differs from what the report says.
type Leaf struct {
	Period
	Serial    int64
	Line      sevsnp.Line
	Product   string
	SVNs      *sevsnp.SVNs
	HWID      []byte
	CSPID     string
	SignedBy  CA              // if IsSigned; else ASK or ASVK by the key
	IsSigned  bool            // SignedBy counts
	Key       sevsnp.Key      // whose name it bears, if Renamed
	Renamed   bool            // Key counts
	Leave     map[string]bool // extensions to leave away, below AMD's arc ("3.8")
	AddExtras map[string][]byte
	Critical  bool // AddExtras are
}

// Period is when a certificate or list is in force.
type Period struct{ From, To time.Time }

// CRL is a revocation list.
type CRL struct {
	Period
	Revoked  []int64 // serials
	SignedBy CA      // ARK unless changed
	Delta    bool
}

// Serials of the certificates.
const (
	SerialARK  = 0x10000
	SerialMid  = 0x10001
	SerialLeaf = 7
)

// Now is the time at which New's evidence is in order.
func Now() time.Time { return time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC) }

func around(years int) Period { return Period{Now().AddDate(-years, 0, 0), Now().AddDate(years, 0, 0)} }

// New is a machine of that line in good order and up to date, with a CRL, whose VCEK signs a report of the newest version.
func New(l sevsnp.Line) Machine {
	m := Machine{
		Line: l, Version: 5,
		Policy:          1<<17 | sevsnp.PolicySingleSocket,
		Platform:        sevsnp.PlatformRAPLDisabled | sevsnp.PlatformCiphertextHiding | sevsnp.PlatformAliasCheck | sevsnp.PlatformECC,
		Measurement:     [48]byte{0x4d, 1},
		ReportData:      [64]byte{0x52, 2},
		HostData:        [32]byte{0x48, 3},
		CurrentFirmware: sevsnp.Firmware{Major: 1, Minor: 58, Build: 3},
		Cert:            Leaf{Period: around(2), Serial: SerialLeaf},
		Mid:             around(10), Root: around(10),
		CRL: &CRL{Period: Period{Now().AddDate(0, -1, 0), Now().AddDate(0, 1, 0)}},
	}
	m.CommittedFirmware = m.CurrentFirmware
	switch l {
	case sevsnp.Turin:
		m.CPU = sevsnp.CPU{Family: 0x1a, Model: 0x02, Stepping: 1}
		m.Reported = sevsnp.SVNs{FMC: 1, Bootloader: 2, TEE: 1, SNP: 5, Microcode: 0x52}
		m.ChipID = []byte{1, 2, 3, 4, 5, 6, 7, 8}
	default:
		m.CPU = sevsnp.CPU{Family: 0x19, Model: 0x11, Stepping: 1}
		m.Reported = sevsnp.SVNs{Bootloader: 10, SNP: 0x1c, Microcode: 0x57}
		if l == sevsnp.Milan {
			m.CPU.Model, m.Reported.Microcode = 0x01, 0xdf
		}
		id := sha256.Sum256([]byte(l))
		m.ChipID = append(id[:], id[:]...)
	}
	m.Current, m.Committed, m.Launch = m.Reported, m.Reported, m.Reported
	return m
}

// WithVLEK is the machine in a cloud that signs with its own key.
func (m Machine) WithVLEK() Machine {
	m.Key, m.ChipID = sevsnp.VLEK, nil
	m.Cert.CSPID = "CN=cloud.example"
	return m
}

// Evidence is what a machine sends, and the options under which New's is accepted.
type Evidence struct {
	Report     []byte
	Collateral sevsnp.Collateral
	Options    sevsnp.Options
}

// Make makes the evidence.
func (m Machine) Make() (Evidence, error) {
	pki, err := m.certify()
	if err != nil {
		return Evidence{}, fmt.Errorf("making certificates: %w", err)
	}
	report, err := m.report()
	if err != nil {
		return Evidence{}, fmt.Errorf("making the report: %w", err)
	}
	e := Evidence{
		Report:     report,
		Collateral: sevsnp.Collateral{Leaf: pki.leaf, CRL: pki.crl},
		Options:    sevsnp.Options{Now: Now(), Roots: []sevsnp.Root{pki.root}},
	}
	if m.SendMid {
		e.Collateral.Intermediate = pki.root.ASK
		if m.Key == sevsnp.VLEK {
			e.Collateral.Intermediate = pki.root.ASVK
		}
	}
	return e, nil
}

func serial(n int64) *big.Int { return big.NewInt(n) }
