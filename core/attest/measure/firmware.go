package measure

import (
	"encoding/binary"
	"fmt"
)

const (
	pageSize    = 4096
	fourGiB     = 1 << 32 // firmware ends here
	maxFirmware = 64 << 20
	maxPieces   = 64   // of metadata
	maxMemory   = 1024 // MiB that metadata may speak of in all: more would be a loop, not a firmware
)

// guid is in the order of memory: the first three fields little endian.
type guid [16]byte

// Names in OVMF's table. Source: EDK2, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm.
var (
	guidTable    = guid{0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d}
	guidReset    = guid{0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e} // where SEV-ES starts further CPUs
	guidHashes   = guid{0x1f, 0x37, 0x55, 0x72, 0x3a, 0x3b, 0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54} // where SEV's hashes of the kernel lie
	guidSEV      = guid{0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc} // where SEV's metadata lie
	guidTDX      = guid{0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2} // where TDX's metadata lie
	tableFromEnd = 32                                                                                                   // bytes behind the table: the reset vector
)

// Firmware is an OVMF image whole, code and variables, as a confidential machine starts with.
type Firmware struct {
	bytes []byte
	table map[guid][]byte
}

// ReadFirmware reads the table at the end of the firmware. It keeps a reference to b.
func ReadFirmware(b []byte) (*Firmware, error) {
	const entry = 2 + len(guid{})
	if len(b) > maxFirmware || len(b)%pageSize != 0 || len(b) == 0 {
		return nil, fmt.Errorf("firmware of %d bytes: want whole pages, at most %d bytes", len(b), maxFirmware)
	}
	f := &Firmware{bytes: b, table: map[guid][]byte{}}
	end := len(b) - tableFromEnd
	size := int(binary.LittleEndian.Uint16(b[end-entry:]))
	if guid(b[end-len(guid{}):end]) != guidTable || size < entry || size > end {
		return nil, fmt.Errorf("firmware of %d bytes has no table of GUIDs at its end: want an OVMF image", len(b))
	}
	for rest := b[end-size : end-entry]; len(rest) > 0; {
		if len(rest) < entry {
			return nil, fmt.Errorf("firmware's table: %d bytes are left, no entry", len(rest))
		}
		n := int(binary.LittleEndian.Uint16(rest[len(rest)-entry:]))
		if n < entry || n > len(rest) {
			return nil, fmt.Errorf("firmware's table: an entry of %d bytes, %d are left", n, len(rest))
		}
		id := guid(rest[len(rest)-len(guid{}):])
		if _, twice := f.table[id]; twice {
			return nil, fmt.Errorf("firmware's table: entry %x twice", id)
		}
		f.table[id] = rest[len(rest)-n : len(rest)-entry]
		rest = rest[:len(rest)-n]
	}
	return f, nil
}

// number is a four-byte entry of the table.
func (f *Firmware) number(id guid, what string) (uint32, error) {
	b, ok := f.table[id]
	if !ok || len(b) < 4 {
		return 0, fmt.Errorf("the firmware names no %s", what)
	}
	return binary.LittleEndian.Uint32(b), nil
}

// pieces are what metadata that an entry of the table points at lists, each of size bytes. The header: signature, length, version,
// number, four bytes each; the entry counts from the firmware's end.
func (f *Firmware) pieces(id guid, what, signature string, size int) ([][]byte, error) {
	const header = 16
	back, err := f.number(id, what)
	if err != nil {
		return nil, err
	}
	if int64(back) > int64(len(f.bytes)) || back < header {
		return nil, fmt.Errorf("%s %d bytes before the end of %d", what, back, len(f.bytes))
	}
	b := f.bytes[len(f.bytes)-int(back):]
	le := binary.LittleEndian
	length, version, n := le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])
	if string(b[:4]) != signature || version != 1 {
		return nil, fmt.Errorf("%s with signature %q, version %d: want %q, 1", what, b[:4], version, signature)
	}
	if n > maxPieces || int(n)*size+header > len(b) || int(length) < int(n)*size+header {
		return nil, fmt.Errorf("%s of %d bytes with %d entries, %d bytes are left", what, length, n, len(b))
	}
	out := make([][]byte, n)
	for i := range out {
		out[i] = b[header+i*size:][:size]
	}
	return out, nil
}
