package measure

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of memory in SEV's metadata. Source: EDK2, OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm.
const (
	sevPiece   = 12
	sevMemory  = 1
	sevSecrets = 2
	sevCPUID   = 3
	sevSVSM    = 4 // calling area of a service module
	sevHashes  = 0x10
)

// Types of pages. Source: AMD SEV Secure Nested Paging Firmware ABI 1.57, SNP_LAUNCH_UPDATE.
const (
	pageNormal  = 1
	pageVMSA    = 2
	pageZero    = 3
	pageSecrets = 5
	pageCPUID   = 6
)

// vmsaAddress is where the firmware says that a CPU's state lies: the page of the address -1, of 52 bits.
const vmsaAddress = 0xfffffffff000

// SNP is how QEMU starts an SEV-SNP guest.
type SNP struct {
	Kernel    []byte // the file that is given as the kernel; nil if the guest boots from a disk
	Initrd    []byte
	Cmdline   string
	CPUs      int
	Signature uint32 // CPUID Fn0000_0001_EAX of the CPU's model (CPUSignature)
	Features  uint64 // SEV_FEATURES: 1 for SNP alone
}

// CPUSignature is CPUID Fn0000_0001_EAX. Source: AMD64 Architecture Programmer's Manual 3, E.3.2.
func CPUSignature(family, model, stepping uint32) uint32 {
	base := min(family, 0xf)
	return (family-base)&0xff<<20 | model>>4&0xf<<16 | base<<8 | model&0xf<<4 | stepping&0xf
}

// LaunchDigest is the measurement of an SEV-SNP guest that QEMU starts with this firmware: its pages, the pages that its metadata
// name, and the state of each CPU. It covers the kernel only where the firmware has a page for the hashes of it; a guest that boots
// from a disk has a digest that says nothing of the disk. Source: AMD SEV Secure Nested Paging Firmware ABI 1.57, 8.17.2.
func (f *Firmware) LaunchDigest(s SNP) ([]byte, error) {
	if s.CPUs < 1 || s.CPUs > 4096 {
		return nil, fmt.Errorf("%d CPUs: want 1 to 4096", s.CPUs)
	}
	var d launch
	d.pages(pageNormal, uint64(fourGiB-len(f.bytes)), f.bytes)
	return f.finish(d, s)
}

// finish adds to the digest of the firmware's own pages.
func (f *Firmware) finish(d launch, s SNP) ([]byte, error) {
	if err := f.addSEV(&d, s); err != nil {
		return nil, err
	}
	reset, err := f.number(guidReset, "address at which SEV-ES starts further CPUs")
	if err != nil {
		return nil, err
	}
	for i := range s.CPUs {
		at := uint32(0xfffffff0) // the reset vector
		if i > 0 {
			at = reset
		}
		d.pages(pageVMSA, vmsaAddress, vmsa(at, s))
	}
	return d[:], nil
}

// addSEV measures the pages that the metadata name.
func (f *Firmware) addSEV(d *launch, s SNP) error {
	list, err := f.pieces(guidSEV, "metadata of SEV", "ASEV", sevPiece)
	if err != nil {
		return err
	}
	hashed, budget := false, uint64(maxMemory<<20)
	for i, b := range list {
		le := binary.LittleEndian
		gpa, size, kind := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
		if gpa%pageSize != 0 || size%pageSize != 0 || size > budget {
			return fmt.Errorf("metadata of SEV, entry %d: %d bytes at 0x%x: want whole pages, at most %d bytes in all", i, size, gpa, maxMemory<<20)
		}
		budget -= size
		switch kind {
		case sevMemory, sevSVSM:
			d.blank(pageZero, gpa, size)
		case sevSecrets:
			d.blank(pageSecrets, gpa, size)
		case sevCPUID:
			d.blank(pageCPUID, gpa, size)
		case sevHashes:
			if s.Kernel == nil {
				d.blank(pageZero, gpa, size)
				continue
			}
			page, err := f.hashes(s, gpa, size)
			if err != nil {
				return fmt.Errorf("metadata of SEV, entry %d: %w", i, err)
			}
			d.pages(pageNormal, gpa, page)
			hashed = true
		default:
			return fmt.Errorf("metadata of SEV, entry %d: memory of type %d: what a host does with it is not known here", i, kind)
		}
	}
	if s.Kernel != nil && !hashed {
		return ErrNoKernelHashes
	}
	return nil
}

// ErrNoKernelHashes is for firmware that does not measure the kernel it is given.
var ErrNoKernelHashes = errors.New("the firmware has no page for the kernel's hashes, so its launch digest would not cover the image: take OVMF's build for SEV (AmdSevX64)")

// Names in the table of hashes, as QEMU writes it. Source: QEMU, target/i386/sev.c; EDK2, OvmfPkg/AmdSev.
var (
	hashTable   = guid{0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c, 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21}
	hashKernel  = guid{0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b}
	hashInitrd  = guid{0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d}
	hashCmdline = guid{0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a}
)

// hashes is the page with the hashes of command line, initramfs and kernel.
func (f *Firmware) hashes(s SNP, gpa, size uint64) ([]byte, error) {
	const entry = 16 + 2 + sha256.Size
	at, err := f.number(guidHashes, "place for the kernel's hashes")
	if err != nil {
		return nil, err
	}
	off := uint64(at) % pageSize
	if uint64(at)-off != gpa || size != pageSize || off+18+3*entry > pageSize {
		return nil, fmt.Errorf("a page of %d bytes at 0x%x for the kernel's hashes at 0x%x", size, gpa, at)
	}
	le := binary.LittleEndian
	table := le.AppendUint16(hashTable[:], 18+3*entry)
	for _, e := range []struct {
		id   guid
		data []byte
	}{{hashCmdline, []byte(s.Cmdline + "\x00")}, {hashInitrd, s.Initrd}, {hashKernel, s.Kernel}} {
		sum := sha256.Sum256(e.data)
		table = append(le.AppendUint16(append(table, e.id[:]...), entry), sum[:]...)
	}
	page := make([]byte, pageSize)
	copy(page[off:], table)
	return page, nil
}

// launch is the digest so far.
type launch [sha512.Size384]byte

// pages adds whole pages by their content.
func (d *launch) pages(kind byte, gpa uint64, content []byte) {
	for ; len(content) > 0; content = content[pageSize:] {
		d.add(kind, gpa, sha512.Sum384(content[:pageSize]))
		gpa += pageSize
	}
}

// blank adds pages whose content is not the host's to choose.
func (d *launch) blank(kind byte, gpa, size uint64) {
	for ; size > 0; size -= pageSize {
		d.add(kind, gpa, [sha512.Size384]byte{})
		gpa += pageSize
	}
}

// add is PAGE_INFO: the digest so far, the content's, the structure's size, the page's type, permissions of none, the address.
func (d *launch) add(kind byte, gpa uint64, content [sha512.Size384]byte) {
	const size = 0x70
	b := append(d[:len(d):len(d)], content[:]...)
	b = append(b, size, 0, kind, 0, 0, 0, 0, 0)
	*d = sha512.Sum384(binary.LittleEndian.AppendUint64(b, gpa))
}
