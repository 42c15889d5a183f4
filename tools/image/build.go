package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// cmdline is what the kernel is told. pruntime, as the first process, ends under any other: a host that could add to it could switch
// off what protects the guest. lockdown keeps even the kernel's own memory from being read; nothing here is secret.
const cmdline = "console=ttyS0 loglevel=4 panic=30 lockdown=confidentiality module.sig_enforce=1 random.trust_bootloader=off"

// Parts are what a disk is assembled from, and what is measured.
type Parts struct {
	UKI     []byte
	Release string // of the kernel
}

// readFile gives the one file of a package.
func readFile(deb []byte, p string) ([]byte, error) {
	files, err := unpack(deb, func(f string) bool { return f == p })
	if err != nil {
		return nil, err
	}
	if files[p] == nil {
		return nil, fmt.Errorf("the package has no %s: pin another", p)
	}
	return files[p], nil
}

// readKernel gives a package's kernel and the modules that the image needs.
func readKernel(deb []byte) (kernel []byte, release string, modules []Module, err error) {
	files, err := unpack(deb, func(f string) bool { return strings.HasPrefix(f, "boot/vmlinuz-") || strings.Contains(f, ".ko") })
	if err != nil {
		return nil, "", nil, err
	}
	for p, b := range files {
		if r, ok := strings.CutPrefix(p, "boot/vmlinuz-"); ok {
			kernel, release = b, r
		}
	}
	if kernel == nil {
		return nil, "", nil, errors.New("the kernel's package has no boot/vmlinuz: pin another")
	}
	modules, err = inLoadOrder(files, wanted)
	return kernel, release, modules, err
}

// initramfs holds pruntime as /init, the modules by the order in which it loads them, and the command line it insists on.
func initramfs(pruntime []byte, modules []Module) ([]byte, error) {
	list := []entry{
		{name: "dev", mode: folder}, {name: "etc", mode: folder}, {name: "proc", mode: folder}, {name: "run", mode: folder},
		{name: "sys", mode: folder}, {name: "phala", mode: folder}, {name: "phala/modules", mode: folder},
		{name: "init", mode: executable, body: pruntime},
		{name: "phala/cmdline", mode: plain, body: []byte(cmdline)},
	}
	for i, m := range modules {
		list = append(list, entry{name: fmt.Sprintf("phala/modules/%03d-%s.ko", i, m.Name), mode: plain, body: m.Body})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].name < list[j].name })
	for _, e := range list {
		if dir := path.Dir(e.name); dir != "." && !has(list, dir) {
			return nil, fmt.Errorf("initramfs: %s without its folder", e.name)
		}
	}
	return compress(cpio(list))
}

func has(list []entry, name string) bool {
	for _, e := range list {
		if e.name == name && e.mode == folder {
			return true
		}
	}
	return false
}

// checkStatic refuses a program that the image could not start, since it has nothing but that program.
func checkStatic(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("reading the enclave program: %w", err)
	}
	if f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("the enclave program is for %s: want one for x86-64", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("the enclave program needs a dynamic linker: build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// assemble makes the unified kernel image.
func assemble(stub, kernel []byte, release string, modules []Module, pruntime []byte, version string) (*Parts, error) {
	if err := checkStatic(pruntime); err != nil {
		return nil, err
	}
	initrd, err := initramfs(pruntime, modules)
	if err != nil {
		return nil, err
	}
	osrel := fmt.Sprintf("ID=phala\nNAME=\"Phala enclave\"\nVERSION_ID=%q\nPRETTY_NAME=\"Phala enclave %s\"\n", version, version)
	uki, err := unify(stub, []part{
		{".osrel", []byte(osrel)}, {".cmdline", []byte(cmdline)}, {".uname", []byte(release)}, {".initrd", initrd}, {".linux", kernel},
	})
	if err != nil {
		return nil, err
	}
	return &Parts{UKI: uki, Release: release}, nil
}

// disk is the bootable disk: a GPT with one EFI system partition.
func (p *Parts) disk() ([]byte, error) {
	g := nameGUID("phala/image/volume/v1", p.UKI)
	v, err := fat(p.UKI, binary.LittleEndian.Uint32(g[:]))
	if err != nil {
		return nil, err
	}
	return gpt(espType, "phala-esp", v), nil
}

// write puts everything into a folder.
func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the image: %w", err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("writing the image: %w", err)
		}
	}
	return nil
}
