package eventlog

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// reader takes little-endian fields from the front of b.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n uint32) []byte {
	if r.short || uint64(n) > uint64(len(r.b)) {
		r.short, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Parse reads a crypto-agile log and refuses whatever stands after its last event.
func Parse(b []byte) (*Log, error) { return parse(b, false) }

// ParseArea reads the memory in which firmware keeps the log (the CCEL table's area): after the last event the rest is filled up with
// 0xff or with 0.
func ParseArea(b []byte) (*Log, error) { return parse(b, true) }

func parse(b []byte, area bool) (*Log, error) {
	if len(b) > MaxSize {
		return nil, malformed("log", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at most %d", MaxSize))
	}
	r := &reader{b: b}
	banks, err := header(r)
	if err != nil {
		return nil, err
	}
	l := &Log{Banks: make([]crypto.Hash, len(banks))}
	for i, bank := range banks {
		l.Banks[i] = bank.hash
	}
	for len(r.b) != 0 {
		if area && filler(r.b) {
			break
		}
		e, err := event(r, banks, len(l.Events)+1)
		if err != nil {
			return nil, err
		}
		l.Events = append(l.Events, e)
	}
	return l, nil
}

// filler is whether b holds nothing but one of the two bytes that areas are filled with. An event is never so: its type is none.
func filler(b []byte) bool {
	return (b[0] == 0 || b[0] == 0xff) && bytes.Count(b, b[:1]) == len(b)
}

// bankSize is a bank of the header.
type bankSize struct {
	id   uint16
	size uint16
	hash crypto.Hash
}

// known are the TPM_ALG_IDs of hashes.
var known = map[uint16]crypto.Hash{0x0004: crypto.SHA1, 0x000b: crypto.SHA256, 0x000c: crypto.SHA384, 0x000d: crypto.SHA512}

// header reads the first event, in the old format, which names the banks (Firmware Profile, 10.4.5.1: TCG_EfiSpecIDEvent).
func header(r *reader) ([]bankSize, error) {
	index, kind, digest := r.u32(), Type(r.u32()), r.take(20)
	h := &reader{b: r.take(r.u32())}
	signature := h.take(16)
	h.take(4)                                                    // platform class
	minor, major, errata, wide := h.u8(), h.u8(), h.u8(), h.u8() // errata: informative
	n := h.u32()
	if r.short || h.short {
		return nil, malformed("header", "cut off", "a Spec ID event")
	}
	if index > 1 || kind != NoAction || !bytes.Equal(digest, make([]byte, 20)) || string(signature) != "Spec ID Event03\x00" {
		return nil, malformed("header", "another event", "a Spec ID event of the crypto-agile format")
	}
	if major != 2 || minor != 0 || wide == 0 || wide > 2 {
		return nil, malformed("header", fmt.Sprintf("version %d.%d.%d, uintnSize %d", major, minor, errata, wide), "version 2.0")
	}
	if n == 0 || n > 8 {
		return nil, malformed("header", fmt.Sprintf("%d banks", n), "1 to 8")
	}
	banks := make([]bankSize, n)
	for i := range banks {
		b := bankSize{id: h.u16(), size: h.u16()}
		b.hash = known[b.id]
		if b.hash != 0 && int(b.size) != b.hash.Size() || b.size == 0 || b.size > 64 {
			return nil, malformed("header", fmt.Sprintf("bank 0x%04x with digests of %d bytes", b.id, b.size), "the size of its hash")
		}
		for _, other := range banks[:i] {
			if other.id == b.id {
				return nil, malformed("header", fmt.Sprintf("bank 0x%04x twice", b.id), "each once")
			}
		}
		banks[i] = b
	}
	h.take(uint32(h.u8())) // vendor's
	if h.short || len(h.b) != 0 {
		return nil, malformed("header", "of another length than it says", "a Spec ID event")
	}
	return banks, nil
}

// event reads a TCG_PCR_EVENT2: a digest in each bank, each once.
func event(r *reader, banks []bankSize, number int) (Event, error) {
	where := fmt.Sprintf("event %d", number)
	e := Event{Number: number, Register: r.u32(), Type: Type(r.u32())}
	n := r.u32()
	if r.short {
		return e, malformed(where, "cut off", "a whole event")
	}
	if e.Register >= 32 {
		return e, malformed(where, fmt.Sprintf("register %d", e.Register), "less than 32")
	}
	if int(n) != len(banks) {
		return e, malformed(where, fmt.Sprintf("%d digests", n), fmt.Sprintf("one in each of the header's %d banks", len(banks)))
	}
	e.Digests = make([]Digest, 0, n)
	seen := make(map[uint16]bool, n)
	for range n {
		id := r.u16()
		i := find(banks, id)
		if i < 0 || seen[id] {
			return e, malformed(where, fmt.Sprintf("a digest of bank 0x%04x", id), "one in each of the header's banks")
		}
		seen[id] = true
		e.Digests = append(e.Digests, Digest{banks[i].hash, r.take(uint32(banks[i].size))})
	}
	e.Data = r.take(r.u32())
	if r.short {
		return e, malformed(where, "cut off", "a whole event")
	}
	return e, nil
}

func find(banks []bankSize, id uint16) int {
	for i, b := range banks {
		if b.id == id {
			return i
		}
	}
	return -1
}

func malformed(field, got, want string) error {
	return claims.Refuse("malformed-log", field, got, want, "take the log anew")
}
