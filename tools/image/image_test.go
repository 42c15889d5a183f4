package main

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPins(t *testing.T) {
	pins, err := parsePins(pinned)
	if err != nil || len(pins) != 4 {
		t.Fatalf("%d pins, %v", len(pins), err)
	}
	const sum = "5a507681ea8c978d02265a7fec2f02c9588fb48b54b7f71edc1059e86007f3ec"
	line := "kernel linux 6.18-1 trixie " + sum + "\nstub systemd-boot-efi 254-1 trixie " + sum + "\n"
	if _, err := parsePins("# a comment\n\n" + line); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"":                         "no kernel",
		line[:91]:                  "no stub",
		line + "kernel a 1 b":      "4 words",
		line + line:                "pinned twice",
		line + "x a 1 b " + sum:    `nothing needs "x"`,
		"kernel a 1 b 12":          "no SHA-256",
		"kernel ../a 1 b " + sum:   "no name or version",
		"kernel a;b 1 b " + sum:    "no name or version",
		"kernel a 1/../2 b " + sum: "no name or version",
		"kernel -o 1 b " + sum:     "no name or version",
	} {
		if _, err := parsePins(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A package that is in the cache is taken by its hash, and another is refused.
func TestObtain(t *testing.T) {
	cache := t.TempDir()
	p := Pin{Package: "a", Version: "1", Suite: "b", SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"} // of "abc"
	if err := os.WriteFile(filepath.Join(cache, p.File()), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := obtain(p, cache); err != nil || string(b) != "abc" {
		t.Errorf("%q, %v", b, err)
	}
	p.SHA256 = strings.Repeat("00", 32)
	if _, err := obtain(p, cache); err == nil || !strings.Contains(err.Error(), "remove the file, or pin what you want") {
		t.Errorf("another package: %v", err)
	}
}

func TestArchive(t *testing.T) {
	for sources, want := range map[string]string{
		"":                                     "",
		"deb http://a.example/debian b main":   "http://a.example/debian",
		"# deb http://a.example/debian b main": "",
		"Types: deb\n# http://a.example/old/debian\nURIs: https://b.example/debian/\nSuites: c\n":        "https://b.example/debian/",
		"deb http://a.example/debian-security b main\ndeb [signed-by=/k] http://c.example/debian b main": "http://c.example/debian",
	} {
		if got := archive(sources); got != want {
			t.Errorf("%q: %q, want %q", sources, got, want)
		}
	}
}

func TestMember(t *testing.T) {
	ar := "!<arch>\n"
	for _, m := range []string{"one", "three"} {
		ar += fmt.Sprintf("%-16s%-32s%-10d`\n%s", m+"/", "", len(m), m)
		if len(m)%2 == 1 {
			ar += "\n"
		}
	}
	if b, err := member([]byte(ar), "three"); err != nil || string(b) != "three" {
		t.Errorf("%q, %v", b, err)
	}
	for name, b := range map[string]string{
		"no archive": "ustar", "no such member": ar[:71], "cut off": ar[:8+60+4+60+2], "size": strings.Replace(ar, "5         ", "99999     ", 1), "word": strings.Replace(ar, "5         ", "-5        ", 1),
	} {
		if got, err := member([]byte(b), "three"); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A stub with sections added is what the standard library's reader of such files takes it for.
func TestUnify(t *testing.T) {
	parts := []part{{".osrel", []byte("ID=x")}, {".linux", bytes.Repeat([]byte("k"), 1000)}}
	out, err := unify(stub(), parts)
	if err != nil {
		t.Fatal(err)
	}
	f, err := pe.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	end := uint32(0)
	for _, s := range f.Sections {
		if s.VirtualAddress < end || s.VirtualAddress%4096 != 0 {
			t.Errorf("section %s at 0x%x, the one before ends at 0x%x", s.Name, s.VirtualAddress, end)
		}
		end = s.VirtualAddress + s.VirtualSize
	}
	for _, p := range parts {
		b, err := f.Section(p.name).Data()
		if err != nil || !bytes.HasPrefix(b, p.body) || f.Section(p.name).VirtualSize != uint32(len(p.body)) {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	if size := f.OptionalHeader.(*pe.OptionalHeader64).SizeOfImage; size < end || size%4096 != 0 {
		t.Errorf("an image of 0x%x bytes, whose sections end at 0x%x", size, end)
	}
	many := make([]part, 30)
	for _, bad := range [][]byte{nil, []byte("MZ"), stub()[:100]} {
		if _, err := unify(bad, parts); err == nil {
			t.Errorf("a stub of %d bytes was taken", len(bad))
		}
	}
	if _, err := unify(stub(), many); err == nil || !strings.Contains(err.Error(), "no room for 30 more") {
		t.Errorf("too many sections: %v", err)
	}
}

// stub is a PE file with one section.
func stub() []byte {
	const header, opt, headers = 0x40, 0x40 + 24, 1024
	le := binary.LittleEndian
	b := make([]byte, headers+512)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], header)
	copy(b[header:], "PE\x00\x00")
	le.PutUint16(b[header+4:], 0x8664)
	le.PutUint16(b[header+6:], 1)
	le.PutUint16(b[header+20:], 240)
	le.PutUint16(b[opt:], 0x20b)
	le.PutUint32(b[opt+32:], 4096)
	le.PutUint32(b[opt+60:], headers)
	le.PutUint32(b[opt+108:], 16)
	s := b[opt+240:]
	copy(s, ".text")
	le.PutUint32(s[8:], 100)
	le.PutUint32(s[12:], 4096)
	le.PutUint32(s[16:], 512)
	le.PutUint32(s[20:], headers)
	return b
}

// The disk, followed from its partition table to the loader; fsck.fat looks at it too, where there is one.
func TestDisk(t *testing.T) {
	loader := bytes.Repeat([]byte("a unified kernel image "), 5000)
	parts := &Parts{UKI: loader}
	disk, err := parts.disk()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parts.disk()
	if err != nil || !bytes.Equal(disk, again) {
		t.Errorf("the same image, two disks: %v", err)
	}
	le := binary.LittleEndian
	entry := disk[2*sector:]
	first, last := le.Uint64(entry[32:]), le.Uint64(entry[40:])
	if first != firstSector || !bytes.Equal(entry[:16], espType[:]) || int(last+1+33)*sector != len(disk) {
		t.Errorf("a partition of sectors %d to %d on a disk of %d bytes", first, last, len(disk))
	}
	if !bytes.Equal(disk[len(disk)-33*sector:len(disk)-sector], disk[2*sector:34*sector]) {
		t.Error("the table's copy at the end differs")
	}
	volume := disk[first*sector : (last+1)*sector]
	got, err := readLoader(volume)
	if err != nil || !bytes.Equal(got, loader) {
		t.Errorf("%d bytes of the loader, %v", len(got), err)
	}
	if _, err := fat(nil, 0); err == nil {
		t.Error("a volume without a loader")
	}
	if fsck, err := exec.LookPath("fsck.fat"); err == nil {
		p := filepath.Join(t.TempDir(), "volume")
		if err := os.WriteFile(p, volume, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(fsck, "-n", p).CombinedOutput(); err != nil {
			t.Errorf("fsck.fat: %v\n%s", err, out)
		}
	}
}

// readLoader follows the volume from its first sector to the file.
func readLoader(v []byte) ([]byte, error) {
	le := binary.LittleEndian
	size, start := int(le.Uint32(v[36:]))*sector, int(le.Uint16(v[14:]))*sector
	table, data := v[start:], v[start+2*size:]
	file := func(first uint32) (b []byte) {
		for c := first; c >= 2 && c < endOfChain; c = le.Uint32(table[4*c:]) {
			b = append(b, data[(c-2)*sector:][:sector]...)
		}
		return b
	}
	at, left := le.Uint32(v[44:]), uint32(0)
	for _, name := range []string{"EFI        ", "BOOT       ", "BOOTX64 EFI"} {
		dir := file(at)
		i := bytes.Index(dir, []byte(name))
		if i < 0 || i%32 != 0 {
			return nil, fmt.Errorf("no %q", name)
		}
		at, left = uint32(le.Uint16(dir[i+20:]))<<16|uint32(le.Uint16(dir[i+26:])), le.Uint32(dir[i+28:])
	}
	return file(at)[:left], nil
}

func TestInitramfs(t *testing.T) {
	one, err := initramfs([]byte("a program"), []Module{{"b", []byte("module b")}, {"a", []byte("module a")}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := initramfs([]byte("a program"), []Module{{"b", []byte("module b")}, {"a", []byte("module a")}})
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("the same content, two archives: %v", err)
	}
	plainArchive := cpio([]entry{{"init", executable, []byte("abc")}})
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x", 1, executable, 0, 0, 1, 0, 3)
	if !bytes.HasPrefix(plainArchive, []byte(head)) || len(plainArchive)%512 != 0 || !bytes.Contains(plainArchive, []byte("init\x00\x00abc\x00070701")) {
		t.Errorf("%q", plainArchive)
	}
}

// program is the head of an ELF file with one program header.
func program(machine uint16, header uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)
	le.PutUint16(b[18:], machine)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	le.PutUint16(b[58:], 64)
	le.PutUint32(b[64:], header)
	return b
}

func TestCheckStatic(t *testing.T) {
	const amd64, arm64, load, interpreter = 62, 183, 1, 3
	if err := checkStatic(program(amd64, load)); err != nil {
		t.Error(err)
	}
	for want, b := range map[string][]byte{
		"reading the enclave program": []byte("#!/bin/sh"), "dynamic linker": program(amd64, interpreter), "want one for x86-64": program(arm64, load),
	} {
		if err := checkStatic(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"-pruntime", "x"}, {"-pruntime", "x", "-out", "y", "-cache", "z", "more"}, {"-nothing"}} {
		if err := run(args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestParseRTMR0(t *testing.T) {
	if b, err := parseRTMR0(strings.Repeat("0A", 48)); err != nil || len(b) != 48 || b[47] != 10 {
		t.Errorf("%x, %v", b, err)
	}
	for _, s := range []string{"0a", strings.Repeat("xy", 48), strings.Repeat("0a", 49)} {
		if _, err := parseRTMR0(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
