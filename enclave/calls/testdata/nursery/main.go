// Command nursery is a contract that makes others of its own kind, keeps a
// list of them, asks and migrates them.
package main

import (
	"encoding/json"
	"fmt"

	"github.com/phala-go/phala/sdk/contract"
)

type child struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

type start struct {
	Name string `json:"name"`
}

type act struct {
	Bear   *bear   `json:"bear,omitempty"`
	Rename *rename `json:"rename,omitempty"`
}

type bear struct {
	Code uint64          `json:"code"`
	Name string          `json:"name"`
	Init json.RawMessage `json:"init"`
}

type rename struct {
	Address string `json:"address"`
	Code    uint64 `json:"code"`
	Name    string `json:"name"`
}

type ask struct {
	Name     *struct{} `json:"name,omitempty"`
	Children *start    `json:"children,omitempty"`
}

var (
	name     = contract.NewItem[string]("name")
	failures = contract.NewItem[string]("failures")
	children = contract.NewIndexedMap("children", contract.Index[child]{Name: "name", Key: func(c child) string { return c.Name }})
)

func call(ctx *contract.Context, m act) error {
	if m.Bear != nil {
		ctx.Submessage(contract.Submessage{
			ID: 1, ReplyOn: contract.Always, Payload: []byte(m.Bear.Name),
			Msg: wasm("instantiate", map[string]any{"code_id": m.Bear.Code, "msg": []byte(m.Bear.Init), "funds": []contract.Coin{}, "label": m.Bear.Name, "admin": ctx.Self()}),
		})
		return nil
	}
	msg, err := json.Marshal(start{m.Rename.Name})
	ctx.Message(wasm("migrate", map[string]any{"contract_addr": m.Rename.Address, "new_code_id": m.Rename.Code, "msg": msg}))
	return err
}

func wasm(kind string, body any) any { return map[string]any{"wasm": map[string]any{kind: body}} }

func reply(ctx *contract.Context, r contract.Reply) error {
	address, ok := r.Find("instantiate", "_contract_address")
	if !ok {
		failures.Save(ctx, r.Failure)
		ctx.Return("none")
		return nil
	}
	got, err := contract.Ask[string](ctx, address, ask{Name: &struct{}{}})
	if err != nil {
		return err
	}
	children.Save(ctx, address, child{address, string(r.Payload)})
	ctx.Return(got)
	return nil
}

func set(ctx *contract.Context, m start) error {
	if m.Name == "" {
		return fmt.Errorf("a child needs a name")
	}
	name.Save(ctx, m.Name)
	return nil
}

func answer(ctx *contract.Context, m ask) (any, error) {
	if m.Name != nil {
		s, _ := name.Load(ctx)
		return s, nil
	}
	out := []child{}
	for _, c := range children.By(ctx, "name", m.Children.Name) {
		out = append(out, c)
	}
	return out, nil
}

func init() {
	contract.Register(contract.Contract{
		Instantiate: contract.Handle(set), Execute: contract.Handle(call), Query: contract.Answer(answer),
		Migrate: contract.Handle(set), Reply: reply,
	})
}

func main() {}
