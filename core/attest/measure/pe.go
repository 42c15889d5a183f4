package measure

import (
	"crypto"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Limits of what is parsed, in bytes and in numbers.
const (
	maxPE       = 512 << 20
	maxSections = 96 // the limit of Windows' loader, which EDK2 does not lower
)

// PE is a parsed PE32+ file: an EFI application, a Linux kernel, a unified kernel image.
type PE struct {
	file     []byte
	checksum int // offset of the checksum, which no digest covers
	security int // offset of the directory entry of the certificate table
	headers  int // SizeOfHeaders
	certs    int // bytes of certificates at the end of the file
	Sections []Section
}

// Section is one section of a PE file.
type Section struct {
	Name        string
	VirtualSize uint32
	Data        []byte // as it lies in the file, padded to the file's alignment
	offset      uint32
}

// Content is what the section holds without the padding of the file.
func (s Section) Content() []byte {
	if int(s.VirtualSize) < len(s.Data) {
		return s.Data[:s.VirtualSize]
	}
	return s.Data
}

// ParsePE reads a PE32+ file. It keeps a reference to file.
// Source: Microsoft PE Format, revision 2024.
func ParsePE(file []byte) (*PE, error) {
	if len(file) > maxPE {
		return nil, fmt.Errorf("PE file of %d bytes: at most %d", len(file), maxPE)
	}
	if len(file) < 0x40 || file[0] != 'M' || file[1] != 'Z' {
		return nil, fmt.Errorf("no PE file: it does not begin with MZ and a header of 64 bytes")
	}
	pe := int(binary.LittleEndian.Uint32(file[0x3c:]))
	if pe < 0 || pe > len(file)-24 || string(file[pe:pe+4]) != "PE\x00\x00" {
		return nil, fmt.Errorf("no PE file: no PE header at offset %d of %d bytes", pe, len(file))
	}
	count, optional := int(binary.LittleEndian.Uint16(file[pe+6:])), int(binary.LittleEndian.Uint16(file[pe+20:]))
	opt, table := pe+24, pe+24+optional
	if optional < 152 || table > len(file) || binary.LittleEndian.Uint16(file[opt:]) != 0x20b {
		return nil, fmt.Errorf("PE file is not PE32+ with a directory of certificates: optional header of %d bytes", optional)
	}
	if n := binary.LittleEndian.Uint32(file[opt+108:]); n < 5 {
		return nil, fmt.Errorf("PE file with %d data directories: want at least 5", n)
	}
	p := &PE{file: file, checksum: opt + 64, security: opt + 144, headers: int(binary.LittleEndian.Uint32(file[opt+60:]))}
	if count > maxSections || table+40*count > p.headers || p.headers > len(file) {
		return nil, fmt.Errorf("PE file of %d bytes with %d sections and headers of %d bytes", len(file), count, p.headers)
	}
	for i := range count {
		s, err := p.section(file[table+40*i:])
		if err != nil {
			return nil, err
		}
		p.Sections = append(p.Sections, s)
	}
	return p, p.certificates()
}

func (p *PE) section(h []byte) (Section, error) {
	s := Section{
		Name:        strings.TrimRight(string(h[:8]), "\x00"),
		VirtualSize: binary.LittleEndian.Uint32(h[8:]),
		offset:      binary.LittleEndian.Uint32(h[20:]),
	}
	size := binary.LittleEndian.Uint32(h[16:])
	if uint64(s.offset)+uint64(size) > uint64(len(p.file)) {
		return s, fmt.Errorf("PE section %q of %d bytes at offset %d lies outside the file's %d bytes", s.Name, size, s.offset, len(p.file))
	}
	s.Data = p.file[s.offset : s.offset+size]
	return s, nil
}

// certificates finds the signatures, which lie at the end and are no part of what they sign.
func (p *PE) certificates() error {
	at, size := binary.LittleEndian.Uint32(p.file[p.security:]), binary.LittleEndian.Uint32(p.file[p.security+4:])
	if size == 0 {
		return nil
	}
	if uint64(at)+uint64(size) != uint64(len(p.file)) {
		return fmt.Errorf("PE certificates of %d bytes at offset %d do not end the file of %d bytes", size, at, len(p.file))
	}
	p.certs = int(size)
	return nil
}

// Section is the first section of that name, and how many there are.
func (p *PE) Section(name string) (first Section, n int) {
	for _, s := range p.Sections {
		if s.Name != name {
			continue
		}
		if n++; n == 1 {
			first = s
		}
	}
	return first, n
}

// Authenticode is the digest that firmware measures when it loads the file: everything but the checksum, the entry of the
// certificate table, and the certificates; sections by offset.
// Source: Windows Authenticode Portable Executable Signature Format 1.0, "Calculating the PE Image Hash".
func (p *PE) Authenticode(h crypto.Hash) []byte {
	w := h.New()
	w.Write(p.file[:p.checksum])
	w.Write(p.file[p.checksum+4 : p.security])
	w.Write(p.file[p.security+8 : p.headers])
	sections := slices.Clone(p.Sections)
	sort.SliceStable(sections, func(i, j int) bool { return sections[i].offset < sections[j].offset })
	hashed := p.headers
	for _, s := range sections {
		w.Write(s.Data)
		hashed += len(s.Data)
	}
	if end := len(p.file) - p.certs; hashed < end {
		w.Write(p.file[hashed:end])
	}
	return w.Sum(nil)
}
