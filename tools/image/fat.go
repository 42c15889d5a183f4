package main

import (
	"encoding/binary"
	"fmt"
)

const (
	sector      = 512
	minClusters = 65525 // fewer would be FAT16 to every reader
	reserved    = 32
	endOfChain  = 0x0fffffff
)

// fat writes a FAT32 file system that holds one file at EFI/BOOT/BOOTX64.EFI, where firmware looks on any disk.
// Clusters are of one sector; there are no times; the volume's id comes from the caller.
// Source: Microsoft FAT: General Overview of On-Disk Format, 1.03.
func fat(loader []byte, id uint32) ([]byte, error) {
	fileClusters := (len(loader) + sector - 1) / sector
	clusters := max(minClusters+1, fileClusters+3)
	fatSectors := ((clusters+2)*4 + sector - 1) / sector
	total := reserved + 2*fatSectors + clusters
	if fileClusters == 0 || uint64(len(loader)) >= 1<<32 {
		return nil, fmt.Errorf("a loader of %d bytes does not fit FAT32", len(loader))
	}
	v := make([]byte, total*sector)
	bootSector(v, total, fatSectors, id)
	copy(v[6*sector:], v[:sector]) // the backup

	table := make([]byte, fatSectors*sector)
	link := func(i, to int) { binary.LittleEndian.PutUint32(table[4*i:], uint32(to)) }
	link(0, 0x0ffffff8)
	link(1, endOfChain)
	for c := range 3 { // the root, EFI, BOOT
		link(2+c, endOfChain)
	}
	for c := range fileClusters {
		link(5+c, 6+c)
	}
	link(4+fileClusters, endOfChain)
	copy(v[reserved*sector:], table)
	copy(v[(reserved+fatSectors)*sector:], table)

	data := v[(reserved+2*fatSectors)*sector:]
	cluster := func(c int) []byte { return data[(c-2)*sector:] }
	dirEntry(cluster(2), 0, "EFI        ", 0x10, 3, 0)
	dirEntry(cluster(3), 0, ".          ", 0x10, 3, 0)
	dirEntry(cluster(3), 1, "..         ", 0x10, 0, 0)
	dirEntry(cluster(3), 2, "BOOT       ", 0x10, 4, 0)
	dirEntry(cluster(4), 0, ".          ", 0x10, 4, 0)
	dirEntry(cluster(4), 1, "..         ", 0x10, 3, 0)
	dirEntry(cluster(4), 2, "BOOTX64 EFI", 0x20, 5, uint32(len(loader)))
	copy(cluster(5), loader)

	infoSector(v[sector:], clusters-3-fileClusters, 5+fileClusters)
	copy(v[7*sector:], v[sector:2*sector])
	return v, nil
}

func bootSector(b []byte, total, fatSectors int, id uint32) {
	le := binary.LittleEndian
	copy(b, "\xeb\x58\x90phala   ")
	le.PutUint16(b[11:], sector)
	b[13] = 1 // sectors a cluster
	le.PutUint16(b[14:], reserved)
	b[16] = 2 // tables
	b[21] = 0xf8
	le.PutUint16(b[24:], 32)
	le.PutUint16(b[26:], 2)
	le.PutUint32(b[28:], firstSector)
	le.PutUint32(b[32:], uint32(total))
	le.PutUint32(b[36:], uint32(fatSectors))
	le.PutUint32(b[44:], 2) // the root's cluster
	le.PutUint16(b[48:], 1) // the information sector
	le.PutUint16(b[50:], 6) // the backup
	b[64], b[66] = 0x80, 0x29
	le.PutUint32(b[67:], id)
	copy(b[71:], "PHALA ESP  FAT32   ")
	b[510], b[511] = 0x55, 0xaa
}

func infoSector(b []byte, free, next int) {
	le := binary.LittleEndian
	copy(b, "RRaA")
	copy(b[484:], "rrAa")
	le.PutUint32(b[488:], uint32(free))
	le.PutUint32(b[492:], uint32(next))
	b[510], b[511] = 0x55, 0xaa
}

func dirEntry(dir []byte, n int, name string, attributes byte, cluster, size uint32) {
	e := dir[32*n:]
	copy(e, name)
	e[11] = attributes
	binary.LittleEndian.PutUint16(e[20:], uint16(cluster>>16))
	binary.LittleEndian.PutUint16(e[26:], uint16(cluster))
	binary.LittleEndian.PutUint32(e[28:], size)
}
