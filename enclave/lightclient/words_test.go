package lightclient

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func key(i int) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte{byte(i)})
	return ed25519.NewKeyFromSeed(seed[:])
}

func named(i int) *wire.WorkerRef { return &wire.WorkerRef{Operator: "pha1x", Slot: uint32(i)} }

func setOf(n int, t uint32) *wire.GatekeeperSet {
	s := &wire.GatekeeperSet{Epoch: 3, Threshold: t}
	for i := range n {
		s.Members = append(s.Members, &wire.GatekeeperMember{Worker: named(i), IdentityKey: key(i).Public().(ed25519.PublicKey)})
	}
	return s
}

func header(h uint64) Header {
	x := sha256.Sum256([]byte{byte(h)})
	return Header{Height: h, Hash: x[:]}
}

func word(i int, h Header) *wire.HeaderWord {
	w := &wire.HeaderWord{Height: h.Height, Hash: h.Hash, Gatekeeper: named(i)}
	w.Signature = ed25519.Sign(key(i), WordBytes("c", w))
	return w
}

func TestP16_Words(t *testing.T) {
	s := setOf(5, 2)
	s.Members[4].Fault = wire.MEMBER_FAULT_SILENT
	d := NewDoubt("c", 10, s, named(0))
	if len(d.Others()) != 3 || d.Over() {
		t.Errorf("%v", d.Others())
	}
	if _, ok := d.Ask(header(10)); ok {
		t.Error("asks about a header from before the gap")
	}
	if err := d.Take(word(1, header(11))); err != nil || d.Over() {
		t.Errorf("a word that was not asked for: %v", err)
	}
	if h, ok := d.Ask(header(11)); !ok || h.Height != 11 {
		t.Errorf("%v %v", h, ok)
	}
	forged := word(1, header(11))
	forged.Signature = word(2, header(11)).Signature
	other := word(1, header(11))
	other.Hash = header(12).Hash
	other.Signature = ed25519.Sign(key(1), WordBytes("c", other))
	abroad := word(1, header(11))
	abroad.Signature = ed25519.Sign(key(1), WordBytes("d", abroad))
	for name, w := range map[string]*wire.HeaderWord{
		"nothing": {}, "its own": word(0, header(11)), "excluded": word(4, header(11)), "a stranger": word(7, header(11)),
		"another's signature": forged, "another header": other, "another chain's": abroad,
	} {
		if d.Take(w) == nil || d.Over() {
			t.Errorf("%s: counted", name)
		}
	}
	for range 3 { // one counts once
		if err := d.Take(word(1, header(11))); err != nil || d.Over() {
			t.Errorf("one word: %v %v", err, d.Over())
		}
	}
	if _, ok := d.Ask(header(12)); ok {
		t.Error("asks at each header")
	}
	if h, ok := d.Ask(header(13)); !ok || h.Height != 11 || len(d.given) != 1 {
		t.Errorf("asks again about the same: %v", h)
	}
	if h, ok := d.Ask(header(19)); !ok || h.Height != 19 || len(d.given) != 0 {
		t.Errorf("asks anew: %v, words for %d", h, len(d.given))
	}
	if err := d.Take(word(1, header(11))); err != nil || d.Over() {
		t.Error("a word for an older header counts")
	}
	for i := 1; i < 3; i++ {
		if err := d.Take(word(i, header(19))); err != nil {
			t.Error(err)
		}
	}
	if !d.Over() {
		t.Error("two of two are not enough")
	}
	// Who is alone in a development network needs a header alone; where all are needed, all others.
	alone := NewDoubt("c", 10, setOf(1, 1), named(0))
	if alone.Over() {
		t.Error("sure without a header")
	}
	if alone.Ask(header(11)); !alone.Over() {
		t.Error("alone, it doubts for ever")
	}
	if !bytes.Equal(WordBytes("c", word(1, header(1))), WordBytes("c", &wire.HeaderWord{Height: 1, Hash: header(1).Hash, Gatekeeper: named(1), Asks: true})) {
		t.Error("whether it asks is signed: a word would need another for the same")
	}
}
