package tpm

import (
	"encoding/binary"

	"github.com/phala-go/phala/core/attest/claims"
)

// reader takes big-endian fields from the front of b. After the first that is missing every further one is zero; err tells of it once.
type reader struct {
	b     []byte
	what  string // the structure, for the error
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// sized is a TPM2B: two bytes of length and as many bytes.
func (r *reader) sized() []byte { return r.take(int(r.u16())) }

func (r *reader) alg() Alg { return Alg(r.u16()) }

// end refuses what is too short and what goes on.
func (r *reader) end() error {
	switch {
	case r.short:
		return claims.Refuse("malformed", r.what, "cut off", "all fields of the structure", "take the evidence anew")
	case len(r.b) != 0:
		return claims.Refuse("malformed", r.what, "followed by "+count(len(r.b), "byte"), "nothing after it", "take the evidence anew")
	default:
		return nil
	}
}
