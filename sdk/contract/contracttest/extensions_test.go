package contracttest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/phala-go/phala/sdk/contract"
)

// tried is a contract that does what the test says.
func tried(f func(ctx *contract.Context) error) *Contract {
	return New(contract.Contract{
		Execute: func(ctx *contract.Context, _ []byte) error { return f(ctx) },
		Query:   func(ctx *contract.Context, _ []byte) (any, error) { return "", f(ctx) },
	})
}

func counting() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// The vectors of docs/spec/contract-extensions.md.
func TestExtensionVectors(t *testing.T) {
	got := map[string]string{}
	put := func(name string, b []byte, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got[name] = hex.EncodeToString(b)
	}
	c := tried(func(ctx *contract.Context) error {
		k, err := ctx.PublicKey("wallet/0", contract.Secp256k1)
		put("secp256k1", k, err)
		k, err = ctx.PublicKey("wallet/0", contract.Ed25519)
		put("ed25519", k, err)
		s, err := ctx.Sign("wallet/0", contract.Secp256k1, bytes.Repeat([]byte{0x5a}, 32))
		put("secp256k1 signature", s, err)
		s, err = ctx.Sign("wallet/0", contract.Ed25519, []byte("message"))
		put("ed25519 signature", s, err)
		r, err := ctx.Random()
		put("first draw", r, err)
		r, err = ctx.Random()
		put("second draw", r, err)
		return nil
	})
	c.Secret, c.Random = counting(), counting()
	if _, err := c.Execute(Address("alice"), struct{}{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"secp256k1":           "0425021839fd702b989f0f5f4e2dad5f3c3f154e4de2832410188a905cb38cb04de9862a0538d336de0d77624196f61303ad8044f8bff7d921d7ff8135d3f60e20",
		"ed25519":             "ea718c5c610abaff36245c2b6d140073bfee1867040401407ecf81bb3cd5615b",
		"secp256k1 signature": "1e95c0a30faf445ae2426a482703bc6e545372b058069f270e22fe7252df50dc3a6e482a1117bf9e414c4ec523a63f9cb60f2e1a001453b8dd16be49873afb9e01",
		"ed25519 signature":   "852709e981cbb1064ec7d66cff3744c0d0429418a297f783877913172da6e0fe389c200a3deaa3baba7270a236e8c0c8cb5f585c15117e3f2fb1fe5154715e06",
		"first draw":          "54be6e11f3c99bcacff685980aaedb315ce00294de28b687f4c09c247fd83216",
		"second draw":         "20000acce3c6754a592ed353274c832e1e8e0434582175c10bb33282bdfbb072",
	} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
}

func TestSignaturesVerify(t *testing.T) {
	c := tried(func(ctx *contract.Context) error {
		key, err := ctx.PublicKey("k", contract.Ed25519)
		if err != nil {
			return err
		}
		sig, err := ctx.Sign("k", contract.Ed25519, []byte("m"))
		if err == nil && !ed25519.Verify(key, []byte("m"), sig) {
			err = errors.New("the signature does not verify")
		}
		return err
	})
	if _, err := c.Execute(Address("alice"), struct{}{}); err != nil {
		t.Error(err)
	}
}

func TestExtensionRefusals(t *testing.T) {
	alice, bob := Address("alice"), Address("bob")
	random := func(ctx *contract.Context) error { _, err := ctx.Random(); return err }
	emit := func(to string, sizes ...int) func(ctx *contract.Context) error {
		return func(ctx *contract.Context) error {
			for _, n := range sizes {
				if err := ctx.EmitPrivate(to, make([]byte, n)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	sign := func(curve contract.Curve, n int) func(ctx *contract.Context) error {
		return func(ctx *contract.Context) error { _, err := ctx.Sign("", curve, make([]byte, n)); return err }
	}
	key := func(curve contract.Curve) func(ctx *contract.Context) error {
		return func(ctx *contract.Context) error { _, err := ctx.PublicKey("", curve); return err }
	}
	for name, c := range map[string]struct {
		do             func(ctx *contract.Context) error
		execute, query error
	}{
		"random":        {random, contract.ErrNoRandomness, contract.ErrInQuery},
		"sign":          {sign(contract.Secp256k1, 32), nil, contract.ErrInQuery},
		"sign no hash":  {sign(contract.Secp256k1, 31), contract.ErrMessage, contract.ErrInQuery},
		"sign anything": {sign(contract.Ed25519, 31), nil, contract.ErrInQuery},
		"no curve":      {sign(3, 32), contract.ErrCurve, contract.ErrInQuery},
		"key":           {key(contract.Ed25519), nil, nil},
		"no key":        {key(0), contract.ErrCurve, contract.ErrCurve},
		"emit":          {emit(alice, 5), nil, contract.ErrInQuery},
		"in capitals":   {emit(strings.ToUpper(alice), 5), nil, contract.ErrInQuery},
		"to bob":        {emit(bob, 5), contract.ErrUnreachable, contract.ErrInQuery},
		"to nobody":     {emit("bob", 5), contract.ErrRecipient, contract.ErrInQuery},
		"too many":      {emit(alice, make([]int, 33)...), contract.ErrTooMany, contract.ErrInQuery},
		"too large":     {emit(alice, 60<<10, 4<<10, 1), contract.ErrTooMany, contract.ErrInQuery},
		"as large":      {emit(alice, 60<<10, 4<<10), nil, contract.ErrInQuery},
	} {
		x := tried(c.do)
		r, err := x.Execute(alice, struct{}{})
		if said(err) != said(c.execute) {
			t.Errorf("%s: got %v, want %v", name, err, c.execute)
		}
		if err == nil && strings.HasPrefix(name, "emit") && (len(r.Private) != 1 || len(r.Private[0]) != 5) {
			t.Errorf("%s: events %v", name, r.Private)
		}
		var answer string
		if err := x.Query(alice, struct{}{}, &answer); said(err) != said(c.query) {
			t.Errorf("%s in a query: got %v, want %v", name, err, c.query)
		}
	}
	x := tried(key(contract.Secp256k1))
	x.Secret = nil
	if _, err := x.Execute(alice, struct{}{}); said(err) != said(contract.ErrNoKeys) {
		t.Errorf("without a secret: %v", err)
	}
}

// said is an error's text: errors cross the ABI as that.
func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
