package calls

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/enclave/enclavetest/script"
)

func instantiate(code int, admin, msg, funds, salt string) string {
	kind, end := "instantiate", ""
	if salt != "" {
		kind, end = "instantiate2", `,"salt":"`+b64(salt)+`"`
	}
	coins := "[]"
	if funds != "" {
		coins = `[{"denom":"ppha","amount":"` + funds + `"}]`
	}
	who := "null"
	if admin != "" {
		who = `"` + admin + `"`
	}
	return fmt.Sprintf(`{"wasm":{%q:{"admin":%s,"code_id":%d,"msg":%q,"funds":%s,"label":"child"%s}}}`, kind, who, code, b64(msg), coins, end)
}

// made is the address in the reply to an instantiation.
func (w *world) made(by string) string {
	w.t.Helper()
	_, rest, ok := strings.Cut(w.kept(by, script.Reply), `"instantiate","attributes":[{"key":"_contract_address","value":"`)
	addr, _, _ := strings.Cut(rest, `"`)
	if !ok {
		w.t.Fatalf("no instantiation in %s", w.kept(by, script.Reply))
	}
	return addr
}

func TestContractsMakeContracts(t *testing.T) {
	w := newWorld(t)
	a := w.contract("a", self)
	w.must(a, answerWith(sub(1, "success", instantiate(1, a, script.OK, "40", ""))), "")
	first := w.made(a)
	w.must(a, answerWith(sub(1, "success", instantiate(1, "", script.OK, "", ""))), "")
	second := w.made(a)
	w.has(a, "60")
	w.has(first, "40")
	if first == second || first == a {
		t.Errorf("addresses %s, %s", first, second)
	}
	if m := w.meta(first); m.Creator != a || m.Query != self || m.Label != "child" || hex.EncodeToString(m.CodeId) != hex.EncodeToString(w.code) {
		t.Errorf("the record is %v", m)
	}
	if got, want := w.kept(first, script.Info), `{"sender":"`+a+`","funds":[{"denom":"ppha","amount":"40"}]}`; got != want {
		t.Errorf("it was instantiated with %s", got)
	}
	w.must(a, answerWith(sub(1, "success", instantiate(1, "", `{"ok":{"messages":[],"attributes":[],"events":[],"data":"Yg=="}}`, "", ""))), "")
	third := w.made(a)
	data := append(field(1, []byte(third)), field(2, []byte("b"))...)
	if got, want := w.kept(a, script.Reply), `"msg_responses":[{"type_url":"/cosmwasm.wasm.v1.MsgInstantiateContractResponse","value":"`+b64(string(data))+`"}]`; !strings.Contains(got, want) {
		t.Errorf("the reply is %s, want %s", got, want)
	}
	for name, msg := range map[string]string{
		"no-such-code":   instantiate(2, "", script.OK, "", ""),
		"bad-address":    instantiate(1, "nobody", script.OK, "", ""),
		"contract-error": instantiate(1, "", refusal, "", ""),
		"contract-funds": instantiate(1, "", script.OK, "61", ""),
		"bad-salt":       instantiate(1, "", script.OK, "", strings.Repeat("x", 65)),
	} {
		w.must(a, answerWith(sub(1, "success", msg)), name)
	}
}

func TestSaltedAddress(t *testing.T) {
	// Values of cosmwasm_std's instantiate2_address, from its own tests.
	for _, c := range []struct{ code, creator, salt, want string }{
		{"13a1fc994cc6d1c81b746ee0c0ff6f90043875e0bf1d9be6b7d779fc978dc2a5", "9999999999aaaaaaaaaabbbbbbbbbbcccccccccc", "61", "5e865d3e45ad3e961f77fd77d46543417ced44d924dc3e079b5415ff6775f847"},
		{"13a1fc994cc6d1c81b746ee0c0ff6f90043875e0bf1d9be6b7d779fc978dc2a5", "9999999999aaaaaaaaaabbbbbbbbbbcccccccccc", "aabbccddeeffffeeddbbccddaa66551155aaaabbcc787878789900aabbccddeeffffeeddbbccddaa66551155aaaabbcc787878789900aabbbbcc221100acadae", "9384c6248c0bb171e306fd7da0993ec1e20eba006452a3a9e078883eb3594564"},
		{"13a1fc994cc6d1c81b746ee0c0ff6f90043875e0bf1d9be6b7d779fc978dc2a5", "9999999999aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffff", "61", "9725e94f528d8b78d33c25f3dfcd60e6142d8be60ab36f6a5b59036fd51560db"},
		{"13a1fc994cc6d1c81b746ee0c0ff6f90043875e0bf1d9be6b7d779fc978dc2a5", "9999999999aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffff", "aabbccddeeffffeeddbbccddaa66551155aaaabbcc787878789900aabbccddeeffffeeddbbccddaa66551155aaaabbcc787878789900aabbbbcc221100acadae", "0aaf1c31c5d529d21d898775bc35b3416f47bfd99188c334c6c716102cbd3101"},
		{"1da6c16de2cbaf7ad8cbb66f0925ba33f5c278cb2491762d04658c1480ea229b", "9999999999aaaaaaaaaabbbbbbbbbbcccccccccc", "61", "b95c467218d408a0f93046f227b6ece7fe18133ff30113db4d2a7becdfeca141"},
		{"1da6c16de2cbaf7ad8cbb66f0925ba33f5c278cb2491762d04658c1480ea229b", "9999999999aaaaaaaaaabbbbbbbbbbcccccccccc", "aabbccddeeffffeeddbbccddaa66551155aaaabbcc787878789900aabbccddeeffffeeddbbccddaa66551155aaaabbcc787878789900aabbbbcc221100acadae", "67a3ab6384729925fdb144574628ce96836fe098d2c6be4e84ac106b2728d96c"},
	} {
		code, _ := hex.DecodeString(c.code)
		creator, _ := hex.DecodeString(c.creator)
		salt, _ := hex.DecodeString(c.salt)
		got, err := saltedAddress(code, creator, salt)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("got %x, %v, want %s", got, err, c.want)
		}
	}
	w := newWorld(t)
	a := w.contract("a", open)
	w.must(a, answerWith(sub(1, "success", instantiate(1, "", script.OK, "", "salt"))), "")
	raw, err := address.Decode(a)
	if err != nil {
		t.Fatal(err)
	}
	want, err := saltedAddress(w.code, raw, []byte("salt"))
	if err != nil || w.made(a) != address.Encode(want) {
		t.Errorf("made %s, want %s", w.made(a), address.Encode(want))
	}
	w.must(a, answerWith(sub(1, "success", instantiate(1, "", script.OK, "", "salt"))), "contract-exists")
}

func TestMigrationAndAdmin(t *testing.T) {
	w := newWorld(t)
	a, b := w.contract("a", open), w.contract("b", open)
	w.must(a, answerWith(sub(1, "success", instantiate(1, a, script.OK, "", ""))), "")
	child := w.made(a)
	migrate := func(msg string) string {
		return fmt.Sprintf(`{"wasm":{"migrate":{"contract_addr":%q,"new_code_id":1,"msg":%q}}}`, child, b64(msg))
	}
	update := func(to string) string {
		return fmt.Sprintf(`{"wasm":{"update_admin":{"contract_addr":%q,"admin":%q}}}`, child, to)
	}
	clearing := fmt.Sprintf(`{"wasm":{"clear_admin":{"contract_addr":%q}}}`, child)
	say := func(who, msg, code string) { t.Helper(); w.must(who, answerWith(sub(1, "success", msg)), code) }

	say(b, migrate(script.OK), "not-admin")
	say(a, migrate(refusal), "contract-error")
	const said = `{"ok":{"messages":[],"attributes":[],"events":[],"data":"bQ=="}}`
	say(a, migrate(said), "")
	if got := w.kept(child, script.Message); got != said {
		t.Errorf("migrate was given %s", got)
	}
	if got := w.kept(a, script.Reply); !strings.Contains(got, `MsgMigrateContractResponse","value":"CgFt"`) || !strings.Contains(got, `{"type":"migrate","attributes":[{"key":"_contract_address","value":"`+child+`"},{"key":"code_id","value":"1"}]}`) {
		t.Errorf("the reply is %s", got)
	}
	say(b, update(b), "not-admin")
	say(a, update("nobody"), "bad-address")
	say(a, update(strings.ToUpper(b)), "")
	say(a, migrate(script.OK), "not-admin")
	say(b, migrate(script.OK), "")
	say(a, clearing, "not-admin")
	say(b, clearing, "")
	say(b, migrate(script.OK), "not-admin")
	say(a, fmt.Sprintf(`{"wasm":{"clear_admin":{"contract_addr":%q}}}`, b), "not-admin") // made by an account: it has none
	say(a, fmt.Sprintf(`{"wasm":{"clear_admin":{"contract_addr":%q}}}`, alice), "no-such-contract")
}

func TestQuestions(t *testing.T) {
	w := newWorld(t)
	a, b := w.contract("a", owner), w.contract("b", open)
	w.script(b, `{"ok":"eWVz"}`)
	w.must(a, answerWith(sub(1, "success", instantiate(1, bob, script.OK, "", ""))), "")
	child := w.made(a) // of a, and like it answers to its creator alone
	secret := w.contract("secret", self)
	w.script(secret, `{"ok":"eWVz"}`)
	smart := func(of, msg string) string {
		return fmt.Sprintf(`{"wasm":{"smart":{"contract_addr":%q,"msg":%q}}}`, of, b64(msg))
	}
	raw := func(of string) string {
		return fmt.Sprintf(`{"wasm":{"raw":{"contract_addr":%q,"key":%q}}}`, of, b64(script.Message))
	}
	ask := func(kind, of string) string {
		return fmt.Sprintf(`{"wasm":{%q:{"contract_addr":%q}}}`, kind, of)
	}
	balance := func(of, denom string) string {
		return fmt.Sprintf(`{"bank":{"balance":{"address":%q,"denom":%q}}}`, of, denom)
	}
	ok := func(s string) string { return `{"ok":{"ok":"` + b64(s) + `"}}` }
	const denied = "denied"
	code := fmt.Sprintf("%x", w.code)
	for name, c := range map[string]struct{ by, request, want string }{
		"open":                {a, smart(b, `{}`), ok("yes")},
		"an error":            {a, smart(b, refusal), `{"ok":{"error":"contract-error: ` + b + `: no"}}`},
		"self, of oneself":    {a, smart(secret, `{"balance":{"address":"`+a+`"}}`), ok("yes")},
		"self, of another":    {a, smart(secret, `{"balance":{"address":"`+alice+`"}}`), denied},
		"of one's child":      {a, smart(child, `{"ok":"eWVz"}`), ok("yes")},
		"of one's creator":    {child, smart(a, `{"ok":"eWVz"}`), denied},
		"of nobody":           {a, smart(alice, `{}`), `{"error":{"no_such_contract":{"addr":"` + alice + `"}}}`},
		"raw, open":           {a, raw(b), ok(script.OK)},
		"raw, own":            {secret, raw(secret), ok(script.OK)},
		"raw, self":           {a, raw(secret), denied},
		"raw, owner":          {b, raw(a), denied},
		"raw, of one's child": {a, raw(child), ok(script.OK)},
		"info":                {b, ask("contract_info", child), ok(`{"code_id":1,"creator":"` + a + `","admin":"` + bob + `","pinned":false,"ibc_port":null,"ibc2_port":null}`)},
		"info of nobody":      {b, ask("contract_info", bob), `{"error":{"no_such_contract":{"addr":"` + bob + `"}}}`},
		"code":                {b, `{"wasm":{"code_info":{"code_id":1}}}`, ok(`{"checksum":"` + code + `","code_id":1,"creator":"` + alice + `"}`)},
		"no code":             {b, `{"wasm":{"code_info":{"code_id":2}}}`, `{"error":{"no_such_code":{"code_id":2}}}`},
		"own balance":         {a, balance(a, "ppha"), ok(`{"amount":{"denom":"ppha","amount":"100"}}`)},
		"own, another coin":   {a, balance(a, "atom"), ok(`{"amount":{"denom":"atom","amount":"0"}}`)},
		"open balance":        {a, balance(b, "ppha"), ok(`{"amount":{"denom":"ppha","amount":"100"}}`)},
		"self balance":        {a, balance(secret, "ppha"), denied},
		"an account's":        {a, balance(alice, "ppha"), denied},
		"all balances":        {a, `{"bank":{"all_balances":{"address":"` + a + `"}}}`, ok(`{"amount":[{"denom":"ppha","amount":"100"}]}`)},
		"all of nothing":      {child, `{"bank":{"all_balances":{"address":"` + child + `"}}}`, ok(`{"amount":[]}`)},
		"supply":              {a, `{"bank":{"supply":{"denom":"ppha"}}}`, `{"error":{"unsupported_request":{"kind":"bank"}}}`},
		"stargate":            {a, `{"stargate":{"path":"/x","data":""}}`, `{"error":{"unsupported_request":{"kind":"stargate"}}}`},
		"another word":        {a, `{"secret":{}}`, `{"error":{"unsupported_request":{"kind":"unknown"}}}`},
		"no request":          {a, `what`, `{"error":{"invalid_request":{"error":"the request cannot be read","request":"d2hhdA=="}}}`},
		"range": {a, `{"wasm":{"raw_range":{"contract_addr":"` + b + `","start":"aQ==","limit":1,"order":"ascending"}}}`,
			ok(`{"data":[["aQ==","` + b64(w.kept(b, script.Info)) + `"]],"next_key":"bQ=="}`)},
		"range backwards": {a, `{"wasm":{"raw_range":{"contract_addr":"` + b + `","start":"bQ==","end":"bg==","limit":5,"order":"descending"}}}`,
			ok(`{"data":[["bQ==","` + b64(script.OK) + `"]],"next_key":null}`)},
		"range of a secret": {a, `{"wasm":{"raw_range":{"contract_addr":"` + secret + `","limit":5,"order":"ascending"}}}`, denied},
	} {
		got := w.asked(c.by, c.request)
		if c.want == denied {
			if !strings.HasPrefix(got, `{"ok":{"error":"query-denied: `) {
				t.Errorf("%s: got %s", name, got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
