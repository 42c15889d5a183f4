package contract

import "unsafe"

// region is the ABI's handle of a buffer.
type region struct{ offset, capacity, length uint32 }

// buffer is a region with what it points to. Go does not move what lies on the
// heap, but frees what nobody refers to: held refers to what the host knows.
type buffer struct {
	region
	data []byte
}

var held = map[uint32]*buffer{}

func hold(data []byte) uint32 {
	length := len(data)
	if cap(data) == 0 {
		data = make([]byte, 0, 1) // a region never points to null
	}
	b := &buffer{data: data}
	b.region = region{
		offset:   uint32(uintptr(unsafe.Pointer(unsafe.SliceData(data)))),
		capacity: uint32(cap(data)),
		length:   uint32(length),
	}
	p := uint32(uintptr(unsafe.Pointer(&b.region)))
	held[p] = b
	return p
}

// take gives back what the host has left in a region and lets go of it.
func take(p uint32) []byte {
	b := held[p]
	delete(held, p)
	return b.data[:b.length]
}

func drop(ps ...uint32) {
	for _, p := range ps {
		delete(held, p)
	}
}

//go:wasmexport allocate
func allocate(size uint32) uint32 { return hold(make([]byte, size)) }

//go:wasmexport deallocate
func deallocate(p uint32) { drop(p) }
