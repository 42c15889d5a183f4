package nitro

import (
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// Major types of CBOR (RFC 8949, 3.1) that documents are made of.
const (
	cborUint  = 0
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5

	cborNull  = 0xf6
	cborBreak = 0xff
	openMap   = 0xbf // a map whose end a break tells; the security module writes the payload so
)

// reader takes values from the front of b. After the first error every further value is zero. Heads have their shortest form.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(field, got, want string) {
	if r.err == nil {
		r.err = malformed(field, got, want)
	}
	r.b = nil
}

func malformed(field, got, want string) error {
	return claims.Refuse("malformed", field, got, want, "send the document as the security module gave it")
}

// head takes a head of the given major type.
func (r *reader) head(field string, want byte) uint64 {
	if r.err != nil || len(r.b) == 0 {
		r.fail(field, "cut off", "a value")
		return 0
	}
	major, n := r.b[0]>>5, uint64(r.b[0]&31)
	if major != want {
		r.fail(field, fmt.Sprintf("a value of CBOR type %d", major), fmt.Sprintf("one of type %d", want))
		return 0
	}
	r.b = r.b[1:]
	if n < 24 {
		return n
	}
	size := 1 << (n - 24&31)
	if n > 27 || len(r.b) < size {
		r.fail(field, "a head without its argument", "a length given in advance")
		return 0
	}
	n = 0
	for _, c := range r.b[:size] {
		n = n<<8 | uint64(c)
	}
	r.b = r.b[size:]
	if least := map[int]uint64{1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size]; n < least {
		r.fail(field, fmt.Sprintf("%d in %d bytes", n, size), "the shortest form")
		return 0
	}
	return n
}

// take gives the bytes of a byte string or text.
func (r *reader) take(field string, major byte) []byte {
	n := r.head(field, major)
	if r.err == nil && n > uint64(len(r.b)) {
		r.fail(field, fmt.Sprintf("%d bytes of which %d are there", n, len(r.b)), "all of them")
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// optional is take, nil for null.
func (r *reader) optional(field string) []byte {
	if r.err == nil && len(r.b) > 0 && r.b[0] == cborNull {
		r.b = r.b[1:]
		return nil
	}
	return r.take(field, cborBytes)
}

// end refuses what stands behind the last value.
func (r *reader) end(field string) {
	if r.err == nil && len(r.b) != 0 {
		r.fail(field, fmt.Sprintf("followed by %d bytes", len(r.b)), "nothing after it")
	}
}

// each calls f for the entries of a map until its end, which is told at its beginning or by a break.
func (r *reader) each(field string, most int, f func()) {
	if r.err == nil && len(r.b) > 0 && r.b[0] == openMap {
		r.b = r.b[1:]
		for n := 0; ; n++ {
			if r.err == nil && len(r.b) > 0 && r.b[0] == cborBreak {
				r.b = r.b[1:]
				return
			}
			if n == most {
				r.fail(field, fmt.Sprintf("more than %d entries", most), fmt.Sprintf("at most %d", most))
			}
			if r.err != nil {
				return
			}
			f()
		}
	}
	n := r.head(field, cborMap)
	if r.err == nil && n > uint64(most) {
		r.fail(field, fmt.Sprintf("%d entries", n), fmt.Sprintf("at most %d", most))
	}
	for ; n > 0 && r.err == nil; n-- {
		f()
	}
}
