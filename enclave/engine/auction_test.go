package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

func account(t testing.TB, name string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	a, err := human(sum[:20])
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuction(t *testing.T) {
	code := gocontract.Build(t, "../../examples/auction/contract")
	pooled, fresh := newEngine(t, Config{}), newEngine(t, Config{})
	first, again := auction(t, pooled, code), auction(t, pooled, code)
	unpool(fresh)
	if one := auction(t, fresh, code); !slices.Equal(first, one) || !slices.Equal(first, again) {
		t.Errorf("gas differs: %d and %d pooled, %d on fresh instances", first, again, one)
	}
}

// auction runs one and gives the gas of its calls.
func auction(t *testing.T, e *Engine, code []byte) (gas []uint64) {
	ctx := context.Background()
	c, err := e.Compile(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Extended() {
		t.Error("a contract in Go is not seen as extended")
	}
	alice, bob, seller := account(t, "alice"), account(t, "bob"), account(t, "seller")
	state := memory{}
	env := Env{ChainID: "phala-test", Height: 7, TimeNanos: 1_900_000_000_000_000_000, Contract: account(t, "contract")}
	do := func(entry Entry, sender, msg, wantErr string) Outcome {
		t.Helper()
		overlay := memory(maps.Clone(state))
		out, err := e.Run(ctx, c, Call{Entry: entry, Env: env, Info: &Info{Sender: sender}, Msg: []byte(msg), Store: overlay})
		gas = append(gas, out.GasUsed)
		var refused *ContractError
		if wantErr != "" {
			if !errors.As(err, &refused) || refused.Message != wantErr {
				t.Errorf("%s %s: got %v, want %q", entry, msg, err, wantErr)
			}
			return out
		}
		if err != nil {
			t.Fatalf("%s %s: %v", entry, msg, err)
		}
		state = overlay
		return out
	}
	ask := func(caller, msg, want, wantErr string) {
		t.Helper()
		env.Caller = caller
		if out := do(Query, "", msg, wantErr); wantErr == "" && string(out.Query) != want {
			t.Errorf("%s: got %s, want %s", msg, out.Query, want)
		}
	}
	do(Instantiate, seller, `{"item":"a painting"}`, "")
	do(Execute, alice, `{"bid":{"amount":"125"}}`, "")
	do(Execute, bob, `{"bid":{"amount":"100"}}`, "")
	do(Execute, bob, `{"bid":{"amount":"90"}}`, "a bid can only be raised")
	do(Execute, bob, `{"bid":{"amount":"125"}}`, "")
	ask("", `{"status":{}}`, `{"item":"a painting","open":true,"bids":2}`, "")
	ask("", `{"winner":{}}`, "", "the auction is still open")
	own := `{"bid":{"bidder":"` + alice + `"}}`
	ask(alice, own, `{"bidder":"`+alice+`","amount":"125"}`, "")
	ask(bob, own, "", "not your bid")
	ask("", own, "", "not your bid")
	do(Execute, alice, `{"close":{}}`, "only the seller can close the auction")
	out := do(Execute, seller, `{"close":{}}`, "")
	if b, _ := json.Marshal(out.Response.Events); !bytes.Contains(b, []byte(`"auction_closed"`)) {
		t.Errorf("events %s", b)
	}
	do(Execute, alice, `{"bid":{"amount":"500"}}`, "the auction is closed")
	ask("", `{"winner":{}}`, `{"bidder":"`+alice+`","amount":"125"}`, "")
	ask("", `{"nonsense":{}}`, "", `reading the message: json: unknown field "nonsense" (want one of status, winner, bid)`)
	return gas
}
