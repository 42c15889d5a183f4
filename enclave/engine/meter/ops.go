package meter

import "strings"

// opcode describes an instruction that does nothing but take its operands from
// the stack and put its result there. Others have no signature and are known
// to pass by their number.
type opcode struct {
	in     [2]byte
	nin    uint8
	out    byte // 0 for none
	known  bool
	class  Class
	nan    bool  // it may make a NaN whose bits the specification leaves open
	access uint8 // 1 + natural alignment, for a load or store
}

// Instructions with a meaning of their own.
const (
	opUnreachable  = 0x00
	opNop          = 0x01
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32LeU       = 0x4d
	opI64LtS       = 0x53
	opF32Eq        = 0x5b
	opF64Eq        = 0x61
	opI32Sub       = 0x6b
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64Or        = 0x84
	opI64ShrU      = 0x88
	opI64ExtendU   = 0xad
	opPrefix       = 0xfc // saturating conversions and bulk memory

	// These stand at 0x100 + their second number.
	opMemoryCopy = 0x100 + 10
	opMemoryFill = 0x100 + 11
)

// opcodes is read only. Instructions of the prefix follow at 0x100.
var opcodes = makeOpcodes()

func makeOpcodes() (t [0x108]opcode) {
	kinds := map[byte]byte{'i': i32, 'l': i64, 'f': f32, 'd': f64}
	// set describes first to last: operands, '>' and the result.
	set := func(first, last int, sig string, c Class) {
		o := opcode{known: true, class: c}
		in, out, _ := strings.Cut(sig, ">")
		for i := range in {
			o.in[i] = kinds[in[i]]
		}
		o.nin = uint8(len(in))
		if out != "" {
			o.out = kinds[out[0]]
		}
		for i := first; i <= last; i++ {
			t[i] = o
		}
	}
	access := func(first int, sig string, aligns ...uint8) {
		set(first, first+len(aligns)-1, sig, Memory)
		for i, a := range aligns {
			t[first+i].access = 1 + a
		}
	}
	nan := func(first, last int) {
		for i := first; i <= last; i++ {
			t[i].nan = true
		}
	}
	access(0x28, "i>i", 2)
	access(0x29, "i>l", 3)
	access(0x2a, "i>f", 2)
	access(0x2b, "i>d", 3)
	access(0x2c, "i>i", 0, 0, 1, 1)
	access(0x30, "i>l", 0, 0, 1, 1, 2, 2)
	access(0x36, "ii", 2)
	access(0x37, "il", 3)
	access(0x38, "if", 2)
	access(0x39, "id", 3)
	access(0x3a, "ii", 0, 1)
	access(0x3c, "il", 0, 1, 2)

	set(0x45, 0x45, "i>i", Integer)
	set(0x46, 0x4f, "ii>i", Integer)
	set(0x50, 0x50, "l>i", Integer)
	set(0x51, 0x5a, "ll>i", Integer)
	set(0x5b, 0x60, "ff>i", Float)
	set(0x61, 0x66, "dd>i", Float)
	set(0x67, 0x69, "i>i", Integer)
	set(0x6a, 0x78, "ii>i", Integer)
	set(0x6d, 0x70, "ii>i", Divide)
	set(0x79, 0x7b, "l>l", Integer)
	set(0x7c, 0x8a, "ll>l", Integer)
	set(0x7f, 0x82, "ll>l", Divide)
	set(0x8b, 0x90, "f>f", Float)
	set(0x91, 0x91, "f>f", FloatHi) // sqrt
	set(0x92, 0x98, "ff>f", Float)
	set(0x95, 0x95, "ff>f", FloatHi) // div
	set(0x99, 0x9e, "d>d", Float)
	set(0x9f, 0x9f, "d>d", FloatHi)
	set(0xa0, 0xa6, "dd>d", Float)
	set(0xa3, 0xa3, "dd>d", FloatHi)
	set(0xa7, 0xa7, "l>i", Integer)
	set(0xa8, 0xa9, "f>i", Float)
	set(0xaa, 0xab, "d>i", Float)
	set(0xac, 0xad, "i>l", Integer)
	set(0xae, 0xaf, "f>l", Float)
	set(0xb0, 0xb1, "d>l", Float)
	set(0xb2, 0xb3, "i>f", Float)
	set(0xb4, 0xb5, "l>f", Float)
	set(0xb6, 0xb6, "d>f", Float)
	set(0xb7, 0xb8, "i>d", Float)
	set(0xb9, 0xba, "l>d", Float)
	set(0xbb, 0xbb, "f>d", Float)
	set(0xbc, 0xbc, "f>i", Float)
	set(0xbd, 0xbd, "d>l", Float)
	set(0xbe, 0xbe, "i>f", Float)
	set(0xbf, 0xbf, "l>d", Float)
	set(0xc0, 0xc1, "i>i", Integer) // sign extension
	set(0xc2, 0xc4, "l>l", Integer)

	set(0x100, 0x101, "f>i", Float) // saturating
	set(0x102, 0x103, "d>i", Float)
	set(0x104, 0x105, "f>l", Float)
	set(0x106, 0x107, "d>l", Float)

	// abs, neg and copysign (8b 8c 98, 99 9a a6) move bits and make none.
	nan(0x8d, 0x97)
	nan(0x9b, 0xa5)
	nan(0xb6, 0xb6)
	nan(0xbb, 0xbb)
	return t
}
