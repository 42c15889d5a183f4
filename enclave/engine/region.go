package engine

import (
	"bytes"
	"encoding/binary"
)

// The most a contract may pass or be passed in one region, in bytes.
const (
	maxKey     = 64 << 10
	maxValue   = 512 << 10
	maxResult  = 256 << 10
	maxRequest = 64 << 10
	maxAbort   = 2 << 20
	regionSize = 12
)

// region is the ABI's view of a buffer in the guest's memory: twelve bytes
// there, giving offset, capacity and length.
type region struct{ offset, capacity, length uint32 }

// region reads and checks the one at p.
func (f *frame) region(p uint32) (region, error) {
	mem := f.instance.Memory()
	b, ok := mem.Read(p, regionSize)
	if p == 0 || !ok {
		return region{}, fault("region at %#x is out of bounds", p)
	}
	r := region{
		offset:   binary.LittleEndian.Uint32(b),
		capacity: binary.LittleEndian.Uint32(b[4:]),
		length:   binary.LittleEndian.Uint32(b[8:]),
	}
	switch {
	case r.offset == 0:
		return region{}, fault("region at %#x points to null", p)
	case r.length > r.capacity:
		return region{}, fault("region at %#x is longer than its capacity", p)
	case uint64(r.offset)+uint64(r.capacity) > uint64(mem.Size()):
		return region{}, fault("region at %#x points out of bounds", p)
	}
	return r, nil
}

// read copies a region out of the guest.
func (f *frame) read(p uint32, limit int) ([]byte, error) {
	r, err := f.region(p)
	if err != nil {
		return nil, err
	}
	if int64(r.length) > int64(limit) {
		return nil, fault("region of %d bytes where at most %d are allowed", r.length, limit)
	}
	if err := f.copied(int(r.length)); err != nil {
		return nil, err
	}
	b, ok := f.instance.Memory().Read(r.offset, r.length)
	if !ok {
		return nil, fault("region at %#x points out of bounds", p)
	}
	return append(make([]byte, 0, len(b)), b...), nil // never nil: an empty region is not an absent one
}

// fill writes into a region the guest has made.
func (f *frame) fill(p uint32, data []byte) error {
	r, err := f.region(p)
	if err != nil {
		return err
	}
	if uint64(len(data)) > uint64(r.capacity) {
		return fault("region of %d bytes is too small for %d", r.capacity, len(data))
	}
	if err := f.copied(len(data)); err != nil {
		return err
	}
	mem := f.instance.Memory()
	if !mem.Write(r.offset, data) || !mem.WriteUint32Le(p+8, uint32(len(data))) {
		return fault("region at %#x points out of bounds", p)
	}
	return nil
}

// put makes the guest allocate a region and fills it.
func (f *frame) put(data []byte) (uint32, error) {
	p, err := f.invoke("allocate", uint64(len(data)))
	if err != nil {
		return 0, err
	}
	return p, f.fill(p, data)
}

// give is put for a host function's result.
func (f *frame) give(data []byte) (uint64, error) {
	p, err := f.put(data)
	return uint64(p), err
}

// sections joins several byte strings in one region: each followed by its
// length in four bytes.
func sections(parts ...[]byte) []byte {
	var out bytes.Buffer
	for _, p := range parts {
		out.Write(p)
		_ = binary.Write(&out, binary.BigEndian, uint32(len(p)))
	}
	return out.Bytes()
}

// split is its inverse.
func split(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, fault("a section without its length")
		}
		n := uint64(binary.BigEndian.Uint32(b[len(b)-4:]))
		b = b[:len(b)-4]
		if n > uint64(len(b)) {
			return nil, fault("a section longer than what is there")
		}
		out = append(out, b[uint64(len(b))-n:])
		b = b[:uint64(len(b))-n]
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}
