package engine

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestHostilePanics: whichever entry point breaks off, and however.
func TestHostilePanics(t *testing.T) {
	r := newArena(t, Config{})
	for _, entry := range entries() {
		for name, x := range map[string]attack{
			"unreachable": {want: "unreachable", body: func(*asm) []byte { return []byte{0} }},
			"abort":       {want: "my reason", body: func(a *asm) []byte { return cat(a.text("my reason"), a.call("abort")) }},
			"exit":        {want: "exited with code 7", body: func(a *asm) []byte { return cat(i32const(7), a.call("proc_exit")) }},
			"no answer":   {want: "region at 0x0", body: func(*asm) []byte { return cat(i32const(0), []byte{0x0f}) }},
			"no JSON":     {want: "not a result", body: func(a *asm) []byte { return cat(a.text("\xff{"), []byte{0x0f}) }},
			"no ok":       {want: "neither ok nor an error", body: func(a *asm) []byte { return cat(a.text(`{}`), []byte{0x0f}) }},
		} {
			x.name, x.entry = fmt.Sprintf("%s in %s", name, entry), entry
			r.fails(x, Call{})
		}
	}
}

// forged lays out a region whose header is what the contract likes.
func forged(a *asm, offset, capacity, length uint32) []byte {
	p := a.region(make([]byte, regionSize), regionSize) + regionSize
	var body []byte
	for i, v := range []uint32{offset, capacity, length} {
		body = cat(body, i32const(p+uint32(4*i)), i32const(v), []byte{0x36, 2, 0})
	}
	return cat(body, i32const(p))
}

// TestHostileRegions: headers that lie, wherever one is taken.
func TestHostileRegions(t *testing.T) {
	r := newArena(t, Config{})
	const end = 17 << 16
	headers := map[string]func(a *asm) []byte{
		"null":               func(*asm) []byte { return i32const(0) },
		"of the end":         func(*asm) []byte { return i32const(end - 11) },
		"beyond the end":     func(*asm) []byte { return i32const(0xffffffff) },
		"to null":            func(a *asm) []byte { return forged(a, 0, 8, 8) },
		"longer than itself": func(a *asm) []byte { return forged(a, 2048, 8, 9) },
		"across the end":     func(a *asm) []byte { return forged(a, end-4, 5, 1) },
		"across 4 GiB":       func(a *asm) []byte { return forged(a, 0xfffffff0, 0x20, 0x20) },
		"of 4 GiB":           func(a *asm) []byte { return forged(a, 1, 0xffffffff, 0xffffffff) },
	}
	takers := map[string]func(a *asm, p []byte) []byte{
		"answer":           func(_ *asm, p []byte) []byte { return cat(p, []byte{0x0f}) },
		"db_read":          func(a *asm, p []byte) []byte { return drop(cat(p, a.call("db_read"))) },
		"db_write's value": func(a *asm, p []byte) []byte { return a.store("a", p) },
		"db_remove":        func(a *asm, p []byte) []byte { return cat(p, a.call("db_remove")) },
		"abort":            func(a *asm, p []byte) []byte { return cat(p, a.call("abort")) },
		"query_chain":      func(a *asm, p []byte) []byte { return drop(cat(p, a.call("query_chain"))) },
		"addr_canonicalize": func(a *asm, p []byte) []byte {
			return drop(cat(a.text(account(t, "x")), p, a.call("addr_canonicalize")))
		},
		"batch": func(a *asm, p []byte) []byte {
			return drop(cat(a.text(""), p, a.text(""), a.call("ed25519_batch_verify")))
		},
		"random": func(a *asm, p []byte) []byte { return drop(cat(p, a.call("random"))) },
		"emit_private": func(a *asm, p []byte) []byte {
			return drop(cat(a.text(account(t, "alice")), p, a.call("emit_private")))
		},
	}
	for header, forge := range headers {
		for taker, take := range takers {
			r.fails(attack{
				name: "a region " + header + " for " + taker, want: "region at 0x",
				make: func(a *asm) { a.extra = []string{"requires_phala"} },
				body: func(a *asm) []byte { return take(a, forge(a)) },
			}, Call{Extensions: extended(t)})
		}
		// The contract's own allocate may lie too.
		r.fails(attack{name: "allocate gives a region " + header, want: "region at 0x", make: func(a *asm) {
			late(cat(forge(a), []byte{0x0f}))(a)
		}}, Call{})
	}
	r.fails(attack{name: "allocate gives too little", want: "too small for", make: func(a *asm) {
		late(cat(i32const(a.region(nil, 1)), []byte{0x0f}))(a)
	}}, Call{})
}

// TestHostileSizes: more than a region of its kind may hold.
func TestHostileSizes(t *testing.T) {
	r := newArena(t, Config{MemoryPages: 64})
	large := func(a *asm, n uint32) []byte { // no bytes of the module's own
		a.pages = 60
		return forged(a, 1<<20, n, n)
	}
	for name, x := range map[string]struct {
		limit int
		body  func(a *asm, p []byte) []byte
	}{
		"a key read":    {maxKey, func(a *asm, p []byte) []byte { return drop(cat(p, a.call("db_read"))) }},
		"a key written": {maxKey, func(a *asm, p []byte) []byte { return cat(p, a.text("v"), a.call("db_write")) }},
		"a key removed": {maxKey, func(a *asm, p []byte) []byte { return cat(p, a.call("db_remove")) }},
		"a lower bound": {maxKey, func(a *asm, p []byte) []byte { return drop(cat(p, i32const(0), i32const(1), a.call("db_scan"))) }},
		"a value":       {maxValue, func(a *asm, p []byte) []byte { return a.store("a", p) }},
		"a question":    {maxRequest, func(a *asm, p []byte) []byte { return drop(cat(p, a.call("query_chain"))) }},
		"an answer":     {maxResult, func(_ *asm, p []byte) []byte { return cat(p, []byte{0x0f}) }},
		"a last word":   {maxAbort, func(a *asm, p []byte) []byte { return cat(p, a.call("abort")) }},
		"an address":    {maxHuman, func(a *asm, p []byte) []byte { return drop(cat(p, a.call("addr_validate"))) }},
		"a message":     {maxEd25519Message, func(a *asm, p []byte) []byte { return drop(cat(p, a.text(""), a.text(""), a.call("ed25519_verify"))) }},
		"a hash":        {32, func(a *asm, p []byte) []byte { return drop(cat(p, a.text(""), a.text(""), a.call("secp256k1_verify"))) }},
		"a list of points": {maxPoints, func(a *asm, p []byte) []byte {
			return drop(cat(p, i32const(a.region(nil, 48)), a.call("bls12_381_aggregate_g1")))
		}},
	} {
		over := fmt.Sprintf("region of %d bytes where at most %d are allowed", x.limit+1, x.limit)
		r.fails(attack{name: name, want: over, body: func(a *asm) []byte { return x.body(a, large(a, uint32(x.limit+1))) }}, Call{GasLimit: 1 << 40})
	}
}

// TestHostileText: what is not UTF-8 does not leave as that, and what is no
// address is none.
func TestHostileText(t *testing.T) {
	e := newEngine(t, Config{})
	for _, answer := range []string{
		"{\"error\":\"\xff\xfe\"}",
		"{\"error\":\"\\ud800\"}",
		"{\"ok\":{\"messages\":[],\"attributes\":[{\"key\":\"\xc3\",\"value\":\"\xed\xa0\x80\"}],\"events\":[{\"type\":\"\x80\",\"attributes\":[]}],\"data\":null}}",
	} {
		a := &asm{}
		a.entries = map[Entry][]byte{Execute: a.say(answer)}
		out, err := run(t, e, a.must(t, e), Execute, memory{})
		var text []string
		if err != nil {
			text = append(text, err.Error())
		} else {
			for _, x := range out.Response.Attributes {
				text = append(text, x.Key, x.Value)
			}
			for _, x := range out.Response.Events {
				text = append(text, x.Type)
			}
		}
		if all := strings.Join(text, ""); !utf8.ValidString(all) || !strings.Contains(all, "\ufffd") {
			t.Errorf("%q says %q", answer, text)
		}
	}
	for _, bad := range []string{"\xff\xfe", "pha1\x80", "pha1\x00", "\u202epha1", account(t, "x") + "\n", " " + account(t, "x")} {
		a := &asm{}
		into := a.region(nil, 64)
		s, err := execute(t, e, a, cat(
			a.storeCode("canonical", cat(a.text(bad), i32const(into), a.call("addr_canonicalize"))),
			a.storeCode("valid", cat(a.text(bad), a.call("addr_validate")))))
		if err != nil || string(s["canonical"]) == code(0) || string(s["valid"]) == code(0) {
			t.Errorf("%q: %q, %v", bad, s, err)
		}
	}
}
