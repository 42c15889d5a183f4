package contracttest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/phala-go/phala/sdk/contract"
)

type pet struct {
	Owner string `json:"owner"`
	Kind  string `json:"kind"`
}

var pets = contract.NewIndexedMap("pets",
	contract.Index[pet]{Name: "owner", Key: func(p pet) string { return p.Owner }},
	contract.Index[pet]{Name: "kind", Key: func(p pet) string { return p.Kind }})

type keep struct {
	Name string `json:"name"`
	Pet  *pet   `json:"pet"`
}

type find struct {
	Index string `json:"index"`
	What  string `json:"what"`
}

func TestIndexedMap(t *testing.T) {
	c := New(contract.Contract{
		Execute: contract.Handle(func(ctx *contract.Context, m keep) error {
			if m.Pet == nil {
				pets.Remove(ctx, m.Name)
			} else {
				pets.Save(ctx, m.Name, *m.Pet)
			}
			return nil
		}),
		Query: contract.Answer(func(ctx *contract.Context, m find) ([]string, error) {
			var out []string
			for name := range pets.By(ctx, m.Index, m.What) {
				out = append(out, name)
			}
			return out, nil
		}),
	})
	finds := func(index, what string, want ...string) {
		t.Helper()
		var got []string
		if err := c.Query("", find{index, what}, &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s %q: got %v, %v, want %v", index, what, got, err, want)
		}
	}
	do := func(m keep) {
		t.Helper()
		if _, err := c.Execute("", m); err != nil {
			t.Fatal(err)
		}
	}
	do(keep{"rex", &pet{"ann", "dog"}})
	do(keep{"tom", &pet{"ann", "cat"}})
	do(keep{"ace", &pet{"anna", "dog"}})
	do(keep{"zoe", &pet{"", "cat"}})
	finds("owner", "ann", "rex", "tom")
	finds("owner", "anna", "ace")
	finds("owner", "", "zoe")
	finds("owner", "an")
	finds("kind", "dog", "ace", "rex")
	do(keep{"rex", &pet{"bob", "dog"}})
	finds("owner", "ann", "tom")
	finds("owner", "bob", "rex")
	finds("kind", "dog", "ace", "rex")
	do(keep{"ace", nil})
	do(keep{"ace", nil})
	finds("owner", "anna")
	finds("kind", "dog", "rex")
	var none []string
	if err := c.Query("", find{"colour", "red"}, &none); err == nil {
		t.Error("an unknown index answers")
	}
}

func TestEntryPoints(t *testing.T) {
	var last = contract.NewItem[string]("last")
	note := func(ctx *contract.Context, m words) error {
		if ctx.Sender() != "" {
			return fmt.Errorf("called by %q", ctx.Sender())
		}
		last.Save(ctx, m.Text)
		return nil
	}
	c := New(contract.Contract{
		Execute: contract.Handle(func(ctx *contract.Context, _ struct{}) error {
			ctx.Submessage(contract.Submessage{ID: 7, ReplyOn: contract.Always, Payload: []byte("p"), Msg: map[string]any{"x": 1}})
			ctx.Message(map[string]any{"y": 2})
			return nil
		}),
		Query: contract.Answer(func(ctx *contract.Context, _ struct{}) (string, error) {
			s, _ := last.Load(ctx)
			return s, nil
		}),
		Migrate: contract.Handle(note),
		Sudo:    contract.Handle(note),
		Reply: func(ctx *contract.Context, r contract.Reply) error {
			if r.Failure == "stop" {
				return fmt.Errorf("stopped")
			}
			made, ok := r.Find("instantiate", "_contract_address")
			last.Save(ctx, fmt.Sprint(r.ID, string(r.Payload), r.Failure, made, ok, string(r.Data)))
			return nil
		},
	})
	holds := func(want string) {
		t.Helper()
		var got string
		if err := c.Query("", struct{}{}, &got); err != nil || got != want {
			t.Errorf("holds %q, %v, want %q", got, err, want)
		}
	}
	r, err := c.Execute("me", struct{}{})
	if err != nil || len(r.Messages) != 2 || !slices.Equal(r.Replies, []contract.ReplyOn{contract.Always, contract.Never}) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Migrate(words{"new code"}); err != nil {
		t.Error(err)
	}
	holds("new code")
	if _, err := c.Sudo(words{"by the chain"}); err != nil {
		t.Error(err)
	}
	holds("by the chain")
	made := []contract.Event{{Type: "wasm"}, {Type: "instantiate", Attributes: []contract.Attribute{contract.Attr("code_id", "1"), contract.Attr("_contract_address", "pha1x")}}}
	if _, err := c.Reply(contract.Reply{ID: 7, Payload: []byte("p"), Events: made, Data: []byte("d")}); err != nil {
		t.Error(err)
	}
	holds("7ppha1xtrued")
	if _, err := c.Reply(contract.Reply{ID: 8, Failure: "no"}); err != nil {
		t.Error(err)
	}
	holds("8nofalse")
	if _, err := c.Reply(contract.Reply{Failure: "stop"}); err == nil {
		t.Error("a reply that refuses does not")
	}
	holds("8nofalse")
	for name, call := range map[string]func(any) (*Result, error){"migrate": c.Migrate, "sudo": c.Sudo} {
		if _, err := call(map[string]any{"what": 1}); err == nil {
			t.Errorf("%s takes what it does not know", name)
		}
	}
	empty := New(contract.Contract{})
	for name, err := range map[string]error{
		"migrate": second(empty.Migrate(words{})), "sudo": second(empty.Sudo(words{})), "reply": second(empty.Reply(contract.Reply{})),
	} {
		if err == nil || err.Error() != "this contract has no "+name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ *Result, err error) error { return err }
