package measure

import "encoding/binary"

// vmsa is a CPU's first state, as KVM sets it for QEMU. Source: AMD64 Architecture Programmer's Manual 2, table B-4 (offsets) and 14.1.3
// (state after reset).
func vmsa(at uint32, s SNP) []byte {
	b := make([]byte, pageSize)
	le := binary.LittleEndian
	segment := func(off int, selector, attributes uint16, base uint64) {
		le.PutUint16(b[off:], selector)
		le.PutUint16(b[off+2:], attributes)
		le.PutUint32(b[off+4:], 0xffff)
		le.PutUint64(b[off+8:], base)
	}
	segment(0x10, 0xf000, 0x9b, uint64(at&0xffff0000)) // CS
	for _, off := range []int{0x00, 0x20, 0x30, 0x40, 0x50} {
		segment(off, 0, 0x93, 0) // ES, SS, DS, FS, GS
	}
	segment(0x60, 0, 0, 0)    // GDTR
	segment(0x70, 0, 0x82, 0) // LDTR
	segment(0x80, 0, 0, 0)    // IDTR
	segment(0x90, 0, 0x8b, 0) // TR
	for off, v := range map[int]uint64{
		0x0d0: 0x1000,     // EFER: SVME, which KVM sets
		0x148: 0x40,       // CR4: MCE, which KVM sets
		0x158: 0x10,       // CR0
		0x160: 0x400,      // DR7
		0x168: 0xffff0ff0, // DR6
		0x170: 2,          // RFLAGS
		0x178: uint64(at & 0xffff),
		0x268: 0x0007040600070406,  // PAT
		0x310: uint64(s.Signature), // RDX
		0x3b0: s.Features,
		0x3e8: 1, // XCR0
	} {
		le.PutUint64(b[off:], v)
	}
	le.PutUint32(b[0x408:], 0x1f80) // MXCSR
	le.PutUint16(b[0x410:], 0x37f)  // x87 control word
	return b
}
