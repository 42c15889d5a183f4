package main

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"
)

const (
	firstSector = 2048 // of the one partition: aligned to 1 MiB
	entries     = 128
	entrySize   = 128
	tableSize   = entries * entrySize / sector // in sectors
)

// guid is in the order of the disk: the first three fields little endian.
type guid [16]byte

// espType is an EFI system partition. Source: UEFI 2.10, 5.3.3.
var espType = guid{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}

// nameGUID derives a GUID from a name and content, so that the same input gives the same disk. It is of version 8 (RFC 9562).
func nameGUID(domain string, content []byte) guid {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(content)
	g := guid(h.Sum(nil)[:16])
	g[7], g[8] = g[7]&0x0f|0x80, g[8]&0x3f|0x80
	return g
}

// gpt writes a disk with one partition. Source: UEFI 2.10, 5.3.
func gpt(kind guid, name string, body []byte) []byte {
	sectors := (len(body) + sector - 1) / sector
	last := firstSector + sectors - 1
	total := firstSector + sectors + tableSize + 1
	disk := make([]byte, total*sector)
	protect(disk, total)
	copy(disk[firstSector*sector:], body)

	table := make([]byte, entries*entrySize)
	part := nameGUID("phala/image/partition/v1", body)
	copy(table, kind[:])
	copy(table[16:], part[:])
	binary.LittleEndian.PutUint64(table[32:], firstSector)
	binary.LittleEndian.PutUint64(table[40:], uint64(last))
	for i, c := range utf16.Encode([]rune(name)) {
		binary.LittleEndian.PutUint16(table[56+2*i:], c)
	}
	id := nameGUID("phala/image/disk/v1", body)
	copy(disk[2*sector:], table)
	copy(disk[sector:], header(id, table, 1, total-1, 2, total))
	copy(disk[(total-1-tableSize)*sector:], table)
	copy(disk[(total-1)*sector:], header(id, table, total-1, 1, total-1-tableSize, total))
	return disk
}

func header(id guid, table []byte, at, other, tableAt, total int) []byte {
	le := binary.LittleEndian
	h := make([]byte, 92)
	copy(h, "EFI PART\x00\x00\x01\x00")
	le.PutUint32(h[12:], uint32(len(h)))
	le.PutUint64(h[24:], uint64(at))
	le.PutUint64(h[32:], uint64(other))
	le.PutUint64(h[40:], 2+tableSize)
	le.PutUint64(h[48:], uint64(total-2-tableSize))
	copy(h[56:], id[:])
	le.PutUint64(h[72:], uint64(tableAt))
	le.PutUint32(h[80:], entries)
	le.PutUint32(h[84:], entrySize)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(table))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	return h
}

// protect writes the master boot record that keeps old tools off.
func protect(disk []byte, total int) {
	e := disk[446:]
	copy(e, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0})
	binary.LittleEndian.PutUint32(e[12:], uint32(total-1))
	disk[510], disk[511] = 0x55, 0xaa
}
