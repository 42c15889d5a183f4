package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

func newEngine(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// must compiles what has to compile.
func (a *asm) must(t testing.TB, e *Engine) *Contract {
	t.Helper()
	c, err := e.Compile(context.Background(), a.bytes())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run calls a contract, with the state it is to work on.
func run(t testing.TB, e *Engine, c *Contract, entry Entry, s Store) (Outcome, error) {
	t.Helper()
	return e.Run(context.Background(), c, Call{Entry: entry, Info: &Info{Sender: "anyone"}, Msg: []byte(`{}`), Store: s})
}

// execute runs a body as an entry point and gives the state it leaves.
func execute(t testing.TB, e *Engine, a *asm, body []byte) (memory, error) {
	t.Helper()
	a.entries = map[Entry][]byte{Execute: cat(body, a.say(emptyResponse))}
	s := memory{}
	_, err := run(t, e, a.must(t, e), Execute, s)
	return s, err
}

func TestEmptyContract(t *testing.T) {
	e := newEngine(t, Config{})
	c := (&asm{}).must(t, e)
	out, err := run(t, e, c, Instantiate, memory{})
	if err != nil || out.Response == nil || len(out.Response.Messages) != 0 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if c.Extended() {
		t.Error("it is not extended")
	}
	if c = (&asm{extra: []string{"requires_phala"}}).must(t, e); !c.Extended() {
		t.Error("it is extended")
	}
}

func TestAnswers(t *testing.T) {
	e := newEngine(t, Config{})
	for _, tc := range []struct {
		entry        Entry
		answer, want string // want is the whole error, or what a query answers
	}{
		{Execute, emptyResponse, ""},
		{Execute, `{"error":"no"}`, "no"},
		{Execute, `{"ok":null}`, "execute trapped: the answer is null"},
		{Execute, `{}`, "execute trapped: the answer is neither ok nor an error, or both"},
		{Execute, `{"ok":{},"error":"x"}`, "execute trapped: the answer is neither ok nor an error, or both"},
		{Execute, `{"ok":[]}`, "execute trapped: the answer's content cannot be read: json: cannot unmarshal array into Go value of type engine.Response"},
		{Execute, `what`, "execute trapped: the answer is not a result: invalid character 'w' looking for beginning of value"},
		{Query, `{"ok":"eyJhIjoxfQ=="}`, `{"a":1}`},
		{Query, `{"ok":"***"}`, "query trapped: the answer's content cannot be read: illegal base64 data at input byte 0"},
	} {
		a := &asm{}
		a.entries = map[Entry][]byte{tc.entry: a.say(tc.answer)}
		out, err := run(t, e, a.must(t, e), tc.entry, memory{})
		got := string(out.Query)
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.answer, got, tc.want)
		}
	}
}

func TestResponse(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.entries = map[Entry][]byte{Execute: a.say(`{"ok":{"messages":[{"id":7,"msg":{"bank":{"send":{"to_address":"x","amount":[]}}},` +
		`"gas_limit":5,"reply_on":"success","payload":"AQ=="}],"attributes":[{"key":"k","value":"v"}],` +
		`"events":[{"type":"e","attributes":[]}],"data":"AgM="}}`)}
	out, err := run(t, e, a.must(t, e), Execute, memory{})
	if err != nil {
		t.Fatal(err)
	}
	r := out.Response
	m := r.Messages[0]
	if m.ID != 7 || string(m.Msg) != `{"bank":{"send":{"to_address":"x","amount":[]}}}` || *m.GasLimit != 5 || m.ReplyOn != "success" || m.Payload[0] != 1 {
		t.Errorf("message %+v", m)
	}
	if r.Attributes[0] != (Attribute{"k", "v"}) || r.Events[0].Type != "e" || string(r.Data) != "\x02\x03" {
		t.Errorf("response %+v", r)
	}
}

func TestArguments(t *testing.T) {
	e := newEngine(t, Config{})
	index := uint32(3)
	// The contract keeps what it was given: parameters 0, 1, 2.
	a := &asm{extra: []string{"requires_phala"}}
	var body []byte
	for i, key := range []string{"env", "info", "msg"} {
		body = cat(body, a.store(key, []byte{0x20, byte(i)}))
	}
	a.entries = map[Entry][]byte{Execute: cat(body, a.say(emptyResponse))}
	plain := *a
	plain.extra = nil
	env := Env{ChainID: "c", Height: 9, TimeNanos: 1234567890123456789, TxIndex: &index, Contract: "self", Caller: "me"}
	for _, tc := range []struct {
		a   *asm
		env string
	}{
		{a, `{"block":{"height":9,"time":"1234567890123456789","chain_id":"c"},"transaction":{"index":3},"contract":{"address":"self"},"caller":"me"}`},
		{&plain, `{"block":{"height":9,"time":"1234567890123456789","chain_id":"c"},"transaction":{"index":3},"contract":{"address":"self"}}`},
	} {
		s := memory{}
		_, err := e.Run(context.Background(), tc.a.must(t, e), Call{
			Entry: Execute, Env: env, Info: &Info{Sender: "s", Funds: []Coin{{"ppha", "5"}}}, Msg: []byte(`{"m":1}`), Store: s,
		})
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{
			"env": tc.env, "info": `{"sender":"s","funds":[{"denom":"ppha","amount":"5"}]}`, "msg": `{"m":1}`,
		} {
			if got := string(s[key]); got != want {
				t.Errorf("%s: got %s, want %s", key, got, want)
			}
		}
	}
}

func TestConcurrentCalls(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	m.entries = map[Entry][]byte{Execute: cat(m.store("msg", []byte{0x20, 2}), m.say(emptyResponse))}
	c := m.must(t, e)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				s, msg := memory{}, fmt.Sprint(i, j)
				_, err := e.Run(context.Background(), c, Call{Entry: Execute, Info: &Info{}, Msg: []byte(msg), Store: s})
				if err != nil || string(s["msg"]) != msg {
					t.Errorf("got %q, want %q, %v", s["msg"], msg, err)
				}
			}
		})
	}
	all.Wait()
}

func TestBadCalls(t *testing.T) {
	e := newEngine(t, Config{})
	c := (&asm{}).must(t, e)
	for name, call := range map[string]Call{
		"no entry":  {Entry: "begin_block", Store: memory{}},
		"no store":  {Entry: Query},
		"no sender": {Entry: Execute, Store: memory{}},
	} {
		if _, err := e.Run(context.Background(), c, call); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
