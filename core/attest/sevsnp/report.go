package sevsnp

import (
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// ReportSize is the size of an attestation report in bytes, in every version.
const ReportSize = 1184

// signedSize is how much of the report its signature covers.
const signedSize = 0x2a0

// Report is a parsed attestation report (56860, ATTESTATION_REPORT). Nothing in it is proven before Verify.
type Report struct {
	Version                 uint32 // 2 to 5
	GuestSVN                uint32
	Policy                  Policy
	FamilyID, ImageID       [16]byte
	VMPL                    uint32 // 0 to 3
	Platform                Platform
	AuthorKey               bool // AuthorKeyDigest counts
	MaskChipKey             bool
	SigningKey              Key
	ReportData              [64]byte
	Measurement             [48]byte
	HostData                [32]byte
	IDKeyDigest             [48]byte
	AuthorKeyDigest         [48]byte
	ReportID, ReportIDMA    [32]byte
	CPU                     CPU // zero in version 2
	ChipID                  [64]byte
	CurrentTCB, ReportedTCB TCB
	CommittedTCB, LaunchTCB TCB
	Current, Committed      Firmware
	// LaunchMitigations and CurrentMitigations are bits that AMD's bulletins name; zero before version 5.
	LaunchMitigations, CurrentMitigations uint64

	signed []byte   // what the signature covers
	r, s   [48]byte // the signature, big-endian
}

// Firmware is a version of the secure processor's firmware, and so of the ABI it speaks.
type Firmware struct{ Major, Minor, Build uint8 }

// String is major.minor.build in decimal.
func (f Firmware) String() string { return fmt.Sprintf("%d.%d.%d", f.Major, f.Minor, f.Build) }

func (f Firmware) number() uint64 { return uint64(f.Major)<<16 | uint64(f.Minor)<<8 | uint64(f.Build) }

// Parse reads a report of version 2 to 5: exactly ReportSize bytes, reserved bits and bytes zero.
func Parse(b []byte) (*Report, error) {
	if len(b) != ReportSize {
		return nil, malformed("report", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("%d", ReportSize))
	}
	f := fields{b: b}
	p := &Report{Version: f.u32(0)}
	if p.Version < 2 || p.Version > 5 {
		return nil, claims.Refuse("unknown-version", "VERSION", fmt.Sprint(p.Version), "2 to 5", "a newer report needs a newer verifier")
	}
	p.header(&f)
	f.copy(p.ReportData[:], 0x50)
	f.copy(p.Measurement[:], 0x90)
	f.copy(p.HostData[:], 0xc0)
	f.copy(p.IDKeyDigest[:], 0xe0)
	f.copy(p.AuthorKeyDigest[:], 0x110)
	f.copy(p.ReportID[:], 0x140)
	f.copy(p.ReportIDMA[:], 0x160)
	p.platform(&f)
	if f.err != nil {
		return nil, f.err
	}
	if p.SigningKey == None {
		return nil, claims.Refuse("unsigned", "SIGNING_KEY", "none", "VCEK or VLEK", "the host has masked the chip's key: clear MASK_CHIP_KEY or load a VLEK")
	}
	p.signed = append([]byte(nil), b[:signedSize]...)
	return p, nil
}

// header reads what comes before the guest's own data, 00h to 4Fh.
func (p *Report) header(f *fields) {
	p.GuestSVN = f.u32(0x04)
	p.Policy = Policy(f.u64(0x08))
	f.check("POLICY", uint64(p.Policy)&policyReserved == policyOne, fmt.Sprintf("%#x", uint64(p.Policy)), "bit 17 one, bits 26 to 63 zero")
	f.copy(p.FamilyID[:], 0x10)
	f.copy(p.ImageID[:], 0x20)
	p.VMPL = f.u32(0x30)
	if p.VMPL == hostRequested && f.err == nil {
		f.err = claims.Refuse("host-requested", "VMPL", "0xffffffff", "0 to 3: a report that the guest itself asked for", "ask for the report inside the guest")
	}
	f.check("VMPL", p.VMPL <= 3, fmt.Sprint(p.VMPL), "0 to 3")
	algo := f.u32(0x34)
	f.check("SIGNATURE_ALGO", algo == 1, fmt.Sprint(algo), "1: ECDSA P-384 with SHA-384")
	p.CurrentTCB = TCB(f.u64(0x38))
	p.Platform = Platform(f.u64(0x40))
	f.check("PLATFORM_INFO", uint64(p.Platform)&platformReserved == 0, fmt.Sprintf("%#x", uint64(p.Platform)), "bits 8 to 63 zero")
	key := f.u32(0x48)
	p.AuthorKey, p.MaskChipKey, p.SigningKey = key&1 != 0, key&2 != 0, Key(key>>2&7)
	f.check("SIGNING_KEY", key>>5 == 0 && p.SigningKey.known(), fmt.Sprintf("%#x", key), "VCEK (0), VLEK (1) or none (7), bits 5 to 31 zero")
	f.zero("reserved at 4Ch", 0x4c, 0x50)
}

// platform reads what the firmware tells about the machine and itself, 180h to 49Fh.
func (p *Report) platform(f *fields) {
	p.ReportedTCB = TCB(f.u64(0x180))
	if p.Version >= 3 {
		p.CPU = CPU{f.b[0x188], f.b[0x189], f.b[0x18a]}
		f.zero("reserved at 18Bh", 0x18b, 0x1a0)
	} else {
		f.zero("reserved at 188h", 0x188, 0x1a0)
	}
	f.copy(p.ChipID[:], 0x1a0)
	p.CommittedTCB = TCB(f.u64(0x1e0))
	p.Current = Firmware{f.b[0x1ea], f.b[0x1e9], f.b[0x1e8]}
	f.zero("reserved at 1EBh", 0x1eb, 0x1ec)
	p.Committed = Firmware{f.b[0x1ee], f.b[0x1ed], f.b[0x1ec]}
	f.zero("reserved at 1EFh", 0x1ef, 0x1f0)
	p.LaunchTCB = TCB(f.u64(0x1f0))
	switch p.Version {
	case 2, 3:
		f.zero("reserved at 1F8h", 0x1f8, signedSize)
	case 4: // firmware between the two has begun to fill the vectors in; their bits are defined from version 5 on
		f.zero("reserved at 208h", 0x208, signedSize)
	default:
		p.LaunchMitigations, p.CurrentMitigations = f.u64(0x1f8), f.u64(0x200)
		f.zero("reserved at 208h", 0x208, signedSize)
	}
	p.signature(f)
}

// signature reads r and s, each 72 bytes of which P-384 needs 48 (56860, SIGNATURE).
func (p *Report) signature(f *fields) {
	for i := range p.r {
		p.r[i] = f.b[signedSize+47-i]
		p.s[i] = f.b[signedSize+72+47-i]
	}
	f.zero("SIGNATURE.R", signedSize+48, signedSize+72)
	f.zero("SIGNATURE.S", signedSize+72+48, signedSize+144)
	f.zero("reserved after SIGNATURE", signedSize+144, ReportSize)
}
