// Vault is a contract of a test: it does with the extensions what it is told,
// and says how that went.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/phala-go/phala/sdk/contract"
)

type order struct {
	Draw *struct{} `json:"draw,omitempty"`
	Key  *struct {
		Path  string         `json:"path"`
		Curve contract.Curve `json:"curve"`
	} `json:"key,omitempty"`
	Sign *struct {
		Path    string         `json:"path"`
		Curve   contract.Curve `json:"curve"`
		Message []byte         `json:"message"`
	} `json:"sign,omitempty"`
	Tell *struct {
		Who   string `json:"who"`
		What  []byte `json:"what"`
		Times int    `json:"times"`
	} `json:"tell,omitempty"`
	// Ask has another one do it, and goes on if that fails.
	Ask *struct {
		Whom string `json:"whom"`
		Do   *order `json:"do"`
	} `json:"ask,omitempty"`
	// Bear makes another one.
	Bear *struct{} `json:"bear,omitempty"`
	// Fail does it and fails.
	Fail *order `json:"fail,omitempty"`
	// Panic does so.
	Panic *struct {
		Place int `json:"place"`
	} `json:"panic,omitempty"`
}

func do(ctx *contract.Context, o *order) (string, error) {
	var out []byte
	var err error
	switch {
	case o.Draw != nil:
		var first []byte
		if first, err = ctx.Random(); err == nil {
			out, err = ctx.Random()
		}
		out = append(first, out...)
	case o.Key != nil:
		out, err = ctx.PublicKey(o.Key.Path, o.Key.Curve)
	case o.Sign != nil:
		out, err = ctx.Sign(o.Sign.Path, o.Sign.Curve, o.Sign.Message)
	case o.Tell != nil:
		for range max(o.Tell.Times, 1) {
			if err = ctx.EmitPrivate(o.Tell.Who, o.Tell.What); err != nil {
				break
			}
		}
	case o.Ask != nil:
		msg, _ := json.Marshal(o.Ask.Do)
		ctx.Submessage(contract.Submessage{ID: 1, ReplyOn: contract.OnError, Msg: wasm("execute", map[string]any{"contract_addr": o.Ask.Whom, "msg": msg})})
	case o.Bear != nil:
		ctx.Submessage(contract.Submessage{ID: 2, ReplyOn: contract.OnSuccess, Msg: wasm("instantiate", map[string]any{"code_id": 1, "msg": []byte("{}"), "label": "child"})})
	case o.Fail != nil:
		if _, err = do(ctx, o.Fail); err == nil {
			err = errors.New("on purpose")
		}
	case o.Panic != nil:
		fall(o.Panic.Place)
	}
	return hex.EncodeToString(out), err
}

//go:noinline
func fall(place int) {
	var short [3]int
	ledge(short[:], place)
}

//go:noinline
func ledge(of []int, place int) { of[place]++ }

func run(ctx *contract.Context, o order) error {
	out, err := do(ctx, &o)
	ctx.Return(out)
	return err
}

func tell(ctx *contract.Context, o order) (string, error) { return do(ctx, &o) }

func heard(ctx *contract.Context, r contract.Reply) error {
	born, _ := r.Find("instantiate", "_contract_address")
	ctx.Return(born + r.Failure)
	return nil
}

func wasm(kind string, body map[string]any) any {
	body["funds"] = []contract.Coin{}
	return map[string]any{"wasm": map[string]any{kind: body}}
}

func init() {
	contract.Register(contract.Contract{
		Execute: contract.Handle(run), Query: contract.Answer(tell), Reply: heard,
	})
}

func main() {}
