package evidencefile

import (
	"bytes"
	"time"

	"github.com/phala-go/phala/core/attest/nitro"
	"github.com/phala-go/phala/core/wire"
)

// A Nitro document is a COSE_Sign1, with its tag or without: an array of four, beginning with a byte string of protected headers.
func isNitro(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte{0xd2})
	return len(b) > 8 && b[0] == 0x84 && b[1]&0xe0 == 0x40 && bytes.Contains(b[:min(len(b), 64)], []byte("module_id"))
}

// readNitro takes the document's own time, since its certificates are in force for three hours about it alone. Whoever verifies the
// document says what is wrong with one that cannot be parsed.
func readNitro(b []byte) (*File, error) {
	f := &File{Evidence: &wire.Evidence{Kind: wire.TEE_KIND_NITRO, Quote: b}}
	d, err := nitro.Parse(b)
	if err != nil {
		return f, nil
	}
	f.At = time.UnixMilli(int64(d.Timestamp)).UTC()
	if d.TPM {
		f.Format, f.Evidence.Kind = "NitroTPM document", wire.TEE_KIND_NITRO_TPM
	}
	return f, nil
}
