package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
)

// counting is the secret 000102…1f.
func counting(t testing.TB) *keytree.Secret {
	t.Helper()
	b := make([]byte, keytree.Size)
	for i := range b {
		b[i] = byte(i)
	}
	s, err := keytree.NewSecret(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// extended grants everything.
func extended(t testing.TB) Extensions {
	return Extensions{Secret: counting(t), Random: counting(t), Recipient: account(t, "alice"), Events: 2, Bytes: 10}
}

// use runs a body that uses the extensions.
func use(t testing.TB, e *Engine, a *asm, entry Entry, body []byte, x Extensions) (memory, Outcome, error) {
	t.Helper()
	answer := emptyResponse
	if entry == Query {
		answer = `{"ok":""}`
	}
	a.extra = []string{"requires_phala"}
	a.entries = map[Entry][]byte{entry: cat(body, a.say(answer))}
	s := memory{}
	out, err := e.Run(t.Context(), a.must(t, e), Call{Entry: entry, Info: &Info{}, Msg: []byte(`{}`), Store: s, Extensions: x})
	return s, out, err
}

func hash32() string { return strings.Repeat("\x5a", 32) }

func code(n byte) string { return string([]byte{n, 0, 0, 0}) }

// TestRefusals: what is not granted is answered by a code, and nothing is
// written.
func TestRefusals(t *testing.T) {
	e := newEngine(t, Config{})
	all := extended(t)
	random := func(*asm) [][]byte { return nil }
	derive := func(path string, curve uint32) func(a *asm) [][]byte {
		return func(a *asm) [][]byte { return [][]byte{a.text(path), i32const(curve)} }
	}
	sign := func(curve uint32, message string) func(a *asm) [][]byte {
		return func(a *asm) [][]byte { return [][]byte{a.text("p"), i32const(curve), a.text(message)} }
	}
	emit := func(to, data string) func(a *asm) [][]byte {
		return func(a *asm) [][]byte { return [][]byte{a.text(to), a.text(data)} }
	}
	alice, bob := account(t, "alice"), account(t, "bob")
	for _, tc := range []struct {
		name, function string
		args           func(a *asm) [][]byte
		x              Extensions
		execute, query byte
	}{
		{"random", "random", random, all, granted, notInQuery},
		{"random of nothing", "random", random, Extensions{Secret: all.Secret}, noRandomness, notInQuery},
		{"a key", "derive_public_key", derive("", 1), all, granted, granted},
		{"a key of nothing", "derive_public_key", derive("", 1), Extensions{Random: all.Random}, noKeys, noKeys},
		{"a key of no curve", "derive_public_key", derive("", 0), all, unknownCurve, unknownCurve},
		{"a long path", "derive_public_key", derive(strings.Repeat("x", maxPath), 2), all, granted, granted},
		{"secp256k1", "sign", sign(1, hash32()), all, granted, notInQuery},
		{"no hash", "sign", sign(1, "short"), all, badMessage, notInQuery},
		{"a message for a hash", "sign", sign(1, hash32()+"x"), all, badMessage, notInQuery},
		{"Ed25519, nothing", "sign", sign(2, ""), all, granted, notInQuery},
		{"Ed25519, much", "sign", sign(2, strings.Repeat("x", maxSigned)), all, granted, notInQuery},
		{"no curve", "sign", sign(3, hash32()), all, unknownCurve, notInQuery},
		{"signing with nothing", "sign", sign(1, hash32()), Extensions{}, noKeys, notInQuery},
		{"an event", "emit_private", emit(alice, "0123456789"), all, granted, notInQuery},
		{"in capitals", "emit_private", emit(strings.ToUpper(alice), "x"), all, granted, notInQuery},
		{"too large", "emit_private", emit(alice, "0123456789x"), all, tooManyEvents, notInQuery},
		{"none left", "emit_private", emit(alice, ""), Extensions{Recipient: alice, Bytes: 5}, tooManyEvents, notInQuery},
		{"another's", "emit_private", emit(bob, "x"), all, unreachable, notInQuery},
		{"nobody's", "emit_private", emit(alice, "x"), Extensions{Events: 1, Bytes: 5}, unreachable, notInQuery},
		{"no address", "emit_private", emit("alice", "x"), all, badRecipient, notInQuery},
		{"an empty address", "emit_private", emit("", "x"), all, badRecipient, notInQuery},
	} {
		for entry, want := range map[Entry]byte{Execute: tc.execute, Query: tc.query} {
			a := &asm{}
			args := tc.args(a)
			if tc.function != "emit_private" {
				args = append(args, i32const(a.region(nil, 65)))
			}
			// Where the answer is another than expected, the contract traps.
			body := cat(cat(args...), a.call(tc.function), i32const(uint32(want)), []byte{0x47, 0x04, 0x40, 0x00, 0x0b})
			_, out, err := use(t, e, a, entry, body, tc.x)
			if err != nil {
				t.Errorf("%s in %s: %v", tc.name, entry, err)
			}
			if tc.function == "emit_private" && want == granted != (len(out.Private) == 1) {
				t.Errorf("%s in %s: events %v", tc.name, entry, out.Private)
			}
		}
	}
}

// TestPrivateEvents: they come in order, within their bounds, and not from a
// call that failed.
func TestPrivateEvents(t *testing.T) {
	e := newEngine(t, Config{})
	alice := account(t, "alice")
	a := &asm{}
	emit := func(data string) []byte {
		return a.storeCode(data, cat(a.text(alice), a.text(data), a.call("emit_private")))
	}
	s, out, err := use(t, e, a, Execute, cat(emit("first"), emit("secon"), emit("third")), extended(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(s["secon"]) != code(granted) || string(s["third"]) != code(tooManyEvents) {
		t.Errorf("codes %q", s)
	}
	if len(out.Private) != 2 || string(out.Private[0].Data) != "first" || string(out.Private[1].Data) != "secon" || out.Private[0].Recipient != alice {
		t.Errorf("events %v", out.Private)
	}
	a = &asm{}
	if _, out, err = use(t, e, a, Execute, cat(emit("first"), []byte{0}), extended(t)); err == nil || out.Private != nil {
		t.Errorf("a trap with events %v", out.Private)
	}
}

// TestExtensionFaults: what breaks the ABI is a trap, as everywhere.
func TestExtensionFaults(t *testing.T) {
	e := newEngine(t, Config{})
	for want, body := range map[string]func(a *asm) []byte{
		"region of 257 bytes where at most 256 are allowed": func(a *asm) []byte {
			return cat(a.text(strings.Repeat("x", maxPath+1)), i32const(1), i32const(a.region(nil, 65)), a.call("derive_public_key"))
		},
		"region of 65537 bytes where at most 65536 are allowed": func(a *asm) []byte {
			return cat(a.text("p"), i32const(2), a.text(strings.Repeat("x", maxSigned+1)), i32const(a.region(nil, 65)), a.call("sign"))
		},
		"region of 31 bytes is too small for 32": func(a *asm) []byte { return cat(i32const(a.region(nil, 31)), a.call("random")) },
		"region of 64 bytes is too small for 65": func(a *asm) []byte {
			return cat(a.text(""), i32const(1), i32const(a.region(nil, 64)), a.call("derive_public_key"))
		},
		"region at 0x0 is out of bounds": func(a *asm) []byte { return cat(a.text(""), i32const(0), a.call("emit_private")) },
	} {
		a := &asm{}
		_, _, err := use(t, e, a, Execute, cat(body(a), []byte{0x1a}), extended(t))
		var trap *TrapError
		if !errors.As(err, &trap) || trap.Reason != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestUndeclaredExtensions: who uses them says so where other tools look.
func TestUndeclaredExtensions(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.entries = map[Entry][]byte{Execute: cat(i32const(a.region(nil, 32)), a.call("random"), []byte{0x1a}, a.say(emptyResponse))}
	_, err := e.Compile(t.Context(), a.bytes())
	if want := "code refused: imports phala.random and does not export requires_phala"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	a.extra = []string{"requires_phala", "requires_phala_2"}
	if _, err = e.Compile(t.Context(), a.bytes()); err == nil || !strings.Contains(err.Error(), "requires phala_2; offered here are") {
		t.Errorf("got %v", err)
	}
	a.extra, a.imports[0].name = []string{"requires_phala"}, "open_object"
	if _, err = e.Compile(t.Context(), a.bytes()); err == nil || !strings.Contains(err.Error(), "imports what is not offered here: phala.open_object") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkSign is what prices are to be calibrated by.
func BenchmarkSign(b *testing.B) {
	secret := counting(b)
	for name, curve := range map[string]keytree.Curve{"secp256k1": keytree.Secp256k1, "ed25519": keytree.Ed25519} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				key, err := secret.ExternalKey(curve, []byte("wallet/0"))
				if err != nil {
					b.Fatal(err)
				}
				signExternal(curve, key, []byte(hash32()))
			}
		})
		b.Run(name+" public key", func(b *testing.B) {
			for b.Loop() {
				key, err := secret.ExternalKey(curve, []byte("wallet/0"))
				if err != nil {
					b.Fatal(err)
				}
				publicKey(curve, key)
			}
		})
	}
	b.Run("draw", func(b *testing.B) {
		for b.Loop() {
			secret.Draw(7)
		}
	})
}
