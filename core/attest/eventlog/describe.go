package eventlog

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/phala-go/phala/core/attest/cursor"
)

// maxWords is how many characters of an event are shown.
const maxWords = 160

// Describe says in one line what an event has measured, for people. proven is whether the digests are the hashes of the event's data, so
// that what is said follows from them; else only the log says so, and whoever wrote the log may have written anything.
// Characters that a terminal would act on are never in it.
func (e *Event) Describe() (words string, proven bool) {
	return clip(e.words()), e.proven()
}

// proven is whether every digest is the hash of the data, and one of them of a hash that counts.
func (e *Event) proven() bool {
	var strong bool
	for _, d := range e.Digests {
		if d.Hash == 0 {
			continue
		}
		w := d.Hash.New()
		w.Write(e.Data)
		if !bytes.Equal(w.Sum(nil), d.Value) {
			return false
		}
		strong = strong || d.Hash != crypto.SHA1
	}
	return strong && e.Type != NoAction
}

func (e *Event) words() string {
	switch e.Type {
	case NoAction:
		if l, ok := startupLocality(e); ok {
			return fmt.Sprintf("the TPM was started from locality %d", l)
		}
		return "extends nothing: " + printable(e.Data)
	case Separator:
		if bytes.Equal(e.Data, []byte{1, 0, 0, 0}) {
			return "the firmware met an error"
		}
		return "end of what the firmware measures before it boots"
	case PostCode:
		return "code of the firmware: " + printable(e.Data)
	case VariableDriver, VariableBoot, VariableBoot2, VariableAuth:
		return variable(e.Data)
	case BootServicesApp, BootServicesDrv, RuntimeDriver:
		return image(e)
	case FirmwareBlob, FirmwareBlob2:
		return blob(e)
	case EventTag:
		return tagged(e.Data)
	case GPT:
		return "partition table of the boot disk"
	case HandoffTables, HandoffTables2:
		return "table that the firmware hands over: " + printable(e.Data)
	default:
		return printable(e.Data)
	}
}

// variable reads a UEFI_VARIABLE_DATA (Firmware Profile, 10.2.6): GUID, number of characters, number of bytes, name, value.
func variable(b []byte) string {
	r := cursor.Little(b)
	r.Take(16)
	chars, size := r.U64(), r.U64()
	if r.Short || chars > uint64(len(r.Rest))/2 {
		return "a variable of the firmware"
	}
	name := utf16le(r.Take(2 * chars))
	if uint64(len(r.Rest)) != size {
		return "a variable of the firmware"
	}
	return fmt.Sprintf("variable %q of the firmware, %d bytes", name, size)
}

// image says which program's code the firmware loaded: a UEFI_IMAGE_LOAD_EVENT (Firmware Profile, 10.2.3) ends with its device path.
func image(e *Event) string {
	what := map[Type]string{BootServicesApp: "program", BootServicesDrv: "driver", RuntimeDriver: "driver that stays"}[e.Type]
	r := cursor.Little(e.Data)
	r.Take(24) // where it lies in memory, how long it is, where it was linked to
	size := r.U64()
	if size != uint64(len(r.Rest)) {
		return what + " of UEFI"
	}
	if name := filePath(r.Rest); name != "" {
		return what + " of UEFI, from " + name
	}
	return what + " of UEFI"
}

// filePath gives the file names of a device path (UEFI 2.10, 10.3.5.4: type 4, subtype 4), empty if it has none.
func filePath(b []byte) string {
	var names []string
	r := cursor.Little(b)
	for len(r.Rest) >= 4 {
		kind, sub, size := r.U8(), r.U8(), r.U16()
		if size < 4 {
			return ""
		}
		node := r.Take(uint64(size) - 4)
		if kind == 4 && sub == 4 {
			names = append(names, utf16le(node))
		}
	}
	return strings.Join(names, "")
}

// blob says where a piece of firmware lay. The second form begins with a description.
func blob(e *Event) string {
	r := cursor.Little(e.Data)
	name := ""
	if e.Type == FirmwareBlob2 {
		name = " " + printable(r.Take(uint64(r.U8())))
	}
	at, size := r.U64(), r.U64()
	if r.Short || len(r.Rest) != 0 {
		return "firmware: " + printable(e.Data)
	}
	return fmt.Sprintf("firmware%s, %d bytes at 0x%x", name, size, at)
}

// tagged reads an event with a number and a length before its text, as Linux' EFI stub writes them.
func tagged(b []byte) string {
	r := cursor.Little(b)
	id, size := r.U32(), r.U32()
	text := r.Take(uint64(size))
	if r.Short || len(r.Rest) != 0 {
		return printable(b)
	}
	return fmt.Sprintf("tag 0x%08x: %s", id, printable(text))
}

// printable is b as text, UTF-8 or UTF-16, or in hexadecimal.
func printable(b []byte) string {
	b = bytes.TrimRight(b, "\x00")
	if len(b) > 1 && bytes.IndexByte(b, 0) == 1 { // the first character's upper half
		if s := utf16le(append(bytes.Clone(b), 0)[:(len(b)+1)/2*2]); plain(s) {
			return s
		}
	}
	if s := string(b); plain(s) {
		return s
	}
	return hex.EncodeToString(b[:min(len(b), maxWords/2)])
}

func plain(s string) bool {
	for _, r := range s {
		if r < 0x20 || r > 0x7e {
			return false
		}
	}
	return true
}

func utf16le(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return strings.TrimRight(string(utf16.Decode(u)), "\x00")
}

// clip makes one line of printable characters.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxWords {
		s = s[:maxWords-3] + "..."
	}
	return s
}
