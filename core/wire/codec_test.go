package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// One encoding each, and nothing else decodes. Fields: Head{cluster 1, number 2, batch_hash 3}, Policy{role 1, measurements 2, kinds 3}.
func TestOnlyTheCanonicalEncodingDecodes(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		into      Message
		ok        bool
	}{
		{"empty", "", &Head{}, true},
		{"two numbers and bytes", "0801" + "1002" + "1a02aabb", &Head{}, true},
		{"numbers of two bytes", "08ac02", &Head{}, true},
		{"the largest number", "08ffffffffffffffffff01", &Head{}, true},
		{"an unknown field", "0801" + "7a0100", &Head{}, false},
		{"an unknown field of number 5000", "0801" + "c0b80201", &Head{}, false},
		{"a number longer than needed", "088100", &Head{}, false},
		{"a tag longer than needed", "888000" + "01", &Head{}, false},
		{"a length longer than needed", "1a8200aabb", &Head{}, false},
		{"a number beyond 64 bits", "08ffffffffffffffffff02", &Head{}, false},
		{"a default written out", "0800", &Head{}, false},
		{"empty bytes written out", "1a00", &Head{}, false},
		{"out of order", "1002" + "0801", &Head{}, false},
		{"a field twice", "0801" + "0802", &Head{}, false},
		{"truncated", "0801" + "1a02aa", &Head{}, false},
		{"another wire type", "0901000000000000", &Head{}, false},
		{"a group", "0b0c", &Head{}, false},
		{"tag zero", "00", &Head{}, false},
		{"kinds packed", "0801" + "1a020102", &Policy{}, true},
		{"kinds not packed", "0801" + "18011802", &Policy{}, false},
		{"an unknown field inside", "1205" + "0a01aa" + "7801", &Policy{}, false},
		{"a default inside", "1205" + "0a01aa" + "1800", &Policy{}, false},
		{"a message inside", "1203" + "0a01aa", &Policy{}, true},
		{"one of two bodies", "12020a00", &Call{}, false},
		{"an empty body", "0a00", &Call{}, true},
		{"both bodies", "0a00" + "1200", &Call{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			err := Unmarshal(b, c.into)
			if (err == nil) != c.ok {
				t.Fatalf("%x: %v", b, err)
			}
			if err == nil && !bytes.Equal(Marshal(c.into), b) {
				t.Errorf("%x encodes as %x", b, Marshal(c.into))
			}
		})
	}
}

func TestUnmarshalForgetsWhatWasThere(t *testing.T) {
	h := Head{Cluster: 9, Number: 9}
	if err := Unmarshal(unhex(t, "0801"), &h); err != nil || h.Number != 0 {
		t.Errorf("%v, %v", h, err)
	}
}

func TestHashesAndSignedBytes(t *testing.T) {
	h := &Head{Cluster: 1, Number: 2}
	want := sha256.Sum256([]byte{8, 1, 16, 2})
	if !bytes.Equal(Hash(h), want[:]) {
		t.Errorf("hash %x, want %x", Hash(h), want)
	}
	if got := SignBytes("domain", h); !bytes.Equal(got, append([]byte("domain"), want[:]...)) {
		t.Errorf("signed bytes %x", got)
	}
}

func TestWorkerNames(t *testing.T) {
	a := &WorkerRef{Operator: "pha1x", Slot: 3}
	if a.Name() != "pha1x/3" || (*WorkerRef)(nil).Name() != "/0" {
		t.Errorf("names %q, %q", a.Name(), (*WorkerRef)(nil).Name())
	}
	for _, o := range []*WorkerRef{nil, {}, {Operator: "pha1x"}, {Operator: "pha1y", Slot: 3}} {
		if a.Is(o) || o.Is(a) {
			t.Errorf("%v is %v", a, o)
		}
	}
	if !a.Is(&WorkerRef{Operator: "pha1x", Slot: 3}) {
		t.Error("a worker is not itself")
	}
	if (*WorkerRef)(nil).Is(nil) {
		t.Error("nobody is a worker")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte{8, 1, 16, 2})
	f.Add(Marshal(&SignedBatch{Batch: &Batch{Number: 1}, Signatures: []*BatchSignature{{Member: 1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range []Message{&SignedBatch{}, &In{}, &Out{}, &Cluster{}, &Policy{}, &WorkerEvidence{}, &Call{}} {
			if err := Unmarshal(b, m); err == nil && !bytes.Equal(Marshal(m), b) {
				t.Errorf("%T: %x decodes and encodes differently", m, b)
			}
		}
	})
}
