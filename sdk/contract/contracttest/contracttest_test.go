package contracttest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/sdk/contract"
)

// A guest book: everybody may sign, each keeps the last words.
type start struct {
	Title string `json:"title"`
}

type act struct {
	Sign  *words    `json:"sign,omitempty"`
	Clear *struct{} `json:"clear,omitempty"`
	Pay   *pay      `json:"pay,omitempty"`
	Fail  *struct{} `json:"fail,omitempty"`
}

type words struct {
	Text string `json:"text"`
}

type pay struct {
	To     string `json:"to"`
	Amount string `json:"amount"`
}

type ask struct {
	Title *struct{} `json:"title,omitempty"`
	Mine  *struct{} `json:"mine,omitempty"`
	Page  *page     `json:"page,omitempty"`
	Write *struct{} `json:"write,omitempty"`
	Other *struct{} `json:"other,omitempty"`
}

type page struct {
	After string `json:"after"`
}

var (
	title = contract.NewItem[string]("title")
	book  = contract.NewMap[words]("book")
	books = contract.NewMap[words]("books") // its keys must not be seen in book
)

func begin(ctx *contract.Context, msg start) error {
	title.Save(ctx, msg.Title)
	books.Save(ctx, "x", words{"elsewhere"})
	return nil
}

func execute(ctx *contract.Context, msg act) error {
	switch {
	case msg.Sign != nil:
		book.Save(ctx, ctx.Sender(), *msg.Sign)
		ctx.Attribute("action", "sign")
		ctx.Emit("signed", contract.Attr("height", fmt.Sprint(ctx.Height())), contract.Attr("year", fmt.Sprint(ctx.Time().Year())))
		ctx.Return(len(msg.Sign.Text))
	case msg.Clear != nil:
		for who := range book.All(ctx) {
			book.Remove(ctx, who)
		}
	case msg.Pay != nil:
		ctx.Send(msg.Pay.To, msg.Pay.Amount, "ppha")
		ctx.Execute(ctx.Self(), act{Clear: &struct{}{}}, ctx.Funds()...)
	case msg.Fail != nil:
		title.Save(ctx, "spoilt")
		return errors.New("as asked")
	}
	return nil
}

func query(ctx *contract.Context, msg ask) (any, error) {
	switch {
	case msg.Mine != nil:
		w, ok := book.Load(ctx, ctx.Caller())
		if !ok {
			return nil, errors.New("you have not signed")
		}
		return w.Text, nil
	case msg.Page != nil:
		var out []string
		for _, w := range book.After(ctx, msg.Page.After) {
			out = append(out, w.Text)
		}
		for _, w := range book.Backwards(ctx) {
			out = append(out, w.Text)
		}
		return out, nil
	case msg.Write != nil:
		title.Save(ctx, "written")
	case msg.Other != nil:
		return contract.Ask[string](ctx, ctx.Self(), ask{Title: &struct{}{}})
	}
	t, _ := title.Load(ctx)
	return t, nil
}

func guestBook(t *testing.T) *Contract {
	t.Helper()
	c := New(contract.Contract{
		Instantiate: contract.Handle(begin), Execute: contract.Handle(execute), Query: contract.Answer(query),
	})
	if _, err := c.Instantiate(Address("owner"), start{"Guests"}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCalls(t *testing.T) {
	c := guestBook(t)
	c.Height, c.Time = 12, time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)
	alice, bob := Address("alice"), Address("bob")
	r, err := c.Execute(alice, act{Sign: &words{"hello"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Attributes, r.Events, string(r.Data)); got != "[{action sign}] [{signed [{height 12} {year 2031}]}]5" {
		t.Errorf("got %s", got)
	}
	var text string
	if err := c.Query(alice, ask{Mine: &struct{}{}}, &text); err != nil || text != "hello" {
		t.Errorf("got %q, %v", text, err)
	}
	for _, caller := range []string{bob, ""} {
		if err := c.Query(caller, ask{Mine: &struct{}{}}, &text); err == nil || err.Error() != "you have not signed" {
			t.Errorf("%q: got %v", caller, err)
		}
	}
	if _, err := c.Execute(alice, act{Clear: &struct{}{}}); err != nil {
		t.Error(err)
	}
	if err := c.Query(alice, ask{Mine: &struct{}{}}, &text); err == nil {
		t.Error("nothing was cleared")
	}
}

func TestRefusals(t *testing.T) {
	c := guestBook(t)
	alice := Address("alice")
	for _, tc := range []struct {
		msg  any
		want string
	}{
		{act{Fail: &struct{}{}}, "as asked"},
		{act{}, "want exactly one of sign, clear, pay, fail"},
		{act{Clear: &struct{}{}, Fail: &struct{}{}}, "want exactly one of"},
		{map[string]any{"sing": 1}, `unknown field "sing" (want one of sign, clear, pay, fail)`},
		{map[string]any{"sign": map[string]any{"text": "x", "txet": "y"}}, `unknown field "txet"`},
		{map[string]any{"clear": nil}, "want exactly one of"},
		{17, "cannot unmarshal number"},
		{act{Pay: &pay{alice, "0"}}, `sending "0": not a positive whole number`},
		{act{Pay: &pay{alice, "-1"}}, "not a positive"},
		{act{Pay: &pay{"pha1x", "1"}}, "invalid address"},
		{act{Pay: &pay{alice[:len(alice)-1] + "b", "1"}}, "invalid address"},
	} {
		if _, err := c.Execute(alice, tc.msg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: got %v, want %q", tc.msg, err, tc.want)
		}
	}
	var text string
	if err := c.Query("", ask{Title: &struct{}{}}, &text); err != nil || text != "Guests" {
		t.Errorf("a refused call left %q, %v", text, err)
	}
	if err := c.Query("", ask{Write: &struct{}{}}, &text); err == nil || !strings.Contains(err.Error(), "cannot be changed in a query") {
		t.Errorf("a query wrote: %v", err)
	}
}

func TestMessages(t *testing.T) {
	c := guestBook(t)
	bob := Address("bob")
	r, err := c.Execute(bob, act{Pay: &pay{bob, "250"}}, contract.Coin{Denom: "ppha", Amount: "1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"bank":{"send":{"to_address":"` + bob + `","amount":[{"denom":"ppha","amount":"250"}]}}}`,
		`{"wasm":{"execute":{"contract_addr":"` + c.Address + `","msg":"eyJjbGVhciI6e319","funds":[{"denom":"ppha","amount":"1"}]}}}`,
	}
	if len(r.Messages) != 2 || string(r.Messages[0]) != want[0] || string(r.Messages[1]) != want[1] {
		t.Errorf("got %s", r.Messages)
	}
}

func TestMapsAndPages(t *testing.T) {
	c := guestBook(t)
	for _, name := range []string{"b", "a", "c"} {
		if _, err := c.Execute(name, act{Sign: &words{name}}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	if err := c.Query("", ask{Page: &page{"a"}}, &got); err != nil || fmt.Sprint(got) != "[b c c b a]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAsk(t *testing.T) {
	c := guestBook(t)
	var text string
	if err := c.Query("", ask{Other: &struct{}{}}, &text); err == nil || !strings.Contains(err.Error(), "not answered") {
		t.Errorf("got %v", err)
	}
	var asked string
	for answer, want := range map[string]string{
		`{"ok":{"ok":"Ik90aGVyIg=="}}`: "Other",
		`{"ok":{"error":"gone"}}`:      "gone",
	} {
		c.Answers = func(r []byte) []byte { asked = string(r); return []byte(answer) }
		err := c.Query("", ask{Other: &struct{}{}}, &text)
		if err == nil && text != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v", answer, text, err)
		}
		if want := `{"wasm":{"smart":{"contract_addr":"` + c.Address + `","msg":"eyJ0aXRsZSI6e319"}}}`; asked != want {
			t.Errorf("asked %s, want %s", asked, want)
		}
	}
}

func TestMissingEntries(t *testing.T) {
	c := New(contract.Contract{})
	if _, err := c.Instantiate("x", 1); err != nil {
		t.Errorf("instantiate is optional: %v", err)
	}
	if _, err := c.Execute("x", 1); err == nil || err.Error() != "this contract has no execute" {
		t.Errorf("got %v", err)
	}
	if err := c.Query("x", 1, nil); err == nil || err.Error() != "this contract has no query" {
		t.Errorf("got %v", err)
	}
}

func TestAddress(t *testing.T) {
	a := Address("alice")
	if want := "pha190vqdjtlpcq27xslcveglfmr4ynfwg7gva23wu"; a != want { // as the engine has it
		t.Errorf("got %s, want %s", a, want)
	}
	if err := checkAddress(a); err != nil || a == Address("bob") {
		t.Errorf("%s: %v", a, err)
	}
}

func TestBadDeclarations(t *testing.T) {
	for name, f := range map[string]func(){
		"item without a name": func() { contract.NewItem[int]("") },
		"map without a name":  func() { contract.NewMap[int]("") },
		"not JSON":            func() { contract.NewItem[chan int]("c") },
		"registered twice":    func() { contract.Register(contract.Contract{}); contract.Register(contract.Contract{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}
