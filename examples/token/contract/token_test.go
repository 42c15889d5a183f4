package main

import (
	"strings"
	"testing"

	"github.com/phala-go/phala/sdk/contract/contracttest"
)

// The cast.
var (
	alice = contracttest.Address("alice")
	bob   = contracttest.Address("bob")
	carol = contracttest.Address("carol")
)

// most is the largest amount there is.
const most = "340282366920938463463374607431768211455"

func made(t *testing.T) *contracttest.Contract {
	t.Helper()
	c := contracttest.New(program())
	_, err := c.Instantiate(carol, InstantiateMsg{
		Name: "Secret", Symbol: "SCRT", Decimals: 6, InitialBalances: []AccountAmount{{alice, "1000"}, {bob, "7"}}, Mint: &Minter{carol},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func do(t *testing.T, c *contracttest.Contract, who string, msg ExecuteMsg, wantErr string) {
	t.Helper()
	_, err := c.Execute(who, msg)
	switch {
	case err == nil && wantErr == "":
	case err == nil || wantErr == "" || !strings.Contains(err.Error(), wantErr):
		t.Errorf("got %v, want %q", err, wantErr)
	}
}

func want(t *testing.T, c *contracttest.Contract, who, amount string) {
	t.Helper()
	var got Balance
	if err := c.Query(who, QueryMsg{Balance: &OwnBalance{who}}, &got); err != nil || got.Balance != amount {
		t.Errorf("got %q, %v, want %s", got.Balance, err, amount)
	}
}

func supply(t *testing.T, c *contracttest.Contract, amount string) {
	t.Helper()
	var got Token
	if err := c.Query("", QueryMsg{TokenInfo: &struct{}{}}, &got); err != nil || got != (Token{"Secret", "SCRT", 6, amount}) {
		t.Errorf("got %+v, %v, want a supply of %s", got, err, amount)
	}
}

func TestTransfer(t *testing.T) {
	c := made(t)
	r, err := c.Execute(alice, ExecuteMsg{Transfer: &Transfer{bob, "300"}})
	if err != nil || len(r.Attributes) != 4 || r.Attributes[3].Value != "300" {
		t.Errorf("got %+v, %v", r, err)
	}
	want(t, c, alice, "700")
	want(t, c, bob, "307")
	do(t, c, alice, ExecuteMsg{Transfer: &Transfer{bob, "701"}}, "you have 700, not 701")
	do(t, c, carol, ExecuteMsg{Transfer: &Transfer{bob, "1"}}, "you have 0, not 1")
	do(t, c, alice, ExecuteMsg{Transfer: &Transfer{alice, "700"}}, "") // to herself
	want(t, c, alice, "700")
	do(t, c, alice, ExecuteMsg{Transfer: &Transfer{carol, "700"}}, "")
	want(t, c, alice, "0")
	supply(t, c, "1007")
}

func TestAmounts(t *testing.T) {
	c := made(t)
	for _, a := range []string{"", "0", "-5", "1.5", "+1", "01", "1_0", "0x1", "a lot", most + "0"} {
		do(t, c, alice, ExecuteMsg{Transfer: &Transfer{bob, a}}, "positive whole number")
		do(t, c, alice, ExecuteMsg{Burn: &Burn{a}}, "positive whole number")
		do(t, c, carol, ExecuteMsg{Mint: &Mint{bob, a}}, "positive whole number")
	}
	do(t, c, alice, ExecuteMsg{Transfer: &Transfer{"nobody", "1"}}, "invalid address")
	want(t, c, alice, "1000")
	want(t, c, bob, "7")
}

func TestSupply(t *testing.T) {
	c := made(t)
	do(t, c, alice, ExecuteMsg{Burn: &Burn{"400"}}, "")
	do(t, c, alice, ExecuteMsg{Burn: &Burn{"601"}}, "you have 600, not 601")
	want(t, c, alice, "600")
	supply(t, c, "607")
	do(t, c, alice, ExecuteMsg{Mint: &Mint{alice, "1"}}, "only the minter")
	do(t, c, carol, ExecuteMsg{Mint: &Mint{bob, "3"}}, "")
	want(t, c, bob, "10")
	supply(t, c, "610")
	do(t, c, carol, ExecuteMsg{Mint: &Mint{bob, most}}, "more than 128 bits")
	want(t, c, bob, "10")
	supply(t, c, "610")
}

func TestBalancesAreSecret(t *testing.T) {
	c := made(t)
	for _, caller := range []string{bob, carol, ""} {
		if err := c.Query(caller, QueryMsg{Balance: &OwnBalance{alice}}, nil); err == nil || err.Error() != "not your balance" {
			t.Errorf("%q: got %v", caller, err)
		}
	}
}

func TestWrongTokens(t *testing.T) {
	for reason, msg := range map[string]InstantiateMsg{
		"a name has":         {Name: "S", Symbol: "SCRT"},
		"at most 18":         {Name: "Secret", Symbol: "SCRT", Decimals: 19},
		"invalid address":    {Name: "Secret", Symbol: "SCRT", InitialBalances: []AccountAmount{{"x", "1"}}},
		"two balances":       {Name: "Secret", Symbol: "SCRT", InitialBalances: []AccountAmount{{alice, "1"}, {alice, "1"}}},
		"positive":           {Name: "Secret", Symbol: "SCRT", InitialBalances: []AccountAmount{{alice, "0"}}},
		"more than 128 bits": {Name: "Secret", Symbol: "SCRT", InitialBalances: []AccountAmount{{alice, most}, {bob, "1"}}},
		"the minter":         {Name: "Secret", Symbol: "SCRT", Mint: &Minter{"x"}},
	} {
		if _, err := contracttest.New(program()).Instantiate(carol, msg); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want %q", err, reason)
		}
	}
}
