package measure

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
)

// Image is a unified kernel image on the disk that it boots from.
type Image struct {
	uki, linux *PE
	sections   []Section // that the stub measures, in its order
	gpt        []byte    // what firmware measures of the disk's partition table; nil without a disk
}

// stubOrder is the order in which systemd's stub measures sections. Source: systemd 254, UAPI.5 and systemd-stub(7); the signatures
// of PCRs, .pcrsig, are the one section that it does not measure.
var stubOrder = []string{".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"}

// ReadImage reads a unified kernel image and the disk that it is booted from, which may be nil if a machine gets the image as its
// kernel, without a disk.
func ReadImage(uki, disk []byte) (*Image, error) {
	m := &Image{}
	var err error
	if m.uki, err = ParsePE(uki); err != nil {
		return nil, fmt.Errorf("reading the unified kernel image: %w", err)
	}
	for _, name := range stubOrder {
		s, n := m.uki.Section(name)
		if n > 1 {
			return nil, fmt.Errorf("reading the unified kernel image: %d sections %s: want one", n, name)
		}
		if n == 1 {
			m.sections = append(m.sections, s)
		}
	}
	for _, name := range []string{".linux", ".cmdline", ".initrd"} {
		if _, n := m.uki.Section(name); n == 0 {
			return nil, fmt.Errorf("reading the unified kernel image: no section %s", name)
		}
	}
	if m.linux, err = ParsePE(m.section(".linux")); err != nil {
		return nil, fmt.Errorf("reading the image's kernel: %w", err)
	}
	if err := checkCmdline(string(m.section(".cmdline"))); err != nil {
		return nil, err
	}
	if disk != nil {
		if m.gpt, err = gptEvent(disk); err != nil {
			return nil, fmt.Errorf("reading the disk: %w", err)
		}
	}
	return m, nil
}

func (m *Image) section(name string) []byte {
	s, _ := m.uki.Section(name)
	return s.Content()
}

// checkCmdline refuses what the stub would change before it hands it on.
func checkCmdline(s string) error {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return fmt.Errorf("the image's command line has the byte 0x%02x: want printable ASCII alone", c)
		}
	}
	if s == "" || s != strings.TrimSpace(s) {
		return errors.New("the image's command line is empty, or begins or ends with a space")
	}
	return nil
}

// PCRs are the registers, by number, that the image alone determines in a bank: 4 (programs of UEFI), 5 (partition table; only with
// a disk), 8 (nobody's), 9 (what the kernel is told, and its initramfs), 11 (the sections), 12 to 14 (what a host could add: nothing).
// They hold for firmware that keeps to the profile, as OVMF does, and for systemd's stub with a TPM. 0 to 3 and 7 are the firmware's
// and its settings'; 15 holds the running configuration (attest.RuntimeRegister).
// Source: TCG PC Client Platform Firmware Profile 1.06; systemd-stub(7); Linux, drivers/firmware/efi/libstub.
func (m *Image) PCRs(h crypto.Hash) map[int][]byte {
	sections := events{}
	for _, s := range m.sections {
		sections = append(sections, event{data: []byte(s.Name + "\x00")}, event{data: s.Content()})
	}
	out := map[int][]byte{
		4: append(events{calling, separator}, m.programs()...).value(h), 9: m.told().value(h), 11: sections.value(h),
		8: events{}.value(h), 12: events{}.value(h), 13: events{}.value(h), 14: events{}.value(h),
	}
	if m.gpt != nil {
		out[5] = events{separator, {data: m.gpt}, exiting, exitSuccess}.value(h)
	}
	return out
}

// RTMRs are RTMR1 and RTMR2 of a TDX guest that boots the image from its disk, has no TPM, and whose firmware keeps to the order of
// EDK2 (RTMR1: the programs and the partition table; RTMR2: what the kernel is told). RTMR0 is the firmware's view of the machine: its
// memory, its ACPI tables, its settings. RTMR3 holds the running configuration (attest.RuntimeRegister).
// Source: UEFI 2.10, 38.4.1 (mapping of PCRs); Intel TDX Virtual Firmware Design Guide, 8.
func (m *Image) RTMRs() (rtmr1, rtmr2 []byte, err error) {
	if m.gpt == nil {
		return nil, nil, errors.New("RTMR1 covers the partition table, and no disk was given")
	}
	one := events{calling, separator, {data: m.gpt}}
	one = append(append(one, m.programs()...), exiting, exitSuccess)
	return one.value(crypto.SHA384), m.told().value(crypto.SHA384), nil
}

// programs are what firmware loads: the image, and the kernel that the image's stub hands to it.
func (m *Image) programs() events {
	return events{{digest: m.uki.Authenticode}, {digest: m.linux.Authenticode}}
}

// told is what the kernel measures of what it is given: its command line and its initramfs.
func (m *Image) told() events {
	return events{{data: utf16z(string(m.section(".cmdline")))}, {data: m.section(".initrd")}}
}
