package tpm

import (
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/cursor"
)

// reader takes the fields of a structure.
type reader struct {
	cursor.Cursor
	what string // the structure, for the error
}

func read(b []byte, what string) reader { return reader{cursor.Big(b), what} }

// sized is a TPM2B: two bytes of length and as many bytes.
func (r *reader) sized() []byte { return r.Take(uint64(r.U16())) }

func (r *reader) alg() Alg { return Alg(r.U16()) }

// end refuses what is too short and what goes on.
func (r *reader) end() error {
	switch {
	case r.Short:
		return claims.Refuse("malformed", r.what, "cut off", "all fields of the structure", "take the evidence anew")
	case len(r.Rest) != 0:
		return claims.Refuse("malformed", r.what, "followed by "+count(len(r.Rest), "byte"), "nothing after it", "take the evidence anew")
	default:
		return nil
	}
}
