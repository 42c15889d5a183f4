package sevsnptest

import (
	"crypto"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/phala-go/phala/core/attest/sevsnp"
)

// pack is the TCB_VERSION of the line.
func pack(l sevsnp.Line, s sevsnp.SVNs) uint64 {
	if l == sevsnp.Turin {
		return uint64(s.FMC) | uint64(s.Bootloader)<<8 | uint64(s.TEE)<<16 | uint64(s.SNP)<<24 | uint64(s.Microcode)<<56
	}
	return uint64(s.Bootloader) | uint64(s.TEE)<<8 | uint64(s.SNP)<<48 | uint64(s.Microcode)<<56
}

// report makes and signs it (56860, ATTESTATION_REPORT).
func (m Machine) report() ([]byte, error) {
	b := make([]byte, sevsnp.ReportSize)
	u32 := func(at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
	u64 := func(at int, v uint64) { binary.LittleEndian.PutUint64(b[at:], v) }
	u32(0x00, m.Version)
	u32(0x04, m.GuestSVN)
	u64(0x08, uint64(m.Policy))
	u32(0x30, m.VMPL)
	u32(0x34, 1)
	u64(0x38, pack(m.Line, m.Current))
	u64(0x40, uint64(m.Platform))
	u32(0x48, uint32(m.Key)<<2)
	copy(b[0x50:], m.ReportData[:])
	copy(b[0x90:], m.Measurement[:])
	copy(b[0xc0:], m.HostData[:])
	copy(b[0x140:], []byte("report of one guest, 32 bytes..."))
	u64(0x180, pack(m.Line, m.Reported))
	if m.Version >= 3 {
		b[0x188], b[0x189], b[0x18a] = m.CPU.Family, m.CPU.Model, m.CPU.Stepping
	}
	copy(b[0x1a0:0x1e0], m.ChipID)
	u64(0x1e0, pack(m.Line, m.Committed))
	copy(b[0x1e8:], []byte{m.CurrentFirmware.Build, m.CurrentFirmware.Minor, m.CurrentFirmware.Major})
	copy(b[0x1ec:], []byte{m.CommittedFirmware.Build, m.CommittedFirmware.Minor, m.CommittedFirmware.Major})
	u64(0x1f0, pack(m.Line, m.Launch))
	if m.Version >= 5 {
		u64(0x1f8, 3)
		u64(0x200, 7)
	}
	if m.Edit != nil {
		m.Edit(b)
	}
	if err := m.sign(b); err != nil {
		return nil, err
	}
	if m.EditSigned != nil {
		m.EditSigned(b)
	}
	return b, nil
}

// name is of the leaf's key.
func (m Machine) name() string { return string(m.Line) + " " + m.Key.String() }

func (m Machine) sign(b []byte) error {
	name := m.name()
	if m.Signer != "" {
		name = m.Signer
	}
	key, err := leafKey(name)
	if err != nil {
		return err
	}
	digest := sha512.Sum384(b[:0x2a0])
	der, err := key.Sign(nil, digest[:], crypto.SHA384) // the same each time (RFC 6979)
	if err != nil {
		return err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return err
	}
	for i, v := range []*big.Int{sig.R, sig.S} {
		le := v.FillBytes(make([]byte, 48))
		slices.Reverse(le)
		copy(b[0x2a0+72*i:], le)
	}
	return nil
}
