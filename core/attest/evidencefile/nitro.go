package evidencefile

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// A Nitro document is a COSE_Sign1, with its tag or without: an array of four, beginning with a byte string of protected headers.
func isNitro(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte{0xd2})
	return len(b) > 8 && b[0] == 0x84 && b[1]&0xe0 == 0x40 && bytes.Contains(b[:min(len(b), 64)], []byte("module_id"))
}

func readNitro(b []byte) (*File, error) {
	f := &File{Evidence: &wire.Evidence{Kind: wire.TEE_KIND_NITRO, Quote: b}, At: nitroTime(b)}
	if bytes.Contains(b, []byte("nitrotpm_pcrs")) {
		f.Format, f.Evidence.Kind = "NitroTPM document", wire.TEE_KIND_NITRO_TPM
	}
	return f, nil
}

// nitroTime is the document's own time, in which alone its certificates are in force: milliseconds as a CBOR integer of eight bytes.
// Whoever verifies the document reads it properly, and refuses it where this is another time than the signed one.
func nitroTime(b []byte) time.Time {
	const member = "\x69timestamp\x1b"
	i := bytes.Index(b, []byte(member))
	if i < 0 || len(b) < i+len(member)+8 {
		return time.Time{}
	}
	ms := binary.BigEndian.Uint64(b[i+len(member):])
	if ms > 1<<45 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}
