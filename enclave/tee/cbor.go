package tee

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Major types of CBOR (RFC 8949, 3.1), as far as Nitro's security module speaks them.
const (
	cborUint  = 0
	cborBytes = 2
	cborText  = 3
	cborMap   = 5
	cborOther = 7
)

// cborHead appends a head with its shortest argument.
func cborHead(b []byte, major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < 24:
		return append(b, m|byte(n))
	case n < 1<<8:
		return append(b, m|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, m|27), n)
	}
}

func cborString(b []byte, s string) []byte {
	return append(cborHead(b, cborText, uint64(len(s))), s...)
}

func cborData(b, data []byte) []byte {
	return append(cborHead(b, cborBytes, uint64(len(data))), data...)
}

// cborReader takes values from the front of b; after the first error it gives zeros.
type cborReader struct {
	b   []byte
	err error
}

var errCBOR = errors.New("malformed CBOR")

// head takes a head. Lengths that are not given in advance are refused, the module does not use them.
func (r *cborReader) head() (major byte, n uint64) {
	if r.err != nil || len(r.b) == 0 {
		r.fail("it ends early")
		return 0, 0
	}
	major, n = r.b[0]>>5, uint64(r.b[0]&31)
	r.b = r.b[1:]
	if n < 24 {
		return major, n
	}
	size := 1 << (n - 24)
	if n > 27 || len(r.b) < size {
		r.fail("a head without its argument")
		return 0, 0
	}
	n = 0
	for _, c := range r.b[:size] {
		n = n<<8 | uint64(c)
	}
	r.b = r.b[size:]
	return major, n
}

func (r *cborReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errCBOR, what)
	}
}

// take gives the bytes of a byte string or a text.
func (r *cborReader) take(want byte) []byte {
	major, n := r.head()
	if r.err == nil && (major != want || n > uint64(len(r.b))) {
		r.fail(fmt.Sprintf("a value of type %d with %d bytes where one of type %d belongs", major, n, want))
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// skip passes over a scalar.
func (r *cborReader) skip() {
	switch major, n := r.head(); major {
	case cborUint, cborOther:
	case cborBytes, cborText:
		if n > uint64(len(r.b)) {
			r.fail("it ends early")
			return
		}
		r.b = r.b[n:]
	default:
		r.fail(fmt.Sprintf("a value of type %d within an answer", major))
	}
}
