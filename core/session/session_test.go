package session

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

var at = seal.Context{ChainID: "phala-test", Cluster: 1, Epoch: 2, Roster: 3}

func key(t testing.TB, seed byte) hpke.PrivateKey {
	t.Helper()
	sk, err := hpke.MLKEM768X25519().DeriveKeyPair(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sk
}

var opening = &wire.SessionOpening{Permit: &wire.Permit{Body: []byte("body")}, Expires: 77}

// ends are both ends of one session.
func ends(t testing.TB, salt byte) (client, enclave *Keys) {
	t.Helper()
	sk := key(t, 1)
	e, a, err := Seal(sk.PublicKey(), at, opening)
	if err != nil {
		t.Fatal(err)
	}
	o, b, err := Open(sk, at, e)
	if err != nil || o.Expires != 77 || string(o.Permit.Body) != "body" {
		t.Fatalf("%v, %v", o, err)
	}
	return keys(t, a, Query, salt), keys(t, b, Query, salt)
}

func keys(t testing.TB, s Secret, p Purpose, salt byte) *Keys {
	t.Helper()
	k, err := s.Keys(p, bytes.Repeat([]byte{salt}, SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBothWays(t *testing.T) {
	client, enclave := ends(t, 9)
	for _, plain := range []string{"", "question", strings.Repeat("x", 70_000)} {
		ct, err := client.SealRequest(5, []byte(plain))
		if err != nil || len(ct) != seal.Class(len(plain))+16 {
			t.Fatalf("%d bytes: %v", len(ct), err)
		}
		got, err := enclave.OpenRequest(5, ct)
		if err != nil || string(got) != plain {
			t.Fatalf("%.10q, %v", got, err)
		}
		if ct, err = enclave.SealReply(5, []byte(plain)); err != nil {
			t.Fatal(err)
		}
		if got, err = client.OpenReply(5, ct); err != nil || string(got) != plain {
			t.Fatalf("%.10q, %v", got, err)
		}
	}
	if _, err := client.SealRequest(1, make([]byte, seal.MaxPlaintext+1)); err == nil {
		t.Error("more than a message holds was sealed")
	}
	for _, n := range []uint64{0, MaxRequests + 1} {
		if _, err := client.SealRequest(n, nil); err == nil {
			t.Errorf("request %d was sealed", n)
		}
	}
}

// A message opens in its own direction, session, purpose and place, and nowhere else.
func TestOpensNowhereElse(t *testing.T) {
	sk := key(t, 1)
	e, s, err := Seal(sk.PublicKey(), at, opening)
	if err != nil {
		t.Fatal(err)
	}
	mine := keys(t, s, Query, 9)
	other, _ := ends(t, 9)
	request, err := mine.SealRequest(5, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := mine.SealReply(5, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(request)
	flipped[3] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another counter":       func() ([]byte, error) { return mine.OpenRequest(6, request) },
		"the other direction":   func() ([]byte, error) { return mine.OpenReply(5, request) },
		"the other direction 2": func() ([]byte, error) { return mine.OpenRequest(5, reply) },
		"another reply":         func() ([]byte, error) { return mine.OpenReply(4, reply) },
		"another salt":          func() ([]byte, error) { return keys(t, s, Query, 8).OpenRequest(5, request) },
		"another purpose":       func() ([]byte, error) { return keys(t, s, "input", 9).OpenRequest(5, request) },
		"another session":       func() ([]byte, error) { return other.OpenRequest(5, request) },
		"changed":               func() ([]byte, error) { return mine.OpenRequest(5, flipped) },
		"cut":                   func() ([]byte, error) { return mine.OpenRequest(5, request[:len(request)-1]) },
		"nothing":               func() ([]byte, error) { return mine.OpenRequest(5, nil) },
	} {
		if p, err := open(); err == nil {
			t.Errorf("%s: opened as %q", name, p)
		}
	}
	for name, open := range map[string]func() (*wire.SessionOpening, Secret, error){
		"another key":     func() (*wire.SessionOpening, Secret, error) { return Open(key(t, 2), at, e) },
		"another cluster": func() (*wire.SessionOpening, Secret, error) { c := at; c.Cluster = 9; return Open(sk, c, e) },
		"another epoch":   func() (*wire.SessionOpening, Secret, error) { c := at; c.Epoch = 9; return Open(sk, c, e) },
		"another roster":  func() (*wire.SessionOpening, Secret, error) { c := at; c.Roster = 9; return Open(sk, c, e) },
		"another chain":   func() (*wire.SessionOpening, Secret, error) { c := at; c.ChainID = "x"; return Open(sk, c, e) },
	} {
		if _, s, err := open(); err == nil || s.SessionSecret != nil {
			t.Errorf("%s: opened", name)
		}
	}
	// An envelope of a query opens no session, and the other way round.
	q := at
	q.Domain = seal.DomainQuery
	env, _, err := seal.Seal(sk.PublicKey(), q, nil, wire.Marshal(opening))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(sk, at, env); err == nil {
		t.Error("a query's envelope opens a session")
	}
	if _, _, err := seal.Open(sk, q, nil, e); err == nil {
		t.Error("a session's envelope opens as a query")
	}
}

func TestMalformedOpeningGivesTheSecret(t *testing.T) {
	sk := key(t, 1)
	e, mine, err := seal.SealSession(sk.PublicKey(), at, []byte("garbage"))
	if err != nil {
		t.Fatal(err)
	}
	_, theirs, err := Open(sk, at, e)
	if !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
	ct, err := keys(t, theirs, Query, 1).SealReply(0, []byte("no"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys(t, Secret{mine}, Query, 1).OpenReply(0, ct); err != nil || string(got) != "no" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestNothingPrints(t *testing.T) {
	_, s, err := Seal(key(t, 1).PublicKey(), at, opening)
	if err != nil {
		t.Fatal(err)
	}
	k := keys(t, s, Query, 1)
	for _, v := range []any{s, &s, *s.SessionSecret, s.SessionSecret, k, *k} {
		for _, f := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(f, v); !strings.Contains(got, "[session") || len(got) > 40 {
				t.Errorf("%s of %T prints %s", f, v, got)
			}
		}
	}
	if _, err := s.Keys(Query, nil); err == nil {
		t.Error("keys without a salt")
	}
	if _, err := (Secret{}).Keys(Query, make([]byte, SaltSize)); err == nil {
		t.Error("keys without a secret")
	}
}

func TestCheck(t *testing.T) {
	good := wire.SessionCall{Cluster: 1, Session: make([]byte, IDSize), Counter: 1, Ciphertext: make([]byte, 256+16)}
	if err := Check(&good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*wire.SessionCall){
		"id short":     func(c *wire.SessionCall) { c.Session = c.Session[1:] },
		"no id":        func(c *wire.SessionCall) { c.Session = nil },
		"counter 0":    func(c *wire.SessionCall) { c.Counter = 0 },
		"counter high": func(c *wire.SessionCall) { c.Counter = MaxRequests + 1 },
		"no text":      func(c *wire.SessionCall) { c.Ciphertext = nil },
		"odd size":     func(c *wire.SessionCall) { c.Ciphertext = c.Ciphertext[1:] },
		"oversize":     func(c *wire.SessionCall) { c.Ciphertext = make([]byte, seal.MaxPlaintext+2*65536+16) },
	} {
		bad := good
		change(&bad)
		if Check(&bad) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if Check(nil) == nil {
		t.Error("no call: taken")
	}
	if _, err := Request(wire.Marshal(&wire.QueryRequest{Permit: &wire.Permit{}})); err == nil {
		t.Error("a request with a permit of its own was taken")
	}
}

// FuzzCall: whatever the host hands over as a call is refused or opens to a request that has exactly this form.
func FuzzCall(f *testing.F) {
	client, enclave := ends(f, 9)
	ct, err := client.SealRequest(1, wire.Marshal(&wire.QueryRequest{Contract: make([]byte, 32), Msg: []byte("{}")}))
	if err != nil {
		f.Fatal(err)
	}
	good := wire.Marshal(&wire.SessionCall{Cluster: 1, Session: make([]byte, IDSize), Counter: 1, Ciphertext: ct})
	f.Add(good, []byte{})
	f.Add(good[:40], wire.Marshal(&wire.QueryRequest{Msg: []byte("{}")}))
	f.Add([]byte{}, wire.Marshal(&wire.QueryRequest{Permit: &wire.Permit{}}))
	f.Fuzz(func(t *testing.T, call, plain []byte) {
		var c wire.SessionCall
		if wire.Unmarshal(call, &c) == nil && Check(&c) == nil {
			if _, err := enclave.OpenRequest(c.Counter, c.Ciphertext); err == nil && !bytes.Equal(call[len(call)-len(ct):], ct) {
				t.Fatal("a ciphertext that nobody has sealed opens")
			}
		}
		if q, err := Request(plain); err == nil && (q.Permit != nil || !bytes.Equal(wire.Marshal(q), plain)) {
			t.Fatalf("taken, though not in its one form: %v", q)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	client, enclave := ends(b, 9)
	plain := make([]byte, 200)
	for b.Loop() {
		ct, err := client.SealRequest(5, plain)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := enclave.OpenRequest(5, ct); err != nil {
			b.Fatal(err)
		}
	}
}
