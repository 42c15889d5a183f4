// Package measure computes, from the bytes of the measured image and of firmware, what hardware will report once a machine has booted
// them: PCRs of a TPM, MRTD and RTMRs of a TDX guest, the launch digest of an SEV-SNP guest. It computes what to expect and must never
// say that anything is trusted: evidence says what ran, and a policy what may.
package measure

import (
	"crypto"
	_ "crypto/sha256" // linked: the banks of a TPM
	_ "crypto/sha512" // linked: those, RTMRs, MRTD and launch digests
	"encoding/binary"
)

// events are what is extended into one register, in order: the bytes that are hashed, or the digest itself.
type events []event

type event struct {
	data   []byte
	digest func(crypto.Hash) []byte // instead of data, where the digest is no hash of bytes as they stand
}

// value is what a register that began as zeros holds after the events.
func (e events) value(h crypto.Hash) []byte {
	v := make([]byte, h.Size())
	for _, x := range e {
		digest := x.digest
		if digest == nil {
			digest = func(h crypto.Hash) []byte { return sum(h, x.data) }
		}
		w := h.New()
		w.Write(v)
		w.Write(digest(h))
		v = w.Sum(v[:0])
	}
	return v
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

// What firmware extends by itself. Source: TCG PC Client Platform Firmware Profile 1.06, 3.3.4 and 10.4.
var (
	calling     = event{data: []byte("Calling EFI Application from Boot Option")}
	separator   = event{data: make([]byte, 4)}
	exiting     = event{data: []byte("Exit Boot Services Invocation")}
	exitSuccess = event{data: []byte("Exit Boot Services Returned with Success")}
)

// utf16z is ASCII as UTF-16, little endian, with its terminator.
func utf16z(ascii string) []byte {
	var b []byte
	for _, c := range []byte(ascii + "\x00") {
		b = binary.LittleEndian.AppendUint16(b, uint16(c))
	}
	return b
}
