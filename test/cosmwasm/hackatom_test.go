package cosmwasm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/engine"
)

func TestHackatom(t *testing.T) {
	verifier, beneficiary, creator := account("verifies"), account("benefits"), account("creator")
	init := fmt.Sprintf(`{"verifier":%q,"beneficiary":%q}`, verifier, beneficiary)
	for _, c := range []struct{ module, file, release string }{
		{wasmvm, "testdata/hackatom.wasm", `{"release":{}}`},
		{wasmd, keeper + "hackatom.wasm", `{"release":{}}`},
		{wasmd, keeper + "hackatom_42.wasm", `{"release":{"denom":"ppha"}}`},
	} {
		w := newWorld(t)
		code := w.upload(c.module, c.file)
		if _, err := w.instantiate(code, creator, `{"panic":{}}`, ""); err == nil {
			t.Errorf("%s: a bad message instantiates", c.file)
		}
		a := w.made(code, creator, init, "1000")
		w.asks(a, `{"verifier":{}}`, `{"verifier":"`+verifier+`"}`)
		w.asks(a, `{"get_int":{}}`, `{"int":15731626}`)

		w.refused(a, beneficiary, c.release, "Unauthorized")
		w.has(a, "1000")
		r := w.must(a, verifier, c.release)
		if string(r.Data) != "\xf0\x0b\xaa" || len(r.Attributes) < 2 || r.Attributes[0].Value != "release" || r.Attributes[1].Value != beneficiary {
			t.Errorf("%s: release gave %v", c.file, r)
		}
		if !slices.Equal(w.paid, []string{beneficiary + " 1000"}) {
			t.Errorf("%s: paid %v", c.file, w.paid)
		}
		w.has(a, "0")

		w.refused(a, creator, `{"panic":{}}`, "trapped in execute")
		w.refused(a, creator, `{"message_loop":{}}`, "within each other")
		w.refused(a, creator, `{"what":{}}`, "contract-error")
		r = w.must(a, creator, `{"user_errors_in_api_calls":{}}`)
		if len(r.Attributes) != 0 {
			t.Errorf("%s: %v", c.file, r)
		}
		// It asks itself, ten deep; an eleventh is too much.
		if got := w.query(a, `{"recurse":{"depth":9,"work":0}}`); !strings.HasPrefix(got, `{"hashed":"`) {
			t.Errorf("%s: recursion gave %s", c.file, got)
		}
		if got := w.query(a, `{"recurse":{"depth":11,"work":0}}`); !strings.Contains(got, "within each other") {
			t.Errorf("%s: deep recursion gave %s", c.file, got)
		}
	}
}

func TestHackatomByTheChain(t *testing.T) {
	w := newWorld(t)
	verifier, beneficiary, other := account("verifies"), account("benefits"), account("someone else")
	init := fmt.Sprintf(`{"verifier":%q,"beneficiary":%q}`, verifier, beneficiary)
	for _, file := range []string{"hackatom.wasm", "hackatom_42.wasm", "hackatom_420.wasm"} {
		a := w.made(w.upload(wasmd, keeper+file), account("creator"), init, "")
		from := engine.MigrateInfo{Sender: account("creator")}
		migrate := fmt.Sprintf(`{"verifier":%q}`, other)
		if strings.Contains(file, "_") { // it asks from where
			version := uint64(420)
			from.OldVersion = &version
			if _, err := w.enter(a, engine.Migrate, migrate, from); err == nil || err.Error() != "Downgrade is not supported" {
				t.Errorf("%s: migrate from a newer version: %v", file, err)
			}
			version = 41
		}
		out, err := w.enter(a, engine.Migrate, migrate, from)
		if err != nil || len(out.Response.Messages) != 0 {
			t.Errorf("%s: migrate: %+v, %v", file, out.Response, err)
			continue
		}
		w.asks(a, `{"verifier":{}}`, `{"verifier":"`+other+`"}`)
		out, err = w.enter(a, engine.Sudo, fmt.Sprintf(`{"steal_funds":{"recipient":%q,"amount":[{"denom":"gold","amount":"700"}]}}`, other), engine.MigrateInfo{})
		want := `{"bank":{"send":{"to_address":"` + other + `","amount":[{"denom":"gold","amount":"700"}]}}}`
		if err != nil || len(out.Response.Messages) != 1 || string(out.Response.Messages[0].Msg) != want {
			t.Errorf("%s: sudo: %+v, %v", file, out.Response, err)
		}
	}
	for file, want := range map[string]uint64{"hackatom_42.wasm": 42, "hackatom_420.wasm": 420} {
		c := w.codes[string(w.upload(wasmd, keeper+file))]
		if got := c.MigrateVersion(); got == nil || *got != want {
			t.Errorf("%s: version %v", file, got)
		}
	}
	if v := w.codes[string(w.upload(wasmd, keeper+"hackatom.wasm"))].MigrateVersion(); v != nil {
		t.Errorf("a version %d of nothing", *v)
	}
}

func TestQueue(t *testing.T) {
	me := account("creator")
	for _, module := range []string{wasmvm, wasmd} {
		w := newWorld(t)
		code := w.upload(module, map[string]string{wasmvm: "testdata/", wasmd: keeper}[module]+"queue.wasm")
		enqueue := func(a string, values ...int) {
			t.Helper()
			for _, v := range values {
				w.must(a, me, fmt.Sprintf(`{"enqueue":{"value":%d}}`, v))
			}
		}
		a := w.made(code, me, `{}`, "")
		w.asks(a, `{"count":{}}`, `{"count":0}`)
		w.asks(a, `{"sum":{}}`, `{"sum":0}`)
		enqueue(a, 25, 17)
		r := w.must(a, me, `{"dequeue":{}}`)
		var item struct{ Value int }
		if err := json.Unmarshal(r.Data, &item); err != nil || item.Value != 25 {
			t.Errorf("dequeued %s", r.Data)
		}
		w.asks(a, `{"count":{}}`, `{"count":1}`)
		w.asks(a, `{"sum":{}}`, `{"sum":17}`)

		a = w.made(code, me, `{}`, "")
		enqueue(a, 40, 15, 85, -10)
		w.asks(a, `{"sum":{}}`, `{"sum":130}`)
		w.asks(a, `{"reducer":{}}`, `{"counters":[[40,85],[15,125],[85,0],[-10,140]]}`)
		if _, err := w.enter(a, engine.Migrate, `{}`, engine.MigrateInfo{}); err != nil {
			t.Error(err)
		}
		w.asks(a, `{"count":{}}`, `{"count":3}`)
		w.asks(a, `{"sum":{}}`, `{"sum":303}`)

		a = w.made(code, me, `{}`, "")
		for range 0x25 {
			enqueue(a, 40)
		}
		for range 0x19 {
			w.must(a, me, `{"dequeue":{}}`)
		}
		w.asks(a, `{"list":{}}`, `{"empty":[],"early":[25,26,27,28,29,30,31],"late":[32,33,34,35,36]}`)
		w.asks(a, `{"open_iterators":{"count":500}}`, `{}`)
	}
}

func TestCyberpunk(t *testing.T) {
	me := account("creator")
	for _, c := range []struct{ module, file string }{{wasmvm, "testdata/cyberpunk.wasm"}, {former, "testdata/cyberpunk.wasm"}, {wasmd, keeper + "cyberpunk.wasm"}} {
		w := newWorld(t)
		a := w.made(w.upload(c.module, c.file), me, `{}`, "")
		if c.module == wasmvm { // the others are older
			w.must(a, me, `{"noop":{}}`)
		}
		w.refused(a, me, `{"panic":{}}`, "trapped in execute")
		w.refused(a, me, `{"unreachable":{}}`, "trapped in execute")
		w.must(a, me, `{"argon2":{"mem_cost":256,"time_cost":1}}`)
		w.must(a, me, `{"allocate_large_memory":{"pages":100}}`)
		w.refused(a, me, `{"allocate_large_memory":{"pages":1600}}`, "memory.grow failed")
		want := `{"block":{"height":12345,"time":"1571797419879305533","chain_id":"phala-test"},"transaction":null,"contract":{"address":"` + a + `"}}`
		w.asks(a, `{"mirror_env":{}}`, want)
		if r := w.must(a, me, `{"mirror_env":{}}`); string(r.Data) != want {
			t.Errorf("%s: the environment is %s", c.file, r.Data)
		}
	}
}
