package eventlog_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/eventlog"
)

var both = []crypto.Hash{crypto.SHA256, crypto.SHA384}

// made is a log of these events.
func made(t testing.TB, banks []crypto.Hash, events ...eventlog.Event) []byte {
	t.Helper()
	b, err := eventlog.NewHeader(banks...)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if b, err = eventlog.Append(b, e); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func text(register uint32, s string) eventlog.Event {
	return eventlog.Measure(register, eventlog.IPL, []byte(s), both...)
}

func extend256(v []byte, data string) []byte {
	d := sha256.Sum256([]byte(data))
	s := sha256.Sum256(append(bytes.Clone(v), d[:]...))
	return s[:]
}

func extend384(v []byte, data string) []byte {
	d := sha512.Sum384([]byte(data))
	s := sha512.Sum384(append(bytes.Clone(v), d[:]...))
	return s[:]
}

func code(err error) string {
	if r := claims.Reasons(err, "?"); len(r) > 0 {
		return r[0].Code
	}
	return ""
}

func TestReplay(t *testing.T) {
	l, err := eventlog.Parse(made(t, both, text(4, "a"), text(8, "x"), text(4, "b"), text(17, "d")))
	if err != nil {
		t.Fatal(err)
	}
	ones := bytes.Repeat([]byte{0xff}, 32)
	for _, c := range []struct {
		kind     eventlog.Kind
		hash     crypto.Hash
		register uint32
		want     []byte
		events   int
	}{
		{eventlog.PCR, crypto.SHA256, 4, extend256(extend256(make([]byte, 32), "a"), "b"), 2},
		{eventlog.PCR, crypto.SHA384, 4, extend384(extend384(make([]byte, 48), "a"), "b"), 2},
		{eventlog.RTMR, crypto.SHA384, 4, extend384(extend384(make([]byte, 48), "a"), "b"), 2},
		{eventlog.PCR, crypto.SHA256, 9, make([]byte, 32), 0},
		{eventlog.PCR, crypto.SHA256, 17, extend256(ones, "d"), 1},
		{eventlog.PCR, crypto.SHA256, 22, ones, 0},
		{eventlog.RTMR, crypto.SHA256, 17, extend256(make([]byte, 32), "d"), 1},
	} {
		got, n, err := l.Replay(c.kind, c.hash, c.register)
		if err != nil || n != c.events || !bytes.Equal(got, c.want) {
			t.Errorf("%s in %s: %x after %d events, %v", c.kind.Name(c.register), c.hash, got, n, err)
		}
	}
	if _, _, err := l.Replay(eventlog.PCR, crypto.SHA512, 4); code(err) != "event-log" {
		t.Errorf("a bank that the log has not: %v", err)
	}
}

func locality(n byte) eventlog.Event {
	zero := []eventlog.Digest{{Hash: crypto.SHA256, Value: make([]byte, 32)}, {Hash: crypto.SHA384, Value: make([]byte, 48)}}
	return eventlog.Event{Type: eventlog.NoAction, Digests: zero, Data: append([]byte("StartupLocality\x00"), n)}
}

func TestStartupLocality(t *testing.T) {
	start := make([]byte, 32)
	start[31] = 3
	for _, c := range []struct {
		name   string
		events []eventlog.Event
		want   []byte
	}{
		{"first", []eventlog.Event{locality(3), text(0, "a")}, extend256(start, "a")},
		{"too late", []eventlog.Event{text(0, "a"), locality(3)}, extend256(make([]byte, 32), "a")},
		{"alone", []eventlog.Event{locality(3)}, start},
	} {
		l, err := eventlog.Parse(made(t, both, c.events...))
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := l.Replay(eventlog.PCR, crypto.SHA256, 0); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
}

func TestExplain(t *testing.T) {
	l, err := eventlog.Parse(made(t, both, text(4, "a"), text(1, "r")))
	if err != nil {
		t.Fatal(err)
	}
	pcr4 := claims.Register{Name: "PCR4", Value: extend256(make([]byte, 32), "a")}
	for _, c := range []struct {
		name      string
		registers []claims.Register
		fields    []string // of the reasons
	}{
		{"equal", []claims.Register{pcr4, {Name: "PCR9", Value: make([]byte, 32)}, {Name: "MRTD", Value: []byte{1}}}, nil},
		{"other bank", []claims.Register{{Name: "PCR4", Value: extend384(make([]byte, 48), "a")}}, nil},
		{"RTMR0", []claims.Register{{Name: "RTMR0", Value: extend384(make([]byte, 48), "r")}}, nil},
		{"two differ", []claims.Register{pcr4, {Name: "PCR5", Value: pcr4.Value}, {Name: "PCR7", Value: pcr4.Value}}, []string{"PCR5", "PCR7"}},
		{"size", []claims.Register{{Name: "PCR4", Value: make([]byte, 20)}}, []string{"PCR4"}},
		{"nothing", nil, []string{"registers"}},
		{"names", []claims.Register{{Name: "MRTD"}, {Name: "PCRx"}, {Name: "PCR"}, {Name: "RTMR-1"}}, []string{"registers"}},
	} {
		var fields []string
		for _, r := range claims.Reasons(l.Explain(c.registers), "?") {
			if r.Code != "event-log" || r.Got == "" || r.Want == "" || r.Advice == "" {
				t.Errorf("%s: %s", c.name, r)
			}
			fields = append(fields, r.Field)
		}
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: refused %v, want %v", c.name, fields, c.fields)
		}
	}
}

func TestNames(t *testing.T) {
	for want, got := range map[string]string{
		"PCR7": eventlog.PCR.Name(7), "MRTD": eventlog.RTMR.Name(0), "RTMR3": eventlog.RTMR.Name(4),
		"EV_IPL": eventlog.IPL.String(), "0x12345678": eventlog.Type(0x12345678).String(),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := made(t, both, text(4, "a"))
	head := made(t, both)
	event := good[len(head):]
	change := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	const spec = 4 + 4 + 20 + 4 // where the Spec ID event begins
	withEvent := func(e []byte) []byte { return append(bytes.Clone(head), e...) }
	for name, b := range map[string][]byte{
		"empty":            nil,
		"cut header":       head[:40],
		"old format":       change(good, 4, 4),
		"register":         change(good, 0, 2),
		"header digest":    change(good, 8, 1),
		"signature":        change(good, spec, 'X'),
		"version":          change(good, spec+21, 1),
		"uintn":            change(good, spec+23, 3),
		"no banks":         change(good, spec+24, 0),
		"nine banks":       change(good, spec+24, 9),
		"bank size":        change(good, spec+30, 20),
		"bank twice":       change(good, spec+32, 0x0b, 0, 32, 0),
		"unknown of zero":  change(good, spec+28, 0x77, 0x77, 0, 0),
		"vendor's":         change(head, len(head)-1, 1),
		"cut event":        good[:len(good)-1],
		"head of an event": withEvent(event[:7]),
		"register 32":      withEvent(change(event, 0, 32)),
		"digests":          withEvent(change(event, 8, 1)),
		"digest twice":     withEvent(change(event, 12+2+32, 0x0b)),
		"unknown bank":     withEvent(change(event, 12, 0x04)),
		"trailing byte":    append(bytes.Clone(good), 0),
		"padding":          append(bytes.Clone(good), make([]byte, 64)...),
		"too large":        make([]byte, eventlog.MaxSize+1),
		"long data":        withEvent(change(event, len(event)-5, 0xff, 0xff, 0xff, 0xff)),
	} {
		if _, err := eventlog.Parse(b); code(err) != "malformed-log" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := eventlog.Parse(good); err != nil {
		t.Error(err)
	}
}

func TestParseArea(t *testing.T) {
	good := made(t, both, text(4, "a"))
	for _, fill := range []byte{0, 0xff} {
		if l, err := eventlog.ParseArea(append(bytes.Clone(good), bytes.Repeat([]byte{fill}, 100)...)); err != nil || len(l.Events) != 1 {
			t.Errorf("filled with %#x: %v", fill, err)
		}
	}
	for name, tail := range map[string][]byte{"mixed": {0, 0, 0xff, 0xff}, "other": {7, 7, 7, 7}} {
		if _, err := eventlog.ParseArea(append(bytes.Clone(good), tail...)); code(err) != "malformed-log" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for name, d := range map[string]eventlog.Digest{
		"no bank of a TPM": {Hash: crypto.BLAKE2b_256, Value: make([]byte, 32)},
		"size":             {Hash: crypto.SHA256, Value: make([]byte, 20)},
	} {
		if _, err := eventlog.Append(nil, eventlog.Event{Digests: []eventlog.Digest{d}}); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
	if _, err := eventlog.NewHeader(crypto.BLAKE2b_256); err == nil {
		t.Error("a header with a bank that no TPM has")
	}
}

// utf16 is s in UTF-16, little-endian.
func utf16(s string) (b []byte) {
	for _, c := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(c))
	}
	return b
}

func numbers(v ...uint64) (b []byte) {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

func TestDescribe(t *testing.T) {
	guid := make([]byte, 16)
	path := append([]byte{4, 4, 4 + 2*6, 0}, utf16("\\a.efi")...)
	path = append(path, 0x7f, 0xff, 4, 0)
	for _, c := range []struct {
		kind eventlog.Type
		data []byte
		want string
	}{
		{eventlog.Separator, make([]byte, 4), "end of what the firmware measures before it boots"},
		{eventlog.Separator, []byte{1, 0, 0, 0}, "the firmware met an error"},
		{eventlog.NoAction, append([]byte("StartupLocality\x00"), 4), "the TPM was started from locality 4"},
		{eventlog.NoAction, []byte("abc"), "extends nothing: abc"},
		{eventlog.PostCode, []byte("POST CODE"), "code of the firmware: POST CODE"},
		{eventlog.VariableBoot, append(append(append(guid, numbers(4, 3)...), utf16("Boot")...), 1, 2, 3), `variable "Boot" of the firmware, 3 bytes`},
		{eventlog.VariableDriver, append(append(guid, numbers(1<<60, 3)...), 1), "a variable of the firmware"},
		{eventlog.VariableDriver, append(append(guid, numbers(0, 3)...), 1), "a variable of the firmware"},
		{eventlog.VariableAuth, []byte{1}, "a variable of the firmware"},
		{eventlog.BootServicesApp, append(numbers(1, 2, 3, uint64(len(path))), path...), `program of UEFI, from \a.efi`},
		{eventlog.BootServicesDrv, numbers(1, 2, 3, 0), "driver of UEFI"},
		{eventlog.RuntimeDriver, numbers(1, 2, 3, 9), "driver that stays of UEFI"},
		{eventlog.BootServicesApp, append(numbers(1, 2, 3, 4), 4, 4, 0, 0), "program of UEFI"},
		{eventlog.FirmwareBlob, numbers(0x1000, 64), "firmware, 64 bytes at 0x1000"},
		{eventlog.FirmwareBlob2, append([]byte("\x03abc"), numbers(0x1000, 64)...), "firmware abc, 64 bytes at 0x1000"},
		{eventlog.FirmwareBlob, []byte("x"), "firmware: x"},
		{eventlog.EventTag, append([]byte{1, 0, 0, 0, 3, 0, 0, 0}, "abc"...), "tag 0x00000001: abc"},
		{eventlog.EventTag, []byte("no"), "no"},
		{eventlog.GPT, nil, "partition table of the boot disk"},
		{eventlog.HandoffTables2, []byte("ACPI"), "table that the firmware hands over: ACPI"},
		{eventlog.IPL, utf16("linux quiet"), "linux quiet"},
		{eventlog.IPL, []byte("\x1b[2J"), "1b5b324a"},
		{eventlog.VariableBoot, append(append(guid, numbers(2, 0)...), 0x1b, 0, '[', 0), `variable "\x1b[" of the firmware, 0 bytes`},
		{eventlog.BootServicesApp, append(numbers(1, 2, 3, 8), 4, 4, 8, 0, 0x1b, 0, 'c', 0), "program of UEFI, from ?c"},
	} {
		e := eventlog.Measure(1, c.kind, c.data, both...)
		got, proven := e.Describe()
		if got != c.want || proven != (c.kind != eventlog.NoAction) {
			t.Errorf("%s %x: %q, proven %v; want %q", c.kind, c.data, got, proven, c.want)
		}
	}
	long := eventlog.Measure(1, eventlog.IPL, []byte(strings.Repeat("a", 1000)), both...)
	if got, _ := long.Describe(); len(got) != 160 || !strings.HasSuffix(got, "...") {
		t.Errorf("a long event: %d characters", len(got))
	}
}

func TestDescribeProven(t *testing.T) {
	data := []byte("abc")
	good := eventlog.Measure(1, eventlog.IPL, data, both...)
	for name, change := range map[string]func(*eventlog.Event){
		"other data":    func(e *eventlog.Event) { e.Data = []byte("abd") },
		"no digest":     func(e *eventlog.Event) { e.Digests = nil },
		"SHA-1 alone":   func(e *eventlog.Event) { *e = eventlog.Measure(1, eventlog.IPL, data, crypto.SHA1) },
		"unknown alone": func(e *eventlog.Event) { e.Digests = []eventlog.Digest{{Value: []byte{1}}} },
		"one of two": func(e *eventlog.Event) {
			e.Digests = append([]eventlog.Digest{e.Digests[0]}, eventlog.Digest{Hash: crypto.SHA384, Value: make([]byte, 48)})
		},
	} {
		e := good
		change(&e)
		if _, proven := e.Describe(); proven {
			t.Errorf("%s: proven", name)
		}
	}
	withOld := eventlog.Measure(1, eventlog.IPL, data, crypto.SHA1, crypto.SHA256)
	withOld.Digests = append(withOld.Digests, eventlog.Digest{Value: []byte{1}})
	if _, proven := withOld.Describe(); !proven {
		t.Error("a bank that nobody knows hides what the others prove")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(made(f, both, text(4, "a"), locality(3)), false)
	f.Add(append(made(f, both, text(4, "a")), 0xff, 0xff), true)
	f.Fuzz(func(t *testing.T, b []byte, area bool) {
		parse := eventlog.Parse
		if area {
			parse = eventlog.ParseArea
		}
		l, err := parse(b)
		if err != nil {
			return
		}
		for i := range l.Events {
			words, _ := l.Events[i].Describe()
			if strings.ContainsFunc(words, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
				t.Errorf("%q", words)
			}
		}
		for register := range uint32(32) {
			for _, kind := range []eventlog.Kind{eventlog.PCR, eventlog.RTMR} {
				if v, _, err := l.Replay(kind, crypto.SHA384, register); err == nil && len(v) != 48 {
					t.Error("a register of another size")
				}
			}
		}
	})
}
