package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestState(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	body := cat(
		m.store("a", m.text("1")),
		m.store("b", m.text("")),
		m.store("copy", cat(m.text("a"), m.call("db_read"))),
		m.storeCode("absent", cat(m.text("nothing"), m.call("db_read"))),
		m.text("a"), m.call("db_remove"),
		m.text("private"), m.call("debug"),
	)
	s, err := execute(t, e, m, body)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s["a"]; ok {
		t.Error("a was not removed")
	}
	if v, ok := s["b"]; !ok || len(v) != 0 {
		t.Errorf("an empty value became %q, %v", v, ok)
	}
	if string(s["copy"]) != "1" || string(s["absent"]) != "\x00\x00\x00\x00" {
		t.Errorf("state %q", s)
	}
}

func TestIteratorsInWASM(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	scan := func(start, end []byte, order uint32) []byte {
		return cat(start, end, i32const(order), m.call("db_scan"), []byte{0x1a})
	}
	null := i32const(0)
	next := func(id uint32, f string) []byte { return cat(i32const(id), m.call(f)) }
	body := cat(
		m.store("a", m.text("1")), m.store("b", m.text("2")), m.store("c", m.text("3")),
		scan(null, null, 1), scan(m.text("b"), null, 2), scan(null, m.text("b"), 1),
		m.store("r1", next(1, "db_next")),
		m.store("r2", next(2, "db_next_key")), // descending from the end: sees r1 itself
		m.store("r3", next(3, "db_next_value")),
		m.storeCode("r4", next(3, "db_next_key")), // at its end
		m.storeCode("r5", next(3, "db_next_value")),
		m.store("r6", next(3, "db_next")),
	)
	s, err := execute(t, e, m, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"r1": "a\x00\x00\x00\x011\x00\x00\x00\x01", "r2": "r1", "r3": "1",
		"r4": "\x00\x00\x00\x00", "r5": "\x00\x00\x00\x00", "r6": "\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		if string(s[k]) != want {
			t.Errorf("%s: got %q, want %q", k, s[k], want)
		}
	}
}

func TestAddresses(t *testing.T) {
	e := newEngine(t, Config{})
	alice := account(t, "alice")
	raw, err := canonical(alice)
	if err != nil {
		t.Fatal(err)
	}
	m := &asm{}
	into, back := m.region(nil, 64), m.region(nil, 90)
	body := cat(
		m.storeCode("ok", cat(m.text(alice), m.call("addr_validate"))),
		m.store("bad", cat(m.text("pha1xyz"), m.call("addr_validate"))),
		m.store("upper", cat(m.text(strings.ToUpper(alice)), m.call("addr_validate"))),
		m.store("empty", cat(m.text(""), i32const(into), m.call("addr_canonicalize"))),
		m.storeCode("code", cat(m.text(alice), i32const(into), m.call("addr_canonicalize"))),
		m.store("raw", i32const(into)),
		m.storeCode("code2", cat(i32const(into), i32const(back), m.call("addr_humanize"))),
		m.store("human", i32const(back)),
		m.store("short", cat(m.text("abc"), i32const(back), m.call("addr_humanize"))),
	)
	s, err := execute(t, e, m, body)
	if err != nil {
		t.Fatal(err)
	}
	zero := "\x00\x00\x00\x00"
	for k, want := range map[string]string{
		"ok": zero, "code": zero, "code2": zero, "raw": string(raw), "human": alice,
		"empty": "Input is empty", "upper": "invalid address: not in lower case",
		"short": "invalid canonical address: 3 bytes",
	} {
		if string(s[k]) != want {
			t.Errorf("%s: got %q, want %q", k, s[k], want)
		}
	}
	if !strings.HasPrefix(string(s["bad"]), "invalid address") {
		t.Errorf("bad: %q", s["bad"])
	}
}

func TestCanonical(t *testing.T) {
	thirtyTwo, err := human(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := canonical(thirtyTwo); err != nil || len(raw) != 32 {
		t.Errorf("32 bytes: %v", err)
	}
	for _, bad := range []string{"", "\xff", "pha1", "cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnrql8a", thirtyTwo[:len(thirtyTwo)-1] + "z"} {
		if _, err := canonical(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := human(make([]byte, 21)); err == nil {
		t.Error("21 bytes were accepted")
	}
}

type answers func([]byte) ([]byte, error)

func (a answers) Query(request []byte, gas uint64) ([]byte, uint64, error) {
	answer, err := a(request)
	return answer, gas / 4, err
}

func TestQueryChain(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	body := m.store("r", cat(m.text(`{"bank":{}}`), m.call("query_chain")))
	m.entries = map[Entry][]byte{Execute: cat(body, m.say(emptyResponse))}
	c := m.must(t, e)
	ask := func(q Querier) (memory, error) {
		s := memory{}
		_, err := e.Run(context.Background(), c, Call{Entry: Execute, Info: &Info{}, Store: s, Querier: q})
		return s, err
	}
	s, err := ask(nil)
	if want := `{"error":{"unsupported_request":{"kind":"bank"}}}`; err != nil || string(s["r"]) != want {
		t.Errorf("got %s, %v", s["r"], err)
	}
	s, err = ask(answers(func(r []byte) ([]byte, error) { return append([]byte("echo "), r...), nil }))
	if err != nil || string(s["r"]) != `echo {"bank":{}}` {
		t.Errorf("got %s, %v", s["r"], err)
	}
	broken := errors.New("the disk is on fire")
	var trap *TrapError
	if _, err = ask(answers(func([]byte) ([]byte, error) { return nil, broken })); !errors.Is(err, broken) || errors.As(err, &trap) {
		t.Errorf("a fault of the node's came out as %v", err)
	}
}

// TestQueryWithinCall: a Querier may run contracts, even the one that asks.
func TestQueryWithinCall(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	m.entries = map[Entry][]byte{
		Execute: cat(m.store("r", cat(m.text(`{}`), m.call("query_chain"))), m.say(emptyResponse)),
		Query:   m.say(`{"ok":"aW5uZXI="}`),
	}
	c := m.must(t, e)
	s := memory{}
	_, err := e.Run(context.Background(), c, Call{
		Entry: Execute, Info: &Info{}, Store: s,
		Querier: answers(func([]byte) ([]byte, error) {
			out, err := e.Run(context.Background(), c, Call{Entry: Query, Store: s})
			return out.Query, err
		}),
	})
	if err != nil || string(s["r"]) != "inner" {
		t.Errorf("got %q, %v", s["r"], err)
	}
}
