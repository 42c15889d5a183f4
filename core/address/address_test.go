package address_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
)

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{20, 32} {
		want := bytes.Repeat([]byte{0xa5}, n)
		s := address.Encode(want)
		if !strings.HasPrefix(s, "pha1") {
			t.Errorf("address %s", s)
		}
		got, err := address.Decode(s)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("decoded %x, %v", got, err)
		}
	}
}

// The generator point is a public key with an address that other tools print too (its hash is in BIP-173).
func TestOfPubKey(t *testing.T) {
	pub, _ := hex.DecodeString("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	b, err := address.Decode(address.OfPubKey(pub))
	if err != nil || hex.EncodeToString(b) != "751e76e8199196d454941c45d1b3a323f1433bd6" {
		t.Errorf("got %x, %v", b, err)
	}
}

func TestRefusals(t *testing.T) {
	good := address.Encode(make([]byte, 20))
	last := "q"
	if strings.HasSuffix(good, "q") {
		last = "p"
	}
	for name, s := range map[string]string{
		"empty":           "",
		"checksum":        good[:len(good)-1] + last,
		"other prefix":    "cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnrql8a",
		"length":          address.Encode(make([]byte, 21)),
		"mixed case":      strings.ToUpper(good[:6]) + good[6:],
		"endless":         strings.Repeat("q", 1<<16),
		"operator prefix": strings.Replace(good, "pha1", "phavaloper1", 1),
	} {
		if _, err := address.Decode(s); err == nil {
			t.Errorf("%s: %.40q was accepted", name, s)
		}
	}
}
