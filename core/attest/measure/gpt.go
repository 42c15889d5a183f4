package measure

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Of a partition table. Source: UEFI 2.10, 5.3.
const (
	sectorSize   = 512
	gptHeader    = 92  // bytes of the header
	gptEntry     = 128 // bytes of an entry
	gptMaxEntry  = 1024
	gptSignature = "EFI PART"
)

// gptEvent is what firmware measures of a disk: its table's header, the number of partitions in eight bytes, and the entry of each.
// Source: TCG PC Client Platform Firmware Profile 1.06, 10.2.6 (UEFI_GPT_DATA).
func gptEvent(disk []byte) ([]byte, error) {
	if len(disk) < 2*sectorSize || string(disk[sectorSize:sectorSize+8]) != gptSignature {
		return nil, fmt.Errorf("%d bytes without a GUID partition table", len(disk))
	}
	le := binary.LittleEndian
	h := disk[sectorSize : sectorSize+gptHeader]
	at, count, size := le.Uint64(h[72:]), le.Uint32(h[80:]), le.Uint32(h[84:])
	if le.Uint32(h[12:]) != gptHeader || size != gptEntry || count == 0 || count > gptMaxEntry {
		return nil, fmt.Errorf("a partition table with a header of %d bytes and %d entries of %d: want %d, and 1 to %d of %d",
			le.Uint32(h[12:]), count, size, gptHeader, gptMaxEntry, gptEntry)
	}
	sectors := uint64(len(disk)) / sectorSize
	if length := uint64(count) * gptEntry; at >= sectors || (sectors-at)*sectorSize < length {
		return nil, fmt.Errorf("a partition table at sector %d of %d", at, sectors)
	}
	table := disk[at*sectorSize:][:count*gptEntry]
	zeroed := append([]byte(nil), h...)
	clear(zeroed[16:20])
	if crc32.ChecksumIEEE(zeroed) != le.Uint32(h[16:]) || crc32.ChecksumIEEE(table) != le.Uint32(h[88:]) {
		return nil, fmt.Errorf("a partition table whose checksums do not hold")
	}
	out, n := append([]byte(nil), h...), uint64(0)
	out = append(out, make([]byte, 8)...)
	for ; len(table) > 0; table = table[gptEntry:] {
		if [16]byte(table[:16]) != [16]byte{} {
			out = append(out, table[:gptEntry]...)
			n++
		}
	}
	le.PutUint64(out[gptHeader:], n)
	return out, nil
}
