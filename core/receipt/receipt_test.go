package receipt

import (
	"bytes"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func TestParse(t *testing.T) {
	r := &wire.Receipt{ChainId: "phala-test", Headers: [][]byte{{1}, {2}}, Result: &wire.FinalResult{Leaf: 3}}
	file := Encode(r)
	again, err := Parse(file)
	if err != nil || !bytes.Equal(Encode(again), file) {
		t.Fatalf("%v: %v", again, err)
	}
	flipped := bytes.Clone(file)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		file  []byte
		words string
	}{
		"nothing":          {nil, "no receipt"},
		"another version":  {append([]byte("phala-receipt/2\n"), file[len(magic):]...), "no receipt"},
		"a flipped byte":   {flipped, "damaged"},
		"too large":        {make([]byte, MaxSize+1), "at most"},
		"too many headers": {Encode(&wire.Receipt{Headers: make([][]byte, MaxHeaders+1)}), "headers"},
		"too many values":  {Encode(&wire.Receipt{After: many(maxValues + 1)}), "store values"},
	} {
		if _, err := Parse(c.file); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
}

func many(n int) (out []*wire.StoreValue) {
	for range n {
		out = append(out, &wire.StoreValue{})
	}
	return out
}

// Nothing is proven by what comes of no network, and nobody who trusts nothing believes anything.
func FuzzCheck(f *testing.F) {
	f.Add(wire.Marshal(&wire.Receipt{ChainId: "phala-test", Headers: [][]byte{{1}, {2}}, Result: &wire.FinalResult{}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &wire.Receipt{}
		if wire.Unmarshal(body, r) != nil {
			return
		}
		if again, err := Parse(Encode(r)); err == nil && !bytes.Equal(wire.Marshal(again), body) {
			t.Error("another encoding of the same receipt")
		}
		if _, err := Check(r, Trust{}, Options{}); err == nil {
			t.Error("accepted without trust")
		}
		if _, err := Check(r, Trust{ChainID: r.ChainId, Height: 1, Hash: make([]byte, 32)}, Options{}); err == nil {
			t.Error("accepted without a time")
		}
	})
}
