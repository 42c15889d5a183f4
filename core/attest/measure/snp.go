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
const (
	hashTable   guid = "9438d606-4f22-4cc9-b479-a793d411fd21"
	hashKernel  guid = "4de79437-abd2-427f-b835-d5b172d2045b"
	hashInitrd  guid = "44baf731-3a2f-4bd7-9af1-41e29169781d"
	hashCmdline guid = "97d02dd8-bd20-4c94-aa78-e7714d36ab2a"
)

// HashTable is what QEMU writes into the guest's memory for firmware to check the kernel by: the SHA-256 of command line, initramfs and
// kernel, 168 bytes.
func (s SNP) HashTable() []byte {
	const entry = 16 + 2 + sha256.Size
	le := binary.LittleEndian
	table := le.AppendUint16(hashTable.bytes(), 18+3*entry)
	for _, e := range []struct {
		id   guid
		data []byte
	}{{hashCmdline, []byte(s.Cmdline + "\x00")}, {hashInitrd, s.Initrd}, {hashKernel, s.Kernel}} {
		sum := sha256.Sum256(e.data)
		table = append(le.AppendUint16(append(table, e.id.bytes()...), entry), sum[:]...)
	}
	return table
}

// HashTableAddress is where in the guest's memory firmware looks for the table of hashes.
func (f *Firmware) HashTableAddress() (uint32, error) {
	return f.number(guidHashes, "place for the kernel's hashes")
}

// hashes is the page with the table.
func (f *Firmware) hashes(s SNP, gpa, size uint64) ([]byte, error) {
	at, err := f.HashTableAddress()
	if err != nil {
		return nil, err
	}
	table, off := s.HashTable(), uint64(at)%pageSize
	if uint64(at)-off != gpa || size != pageSize || off+uint64(len(table)) > pageSize {
		return nil, fmt.Errorf("a page of %d bytes at 0x%x for the kernel's hashes at 0x%x", size, gpa, at)
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
