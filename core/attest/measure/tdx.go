package measure

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"
)

// Of a TDX guest's firmware. Source: Intel TDX Virtual Firmware Design Guide, 11 (TDVF metadata); EDK2, OvmfPkg/ResetVector.
const (
	tdxPiece     = 32
	tdxBFV       = 0 // boot firmware volume
	tdxCFV       = 1 // configuration firmware volume: the variables
	tdxHOB       = 2 // what the host says of the machine
	tdxTempMem   = 3
	tdxExtend    = 1 << 0 // the content is measured, and not only that the page is there
	tdxChunk     = 256
	tdxExtension = 128
)

// MRTD is the measurement of a TDX guest that is started with this firmware: its pages in the order of its metadata, each added and
// then, where the metadata say so, extended by its content in pieces of 256 bytes, as QEMU and Linux 6.16 or later do it. (A host that
// adds all pages of a piece before it extends the first gives another value.) It says nothing of what the firmware boots: RTMR1 and
// RTMR2 do. Source: Intel TDX Module Base Architecture Specification, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND.
func (f *Firmware) MRTD() ([]byte, error) {
	list, err := f.pieces(guidTDX, "metadata of TDX", "TDVF", tdxPiece)
	if err != nil {
		return nil, err
	}
	h, budget := sha512.New384(), uint64(maxMemory<<20)
	for i, b := range list {
		if err := f.addTDX(h, b, &budget); err != nil {
			return nil, fmt.Errorf("metadata of TDX, entry %d: %w", i, err)
		}
	}
	return h.Sum(nil), nil
}

// addTDX measures one piece: offset and size in the firmware, address and size in memory, type, attributes.
func (f *Firmware) addTDX(h hash.Hash, b []byte, budget *uint64) error {
	le := binary.LittleEndian
	at, raw, gpa, size, kind, attributes := le.Uint32(b), le.Uint32(b[4:]), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint32(b[24:]), le.Uint32(b[28:])
	if gpa%pageSize != 0 || size%pageSize != 0 || size > *budget || gpa > 1<<52 {
		return fmt.Errorf("%d bytes at 0x%x: want whole pages, at most %d bytes in all", size, gpa, maxMemory<<20)
	}
	*budget -= size
	var content []byte
	switch kind {
	case tdxBFV, tdxCFV:
		if uint64(raw) != size || uint64(at)+uint64(raw) > uint64(len(f.bytes)) {
			return fmt.Errorf("%d bytes at %d of the firmware's %d for %d bytes of memory", raw, at, len(f.bytes), size)
		}
		content = f.bytes[at:][:raw]
	case tdxHOB, tdxTempMem:
		if attributes&tdxExtend != 0 {
			return fmt.Errorf("memory of type %d is measured with its content, which is the host's", kind)
		}
	default:
		return fmt.Errorf("memory of type %d: what a host does with it is not known here", kind)
	}
	for off := uint64(0); off < size; off += pageSize {
		h.Write(extension("MEM.PAGE.ADD", gpa+off))
		if attributes&tdxExtend == 0 {
			continue
		}
		for c := off; c < off+pageSize; c += tdxChunk {
			h.Write(extension("MR.EXTEND", gpa+c))
			h.Write(content[c:][:tdxChunk])
		}
	}
	return nil
}

// extension is the block in which the TDX module puts a leaf's name and an address.
func extension(leaf string, gpa uint64) []byte {
	var b [tdxExtension]byte
	copy(b[:], leaf)
	binary.LittleEndian.PutUint64(b[16:], gpa)
	return b[:]
}
