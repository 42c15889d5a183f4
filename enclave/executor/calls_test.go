package executor_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

const fine = `{"ok":{"messages":[],"attributes":[{"key":"a","value":"b"}],"events":[{"type":"e","attributes":[{"key":"c","value":"d"}]}],"data":"ZGF0YQ=="}}`

func saying(messages ...string) string {
	return `{"ok":{"messages":[` + strings.Join(messages, ",") + `],"attributes":[],"events":[],"data":null}}`
}

func sub(msg, replyOn string) string {
	return `{"id":0,"msg":` + msg + `,"gas_limit":null,"reply_on":"` + replyOn + `"}`
}

func pay(to, denom, amount string) string {
	return sub(`{"bank":{"send":{"to_address":"`+to+`","amount":[{"denom":"`+denom+`","amount":"`+amount+`"}]}}}`, "never")
}

// world is a cluster of one member with the echo contract in it.
type world struct {
	*enclavetest.Net
	t        *testing.T
	x        *enclavetest.Node
	alice    *enclavetest.User
	contract []byte
}

func newWorld(t *testing.T, policy wire.QueryPolicy) *world {
	t.Helper()
	n := enclavetest.New(t, 1, 1)
	w := &world{Net: n, t: t, x: n.Members[0], alice: n.User("alice")}
	s := w.alice.Instantiate(n.Upload(enclavetest.Echo()), policy, fine)
	w.want(s, "")
	w.contract = s.Item.Address
	if got := n.Chain.ContractState(n.Cluster, w.contract); got != wire.CONTRACT_STATE_LIVE {
		t.Fatalf("contract is %s", got)
	}
	return w
}

func (w *world) want(s *enclavetest.Sent, code string) *wire.Result {
	w.t.Helper()
	w.Blocks(5)
	r := s.Result(w.x)
	if got := r.Failure.GetCode(); got != code {
		w.t.Errorf("result %q (%v), want %q", got, r.Failure, code)
	}
	if r.Failure != nil && (r.Data != nil || r.Attributes != nil) {
		w.t.Errorf("a failure with data: %v", r)
	}
	return r
}

// stored is what the contract has in its state: 1 after its instantiation, 2 after any call that succeeded.
func (w *world) stored(want string) {
	w.t.Helper()
	a, f := w.Query(w.x, &wire.QueryRequest{Contract: w.contract, Msg: []byte("{}")})
	if f != nil || a.Failure != nil || string(a.Data) != want {
		w.t.Errorf("the contract holds %v (%v), want %q", a, f, want)
	}
}

func TestCallsThatFailLeaveNothing(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	call := func(msg *wire.Call) *enclavetest.Sent {
		return w.alice.Send(&wire.InputContext{Kind: wire.INPUT_KIND_CALL}, msg)
	}
	execute := func(msg string) *wire.Call {
		return &wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: w.contract, Msg: []byte(msg)}}}
	}
	bob := address.Encode(bytes.Repeat([]byte{7}, 20))
	for name, c := range map[string]struct {
		send func() *enclavetest.Sent
		code string
	}{
		"contract error":   {func() *enclavetest.Sent { return call(execute(`{"error":"no"}`)) }, "contract-error"},
		"trap":             {func() *enclavetest.Sent { return call(execute(`garbage`)) }, "contract-trap"},
		"for {}":           {func() *enclavetest.Sent { return call(execute(`loop`)) }, "out-of-gas"},
		"unknown contract": {func() *enclavetest.Sent { return w.alice.Execute(make([]byte, 32), fine, "", "") }, "no-such-contract"},
		"no contract":      {func() *enclavetest.Sent { return w.alice.Execute(nil, fine, "", "") }, "no-such-contract"},
		"empty":            {func() *enclavetest.Sent { return call(&wire.Call{}) }, "malformed"},
		"instantiate as a call": {func() *enclavetest.Sent {
			return call(&wire.Call{Body: &wire.Call_Instantiate{Instantiate: &wire.Instantiate{}}})
		}, "malformed"},
		"attach what is not there": {func() *enclavetest.Sent { return w.alice.Execute(w.contract, fine, "", "5") }, "insufficient-funds"},
		"attach nothing":           {func() *enclavetest.Sent { return w.alice.Execute(w.contract, fine, "", "0") }, "bad-amount"},
		"attach less":              {func() *enclavetest.Sent { return w.alice.Execute(w.contract, fine, "", "-5") }, "bad-amount"},
		"attach words":             {func() *enclavetest.Sent { return w.alice.Execute(w.contract, fine, "", "1e3") }, "bad-amount"},
		"attach too much":          {func() *enclavetest.Sent { return w.alice.Execute(w.contract, fine, "", strings.Repeat("9", 40)) }, "bad-amount"},
		"withdraw nothing":         {func() *enclavetest.Sent { return w.alice.Withdraw("", "") }, "bad-amount"},
		"withdraw too much":        {func() *enclavetest.Sent { return w.alice.Withdraw("1", "") }, "insufficient-funds"},
		"withdraw a long number":   {func() *enclavetest.Sent { return w.alice.Withdraw(strings.Repeat("9", 1<<16), "") }, "bad-amount"},
		"pay without funds":        {func() *enclavetest.Sent { return call(execute(saying(pay(bob, "ppha", "1")))) }, "contract-funds"},
		"pay nothing":              {func() *enclavetest.Sent { return call(execute(saying(pay(bob, "ppha", "0")))) }, "bad-amount"},
		"pay another coin":         {func() *enclavetest.Sent { return call(execute(saying(pay(bob, "atom", "1")))) }, "bad-amount"},
		"pay nobody":               {func() *enclavetest.Sent { return call(execute(saying(pay("x", "ppha", "1")))) }, "bad-address"},
		"pay no contract": {func() *enclavetest.Sent {
			return call(execute(saying(pay(address.Encode(make([]byte, 32)), "ppha", "1"))))
		}, "bad-address"},
		"pay a poor contract": {func() *enclavetest.Sent { return call(execute(saying(pay(address.Encode(w.contract), "ppha", "1")))) }, "contract-funds"},
		"another message":     {func() *enclavetest.Sent { return call(execute(saying(sub(`{"wasm":{}}`, "never")))) }, "unsupported-message"},
		"burn nothing":        {func() *enclavetest.Sent { return call(execute(saying(sub(`{"bank":{"burn":{}}}`, "never")))) }, "bad-amount"},
		"a reply to nobody": {func() *enclavetest.Sent {
			return call(execute(saying(sub(`{"bank":{"send":{"to_address":"`+bob+`","amount":[]}}}`, "always"))))
		}, "contract-trap"}, // it has no entry point for that
	} {
		w.x.Outs = nil
		r := w.want(c.send(), c.code)
		if t.Failed() {
			t.Fatal(name)
		}
		if c.code == "contract-error" && r.Failure.Message != "no" {
			t.Errorf("%s: %v", name, r.Failure)
		}
		if c.code == "contract-trap" && !strings.Contains(r.Failure.Message, address.Encode(w.contract)) {
			t.Errorf("%s: %v", name, r.Failure)
		}
		for _, o := range w.x.Outs {
			if o.GetEffects() != nil {
				t.Errorf("%s: has effects %v", name, o)
			}
		}
	}
	w.stored("1")
	r := w.want(w.alice.Execute(w.contract, fine, "", ""), "")
	if string(r.Data) != "data" || len(r.Attributes) != 2 || r.Attributes[1].Key != "e.c" || !bytes.Equal(r.Contract, w.contract) {
		t.Errorf("result %v", r)
	}
	w.stored("2")
}

// What an envelope may be, and whom it opens for.
func TestEnvelopesThatDoNotCount(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	msg := wire.Marshal(&wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: w.contract, Msg: []byte(fine)}}})
	in := &wire.InputContext{Sender: w.alice.Addr, Kind: wire.INPUT_KIND_CALL}
	mallory := w.User("mallory").Addr
	submit := func(f func(i *wire.InboxItem), at seal.Context, plain []byte) (*wire.InboxItem, *seal.ReplyKey) {
		e, key := w.Seal(at, wire.Marshal(in), plain)
		c := *in
		item := &wire.InboxItem{Cluster: w.Cluster, Context: &c, Sealed: e}
		f(item)
		w.Chain.Submit(item)
		w.Blocks(5)
		return item, key
	}
	at := w.At(seal.DomainInput)
	later, elsewhere, epoch := w.At(seal.DomainQuery), at, at
	elsewhere.ChainID, epoch.Epoch = "another", 2
	for name, c := range map[string]struct {
		change func(i *wire.InboxItem)
		at     seal.Context
	}{
		"another's envelope": {func(i *wire.InboxItem) { i.Context.Sender = mallory }, at},
		"other funds":        {func(i *wire.InboxItem) { i.Context.Funds = "1" }, at},
		"another gas class":  {func(i *wire.InboxItem) { i.Context.GasClass = 3 }, at},
		"a query":            {func(*wire.InboxItem) {}, later},
		"another chain's":    {func(*wire.InboxItem) {}, elsewhere},
		"another epoch's":    {func(*wire.InboxItem) {}, epoch},
		"a flipped bit":      {func(i *wire.InboxItem) { i.Sealed.Ciphertext[3] ^= 1 }, at},
		"another suite":      {func(i *wire.InboxItem) { i.Sealed.Suite = 2 }, at},
		"a bad size":         {func(i *wire.InboxItem) { i.Sealed.Ciphertext = i.Sealed.Ciphertext[1:] }, at},
		"nothing sealed":     {func(i *wire.InboxItem) { i.Sealed = nil }, at},
	} {
		item, _ := submit(c.change, c.at, msg)
		outs := w.x.Do(&wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: w.Cluster, Index: item.Index}}})
		if f := enclavetest.Failure(outs); f == nil || f.Code != "does-not-open" || enclavetest.Reply(outs) != nil {
			t.Errorf("%s: %v; %q", name, outs, w.Failures())
		}
	}
	w.stored("1")

	// It opens, and is no message: its author is told.
	item, key := submit(func(*wire.InboxItem) {}, at, []byte{0xff, 0xff})
	s := enclavetest.Sent{Item: item, Key: key}
	plain, err := key.OpenReply(enclavetest.Reply(s.Ask(w.x)))
	if err != nil {
		t.Fatal(err)
	}
	var f wire.FinalResult
	if err := wire.Unmarshal(plain, &f); err != nil || f.Result.Failure.GetCode() != "malformed" {
		t.Errorf("%v %v", &f, err)
	}
	w.stored("1")

	// The same envelope twice: once in one batch, once later.
	e, key := w.Seal(at, wire.Marshal(in), msg)
	var items []*wire.InboxItem
	for range 2 {
		items = append(items, &wire.InboxItem{Cluster: w.Cluster, Context: in, Sealed: e})
		w.Chain.Submit(items[len(items)-1])
	}
	w.Blocks(5)
	items = append(items, &wire.InboxItem{Cluster: w.Cluster, Context: in, Sealed: e})
	w.Chain.Submit(items[2])
	w.Blocks(5)
	for i, item := range items {
		s := enclavetest.Sent{Item: item, Key: key}
		plain, err := key.OpenReply(enclavetest.Reply(s.Ask(w.x)))
		if err != nil {
			t.Fatal(err)
		}
		var f wire.FinalResult
		if err := wire.Unmarshal(plain, &f); err != nil || settle.VerifyResult(&f) != nil {
			t.Fatal(err)
		}
		if want := []string{"", "replay", "replay"}[i]; f.Result.Failure.GetCode() != want {
			t.Errorf("envelope %d: %v, want %q", i, f.Result.Failure, want)
		}
	}
}

func TestFundsComeInAndGoOut(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	bob := address.Encode(bytes.Repeat([]byte{7}, 20))
	paid := func(who, want string) {
		t.Helper()
		got := "0"
		if p := w.Chain.Paid[who]; p != nil {
			got = p.String()
		}
		if got != want {
			t.Errorf("%s was paid %s, want %s; %q", who, got, want, w.Chain.Refused)
		}
	}
	w.want(w.alice.Withdraw("101", "100"), "insufficient-funds") // the deposit stays
	w.want(w.alice.Withdraw("30", ""), "")
	paid(w.alice.Addr, "30")
	// 50 to the contract, which pays 20 and 5 on; the case of the address is no other account.
	w.want(w.alice.Execute(w.contract, saying(pay(bob, "ppha", "20"), pay(strings.ToUpper(bob), "ppha", "5")), "", "50"), "")
	paid(bob, "25")
	// It has 25 left: of two payments the second fails, and with it the first.
	r := w.want(w.alice.Execute(w.contract, saying(pay(bob, "ppha", "20"), pay(bob, "ppha", "6")), "", ""), "contract-funds")
	if strings.Contains(r.Failure.Message, "25") || strings.Contains(r.Failure.Message, "5 ppha") {
		t.Errorf("the caller learns what the contract has: %v", r.Failure)
	}
	paid(bob, "25")
	w.want(w.alice.Execute(w.contract, saying(pay(bob, "ppha", "25")), "", ""), "")
	paid(bob, "50")
	w.want(w.alice.Execute(w.contract, `{"error":"no"}`, "7", "20"), "contract-error") // 20 left of the first 100, and 7 more
	w.want(w.alice.Withdraw("28", ""), "insufficient-funds")
	w.want(w.alice.Withdraw("27", ""), "")
	paid(w.alice.Addr, "57")
	if e := w.Chain.Inbox(w.Cluster).Escrow; e != "0" {
		t.Errorf("escrow holds %s", e)
	}
	w.want(w.alice.Withdraw("1", ""), "insufficient-funds")
	if len(w.Chain.Refused) > 0 {
		t.Errorf("the chain refused %q", w.Chain.Refused)
	}
	// Every opening verifies against its own batch and against no other.
	openings := 0
	for _, o := range w.x.Outs {
		if e := o.GetEffects(); e != nil {
			for _, op := range e.Openings {
				openings++
				if err := settle.VerifyEffect(w.Chain.Batch(w.Cluster, e.Number).EffectsRoot, op); err != nil {
					t.Error(err)
				}
				if e.Number > 1 && settle.VerifyEffect(w.Chain.Batch(w.Cluster, e.Number-1).EffectsRoot, op) == nil {
					t.Error("an effect verifies against another batch")
				}
			}
		}
	}
	if openings != 6 { // live, 30, 20 and 5, 25, 27
		t.Errorf("%d openings", openings)
	}
}

func TestInstantiationsThatFail(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	code := w.Upload(enclavetest.Echo())
	bad := w.Upload([]byte("no module"))
	inst := func(code []byte, msg *wire.Call, funds string) *enclavetest.Sent {
		return w.alice.Send(&wire.InputContext{Kind: wire.INPUT_KIND_INSTANTIATE, CodeId: code, Query: wire.QUERY_POLICY_OPEN, Funds: funds}, msg)
	}
	with := func(msg, funds string) *wire.Call {
		return &wire.Call{Body: &wire.Call_Instantiate{Instantiate: &wire.Instantiate{Msg: []byte(msg), Funds: funds}}}
	}
	for name, c := range map[string]struct {
		sent func() *enclavetest.Sent
		code string
	}{
		"error": {func() *enclavetest.Sent { return inst(code, with(`{"error":"no"}`, ""), "") }, "contract-error"},
		"trap":  {func() *enclavetest.Sent { return inst(code, with(`x`, ""), "") }, "contract-trap"},
		"a call": {func() *enclavetest.Sent {
			return inst(code, &wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: w.contract}}}, "")
		}, "malformed"},
		"a withdrawal": {func() *enclavetest.Sent {
			return inst(code, &wire.Call{Body: &wire.Call_Withdraw{Withdraw: &wire.Withdraw{Amount: "1"}}}, "1")
		}, "malformed"},
		"bad code": {func() *enclavetest.Sent { return inst(bad, with(fine, ""), "") }, "bad-code"},
		"no funds": {func() *enclavetest.Sent { return inst(code, with(fine, "1000"), "") }, "insufficient-funds"},
	} {
		s := c.sent()
		w.want(s, c.code)
		if got := w.Chain.ContractState(w.Cluster, s.Item.Address); got != wire.CONTRACT_STATE_FAILED {
			t.Errorf("%s: contract is %s", name, got)
		}
		if a, f := w.Query(w.x, &wire.QueryRequest{Contract: s.Item.Address, Msg: []byte("{}")}); f != nil || a.Failure.GetCode() != "no-such-contract" {
			t.Errorf("%s: a contract that failed answers %v %v", name, a, f)
		}
	}
	s := inst(code, with(fine, "3"), "3")
	w.want(s, "")
	w.contract = s.Item.Address
	w.stored("1")
}

func TestQueryPolicies(t *testing.T) {
	answer := `{"ok":"` + base64.StdEncoding.EncodeToString([]byte("yes")) + `"}`
	for _, policy := range []wire.QueryPolicy{wire.QUERY_POLICY_SELF, wire.QUERY_POLICY_OWNER, wire.QUERY_POLICY_OPEN, wire.QUERY_POLICY_UNSPECIFIED, 77} {
		w := newWorld(t, policy)
		bob := w.User("bob")
		naming := func(a string) string { return `{"ok":"eWVz","x":["` + a + `"]}` }
		sign := func(b permit.Body) *wire.Permit {
			p, err := permit.Sign(bob.Key, b)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		hour := w.Chain.Time().Add(time.Hour)
		flipped := bob.Permit()
		flipped.Signature[5] ^= 1
		for name, c := range map[string]struct {
			permit            *wire.Permit
			msg               string
			self, owner, open string
		}{
			"no permit":         {nil, answer, "permit-missing", "permit-missing", ""},
			"empty permit":      {&wire.Permit{}, answer, "permit-invalid", "permit-invalid", "permit-invalid"},
			"flipped":           {flipped, answer, "permit-invalid", "permit-invalid", "permit-invalid"},
			"expired":           {sign(permit.Body{ChainID: enclavetest.ChainID, Cluster: 1, Expires: w.Chain.Time().Truncate(time.Second)}), answer, "permit-expired", "permit-expired", "permit-expired"},
			"another chain's":   {sign(permit.Body{ChainID: "x", Cluster: 1, Expires: hour}), answer, "permit-scope", "permit-scope", "permit-scope"},
			"another cluster's": {sign(permit.Body{ChainID: enclavetest.ChainID, Cluster: 2, Expires: hour}), answer, "permit-scope", "permit-scope", "permit-scope"},
			"another contract":  {bob.Permit(address.Encode(make([]byte, 32))), answer, "permit-scope", "permit-scope", "permit-scope"},
			"this contract":     {bob.Permit(address.Encode(w.contract)), answer, "", "query-denied", ""},
			"anybody's":         {bob.Permit(), answer, "", "query-denied", ""},
			"the creator's":     {w.alice.Permit(), answer, "", "", ""},
			"naming oneself":    {bob.Permit(), naming(bob.Addr), "", "query-denied", ""},
			"naming another":    {bob.Permit(), naming(w.alice.Addr), "query-denied", "query-denied", ""},
			"in capitals":       {bob.Permit(), naming(strings.ToUpper(w.alice.Addr)), "query-denied", "query-denied", ""},
			"escaped":           {bob.Permit(), naming(`\u0070ha` + w.alice.Addr[3:]), "query-denied", "query-denied", ""},
			"no JSON":           {bob.Permit(), `yes`, "query-denied", "query-denied", "contract-trap"},
		} {
			want := map[wire.QueryPolicy]string{wire.QUERY_POLICY_SELF: c.self, wire.QUERY_POLICY_OWNER: c.owner, wire.QUERY_POLICY_OPEN: c.open}[policy]
			if policy != wire.QUERY_POLICY_SELF && policy != wire.QUERY_POLICY_OWNER && policy != wire.QUERY_POLICY_OPEN {
				if want = "query-denied"; strings.HasPrefix(c.self, "permit") {
					want = c.self
				}
			}
			a, f := w.Query(w.x, &wire.QueryRequest{Contract: w.contract, Msg: []byte(c.msg), Permit: c.permit})
			if f != nil || a.Failure.GetCode() != want || (want == "") != (string(a.Data) == "yes") {
				t.Errorf("%s, %s: %v %v, want %q", policy, name, a, f, want)
			}
		}
		for msg, want := range map[string]string{`{"error":"no"}`: "contract-error", `{}x`: "contract-trap"} {
			a, f := w.Query(w.x, &wire.QueryRequest{Contract: w.contract, Msg: []byte(msg), Permit: w.alice.Permit()})
			if policy == wire.QUERY_POLICY_OWNER && (f != nil || a.Failure.GetCode() != want) {
				t.Errorf("%s: %v %v", msg, a, f)
			}
		}
	}
}

func TestQueriesThatAreNone(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	e, key := w.Seal(w.At(seal.DomainQuery), nil, []byte{0xff})
	plain, err := key.OpenReply(enclavetest.Reply(w.x.Do(&wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: w.Cluster, Envelope: e}}})))
	if err != nil {
		t.Fatal(err)
	}
	var a wire.QueryReply
	if err := wire.Unmarshal(plain, &a); err != nil || a.Failure.GetCode() != "malformed" || a.Height != w.Chain.Height {
		t.Errorf("%v %v", &a, err)
	}
	for _, c := range [][]byte{nil, make([]byte, 32), w.contract[:31], append(bytes.Clone(w.contract), 0)} {
		if a, f := w.Query(w.x, &wire.QueryRequest{Contract: c, Msg: []byte("{}")}); f != nil || a.Failure.GetCode() != "no-such-contract" {
			t.Errorf("contract %x: %v %v", c, a, f)
		}
	}
}

// A registration that has ended serves nobody.
func TestAnExpiredRegistrationEndsService(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	w.Chain.Tx("expire", func() error {
		me := w.Chain.Worker(w.x.Ref)
		me.ExpiryHeight = w.Chain.Height + 3
		w.Chain.Put(storekey.Worker, storekey.WorkerKey(w.x.Ref.Operator, w.x.Ref.Slot), me)
		return nil
	})
	w.Blocks(3)
	w.stored("1")
	w.Blocks(1)
	if a, f := w.Query(w.x, &wire.QueryRequest{Contract: w.contract, Msg: []byte("{}")}); f == nil || f.Code != "unknown-cluster" {
		t.Errorf("%v %v", a, f)
	}
	w.x.Register()
	w.Blocks(2)
	w.stored("1")
}
