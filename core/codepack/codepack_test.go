package codepack

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	code := bytes.Repeat([]byte("\x00asm\x01\x00\x00\x00"), 1000)
	packed, err := Pack(code)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unpack(packed)
	if err != nil || !bytes.Equal(got, code) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if ID(got) != ID(code) {
		t.Error("the id changed on the way")
	}
}

func TestRefuses(t *testing.T) {
	packed, err := Pack([]byte("some code"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-5] ^= 1 // the checksum
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "EOF"},
		{"not gzip", []byte("\x00asm\x01\x00\x00\x00 and more"), "invalid header"},
		{"cut short", packed[:len(packed)-1], "unexpected EOF"},
		{"damaged", damaged, "invalid checksum"},
		{"trailing byte", append(bytes.Clone(packed), 0), "1 bytes trail"},
		{"second member", append(bytes.Clone(packed), packed...), "trail the gzip member"},
		{"bomb", squeeze(t, make([]byte, 64<<20)), "more than 8388608 bytes inside"},
		{"one byte too many", squeeze(t, make([]byte, MaxUnpacked+1)), "more than"},
		{"empty member", squeeze(t, nil), "nothing inside"},
		{"too large packed", make([]byte, MaxPacked+1), "at most 2097152"},
	} {
		if _, err := Unpack(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Unpack(squeeze(t, make([]byte, MaxUnpacked))); err != nil {
		t.Errorf("exactly the bound: %v", err)
	}
}

func TestPackBounds(t *testing.T) {
	noise := make([]byte, MaxPacked+1)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(noise)
	for name, code := range map[string][]byte{"empty": nil, "too large": make([]byte, MaxUnpacked+1), "incompressible": noise} {
		if _, err := Pack(code); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}

func squeeze(t *testing.T, code []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(code); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func FuzzUnpack(f *testing.F) {
	packed, _ := Pack([]byte("seed"))
	f.Add(packed)
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, in []byte) {
		if code, err := Unpack(in); err == nil && (len(code) == 0 || len(code) > MaxUnpacked) {
			t.Fatalf("unpacked %d bytes", len(code))
		}
	})
}
