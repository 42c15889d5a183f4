package main

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// part is a section that a unified kernel image adds to systemd's stub.
type part struct {
	name string
	body []byte
}

const (
	fileAlign    = 512
	initialized  = 0x40       // IMAGE_SCN_CNT_INITIALIZED_DATA
	readable     = 0x40000000 // IMAGE_SCN_MEM_READ
	sectionEntry = 40
)

// unify adds sections to a stub. Source: UAPI.5 Unified Kernel Image; Microsoft PE Format.
func unify(stub []byte, parts []part) ([]byte, error) {
	le := binary.LittleEndian
	if len(stub) < 0x40 {
		return nil, fmt.Errorf("stub of %d bytes is no PE file", len(stub))
	}
	pe := int(le.Uint32(stub[0x3c:]))
	if pe < 0 || pe+24+112 > len(stub) || string(stub[pe:pe+4]) != "PE\x00\x00" {
		return nil, fmt.Errorf("stub has no PE header at offset %d", pe)
	}
	out := slices.Clone(stub)
	count, opt := int(le.Uint16(out[pe+6:])), pe+24
	table := opt + int(le.Uint16(out[pe+20:]))
	align, headers := le.Uint32(out[opt+32:]), int(le.Uint32(out[opt+60:]))
	if count == 0 || align == 0 || table+sectionEntry*(count+len(parts)) > headers || headers > len(stub) {
		return nil, fmt.Errorf("stub with %d sections and headers of %d bytes has no room for %d more sections", count, headers, len(parts))
	}
	last := out[table+sectionEntry*(count-1):]
	next := up(le.Uint32(last[12:])+le.Uint32(last[8:]), align)
	out = append(out, make([]byte, int(up(uint32(len(out)), fileAlign))-len(out))...)
	for i, p := range parts {
		h := out[table+sectionEntry*(count+i):][:sectionEntry]
		clear(h)
		copy(h[:8], p.name)
		le.PutUint32(h[8:], uint32(len(p.body)))
		le.PutUint32(h[12:], next)
		le.PutUint32(h[16:], up(uint32(len(p.body)), fileAlign))
		le.PutUint32(h[20:], uint32(len(out)))
		le.PutUint32(h[36:], initialized|readable)
		out = append(out, p.body...)
		out = append(out, make([]byte, int(up(uint32(len(out)), fileAlign))-len(out))...)
		next = up(next+uint32(len(p.body)), align)
	}
	le.PutUint16(out[pe+6:], uint16(count+len(parts)))
	le.PutUint32(out[opt+56:], next) // SizeOfImage
	le.PutUint32(out[opt+64:], 0)    // CheckSum: EFI does not look at it
	return out, nil
}

func up(n, to uint32) uint32 { return (n + to - 1) / to * to }
