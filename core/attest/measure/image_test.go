package measure

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/eventlog"
)

type content struct {
	name string
	body []byte
}

// executable is a PE32+ file of the test's making: headers of 1,024 bytes, sections at multiples of 512, certs bytes of signatures.
func executable(certs int, sections ...content) []byte {
	const pe, opt, headers = 0x40, 0x40 + 24, 1024
	le := binary.LittleEndian
	b := make([]byte, headers)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], pe)
	copy(b[pe:], "PE\x00\x00")
	le.PutUint16(b[pe+6:], uint16(len(sections)))
	le.PutUint16(b[pe+20:], 240)
	le.PutUint16(b[opt:], 0x20b)
	le.PutUint32(b[opt+60:], headers)
	copy(b[opt+64:], "sum!")
	le.PutUint32(b[opt+108:], 16)
	for i, s := range sections {
		h := b[opt+240+40*i:]
		copy(h[:8], s.name)
		le.PutUint32(h[8:], uint32(len(s.body)))
		size := (len(s.body) + 511) / 512 * 512
		le.PutUint32(h[16:], uint32(size))
		le.PutUint32(h[20:], uint32(len(b)))
		b = append(b, s.body...)
		b = append(b, make([]byte, size-len(s.body))...)
	}
	if certs > 0 {
		le.PutUint32(b[opt+144:], uint32(len(b)))
		le.PutUint32(b[opt+148:], uint32(certs))
		b = append(b, bytes.Repeat([]byte{0xce}, certs)...)
	}
	return b
}

// A second computation: the file with the three holes cut out. Changing a hole changes nothing, changing anything else does.
func TestAuthenticode(t *testing.T) {
	const opt = 0x40 + 24
	b := executable(24, content{".text", []byte("code")}, content{".data", bytes.Repeat([]byte("d"), 700)})
	p, err := ParsePE(b)
	if err != nil {
		t.Fatal(err)
	}
	var covered []byte
	covered = append(covered, b[:opt+64]...)
	covered = append(covered, b[opt+68:opt+144]...)
	covered = append(covered, b[opt+152:len(b)-24]...)
	want := sha256.Sum256(covered)
	if got := p.Authenticode(crypto.SHA256); !bytes.Equal(got, want[:]) {
		t.Errorf("%x, want %x", got, want)
	}
	for at := range b {
		q, err := ParsePE(changed(b, at, b[at]^1))
		if err != nil {
			continue
		}
		hole := at >= opt+64 && at < opt+68 || at >= opt+144 && at < opt+152 || at >= len(b)-24
		if same := bytes.Equal(q.Authenticode(crypto.SHA256), want[:]); same != hole {
			t.Errorf("byte %d changed: same digest %t", at, same)
		}
	}
}

func TestParsePERefuses(t *testing.T) {
	const pe, opt = 0x40, 0x40 + 24
	good := executable(8, content{".text", []byte("code")})
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":         {nil, "begin with MZ"},
		"ELF":             {changed(good, 0, 0x7f, 'E'), "begin with MZ"},
		"no header":       {changed(good, pe, 'X'), "no PE header"},
		"header far away": {changed(good, 0x3c, 0xff, 0xff, 0xff, 0x7f), "no PE header"},
		"PE32":            {changed(good, opt, 0x0b, 0x01), "not PE32+"},
		"short header":    {changed(good, pe+20, 100, 0), "not PE32+"},
		"no certificates": {changed(good, opt+108, 4), "4 data directories"},
		"many sections":   {changed(good, pe+6, 97), "97 sections"},
		"long headers":    {changed(good, opt+60, 0xff, 0xff), "headers of 65535"},
		"section outside": {changed(good, opt+240+16, 0xff, 0xff), "lies outside"},
		"section far":     {changed(good, opt+240+20, 0xff, 0xff, 0xff, 0xff), "lies outside"},
		"certificates":    {changed(good, opt+148, 7), "do not end the file"},
		"cut off":         {good[:len(good)-1], "do not end the file"},
	} {
		if _, err := ParsePE(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

var kernel = executable(0, content{".text", []byte("a kernel")})

func unified(more ...content) []byte {
	return executable(0, append([]content{{".text", []byte("stub")}, {".osrel", []byte("ID=x")}, {".cmdline", []byte("console=ttyS0 quiet")},
		{".initrd", []byte("an initramfs")}, {".linux", kernel}, {".pcrsig", []byte("signatures")}}, more...)...)
}

// table is a disk with two partitions among 128 entries.
func table() []byte {
	le := binary.LittleEndian
	d := make([]byte, 64*sectorSize)
	copy(d[2*sectorSize:], bytes.Repeat([]byte{1}, gptEntry))
	copy(d[2*sectorSize+3*gptEntry:], bytes.Repeat([]byte{2}, gptEntry))
	h := d[sectorSize:]
	copy(h, gptSignature)
	le.PutUint32(h[12:], gptHeader)
	le.PutUint64(h[72:], 2)
	le.PutUint32(h[80:], 128)
	le.PutUint32(h[84:], gptEntry)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(d[2*sectorSize:][:128*gptEntry]))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:gptHeader]))
	return d
}

// log is what firmware, stub and kernel would log, written down once more as the specifications tell it.
func logOf(t *testing.T, kind eventlog.Kind, uki []byte, gpt []byte) *eventlog.Log {
	t.Helper()
	banks := []crypto.Hash{crypto.SHA256, crypto.SHA384}
	b, err := eventlog.NewHeader(banks...)
	if err != nil {
		t.Fatal(err)
	}
	add := func(pcr uint32, e eventlog.Event) {
		e.Register = pcr
		if kind == eventlog.RTMR {
			e.Register = map[uint32]uint32{4: 2, 5: 2, 9: 3, 11: 31}[pcr]
		}
		if b, err = eventlog.Append(b, e); err != nil {
			t.Fatal(err)
		}
	}
	text := func(pcr uint32, s string) { add(pcr, eventlog.Measure(0, eventlog.Action, []byte(s), banks...)) }
	program := func(file []byte) {
		p, err := ParsePE(file)
		if err != nil {
			t.Fatal(err)
		}
		e := eventlog.Event{Type: eventlog.BootServicesApp}
		for _, h := range banks {
			e.Digests = append(e.Digests, eventlog.Digest{Hash: h, Value: p.Authenticode(h)})
		}
		add(4, e)
	}
	text(4, "Calling EFI Application from Boot Option")
	text(4, "\x00\x00\x00\x00")
	if kind == eventlog.PCR { // a guest of TDX has one separator for the registers that are one there
		text(5, "\x00\x00\x00\x00")
	}
	text(5, string(gpt))
	program(uki)
	for _, s := range []content{{".linux", kernel}, {".osrel", []byte("ID=x")}, {".cmdline", []byte("console=ttyS0 quiet")}, {".initrd", []byte("an initramfs")}} {
		text(11, s.name+"\x00")
		text(11, string(s.body))
	}
	program(kernel)
	var wide []byte
	for _, c := range "console=ttyS0 quiet\x00" {
		wide = append(wide, byte(c), 0)
	}
	text(9, string(wide))
	text(9, "an initramfs")
	text(5, "Exit Boot Services Invocation")
	text(5, "Exit Boot Services Returned with Success")
	l, err := eventlog.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestImage(t *testing.T) {
	uki, disk := unified(), table()
	gpt := append(bytes.Clone(disk[sectorSize:][:gptHeader]), 2, 0, 0, 0, 0, 0, 0, 0)
	gpt = append(append(gpt, bytes.Repeat([]byte{1}, gptEntry)...), bytes.Repeat([]byte{2}, gptEntry)...)
	m, err := ReadImage(uki, disk)
	if err != nil {
		t.Fatal(err)
	}
	l := logOf(t, eventlog.PCR, uki, gpt)
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		pcrs := m.PCRs(h)
		if len(pcrs) != 8 {
			t.Errorf("%d PCRs", len(pcrs))
		}
		for i, got := range pcrs {
			if want, _, err := l.Replay(eventlog.PCR, h, uint32(i)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, PCR%d: %x, want %x, %v", h, i, got, want, err)
			}
		}
	}
	l = logOf(t, eventlog.RTMR, uki, gpt)
	one, two, err := m.RTMRs()
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range map[uint32][]byte{2: one, 3: two} {
		if want, _, err := l.Replay(eventlog.RTMR, crypto.SHA384, i); err != nil || !bytes.Equal(got, want) {
			t.Errorf("RTMR%d: %x, want %x, %v", i-1, got, want, err)
		}
	}

	direct, err := ReadImage(uki, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := direct.RTMRs(); err == nil {
		t.Error("RTMR1 without a disk")
	}
	if pcrs := direct.PCRs(crypto.SHA256); pcrs[5] != nil || !bytes.Equal(pcrs[4], m.PCRs(crypto.SHA256)[4]) {
		t.Error("without a disk: PCR5, or another PCR4")
	}
}

func TestReadImageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		uki, disk []byte
		want      string
	}{
		"no PE":           {[]byte("x"), nil, "begin with MZ"},
		"no kernel":       {executable(0, content{".cmdline", []byte("a")}, content{".initrd", nil}), nil, "no section .linux"},
		"kernel no PE":    {executable(0, content{".cmdline", []byte("a")}, content{".initrd", []byte("i")}, content{".linux", []byte("k")}), nil, "the image's kernel"},
		"twice":           {unified(content{".cmdline", []byte("b")}), nil, "2 sections .cmdline"},
		"no command line": {executable(0, content{".linux", kernel}, content{".initrd", nil}), nil, "no section .cmdline"},
		"newline":         {with("a\nb"), nil, "the byte 0x0a"},
		"umlaut":          {with("ä"), nil, "the byte 0xc3"},
		"space":           {with("a "), nil, "ends with a space"},
		"no table":        {unified(), make([]byte, 4096), "without a GUID partition table"},
		"no disk":         {unified(), []byte{}, "without a GUID partition table"},
		"checksum":        {unified(), changed(table(), 2*sectorSize, 9), "checksums"},
		"entries":         {unified(), changed(table(), sectorSize+80, 0), "0 entries"},
		"large entries":   {unified(), changed(table(), sectorSize+84, 0, 1), "of 256"},
		"table far away":  {unified(), changed(table(), sectorSize+72, 63), "at sector 63"},
		"table far off":   {unified(), changed(table(), sectorSize+72, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "at sector"},
	} {
		if _, err := ReadImage(c.uki, c.disk); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func with(cmdline string) []byte {
	return executable(0, content{".cmdline", []byte(cmdline)}, content{".initrd", []byte("i")}, content{".linux", kernel})
}

// A TDX guest of a cloud that boots a unified kernel image from a disk: its log has, for RTMR1, what is computed here, in that order.
func TestRTMR1AsRecorded(t *testing.T) {
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded log to compare with")
	}
	b, err := os.ReadFile(filepath.Join(dir, "ccel", "trustee-CCEL_data_gcp.bin"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := eventlog.ParseArea(b)
	if err != nil {
		t.Fatal(err)
	}
	var programs events
	var gpt []byte
	for i := range l.Events {
		switch e := &l.Events[i]; e.Type {
		case eventlog.BootServicesApp:
			programs = append(programs, event{digest: e.Digest})
		case eventlog.GPT:
			gpt = e.Data
		}
	}
	if len(programs) != 2 {
		t.Fatalf("%d programs", len(programs))
	}
	want, n, err := l.Replay(eventlog.RTMR, crypto.SHA384, 2)
	if err != nil || n != 7 {
		t.Fatal(n, err)
	}
	got := append(append(events{calling, separator, {data: gpt}}, programs...), exiting, exitSuccess).value(crypto.SHA384)
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if direct := sha512.Sum384(gpt); !bytes.Equal(direct[:], gptDigest(l)) {
		t.Errorf("the partition table's digest is not the hash of what the log says of it")
	}
}

func gptDigest(l *eventlog.Log) []byte {
	for i := range l.Events {
		if l.Events[i].Type == eventlog.GPT {
			return l.Events[i].Digest(crypto.SHA384)
		}
	}
	return nil
}

// A file is refused, or its sections lie within it and its digest does not depend on who asks.
func FuzzPE(f *testing.F) {
	f.Add(unified())
	f.Add(executable(16, content{".text", []byte("code")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePE(b)
		if err != nil {
			return
		}
		for _, s := range p.Sections {
			if len(s.Data) > len(b) || len(s.Content()) > len(s.Data) {
				t.Error("a section larger than the file")
			}
		}
		if len(p.Authenticode(crypto.SHA256)) != 32 {
			t.Error("no digest")
		}
		if m, err := ReadImage(b, table()); err == nil && len(m.PCRs(crypto.SHA384)) != 8 {
			t.Error("an image without its PCRs")
		}
	})
}
