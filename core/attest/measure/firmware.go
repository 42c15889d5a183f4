package measure

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

const (
	pageSize    = 4096
	fourGiB     = 1 << 32 // firmware ends here
	maxFirmware = 64 << 20
	maxPieces   = 64   // of metadata
	maxMemory   = 1024 // MiB that metadata may speak of in all: more would be a loop, not a firmware
)

// guid is as people write it.
type guid string

// Names in OVMF's table. Source: EDK2, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm.
const (
	guidTable  guid = "96b582de-1fb2-45f7-baea-a366c55a082d"
	guidReset  guid = "00f771de-1a7e-4fcb-890e-68c77e2fb44e" // where SEV-ES starts further CPUs
	guidHashes guid = "7255371f-3a3b-4b04-927b-1da6efa8d454" // where SEV's hashes of the kernel lie
	guidSEV    guid = "dc886566-984a-4798-a75e-5585a7bf67cc" // where SEV's metadata lie
	guidTDX    guid = "e47a6535-984a-4798-865e-4685a7bf8ec2" // where TDX's metadata lie

	guidSize     = 16
	tableFromEnd = 32 // bytes behind the table: the reset vector
)

// swap is between the order of memory, in which the first three fields are little endian, and that of writing.
func swap(b [guidSize]byte) [guidSize]byte {
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

// readGUID reads 16 bytes of memory.
func readGUID(b []byte) guid {
	w := swap([guidSize]byte(b))
	return guid(fmt.Sprintf("%x-%x-%x-%x-%x", w[:4], w[4:6], w[6:8], w[8:10], w[10:]))
}

// bytes is the GUID in memory; only for the names in this package, which are well formed.
func (g guid) bytes() []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(string(g), "-", ""))
	if err != nil || len(b) != guidSize {
		return make([]byte, guidSize)
	}
	m := swap([guidSize]byte(b))
	return m[:]
}

// Firmware is an OVMF image whole, code and variables, as a confidential machine starts with.
type Firmware struct {
	bytes []byte
	table map[guid][]byte
}

// ReadFirmware reads the table at the end of the firmware. It keeps a reference to b.
func ReadFirmware(b []byte) (*Firmware, error) {
	const entry = 2 + guidSize
	if len(b) > maxFirmware || len(b)%pageSize != 0 || len(b) == 0 {
		return nil, fmt.Errorf("firmware of %d bytes: want whole pages, at most %d bytes", len(b), maxFirmware)
	}
	f := &Firmware{bytes: b, table: map[guid][]byte{}}
	end := len(b) - tableFromEnd
	size := int(binary.LittleEndian.Uint16(b[end-entry:]))
	if readGUID(b[end-guidSize:end]) != guidTable || size < entry || size > end {
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
		id := readGUID(rest[len(rest)-guidSize:])
		if _, twice := f.table[id]; twice {
			return nil, fmt.Errorf("firmware's table: entry %s twice", id)
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
