package dcap

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// cursor reads JSON (RFC 8259) in place and strictly: names are compared exactly, a name that stands twice in an object is refused,
// so are invalid UTF-8 and anything after the value. The standard decoder takes the last of two equal names and ignores case,
// so that two readers of the same signed bytes could see different values.
type cursor struct {
	data  []byte
	pos   int
	depth int
}

// Bounds of what is read; Intel's files stay far below.
const (
	maxDepth   = 16
	maxMembers = 48
)

func (c *cursor) fail(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", c.pos, fmt.Sprintf(format, args...))
}

func (c *cursor) peek() byte {
	for c.pos < len(c.data) {
		switch b := c.data[c.pos]; b {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return b
		}
	}
	return 0
}

// take reads the byte b after white space.
func (c *cursor) take(b byte) error {
	if c.peek() != b || c.pos >= len(c.data) {
		return c.fail("want %q", b)
	}
	c.pos++
	return nil
}

// end is an error if anything but white space is left.
func (c *cursor) end() error {
	if c.peek(); c.pos != len(c.data) {
		return c.fail("%d bytes after the value", len(c.data)-c.pos)
	}
	return nil
}

// list reads elements between open and close, separated by commas.
func (c *cursor) list(open, close byte, element func(i int) error) error {
	if err := c.take(open); err != nil {
		return err
	}
	if c.depth++; c.depth > maxDepth {
		return c.fail("nested deeper than %d", maxDepth)
	}
	defer func() { c.depth-- }()
	if c.peek() == close {
		return c.take(close)
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		if c.peek() == close {
			return c.take(close)
		}
		if err := c.take(','); err != nil {
			return err
		}
	}
}

func (c *cursor) array(element func(i int) error) error { return c.list('[', ']', element) }

// object hands each member's name to member, which reads the value; every name in required must be there.
func (c *cursor) object(required []string, member func(name []byte) error) error {
	var seen [maxMembers][]byte
	n := 0
	err := c.list('{', '}', func(int) error {
		name, err := c.text()
		if err != nil {
			return err
		}
		for _, s := range seen[:n] {
			if bytes.Equal(s, name) {
				return c.fail("%q stands twice", name)
			}
		}
		if n == maxMembers {
			return c.fail("more than %d members", maxMembers)
		}
		seen[n] = name
		n++
		if err := c.take(':'); err != nil {
			return err
		}
		at := c.pos
		if err := member(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if c.pos == at {
			return c.fail("%q was not read", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range required {
		found := false
		for _, s := range seen[:n] {
			found = found || string(s) == r
		}
		if !found {
			return c.fail("%q is missing", r)
		}
	}
	return nil
}

// text reads a string. It shares memory with the input unless it has escapes.
func (c *cursor) text() ([]byte, error) {
	if err := c.take('"'); err != nil {
		return nil, err
	}
	from, escaped := c.pos, false
	for ; c.pos < len(c.data); c.pos++ {
		switch b := c.data[c.pos]; {
		case b == '"':
			raw := c.data[from:c.pos]
			c.pos++
			return c.unescape(raw, escaped)
		case b == '\\':
			escaped = true
			c.pos++ // the next byte, whatever it is, ends nothing
		case b < ' ':
			return nil, c.fail("control character in a string")
		}
	}
	c.pos = len(c.data)
	return nil, c.fail("string without an end")
}

func (c *cursor) unescape(raw []byte, escaped bool) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, c.fail("string is not UTF-8")
	}
	if !escaped {
		return raw, nil
	}
	var s string
	if err := json.Unmarshal(c.data[c.pos-len(raw)-2:c.pos], &s); err != nil {
		return nil, c.fail("string: %v", err)
	}
	return []byte(s), nil
}

// str is text as a string of its own.
func (c *cursor) str() (string, error) {
	b, err := c.text()
	return string(b), err
}

// hex reads a string of exactly 2*len(dst) hexadecimal digits into dst.
func (c *cursor) hex(dst []byte) error {
	b, err := c.text()
	if err != nil {
		return err
	}
	if len(b) != 2*len(dst) {
		return c.fail("%d characters, want %d hexadecimal digits", len(b), 2*len(dst))
	}
	if _, err := hex.Decode(dst, b); err != nil {
		return c.fail("%v", err)
	}
	return nil
}

// blob reads a string of hexadecimal digits.
func (c *cursor) blob() ([]byte, error) {
	b, err := c.text()
	if err != nil {
		return nil, err
	}
	out := make([]byte, hex.DecodedLen(len(b)))
	if _, err := hex.Decode(out, b); err != nil {
		return nil, c.fail("%v", err)
	}
	return out, nil
}

// uint reads a whole number from 0 to max without sign, fraction, exponent or leading zero.
func (c *cursor) uint(max uint64) (uint64, error) {
	c.peek()
	from, n := c.pos, uint64(0)
	for ; c.pos < len(c.data) && c.data[c.pos] >= '0' && c.data[c.pos] <= '9'; c.pos++ {
		d := uint64(c.data[c.pos] - '0')
		if n > (max-d)/10 || d > max {
			return 0, c.fail("number above %d", max)
		}
		n = n*10 + d
	}
	switch {
	case c.pos == from:
		return 0, c.fail("want a whole number")
	case c.data[from] == '0' && c.pos > from+1:
		return 0, c.fail("number with a leading zero")
	case c.pos < len(c.data) && bytes.IndexByte([]byte(".eE"), c.data[c.pos]) >= 0:
		return 0, c.fail("number is not whole")
	}
	return n, nil
}

// date reads a time in Intel's only form, seconds in UTC.
func (c *cursor) date() (time.Time, error) {
	s, err := c.str()
	if err != nil {
		return time.Time{}, err
	}
	const form = "2006-01-02T15:04:05Z"
	t, err := time.Parse(form, s)
	if err != nil || t.Format(form) != s {
		return time.Time{}, c.fail("%q is no time of the form %s", s, form)
	}
	return t, nil
}

// skip reads one value of any kind.
func (c *cursor) skip() error {
	switch b := c.peek(); {
	case b == '{':
		return c.object(nil, func([]byte) error { return c.skip() })
	case b == '[':
		return c.array(func(int) error { return c.skip() })
	case b == '"':
		_, err := c.text()
		return err
	default:
		return c.literal()
	}
}

// literal reads a number, true, false or null.
func (c *cursor) literal() error {
	from := c.pos
	for c.pos < len(c.data) && bytes.IndexByte([]byte(",]} \t\r\n"), c.data[c.pos]) < 0 {
		c.pos++
	}
	if word := c.data[from:c.pos]; !json.Valid(word) {
		return c.fail("no JSON value: %.20q", word)
	}
	return nil
}

// null reads null if it is next.
func (c *cursor) null() bool {
	if c.peek(); !bytes.HasPrefix(c.data[c.pos:], []byte("null")) {
		return false
	}
	c.pos += 4
	return true
}
