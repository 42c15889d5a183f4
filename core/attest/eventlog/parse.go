package eventlog

import (
	"bytes"
	"crypto"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/cursor"
)

// Parse reads a crypto-agile log and refuses whatever stands after its last event.
func Parse(b []byte) (*Log, error) { return parse(b, false) }

// ParseArea reads the memory in which firmware keeps the log (the CCEL table's area): after the last event the rest is filled up with
// 0xff or with 0.
func ParseArea(b []byte) (*Log, error) { return parse(b, true) }

func parse(b []byte, area bool) (*Log, error) {
	if len(b) > MaxSize {
		return nil, malformed("log", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at most %d", MaxSize))
	}
	r := cursor.Little(b)
	banks, err := header(&r)
	if err != nil {
		return nil, err
	}
	l := &Log{Banks: make([]crypto.Hash, len(banks))}
	for i, bank := range banks {
		l.Banks[i] = bank.hash
	}
	for len(r.Rest) != 0 {
		if area && filler(r.Rest) {
			break
		}
		e, err := event(&r, banks, len(l.Events)+1)
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
func header(r *cursor.Cursor) ([]bankSize, error) {
	index, kind, digest := r.U32(), Type(r.U32()), r.Take(20)
	h := cursor.Little(r.Take(uint64(r.U32())))
	signature := h.Take(16)
	h.Take(4)                                                    // platform class
	minor, major, errata, wide := h.U8(), h.U8(), h.U8(), h.U8() // errata: informative
	n := h.U32()
	if r.Short || h.Short {
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
		b := bankSize{id: h.U16(), size: h.U16()}
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
	h.Take(uint64(h.U8())) // vendor's
	if h.Short || len(h.Rest) != 0 {
		return nil, malformed("header", "of another length than it says", "a Spec ID event")
	}
	return banks, nil
}

// event reads a TCG_PCR_EVENT2: a digest in each bank, each once.
func event(r *cursor.Cursor, banks []bankSize, number int) (Event, error) {
	where := fmt.Sprintf("event %d", number)
	e := Event{Number: number, Register: r.U32(), Type: Type(r.U32())}
	n := r.U32()
	if r.Short {
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
		id := r.U16()
		i := find(banks, id)
		if i < 0 || seen[id] {
			return e, malformed(where, fmt.Sprintf("a digest of bank 0x%04x", id), "one in each of the header's banks")
		}
		seen[id] = true
		e.Digests = append(e.Digests, Digest{banks[i].hash, r.Take(uint64(banks[i].size))})
	}
	e.Data = r.Take(uint64(r.U32()))
	if r.Short {
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
