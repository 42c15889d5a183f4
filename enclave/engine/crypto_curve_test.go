package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// vectors reads a file of lines with n words and a name.
func vectors(t *testing.T, file string, n int) (out [][]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", n+1); line[0] != '#' && len(f) == n+1 {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no vectors in %s", file)
	}
	return out
}

func TestSecp256r1Vectors(t *testing.T) {
	for _, v := range vectors(t, "p256.txt", 4) {
		hash, sig, key := fromHex(t, v[0]), fromHex(t, v[1]), fromHex(t, v[2])
		got := verifySecp256r1(hash, sig, key)
		if (got == valid) != (v[3] == "valid") {
			t.Errorf("%s: got %d, want %s", v[4], got, v[3])
		}
		if got != valid {
			continue
		}
		found := false
		for param := range uint32(4) {
			again, code := recoverSecp256r1(hash, sig, param)
			found = found || code == valid && bytes.Equal(again, key)
		}
		if !found {
			t.Errorf("%s: no recovery gives the key", v[4])
		}
		packed := append([]byte{2 + key[64]&1}, key[1:33]...)
		if got := verifySecp256r1(hash, sig, packed); got != valid {
			t.Errorf("%s, compressed key: got %d", v[4], got)
		}
	}
}

func TestSecp256r1Forms(t *testing.T) {
	v := vectors(t, "p256.txt", 4)[0]
	hash, sig, key := fromHex(t, v[0]), fromHex(t, v[1]), fromHex(t, v[2])
	offCurve, hybrid := bytes.Clone(key), bytes.Clone(key)
	offCurve[64] ^= 1
	hybrid[0] = 6 + key[64]&1
	other := sha256.Sum256(hash)
	for name, c := range map[string]struct {
		hash, sig, key []byte
		want           uint64
	}{
		"good":        {hash, sig, key, valid},
		"other hash":  {other[:], sig, key, invalid},
		"short hash":  {hash[1:], sig, key, badHash},
		"short sig":   {hash, sig[1:], key, badSignature},
		"no key":      {hash, sig, nil, badPublicKey},
		"short key":   {hash, sig, key[:64], badPublicKey},
		"hybrid key":  {hash, sig, hybrid, badPublicKey},
		"off curve":   {hash, sig, offCurve, badOther},
		"zero sig":    {hash, make([]byte, 64), key, badOther},
		"r too large": {hash, bytes.Repeat([]byte{0xff}, 64), key, badOther},
		"no such x":   {hash, sig, append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...), badOther},
	} {
		if got := verifySecp256r1(c.hash, c.sig, c.key); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		hash, sig []byte
		param     uint32
		want      uint64
	}{
		"param 4":    {hash, sig, 4, badRecoveryParam},
		"param 255":  {hash, sig, 255, badRecoveryParam},
		"wide param": {hash, sig, 256, badRecoveryParam},
		"short hash": {hash[1:], sig, 0, badHash},
		"short sig":  {hash, sig[1:], 0, badSignature},
		"zero sig":   {hash, make([]byte, 64), 0, badOther},
		"reduced x":  {hash, sig, 2, badOther},
	} {
		if key, got := recoverSecp256r1(c.hash, c.sig, c.param); got != c.want || key != nil {
			t.Errorf("recovery, %s: got %d, want %d", name, got, c.want)
		}
	}
}

// curve calls a host function from within a contract: numbers are passed as they are, bytes in regions, out is the size of a
// region for the result. It gives the code and what is in that region.
func curve(t *testing.T, e *Engine, name string, out int, in ...any) (code uint32, result []byte) {
	t.Helper()
	m := &asm{pages: 64}
	var push []byte
	for _, v := range in {
		switch v := v.(type) {
		case int:
			push = cat(push, i32const(uint32(v)))
		case []byte:
			push = cat(push, m.text(string(v)))
		}
	}
	region := m.region(nil, max(out, 4))
	if out > 0 {
		push = cat(push, i32const(region))
	}
	state, err := execute(t, e, m, cat(m.storeCode("code", cat(push, m.call(name))), m.store("out", i32const(region))))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return binary.LittleEndian.Uint32(state["code"]), state["out"]
}

func TestBLS12381Points(t *testing.T) {
	e := newEngine(t, Config{})
	for _, v := range vectors(t, "bls12381.txt", 3) {
		point := fromHex(t, v[1])
		size := map[string]int{"g1": g1Bytes, "g2": g2Bytes}[v[0]]
		code, out := curve(t, e, "bls12_381_aggregate_"+v[0], size, point)
		want := uint32(badPoint)
		switch {
		case v[2] == "valid":
			want = valid
		case len(point) != size:
			want = badListLength
		}
		if code != want || code == valid && !bytes.Equal(out, point) {
			t.Errorf("%s: got %d and %x, want %d", v[3], code, out, want)
		}
	}
	for _, name := range []string{"bls12_381_aggregate_g1", "bls12_381_aggregate_g2"} {
		if code, _ := curve(t, e, name, g2Bytes, []byte{}); code != badEmptyList {
			t.Errorf("%s of nothing: %d", name, code)
		}
	}
}

func TestBLS12381Sum(t *testing.T) {
	e := newEngine(t, Config{})
	// CosmWasm's own values.
	list := fromHex(t, "b6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6076334f91e2366c96e9ab279fb5158090352ea1c5b0c9274504f4f0e7053af24802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55"+
		"b23c46be3a001c63ca711f87a005c200cc550b9429d5f4eb38d74322144f1b63926da3388979e5321012fb1a0526bcd100b5ef5fe72628ce4cd5e904aeaa3279527843fae5ca9ca675f4f51ed8f83bbf7155da9ecc9663100a885d5dc6df96d9"+
		"948a7cb99f76d616c2c564ce9bf4a519f1bea6b0a624a02276443c245854219fabb8d4ce061d255af5330b078d5380681751aa7053da2c98bae898edc218c75f07e24d8802a17cd1f6833b71e58f5eb5b94208b4d0bb3848cecb075ea21be115")
	want := "9683b3e6701f9a4b706709577963110043af78a5b41991b998475a3d3fd62abf35ce03b33908418efc95a058494a8ae504354b9f626231f6b3f3c849dfdeaf5017c4780e2aee1850ceaf4b4d9ce70971a3d2cfcd97b7e5ecf6759f8da5f76d31"
	if code, out := curve(t, e, "bls12_381_aggregate_g2", g2Bytes, list); code != valid || hex.EncodeToString(out) != want {
		t.Errorf("got %d and %x", code, out)
	}
}

func TestBLS12381Hash(t *testing.T) {
	e := newEngine(t, Config{})
	// RFC 9380, J.9.1 and J.10.1, compressed.
	for _, c := range []struct{ group, want string }{
		{"1", "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903"},
		{"2", "139cddbccdc5e91b9623efd38c49f81a6f83f175e80b06fc374de9eb4b41dfe4ca3a230ed250fbe3a2acf73a41177fd802c2d18e033b960562aae3cab37a27ce00d80ccd5ba4b7fe0e7a210245129dbec7780ccc7954725f4168aff2787776e6"},
	} {
		name := "bls12_381_hash_to_g" + c.group
		dst := []byte("QUUX-V01-CS02-with-BLS12381G" + c.group + "_XMD:SHA-256_SSWU_RO_")
		want := fromHex(t, c.want)
		code, out := curve(t, e, name, len(want), 0, []byte("abc"), dst)
		if len(out) > 0 {
			out[0] &= 0x1f // the flags of the encoding
		}
		if code != valid || !bytes.Equal(out, want) {
			t.Errorf("%s: got %d and %x", name, code, out)
		}
		if code, _ := curve(t, e, name, len(want), 1, []byte("abc"), dst); code != badHashFunction {
			t.Errorf("%s with another hash: %d", name, code)
		}
		// Any tag will do: RFC 9380 hashes one that is too long, and CosmWasm takes none.
		for _, dst := range [][]byte{nil, make([]byte, 255), make([]byte, 256), make([]byte, maxCurveDST)} {
			if code, out := curve(t, e, name, len(want), 0, []byte("abc"), append([]byte{}, dst...)); code != valid || len(out) != len(want) {
				t.Errorf("%s with a tag of %d bytes: %d", name, len(dst), code)
			}
		}
	}
}

// The League of Entropy's beacon, as CosmWasm tests it.
func TestBLS12381Pairing(t *testing.T) {
	e := newEngine(t, Config{})
	generator := fromHex(t, "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb")
	key := fromHex(t, "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31")
	previous := fromHex(t, "a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8a609685d9917efbfb0c37f058c2de88f13d297c7e19e0ab24813079efe57a182554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747")
	sigma := fromHex(t, "82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959eb9cfa368b3c1b77d18f02a54fe047b80f0989315f83b12a74fd8679c4f12aae86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42")
	hash := func(round uint64) []byte {
		msg := sha256.Sum256(binary.BigEndian.AppendUint64(bytes.Clone(previous), round))
		_, out := curve(t, e, "bls12_381_hash_to_g2", g2Bytes, 0, msg[:], []byte("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"))
		return out
	}
	round := hash(72785)
	zero1, zero2 := append([]byte{0xc0}, make([]byte, 47)...), append([]byte{0xc0}, make([]byte, 95)...)
	none := []byte{}
	for name, c := range map[string]struct {
		p, q, r, s []byte
		want       uint32
	}{
		"the beacon":         {generator, sigma, key, round, valid},
		"another round":      {generator, sigma, key, hash(0xDEAD2BAD), invalid},
		"with zeros between": {cat(zero1, generator, key), cat(round, sigma, zero2), key, round, valid},
		"nothing on a side":  {none, none, key, round, invalid},
		"r is zero":          {none, none, zero1, round, valid},
		"s is zero":          {none, none, key, zero2, valid},
		"both are zero":      {none, none, zero1, zero2, valid},
		"short p":            {generator[1:], sigma, key, round, badG1List},
		"short q":            {generator, sigma[1:], key, round, badG2List},
		"counts":             {cat(generator, generator), sigma, key, round, badPairCount},
		"short r":            {generator, sigma, key[1:], round, badPoint},
		"short s":            {generator, sigma, key, round[1:], badPoint},
		"no p":               {make([]byte, 48), sigma, key, round, badPoint},
		"no s":               {generator, sigma, key, make([]byte, 96), badPoint},
	} {
		if code, _ := curve(t, e, "bls12_381_pairing_equality", 0, c.p, c.q, c.r, c.s); code != c.want {
			t.Errorf("%s: got %d, want %d", name, code, c.want)
		}
	}
}
