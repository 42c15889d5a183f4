package cursor

import (
	"bytes"
	"testing"
)

func TestFields(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	c := Big(b)
	if c.U8() != 1 || c.U16() != 0x0203 || c.U32() != 0x04050607 || c.U64() != 0x08090a0b0c0d0e0f || c.Short || !bytes.Equal(c.Rest, []byte{16}) {
		t.Errorf("big: %+v", c)
	}
	c = Little(b)
	if c.U8() != 1 || c.U16() != 0x0302 || c.U32() != 0x07060504 || c.U64() != 0x0f0e0d0c0b0a0908 || c.Short {
		t.Errorf("little: %+v", c)
	}
}

// What is cut off gives zeros from there on, even for what would still fit.
func TestShort(t *testing.T) {
	for name, c := range map[string]struct {
		have int
		read func(*Cursor) bool
	}{
		"a byte":               {0, func(c *Cursor) bool { return c.U8() == 0 }},
		"two":                  {1, func(c *Cursor) bool { return c.U16() == 0 }},
		"four":                 {3, func(c *Cursor) bool { return c.U32() == 0 }},
		"eight":                {7, func(c *Cursor) bool { return c.U64() == 0 }},
		"what would fit":       {2, func(c *Cursor) bool { return c.Take(3) == nil && c.U8() == 0 }},
		"more than all memory": {3, func(c *Cursor) bool { return c.Take(1<<64-1) == nil }},
	} {
		r := Little(bytes.Repeat([]byte{1}, c.have))
		if !c.read(&r) || !r.Short || r.Rest != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What is taken cannot be grown over what follows.
func TestTakeIsApart(t *testing.T) {
	b := []byte{1, 2, 3}
	c := Little(b)
	_ = append(c.Take(1), 9)
	if b[1] != 2 {
		t.Error("the field behind was written")
	}
}
