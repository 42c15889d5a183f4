package cw20

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/cosmos/btcutil/bech32"

	"github.com/phala-go/phala/enclave/enclavetest/mapstore"
	"github.com/phala-go/phala/enclave/engine"
)

// token is an instance of cw20_base with its state.
type token struct {
	engine *engine.Engine
	code   *engine.Contract
	state  mapstore.Store
}

func deploy(t testing.TB) *token {
	t.Helper()
	ctx := context.Background()
	path, err := Locate()
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(ctx, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(ctx) })
	code, err := e.Compile(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	if code.Extended() {
		t.Error("cw20 is seen as one of our own contracts")
	}
	return &token{e, code, mapstore.Store{}}
}

func (tk *token) run(entry engine.Entry, sender, msg string) (engine.Outcome, error) {
	overlay := maps.Clone(tk.state)
	out, err := tk.engine.Run(context.Background(), tk.code, engine.Call{
		Entry: entry,
		Env:   engine.Env{ChainID: "phala-test", Height: 5, TimeNanos: 1_900_000_000_000_000_000, Contract: account("token")},
		Info:  &engine.Info{Sender: sender},
		Msg:   []byte(msg),
		Store: overlay,
	})
	if err == nil {
		tk.state = overlay
	}
	return out, err
}

func (tk *token) must(t testing.TB, entry engine.Entry, sender, msg string) engine.Outcome {
	t.Helper()
	out, err := tk.run(entry, sender, msg)
	if err != nil {
		t.Fatalf("%s %s: %v", entry, msg, err)
	}
	return out
}

func (tk *token) balance(t testing.TB, of string) string {
	t.Helper()
	out := tk.must(t, engine.Query, "", fmt.Sprintf(`{"balance":{"address":%q}}`, of))
	var answer struct{ Balance string }
	if err := json.Unmarshal(out.Query, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Balance
}

func TestUnmodifiedToken(t *testing.T) {
	tk := deploy(t)
	alice, bob := account("alice"), account("bob")
	tk.must(t, engine.Instantiate, alice, fmt.Sprintf(
		`{"name":"Secret","symbol":"SCRT","decimals":6,"initial_balances":[{"address":%q,"amount":"1000"}],"mint":{"minter":%q}}`, alice, alice))
	out := tk.must(t, engine.Execute, alice, fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"300"}}`, bob))
	if a := out.Response.Attributes; len(a) != 4 || a[0].Value != "transfer" || a[3].Value != "300" {
		t.Errorf("attributes %v", a)
	}
	if a, b := tk.balance(t, alice), tk.balance(t, bob); a != "700" || b != "300" {
		t.Errorf("balances %s and %s, want 700 and 300", a, b)
	}
	list := tk.must(t, engine.Query, "", `{"all_accounts":{}}`) // walks an iterator
	for _, who := range []string{alice, bob} {
		if !strings.Contains(string(list.Query), who) {
			t.Errorf("accounts %s lack %s", list.Query, who)
		}
	}
	tk.must(t, engine.Execute, alice, fmt.Sprintf(`{"send":{"contract":%q,"amount":"5","msg":"e30="}}`, bob))
	info := tk.must(t, engine.Query, "", `{"token_info":{}}`)
	if want := `"total_supply":"1000"`; !strings.Contains(string(info.Query), want) {
		t.Errorf("token info %s lacks %s", info.Query, want)
	}
}

func TestRefusals(t *testing.T) {
	tk := deploy(t)
	alice, bob := account("alice"), account("bob")
	tk.must(t, engine.Instantiate, alice, fmt.Sprintf(
		`{"name":"Secret","symbol":"SCRT","decimals":6,"initial_balances":[{"address":%q,"amount":"10"}]}`, alice))
	for _, c := range []struct{ entry, sender, msg, want string }{
		{"execute", alice, fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"11"}}`, bob), "Cannot Sub"},
		{"execute", alice, `{"transfer":{"recipient":"cosmos1xyz","amount":"1"}}`, "invalid address"},
		{"execute", bob, fmt.Sprintf(`{"mint":{"recipient":%q,"amount":"1"}}`, bob), "Unauthorized"},
		{"execute", alice, `{"no_such":{}}`, "unknown variant"},
		{"query", "", `{"balance":{"address":"pha1nobody"}}`, "invalid address"},
	} {
		_, err := tk.run(engine.Entry(c.entry), c.sender, c.msg)
		var refused *engine.ContractError
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, c.want) {
			t.Errorf("%s %s: got %v, want %q", c.entry, c.msg, err, c.want)
		}
	}
	if got := tk.balance(t, alice); got != "10" {
		t.Errorf("a refused call left %s of 10", got)
	}
}

func BenchmarkTransfer(b *testing.B) {
	tk := deploy(b)
	alice, bob := account("alice"), account("bob")
	tk.must(b, engine.Instantiate, alice, fmt.Sprintf(
		`{"name":"Secret","symbol":"SCRT","decimals":6,"initial_balances":[{"address":%q,"amount":"1000000000"}]}`, alice))
	msg := fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"1"}}`, bob)
	for b.Loop() {
		tk.must(b, engine.Execute, alice, msg)
	}
}

func account(name string) string {
	raw := append([]byte(name), make([]byte, 20)...)[:20]
	five, err := bech32.ConvertBits(raw, 8, 5, true)
	if err != nil {
		panic(err)
	}
	out, err := bech32.Encode("pha", five)
	if err != nil {
		panic(err)
	}
	return out
}
