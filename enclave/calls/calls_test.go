package calls

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest/script"
)

const (
	open  = wire.QUERY_POLICY_OPEN
	owner = wire.QUERY_POLICY_OWNER
	self  = wire.QUERY_POLICY_SELF
)

const refusal = `{"error":"no"}`

func TestMessageMovesFundsAndSaysWhoSends(t *testing.T) {
	w := newWorld(t)
	a, b := w.contract("a", open), w.contract("b", open)
	r := w.must(a, answerWith(sub(0, "never", executing(b, `{"ok":{"messages":[],"attributes":[{"key":"k","value":"v"}],"events":[{"type":"tax","attributes":[{"key":"z","value":"1"}]}],"data":"Yg=="}}`, "30"))), "")
	w.has(a, "70")
	w.has(b, "130")
	if got, want := w.kept(b, script.Info), `{"sender":"`+a+`","funds":[{"denom":"ppha","amount":"30"}]}`; got != want {
		t.Errorf("the callee sees %s, want %s", got, want)
	}
	var said []string
	for _, at := range r.Attributes {
		said = append(said, at.Key+"="+at.Value)
	}
	want := []string{
		"coin_spent.spender=" + a, "coin_spent.amount=30ppha", "coin_received.receiver=" + b, "coin_received.amount=30ppha",
		"transfer.recipient=" + b, "transfer.sender=" + a, "transfer.amount=30ppha",
		"execute._contract_address=" + b, "wasm._contract_address=" + b, "wasm.k=v", "wasm-tax._contract_address=" + b, "wasm-tax.z=1",
	}
	if strings.Join(said, " ") != strings.Join(want, " ") {
		t.Errorf("the result says %q, want %q", said, want)
	}
	if r.Data != nil {
		t.Errorf("data %q of a callee without a reply", r.Data)
	}
}

func TestReplies(t *testing.T) {
	gas := regexp.MustCompile(`"gas_used":[1-9][0-9]*`)
	ok := `{"ok":{"messages":[],"attributes":[{"key":"z","value":"1"},{"key":"b","value":"2"}],"events":[],"data":"Yg=="}}`
	for name, c := range map[string]struct {
		on, answer string
		code       string // of the whole
		replied    string // what the reply says, if there is one
	}{
		"never, ok":      {"never", ok, "", ""},
		"never, error":   {"never", refusal, "contract-error", ""},
		"success, ok":    {"success", ok, "", `"data":"CgFi","msg_responses":[{"type_url":"/cosmwasm.wasm.v1.MsgExecuteContractResponse","value":"CgFi"}]}}`},
		"success, error": {"success", refusal, "contract-error", ""},
		"error, ok":      {"error", ok, "", ""},
		"error, error":   {"error", refusal, "", `"result":{"error":"contract-error: B: no"}`},
		"error, trap":    {"error", `{"ok":5}`, "", `"result":{"error":"contract-trap: contract B trapped in execute of ok"}`},
		"always, ok":     {"always", ok, "", `{"gas_used":N,"id":7,"result":{"ok":{"events":[{"type":"execute","attributes":[{"key":"_contract_address","value":"B"}]},{"type":"wasm","attributes":[{"key":"_contract_address","value":"B"},{"key":"b","value":"2"},{"key":"z","value":"1"}]}],"data":"CgFi",`},
		"always, error":  {"always", refusal, "", `{"gas_used":N,"id":7,"result":{"error":"contract-error: B: no"}}`},
		"sometimes":      {"sometimes", ok, "unsupported-message", ""},
	} {
		w := newWorld(t)
		a, b := w.contract("a", open), w.contract("b", open)
		w.script(a, `{"ok":{"messages":[],"attributes":[],"events":[],"data":"cmVwbHk="}}`)
		r := w.must(a, answerWith(sub(7, c.on, executing(b, c.answer, ""))), c.code)
		got := gas.ReplaceAllString(strings.ReplaceAll(w.kept(a, script.Reply), b, "B"), `"gas_used":N`)
		if !strings.Contains(got, c.replied) || (c.replied == "") != (got == "") {
			t.Errorf("%s: the reply was %s, want %s", name, got, c.replied)
		}
		want := ""
		if c.replied != "" {
			want = "reply"
		}
		if string(r.Data) != want {
			t.Errorf("%s: data %q, want %q", name, r.Data, want)
		}
	}
}

func TestPayloadComesBack(t *testing.T) {
	w := newWorld(t)
	a := w.contract("a", open)
	msg := strings.Replace(sub(1, "always", send(bob, "5")), `"id"`, `"payload":"cGF5","id"`, 1)
	w.must(a, answerWith(msg), "")
	want := `{"gas_used":0,"id":1,"result":{"ok":{"events":[],"msg_responses":[{"type_url":"/cosmos.bank.v1beta1.MsgSendResponse","value":""}]}},"payload":"cGF5"}`
	if got := w.kept(a, script.Reply); got != want {
		t.Errorf("the reply was %s, want %s", got, want)
	}
	w.has(a, "95")
	if len(w.paid) != 1 || w.paid[0].GetPayout().To != bob || w.paid[0].GetPayout().Amount != "5" {
		t.Errorf("effects %v", w.paid)
	}
	long := strings.Replace(msg, "cGF5", b64(strings.Repeat("x", maxPayload+1)), 1)
	w.must(a, answerWith(long), "unsupported-message")
}

// Of a message that fails nothing is left, however deep the failure was, and everything of its neighbours.
func TestRollback(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.contract("a", open), w.contract("b", open), w.contract("c", open)
	deep := answerWith(sub(0, "never", send(bob, "1")), sub(0, "never", executing(c, answerWith(), "2")), sub(0, "never", executing(c, refusal, "")))
	w.must(a, answerWith(sub(1, "never", send(bob, "10")), sub(2, "error", executing(b, deep, "20")), sub(3, "never", send(bob, "3"))), "")
	w.has(a, "87")
	w.has(b, "100")
	w.has(c, "100")
	if w.kept(b, script.Message) != script.OK || w.kept(c, script.Message) != script.OK {
		t.Error("a failed message has left writes")
	}
	if len(w.paid) != 2 || w.paid[0].GetPayout().Amount != "10" || w.paid[1].GetPayout().Amount != "3" {
		t.Errorf("effects %v", w.paid)
	}
	// A reply that fails takes everything along.
	w.script(a, refusal)
	r, err := w.execute(a, answerWith(sub(1, "always", send(bob, "10"))))
	if codeOf(err) != "contract-error" || r.Data != nil || len(w.paid) != 2 {
		t.Errorf("a failed reply: %v %v", r, err)
	}
	w.has(a, "87")
}

func TestPayments(t *testing.T) {
	w := newWorld(t)
	a, b := w.contract("a", open), w.contract("b", open)
	for _, c := range []struct{ msg, code, a, b string }{
		{send(b, "10"), "", "90", "110"},
		{send(strings.ToUpper(b), "10"), "", "80", "120"},
		{send(a, "5"), "", "80", "120"},
		{send(b, "81"), "contract-funds", "80", "120"},
		{send(b, "0"), "bad-amount", "80", "120"},
		{send("x", "1"), "bad-address", "80", "120"},
		{`{"bank":{"send":{"to_address":"` + b + `","amount":[]}}}`, "bad-amount", "80", "120"},
		{`{"bank":{"burn":{"amount":[{"denom":"ppha","amount":"8"}]}}}`, "", "72", "120"},
		{`{"bank":{"burn":{"amount":[{"denom":"ppha","amount":"73"}]}}}`, "contract-funds", "72", "120"},
		{executing(b, script.OK, "73"), "contract-funds", "72", "120"},
		{executing(b, script.OK, "-1"), "bad-amount", "72", "120"},
		{`{"staking":{}}`, "unsupported-message", "72", "120"},
		{`{"wasm":{}}`, "unsupported-message", "72", "120"},
		{`{"bank":{},"wasm":{}}`, "unsupported-message", "72", "120"},
		{`7`, "unsupported-message", "72", "120"},
	} {
		w.must(a, answerWith(sub(0, "never", c.msg)), c.code)
		w.has(a, c.a)
		w.has(b, c.b)
	}
	if len(w.paid) != 0 {
		t.Errorf("private payments have effects: %v", w.paid)
	}
}

func TestBounds(t *testing.T) {
	w := newWorld(t)
	a := w.contract("a", open)
	// A contract that calls itself for ever: the script is what it answers to everything else.
	w.script(a, answerWith(sub(0, "never", executing(a, `{}`, ""))))
	w.must(a, `{}`, "too-deep")
	// Twice at each level is stopped before depth multiplies.
	w.script(a, answerWith(sub(0, "error", executing(a, `{}`, "")), sub(0, "never", executing(a, `{}`, ""))))
	if _, err := w.execute(a, `{}`); codeOf(err) != "too-deep" && codeOf(err) != "too-many-calls" {
		t.Errorf("got %v", err)
	}
	many := make([]string, maxCalls)
	for i := range many {
		many[i] = sub(0, "never", executing(a, script.OK, ""))
	}
	w.must(a, answerWith(many...), "too-many-calls")
	w.must(a, answerWith(many[2:]...), "")
}

func TestEventsAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.contract("a", open)
	loud := `{"ok":{"messages":[],"attributes":[{"key":"k","value":"` + strings.Repeat("x", 20<<10) + `"}],"events":[],"data":null}}`
	w.script(a, loud)
	many := make([]string, maxEvents/(20<<10)+1)
	for i := range many {
		many[i] = sub(0, "never", executing(a, `{}`, ""))
	}
	w.must(a, answerWith(many[2:]...), "")
	w.must(a, answerWith(many...), "contract-events")
}

// What the node lacks is no failure of the contract's, and no contract catches it.
func TestMissingCodeEndsTheInput(t *testing.T) {
	w := newWorld(t)
	a, b := w.contract("a", open), w.contract("b", open)
	w.lacks = true
	if _, err := w.execute(a, answerWith(sub(0, "always", executing(b, script.OK, "")))); !errors.Is(err, errLack) {
		t.Errorf("got %v", err)
	}
}

func TestReservedAttributes(t *testing.T) {
	w := newWorld(t)
	a := w.contract("a", open)
	for _, key := range []string{"_contract_address", " _x", "", "  "} {
		w.must(a, `{"ok":{"messages":[],"attributes":[{"key":"`+key+`","value":"v"}],"events":[],"data":null}}`, "contract-events")
		w.must(a, `{"ok":{"messages":[],"attributes":[],"events":[{"type":"tax","attributes":[{"key":"`+key+`","value":"v"}]}],"data":null}}`, "contract-events")
	}
	w.must(a, `{"ok":{"messages":[],"attributes":[],"events":[{"type":" ","attributes":[]}],"data":null}}`, "contract-events")
}

// TestGas: who asks or is answered pays for what is done on the way; a
// message's own limit ends the message alone; none is left when it is used up.
func TestGas(t *testing.T) {
	w := newWorld(t)
	a, b := w.contract("a", open), w.contract("b", open)
	w.script(a, `{"ok":{"messages":[],"attributes":[],"events":[],"data":"cmVwbHk="}}`)
	limited := func(n string) string {
		return answerWith(strings.Replace(sub(7, "error", executing(b, refusal, "")), `"gas_limit":null`, `"gas_limit":`+n, 1))
	}
	w.must(a, limited("1000"), "")
	if got := w.kept(a, script.Reply); !strings.Contains(got, "out-of-gas") {
		t.Errorf("the reply was %s", got)
	}
	w.must(a, limited("1000000"), "")
	if got := w.kept(a, script.Reply); !strings.Contains(got, "contract-error") {
		t.Errorf("the reply was %s", got)
	}
	w.gas = 14_000 // enough for the first call alone
	w.must(a, limited("1000000"), "out-of-gas")
}
