package keytree

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func thirtyTwo(b byte) (out [32]byte) {
	copy(out[:], bytes.Repeat([]byte{b}, 32))
	return out
}

// Cluster secret 000102…1f, contract aa…, input bb…, beacon cc…; computed with
// another implementation (Python's hmac). A change would move what contracts
// own on other chains.
func TestContractVectors(t *testing.T) {
	c, err := NewCluster(fixed(t), fixedState(t))
	if err != nil {
		t.Fatal(err)
	}
	contract, input, beacon := thirtyTwo(0xaa), thirtyTwo(0xbb), thirtyTwo(0xcc)
	drawn := c.ContractSecret(contract, input)
	secret, err := NewSecret(drawn)
	if err != nil {
		t.Fatal(err)
	}
	key := func(s *Secret, curve Curve) string {
		k, err := s.ExternalKey(curve, []byte("wallet/0"))
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(k)
	}
	objects, err := NewSecret(c.ObjectSecret())
	if err != nil {
		t.Fatal(err)
	}
	random := c.InputRandomness(input, beacon)
	call := random.CallRandomness(contract, 1)
	for _, v := range []struct{ name, got, want string }{
		{"contract secret", hex.EncodeToString(drawn), "3f3be5ae23df4732bbeecf7884e26b37797176fd4586856f09cb3b4b41209195"},
		{"object secret", hex.EncodeToString(objects.b[:]), "e9b31e7f39d993aed571dea4d81733c6cddbfde732befe48b31bd36aa9b6ed72"},
		{"object key", hex.EncodeToString(objects.ObjectKey(thirtyTwo(0xdd)).b[:]), "513f97b5517be013d4838f844230411a53c04d68af7e41822ab4b4221323efe5"},
		{"randomness of the input", hex.EncodeToString(random.b[:]), "3b653fab94d33f1792b71c5c270cd149fb67d250f71d9e8cb4811511729cbc9a"},
		{"randomness of the call", hex.EncodeToString(call.b[:]), "8726b9f5eccf71e0ddc73804008dc614bb93e1a46b5c9c0a47c908e882591503"},
		{"draw 0", hex.EncodeToString(call.Draw(0)), "e43ba3d8b01fbf1bf7ee1ed6fd094bd064c8eda61f5221e74c08d7ed42677eac"},
		{"draw 1", hex.EncodeToString(call.Draw(1)), "c347569248e39052142aee437aceb5d7df525812cb1b29a1ca968920eb711761"},
		{"secp256k1 key", key(secret, Secp256k1), "2b0a081c5fca6c728280b05fbf8084a52a36310ed41b91aa0d15519a71da8005"},
		{"Ed25519 key", key(secret, Ed25519), "ee0a9c7ec0cda9eb5945fc027245e65f2cc53bf03879f8be2022edc5b7befa27"},
		{"secp256k1 key of 00…1f", key(fixed(t), Secp256k1), "d32370fe2eb4f12e9c9893116e9210e61f95405a73a17a1f7e040b40e592d9f4"},
		{"Ed25519 key of 00…1f", key(fixed(t), Ed25519), "a75cfa1c8f3cb04220dbaff9828f562ed958796f1ce58929c5a7c713f8d0a807"},
	} {
		if v.got != v.want {
			t.Errorf("%s: %s, want %s", v.name, v.got, v.want)
		}
	}
}

// Every part of what a key is for makes it another.
func TestContractKeysDiffer(t *testing.T) {
	c, err := NewCluster(fixed(t), fixedState(t))
	if err != nil {
		t.Fatal(err)
	}
	a, b := thirtyTwo(1), thirtyTwo(2)
	ra := c.InputRandomness(a, b)
	seen := map[string]string{}
	add := func(name string, k []byte) {
		if other, ok := seen[string(k)]; ok {
			t.Errorf("%s and %s are equal", name, other)
		}
		seen[string(k)] = name
	}
	add("secret a a", c.ContractSecret(a, a))
	add("secret a b", c.ContractSecret(a, b))
	add("secret b a", c.ContractSecret(b, a))
	add("random a b", ra.b[:])
	add("random b a", c.InputRandomness(b, a).b[:])
	add("random a a", c.InputRandomness(a, a).b[:])
	for _, contract := range [][32]byte{a, b} {
		for call := range uint32(3) {
			r := ra.CallRandomness(contract, call)
			for n := range uint32(3) {
				add("draw", r.Draw(n))
			}
		}
	}
	for _, curve := range []Curve{Secp256k1, Ed25519} {
		for _, path := range []string{"", "a", "b", "ab", "a/b", string(make([]byte, 1000))} {
			k, err := ra.ExternalKey(curve, []byte(path))
			if err != nil {
				t.Fatal(err)
			}
			add("key", k)
		}
	}
}

func TestUnknownCurves(t *testing.T) {
	for _, curve := range []Curve{0, 3, 1 << 31} {
		if k, err := fixed(t).ExternalKey(curve, nil); err == nil || k != nil {
			t.Errorf("curve %d gave a key", curve)
		}
	}
}

func TestScalars(t *testing.T) {
	n, _ := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	below := bytes.Clone(n)
	below[31]--
	one := make([]byte, 32)
	one[31] = 1
	for _, c := range []struct {
		b    []byte
		want bool
	}{{n, false}, {below, true}, {one, true}, {make([]byte, 32), false}, {bytes.Repeat([]byte{0xff}, 32), false}} {
		if isScalar(c.b) != c.want {
			t.Errorf("%x: %v", c.b, !c.want)
		}
	}
}
