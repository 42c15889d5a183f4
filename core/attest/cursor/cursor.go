// Package cursor reads fields of fixed size from the front of hostile bytes. It must never give more than is there, nor decide what a
// field means.
package cursor

import "encoding/binary"

// Cursor takes fields from the front of Rest. After the first that is missing, every further one is zero and Short says so; Rest is
// empty then.
type Cursor struct {
	Rest  []byte
	Short bool
	order binary.ByteOrder
}

// Big reads numbers whose first byte is the highest, as TPMs write them.
func Big(b []byte) Cursor { return Cursor{Rest: b, order: binary.BigEndian} }

// Little reads numbers whose first byte is the lowest, as firmware writes them.
func Little(b []byte) Cursor { return Cursor{Rest: b, order: binary.LittleEndian} }

// Take is the next n bytes, without room to grow into what follows; nil if they are not there.
func (c *Cursor) Take(n uint64) []byte {
	if c.Short || n > uint64(len(c.Rest)) {
		c.Short, c.Rest = true, nil
		return nil
	}
	out := c.Rest[:n:n]
	c.Rest = c.Rest[n:]
	return out
}

// U8 is the next byte.
func (c *Cursor) U8() uint8 {
	if b := c.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 is the next two bytes as a number.
func (c *Cursor) U16() uint16 {
	if b := c.Take(2); b != nil {
		return c.order.Uint16(b)
	}
	return 0
}

// U32 is the next four bytes as a number.
func (c *Cursor) U32() uint32 {
	if b := c.Take(4); b != nil {
		return c.order.Uint32(b)
	}
	return 0
}

// U64 is the next eight bytes as a number.
func (c *Cursor) U64() uint64 {
	if b := c.Take(8); b != nil {
		return c.order.Uint64(b)
	}
	return 0
}
