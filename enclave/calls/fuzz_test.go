package calls

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"github.com/phala-go/phala/enclave/state"
)

// FuzzMessages runs inputs whose contract answers with whatever bytes there
// are: the input ends as a result or as a failure with a code, a failure leaves
// nothing, and no money is made.
func FuzzMessages(f *testing.F) {
	w := newWorld(f)
	a, b := w.contract("a", open), w.contract("b", open)
	for _, m := range []string{
		send(bob, "1"), send(b, "100"), send(b, "101"), send("nobody", "1"), `{"bank":{"burn":{"amount":[{"denom":"ppha","amount":"3"}]}}}`,
		executing(b, `{"ok":{"messages":[],"attributes":[],"events":[],"data":"Yg=="}}`, "30"), executing(a, refusal, ""), executing(b, `loop`, ""),
		`{"wasm":{"instantiate":{"admin":"` + a + `","code_id":1,"msg":"e30=","funds":[],"label":"l"}}}`,
		`{"wasm":{"instantiate2":{"admin":null,"code_id":1,"msg":"e30=","funds":[{"denom":"ppha","amount":"1"}],"label":"l","salt":"AA=="}}}`,
		`{"wasm":{"migrate":{"contract_addr":"` + b + `","new_code_id":1,"msg":"e30="}}}`,
		`{"wasm":{"update_admin":{"contract_addr":"` + b + `","admin":"` + a + `"}}}`, `{"wasm":{"clear_admin":{"contract_addr":"` + b + `"}}}`,
		`{"staking":{}}`, `{"wasm":{}}`, `{}`, `[]`, `null`,
	} {
		for _, on := range []string{"never", "always"} {
			f.Add([]byte(answerWith(`{"id":1,"msg":` + m + `,"gas_limit":null,"reply_on":"` + on + `"}`)))
		}
	}
	f.Add([]byte(answerWith(`{"id":18446744073709551615,"msg":` + send(b, "1") + `,"gas_limit":1,"reply_on":"error","payload":"AA=="}`)))
	begin := w.ed
	w.gas = 20_000_000
	f.Fuzz(func(t *testing.T, answer []byte) {
		ed := begin.Step()
		s, step := &Session{Gas: w.gas, World: w.world}, ed.Step()
		meta, err := named(begin, a)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Execute(context.Background(), step, meta, alice, answer, "")
		var failed *Error
		if err != nil && (!errors.As(err, &failed) || failed.Failure.Code == "" || failed.Failure.Next == "") {
			t.Fatalf("%q: an error of the node: %v", answer, err)
		}
		if s.gas > w.gas {
			t.Fatalf("%q: %d gas of %d", answer, s.gas, w.gas)
		}
		if err != nil {
			return // the executor drops the step
		}
		total := held(step)
		for _, e := range s.Effects {
			n, ok := new(big.Int).SetString(e.GetPayout().GetAmount(), 10)
			if !ok || n.Sign() <= 0 {
				t.Fatalf("%q: an effect %v", answer, e)
			}
			total.Add(total, n)
		}
		if most := held(begin); total.Cmp(most) > 0 {
			t.Fatalf("%q: %s ppha where there were %s", answer, total, most)
		}
	})
}

// held is all money of accounts and contracts.
func held(ed *state.Editor) *big.Int {
	total := new(big.Int)
	ed.Map().Ascend([]byte{2}, []byte{3}, func(_, v []byte) bool {
		n, _ := new(big.Int).SetString(string(v), 10)
		total.Add(total, n)
		return true
	})
	return total
}

// FuzzQuestions asks whatever bytes there are: the answer is a SystemResult,
// and nothing has changed.
func FuzzQuestions(f *testing.F) {
	w := newWorld(f)
	a, b, c := w.contract("a", open), w.contract("b", self), w.contract("c", owner)
	for _, of := range []string{a, b, c, alice, "x"} {
		for _, q := range []string{
			`{"wasm":{"smart":{"contract_addr":"` + of + `","msg":"eyJvayI6IiJ9"}}}`, `{"wasm":{"raw":{"contract_addr":"` + of + `","key":"aQ=="}}}`,
			`{"wasm":{"raw_range":{"contract_addr":"` + of + `","start":null,"end":"/w==","limit":2,"order":"descending"}}}`,
			`{"wasm":{"contract_info":{"contract_addr":"` + of + `"}}}`, `{"bank":{"balance":{"address":"` + of + `","denom":"ppha"}}}`, `{"bank":{"all_balances":{"address":"` + of + `"}}}`,
		} {
			f.Add([]byte(q))
		}
	}
	f.Add([]byte(`{"wasm":{"code_info":{"code_id":1}}}`))
	f.Add([]byte(`{"wasm":{},"bank":{}}`))
	begin := w.ed
	f.Fuzz(func(t *testing.T, request []byte) {
		s, ed := &Session{Gas: 20_000_000, World: w.world}, begin.Step()
		q := &querier{ctx: context.Background(), s: s, ed: ed, asker: a, depth: 1}
		answer, used, err := q.Query(request, 10_000_000)
		var result struct {
			OK    *json.RawMessage `json:"ok"`
			Error *json.RawMessage `json:"error"`
		}
		switch {
		case err != nil:
			t.Fatalf("%q: an error of the node: %v", request, err)
		case json.Unmarshal(answer, &result) != nil || (result.OK == nil) == (result.Error == nil):
			t.Fatalf("%q: the answer is %s", request, answer)
		case used > 10_000_000:
			t.Fatalf("%q: %d gas", request, used)
		case held(ed).Cmp(held(begin)) != 0:
			t.Fatalf("%q: a question moved money", request)
		}
	})
}
