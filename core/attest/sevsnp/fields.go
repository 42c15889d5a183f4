package sevsnp

import (
	"encoding/binary"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// fields reads from a report of the right size and keeps the first thing that is wrong.
type fields struct {
	b   []byte
	err error
}

func (f *fields) u32(at int) uint32 { return binary.LittleEndian.Uint32(f.b[at:]) }

func (f *fields) u64(at int) uint64 { return binary.LittleEndian.Uint64(f.b[at:]) }

func (f *fields) copy(to []byte, at int) { copy(to, f.b[at:at+len(to)]) }

func (f *fields) check(field string, ok bool, got, want string) {
	if !ok && f.err == nil {
		f.err = malformed(field, got, want)
	}
}

// zero checks that the bytes from one offset to before another are zero.
func (f *fields) zero(field string, from, to int) {
	if f.err != nil || allZero(f.b[from:to]) {
		return
	}
	f.err = malformed(field, fmt.Sprintf("%x", f.b[from:to]), "zero")
}

func allZero(b []byte) bool {
	var or byte
	for _, v := range b {
		or |= v
	}
	return or == 0
}

func malformed(field, got, want string) error {
	return claims.Refuse("malformed", field, got, want, "send report and certificates as the machine and AMD gave them")
}
