package cosmwasm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/enclavetest/script"
	"github.com/phala-go/phala/enclave/engine"
)

type replier struct {
	ID       byte      `json:"msg_id"`
	Data     bool      `json:"set_data_in_exec_and_reply"`
	Order    bool      `json:"return_order_in_reply"`
	Fail     bool      `json:"exec_error"`
	FailLate bool      `json:"reply_error"`
	Never    bool      `json:"reply_on_never"`
	Messages []replier `json:"messages"`
}

// TestReplier is wasmd's TestMultipleReplies: a contract that calls itself in a tree and writes down the order.
func TestReplier(t *testing.T) {
	w := newWorld(t)
	a := w.made(w.upload(wasmd, keeper+"replier.wasm"), account("creator"), `{}`, "")
	for name, c := range map[string]struct {
		change func(m *replier)
		want   []byte
	}{
		"depth first":           {func(m *replier) { m.Order = true }, []byte{0xee, 1, 0xee, 2, 0xee, 3, 0xbb, 2, 0xbb, 1, 0xee, 4, 0xee, 5, 0xbb, 4, 0xbb, 1}},
		"the last one's data":   {func(*replier) {}, []byte{10, 6, 10, 2, 0xee, 5, 0xbb, 4, 0xbb, 1}},
		"the last reply's data": {func(m *replier) { m.Messages[1].Never = true }, []byte{10, 6, 10, 2, 0xee, 3, 0xbb, 2, 0xbb, 1}},
		"no forwarding":         {func(m *replier) { m.Messages[1].Data = false }, []byte{0xbb, 1}},
		"a failed call":         {func(m *replier) { m.Messages[0].Messages[0].Fail, m.Order = true, true }, []byte{0xee, 1, 0xee, 2, 0xbb, 2, 0xbb, 1, 0xee, 4, 0xee, 5, 0xbb, 4, 0xbb, 1}},
		"a failed reply":        {func(m *replier) { m.Messages[0].FailLate, m.Order = true, true }, []byte{0xee, 1, 0xbb, 1, 0xee, 4, 0xee, 5, 0xbb, 4, 0xbb, 1}},
	} {
		m := replier{ID: 1, Data: true, Messages: []replier{
			{ID: 2, Data: true, Messages: []replier{{ID: 3, Data: true, Messages: []replier{}}}},
			{ID: 4, Data: true, Messages: []replier{{ID: 5, Data: true, Messages: []replier{}}}},
		}}
		c.change(&m)
		msg, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.must(a, account("creator"), string(msg)); !bytes.Equal(r.Data, c.want) {
			t.Errorf("%s: got %x, want %x", name, r.Data, c.want)
		}
	}
}

// reflect does what its owner says, so anything that a contract may ask for is asked through it.
func TestReflect(t *testing.T) {
	for _, c := range []struct{ module, file string }{
		{wasmd, keeper + "reflect.wasm.v1_0"}, {wasmd, keeper + "reflect_1_1.wasm"}, {wasmd, keeper + "reflect_1_5.wasm"}, {wasmd, keeper + "reflect_2_0.wasm"},
		{wasmd, "tests/e2e/testdata/reflect_2_2.wasm"}, {wasmd, "x/wasm/types/testdata/reflect.wasm"}, {wasmvm, "testdata/reflect.wasm"}, {former, "testdata/reflect.wasm"},
	} {
		file := c.file
		w := newWorld(t)
		code := w.upload(c.module, file)
		owner, friend := account("creator"), account("friend")
		a := w.made(code, owner, `{}`, "1000")
		if got := w.query(a, `{"owner":{}}`); !strings.Contains(got, owner) {
			t.Errorf("%s: the owner is %s", file, got)
		}
		pay := func(amount string) string {
			return fmt.Sprintf(`{"bank":{"send":{"to_address":%q,"amount":[{"denom":"ppha","amount":%q}]}}}`, friend, amount)
		}
		w.refused(a, friend, `{"reflect_msg":{"msgs":[`+pay("5")+`]}}`, "ermission denied")
		w.refused(a, owner, `{"reflect_msg":{"msgs":[]}}`, "essages")
		w.must(a, owner, `{"reflect_msg":{"msgs":[`+pay("5")+`,`+pay("6")+`]}}`)
		w.refused(a, owner, `{"reflect_msg":{"msgs":[`+pay("5")+`,`+pay("5000")+`]}}`, "contract-funds")
		w.has(a, "989")

		sub := func(id int, on, msg string) {
			t.Helper()
			w.must(a, owner, fmt.Sprintf(`{"reflect_sub_msg":{"msgs":[{"id":%d,"msg":%s,"gas_limit":null,"reply_on":%q}]}}`, id, msg, on))
		}
		result := func(id int) string { t.Helper(); return w.query(a, fmt.Sprintf(`{"sub_msg_result":{"id":%d}}`, id)) }
		sub(5, "always", pay("9"))
		if got := result(5); !strings.Contains(got, `"id":5`) || !strings.Contains(got, `"ok":{"events":[]`) {
			t.Errorf("%s: a payment: %s", file, got)
		}
		sub(6, "always", pay("99999"))
		if got := result(6); !strings.Contains(got, `"error":"contract-funds`) {
			t.Errorf("%s: too large a payment: %s", file, got)
		}
		w.has(a, "980")
		sub(7, "error", pay("1"))
		if got := result(7); !strings.Contains(got, "not found") {
			t.Errorf("%s: a reply to a success: %s", file, got)
		}
		if want := []string{friend + " 5", friend + " 6", friend + " 9", friend + " 1"}; !slices.Equal(w.paid, want) {
			t.Errorf("%s: paid %v", file, w.paid)
		}
		number := calls.Number(w.ed, code)
		sub(21, "always", fmt.Sprintf(`{"wasm":{"instantiate":{"admin":null,"code_id":%d,"msg":%q,"funds":[],"label":"child"}}}`, number, b64(`{}`)))
		_, rest, found := strings.Cut(result(21), `"type":"instantiate","attributes":[{"key":"_contract_address","value":"`)
		child, _, _ := strings.Cut(rest, `"`)
		if !found {
			t.Fatalf("%s: no child in %s", file, result(21))
		}
		w.asks(child, `{"owner":{}}`, `{"owner":"`+a+`"}`)

		// It asks another contract, and passes on what the chain says.
		if got := w.query(a, fmt.Sprintf(`{"raw":{"contract":%q,"key":%q}}`, child, b64("\x00\x06config"))); got == `{"data":""}` {
			t.Errorf("%s: raw: %s", file, got)
		}
		balance := fmt.Sprintf(`{"chain":{"request":{"bank":{"balance":{"address":%q,"denom":"ppha"}}}}}`, a)
		w.asks(a, balance, `{"data":"`+b64(`{"amount":{"denom":"ppha","amount":"979"}}`)+`"}`)
		if got := w.query(a, `{"capitalized":{"text":"x"}}`); !strings.Contains(got, "nsupported") {
			t.Errorf("%s: a query of another chain: %s", file, got)
		}
		w.must(a, owner, fmt.Sprintf(`{"change_owner":{"owner":%q}}`, friend))
		w.refused(a, owner, `{"reflect_msg":{"msgs":[`+pay("5")+`]}}`, "ermission denied")
	}
}

func TestBurner(t *testing.T) {
	w := newWorld(t)
	creator, friend := account("creator"), account("friend")
	if _, err := w.instantiate(w.upload(wasmd, keeper+"burner.wasm"), creator, `{}`, ""); err == nil || !strings.Contains(err.Error(), "for migrations") {
		t.Errorf("it instantiates: %v", err)
	}
	// What it is for: a reflect makes a hackatom, funds it, and turns it into a burner.
	reflect := w.upload(wasmd, keeper+"reflect_2_0.wasm")
	a := w.made(reflect, creator, `{}`, "100")
	w.made(w.upload(wasmd, keeper+"queue.wasm"), creator, `{}`, "")
	send := func(on int, msg string) string {
		t.Helper()
		w.must(a, creator, fmt.Sprintf(`{"reflect_sub_msg":{"msgs":[{"id":%d,"msg":%s,"gas_limit":null,"reply_on":"always"}]}}`, on, msg))
		return w.query(a, fmt.Sprintf(`{"sub_msg_result":{"id":%d}}`, on))
	}
	out := send(1, fmt.Sprintf(`{"wasm":{"instantiate":{"admin":%q,"code_id":2,"msg":"e30=","funds":[{"denom":"ppha","amount":"60"}],"label":"l"}}}`, a))
	_, rest, _ := strings.Cut(out, `{"key":"_contract_address","value":"`)
	child, _, _ := strings.Cut(rest, `"`)
	w.must(child, creator, `{"enqueue":{"value":5}}`)
	w.has(child, "60")
	// The burner's own code has no number yet, since nothing of it came to life.
	out = send(2, fmt.Sprintf(`{"wasm":{"migrate":{"contract_addr":%q,"new_code_id":3,"msg":%q}}}`, child, b64(fmt.Sprintf(`{"payout":%q,"delete":10}`, friend))))
	if !strings.Contains(out, "no-such-code") {
		t.Errorf("migration to unknown code: %s", out)
	}
	out = send(3, fmt.Sprintf(`{"wasm":{"migrate":{"contract_addr":%q,"new_code_id":2,"msg":"e30="}}}`, child))
	if !strings.Contains(out, `"type":"migrate"`) {
		t.Errorf("migration: %s", out)
	}
	w.asks(child, `{"count":{}}`, `{"count":3}`)
	if got, err := w.enter(child, engine.Migrate, `{}`, engine.MigrateInfo{}); err != nil || got.Response == nil {
		t.Error(err)
	}
}

// A token sends to a contract and that one's hook is called, in one step: refused there, nothing has moved.
func TestTokenSends(t *testing.T) {
	w := newWorld(t)
	alice := account("alice")
	token := w.made(w.upload(wasmd, "benchmarks/testdata/cw20_base.wasm"), alice,
		fmt.Sprintf(`{"name":"Secret","symbol":"SCRT","decimals":6,"initial_balances":[{"address":%q,"amount":"1000"}]}`, alice), "")
	c, err := w.engine.Compile(t.Context(), script.Contract())
	if err != nil {
		t.Fatal(err)
	}
	id := c.ID()
	w.codes[string(id[:])] = c
	vault := w.made(id[:], alice, script.OK, "")
	balance := func(of string) string { return w.query(token, fmt.Sprintf(`{"balance":{"address":%q}}`, of)) }
	send := fmt.Sprintf(`{"send":{"contract":%q,"amount":"300","msg":%q}}`, vault, b64(`{"deposit":{}}`))

	r := w.must(token, alice, send)
	kept := func(key string) string {
		raw, err := address.Decode(vault)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := w.ed.Space(calls.StorageKey(raw)).Get([]byte(key))
		return string(v)
	}
	if got, want := kept(script.Message), fmt.Sprintf(`{"receive":{"sender":%q,"amount":"300","msg":%q}}`, alice, b64(`{"deposit":{}}`)); got != want {
		t.Errorf("the hook was given %s, want %s", got, want)
	}
	if got, want := kept(script.Info), `{"sender":"`+token+`","funds":[]}`; got != want {
		t.Errorf("the hook was called by %s, want %s", got, want)
	}
	if balance(vault) != `{"balance":"300"}` || balance(alice) != `{"balance":"700"}` {
		t.Errorf("balances %s and %s", balance(vault), balance(alice))
	}
	if a := r.Attributes; a[0].Key != "action" || a[0].Value != "send" || a[len(a)-1].Key != "execute._contract_address" || a[len(a)-1].Value != vault {
		t.Errorf("attributes %v", a)
	}
	if _, err := w.enter(vault, engine.Sudo, `{"error":"not now"}`, engine.MigrateInfo{}); err != nil {
		t.Fatal(err)
	}
	w.refused(token, alice, send, vault+": not now")
	if balance(vault) != `{"balance":"300"}` || balance(alice) != `{"balance":"700"}` {
		t.Errorf("a refused hook has moved %s and %s", balance(vault), balance(alice))
	}
	other := fmt.Sprintf(`{"send":{"contract":%q,"amount":"1","msg":"e30="}}`, alice)
	w.refused(token, alice, other, "no-such-contract")
}

// What has used up all gas leaves none to catch it with; a message with a limit of its own is caught.
func TestRunningOut(t *testing.T) {
	w := newWorld(t)
	owner := account("creator")
	a := w.made(w.upload(wasmd, keeper+"reflect_2_0.wasm"), owner, `{}`, "")
	slow := w.made(w.upload(wasmd, keeper+"hackatom.wasm"), owner, fmt.Sprintf(`{"verifier":%q,"beneficiary":%q}`, owner, owner), "")
	msg := fmt.Sprintf(`{"reflect_sub_msg":{"msgs":[{"id":1,"msg":{"wasm":{"execute":{"contract_addr":%q,"msg":%q,"funds":[]}}},"gas_limit":null,"reply_on":"always"}]}}`, slow, b64(`{"cpu_loop":{}}`))
	w.refused(a, owner, msg, "out-of-gas")
	w.must(a, owner, strings.ReplaceAll(msg, `"gas_limit":null`, `"gas_limit":1000000`))
	if got := w.query(a, `{"sub_msg_result":{"id":1}}`); !strings.Contains(got, "out-of-gas: contract "+slow) {
		t.Errorf("the reply is %s", got)
	}
	// A panic is caught.
	w.must(a, owner, strings.ReplaceAll(msg, b64(`{"cpu_loop":{}}`), b64(`{"panic":{}}`)))
	if got := w.query(a, `{"sub_msg_result":{"id":1}}`); !strings.Contains(got, "contract-trap: contract "+slow) {
		t.Errorf("the reply is %s", got)
	}
}
