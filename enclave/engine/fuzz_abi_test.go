package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// FuzzRegion: whatever a header says, only bytes of the guest's memory are
// read, only those of the region and its length are written, and an error has
// changed nothing.
func FuzzRegion(f *testing.F) {
	for _, h := range [][3]uint32{{2048, 64, 8}, {0, 4, 4}, {2048, 4, 5}, {17<<16 - 4, 5, 0}, {0xffffffff, 0xffffffff, 1}, {1024, 4096, 4096}, {17<<16 - 4, 4, 4}} {
		b := binary.LittleEndian.AppendUint32(nil, h[0])
		b = binary.LittleEndian.AppendUint32(b, h[1])
		f.Add(uint32(1024), binary.LittleEndian.AppendUint32(b, h[2]), []byte("data"))
	}
	f.Add(uint32(17<<16-regionSize), make([]byte, regionSize), []byte{})
	f.Add(uint32(0), make([]byte, regionSize), []byte("x"))
	e := newEngine(f, Config{})
	c := (&asm{}).must(f, e)
	f.Fuzz(func(t *testing.T, p uint32, header, data []byte) {
		inst, err := e.instances.take(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer e.instances.release(t.Context(), inst, false)
		fr := e.newFrame(t.Context(), c, inst, 1<<40)
		mem := inst.Memory()
		if len(header) > regionSize {
			header = header[:regionSize]
		}
		mem.Write(p, header) // if there is room
		all, _ := mem.Read(0, mem.Size())
		was := bytes.Clone(all)
		read, err := fr.read(p, maxValue)
		if err == nil {
			offset := binary.LittleEndian.Uint32(was[p:])
			if len(read) > maxValue || !bytes.Equal(read, was[offset:uint64(offset)+uint64(len(read))]) {
				t.Fatalf("%d bytes that are not those of the memory", len(read))
			}
		}
		err = fr.fill(p, data)
		var ours *abiFault
		switch {
		case err != nil && !errors.As(err, &ours):
			t.Fatalf("an error of no kind: %v", err)
		case err != nil:
			if !bytes.Equal(all, was) {
				t.Fatalf("%v, and the memory has changed", err)
			}
			return
		}
		offset := binary.LittleEndian.Uint32(was[p:])
		copy(was[offset:], data)
		binary.LittleEndian.PutUint32(was[p+8:], uint32(len(data)))
		if !bytes.Equal(all, was) {
			t.Fatal("more than the region and its length has changed")
		}
	})
}

// FuzzResult: an answer is a result, a refusal or a trap, and the fast way to
// read it says nothing else than encoding/json.
func FuzzResult(f *testing.F) {
	for answer := range someAnswers {
		f.Add(uint8(1), []byte(answer))
	}
	f.Add(uint8(2), []byte(`{"ok":"eyJhIjoxfQ=="}`))
	f.Fuzz(func(t *testing.T, n uint8, answer []byte) {
		entry := entries()[int(n)%len(entries())]
		sameAnswer(t, entry, string(answer))
		out, err := decode(entry, answer)
		var trap *TrapError
		var said *ContractError
		switch {
		case err != nil && !errors.As(err, &trap) && !errors.As(err, &said):
			t.Fatalf("an error of no kind: %v", err)
		case err != nil && !reflect.DeepEqual(out, Outcome{}):
			t.Fatalf("an error with an outcome: %+v", out)
		case err == nil && !entry.raw() && out.Response == nil:
			t.Fatal("no response")
		}
	})
}

// FuzzSections: what is split joins to the same bytes again.
func FuzzSections(f *testing.F) {
	for _, parts := range [][][]byte{nil, {nil}, {[]byte("a"), nil, []byte("bcd")}, {make([]byte, 300)}} {
		f.Add(sections(parts...))
	}
	f.Add([]byte{0, 0, 0, 9})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		parts, err := split(b)
		if err == nil && !bytes.Equal(sections(parts...), given) {
			t.Fatalf("%x became %x", given, parts)
		}
	})
}

// FuzzIterator: under any writes an iterator gives keys of its range in
// order, each at most once, and what stands under them at that moment.
func FuzzIterator(f *testing.F) {
	f.Add(false, []byte("a"), []byte("c"), []byte("\x00a\x01b\x02c\x03"))
	f.Add(true, []byte(nil), []byte(nil), []byte("\x00a\x00b\x00c\x03\x03\x02b\x03\x03"))
	f.Add(false, []byte("c"), []byte("a"), []byte("\x00b\x03\x03"))
	f.Fuzz(func(t *testing.T, down bool, start, end, script []byte) {
		if len(end) == 0 {
			end = nil
		}
		script = script[:min(len(script), 200)] // the store of these tests sorts its keys each time
		s, it := memory{}, newIterator(slices.Clone(start), slices.Clone(end), down)
		var last []byte
		for len(script) > 0 {
			op := script[0] % 4
			script = script[1:]
			var arg []byte
			if op < 3 {
				if len(script) == 0 {
					return
				}
				arg, script = script[:1], script[1:]
			}
			switch op {
			case 0, 1:
				s.Set(arg, append([]byte("v"), op))
			case 2:
				s.Delete(arg)
			case 3:
				key, value, ok := it.next(s)
				if !ok {
					continue
				}
				have, there := s.Get(key)
				order := bytes.Compare(key, last)
				switch {
				case !there || !bytes.Equal(have, value):
					t.Fatalf("%q = %q, the state has %q, %v", key, value, have, there)
				case bytes.Compare(key, start) < 0 || end != nil && bytes.Compare(key, end) >= 0:
					t.Fatalf("%q is not from %q to %q", key, start, end)
				case last != nil && (order == 0 || order > 0 == down):
					t.Fatalf("%q after %q, down %v", key, last, down)
				}
				last = slices.Clone(key)
			}
		}
	})
}
