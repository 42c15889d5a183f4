package meter

import (
	"fmt"
	"unicode/utf8"
)

// reader walks through a module. Its first error sticks and moves it to the
// end, after which it gives zeros; so a loop over it must ask for err or more.
type reader struct {
	b        []byte
	off, end int
	err      *Error
}

func (r *reader) fail(off int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Offset: off, Reason: fmt.Sprintf(format, args...)}
	}
	r.off = r.end
}

// more tells whether anything is left to read.
func (r *reader) more() bool { return r.err == nil && r.off < r.end }

func (r *reader) byte() byte {
	if r.off >= r.end {
		r.fail(r.off, "unexpected end")
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(r.end-r.off) {
		r.fail(r.off, "unexpected end: %d bytes wanted, %d left", n, r.end-r.off)
		return nil
	}
	r.off += int(n)
	return r.b[r.off-int(n) : r.off : r.off]
}

func (r *reader) u32() uint32 {
	if r.off < r.end && r.b[r.off] < 0x80 { // nearly always
		r.off++
		return uint32(r.b[r.off-1])
	}
	at := r.off
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail(at, "not a number of 32 bits")
	return 0
}

// signed reads a number of the given width: 32, 33 or 64 bits.
func (r *reader) signed(bits int) int64 {
	at := r.off
	var v int64
	for shift := 0; shift < bits; {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		shift += 7
		if c >= 0x80 {
			continue
		}
		if shift < 64 {
			v = v << (64 - shift) >> (64 - shift)
		}
		if sign := v >> (bits - 1); sign != 0 && sign != -1 || shift > 64 && c != 0 && c != 0x7f {
			break
		}
		return v
	}
	r.fail(at, "not a signed number of %d bits", bits)
	return 0
}

// count reads the number of items that follow, each of at least one byte.
func (r *reader) count(limit int, what string) int {
	at := r.off
	n := r.u32()
	switch {
	case uint64(n) > uint64(limit):
		r.fail(at, "%d %s, at most %d are allowed", n, what, limit)
	case uint64(n) > uint64(r.end-r.off):
		r.fail(at, "%d %s in %d bytes", n, what, r.end-r.off)
	default:
		return int(n)
	}
	return 0
}

// index reads a reference to one of n things.
func (r *reader) index(n int, what string) uint32 {
	at := r.off
	i := r.u32()
	if r.err == nil && uint64(i) >= uint64(n) {
		r.fail(at, "%s %d of %d", what, i, n)
		return 0
	}
	return i
}

// zero reads a byte that later versions of the format give a meaning.
func (r *reader) zero(what string) {
	if at := r.off; r.byte() != 0 {
		r.fail(at, "%s", what)
	}
}

func (r *reader) name(limit int) string {
	at := r.off
	n := r.u32()
	if uint64(n) > uint64(limit) {
		r.fail(at, "name of %d bytes, at most %d are allowed", n, limit)
		return ""
	}
	b := r.take(n)
	if !utf8.Valid(b) {
		r.fail(at, "name is not UTF-8")
		return ""
	}
	return string(b)
}

// valueType reads one of the four types of the profile.
func (r *reader) valueType() byte {
	at := r.off
	t := r.byte()
	if t < f64 || t > i32 {
		r.fail(at, "value type 0x%02x: only i32, i64, f32 and f64 are allowed", t)
		return i32
	}
	return t
}

// Value types of the binary format.
const (
	i32 byte = 0x7f
	i64 byte = 0x7e
	f32 byte = 0x7d
	f64 byte = 0x7c
)
