package main

import (
	"testing"

	"github.com/phala-go/phala/sdk/contract/contracttest"
)

// The cast.
var (
	seller = contracttest.Address("seller")
	alice  = contracttest.Address("alice")
	bob    = contracttest.Address("bob")
	carol  = contracttest.Address("carol")
)

func open(t *testing.T) *contracttest.Contract {
	t.Helper()
	c := contracttest.New(program())
	if _, err := c.Instantiate(seller, InstantiateMsg{Item: "a painting"}); err != nil {
		t.Fatal(err)
	}
	return c
}

func offer(t *testing.T, c *contracttest.Contract, who, amount, wantErr string) {
	t.Helper()
	r, err := c.Execute(who, ExecuteMsg{Bid: &Bid{Amount: amount}})
	switch {
	case err == nil && wantErr == "":
		if len(r.Events)+len(r.Attributes)+len(r.Messages)+len(r.Data) > 0 {
			t.Errorf("a sealed bid left traces: %+v", r)
		}
	case err == nil || err.Error() != wantErr:
		t.Errorf("bid of %s: got %v, want %q", amount, err, wantErr)
	}
}

func finish(t *testing.T, c *contracttest.Contract) {
	t.Helper()
	if _, err := c.Execute(seller, ExecuteMsg{Close: &struct{}{}}); err != nil {
		t.Fatal(err)
	}
}

func TestHighestBidWins(t *testing.T) {
	c := open(t)
	offer(t, c, alice, "100", "")
	offer(t, c, bob, "125", "")
	offer(t, c, carol, "9", "") // the lowest, though the last in the alphabet
	finish(t, c)
	wantWinner(t, c, Standing{bob, "125"})
}

func TestEarlierOfEqualBidsWins(t *testing.T) {
	c := open(t)
	offer(t, c, carol, "50", "")
	offer(t, c, bob, "70", "")
	offer(t, c, alice, "70", "")
	offer(t, c, carol, "70", "") // raised last
	finish(t, c)
	wantWinner(t, c, Standing{bob, "70"})
}

func wantWinner(t *testing.T, c *contracttest.Contract, want Standing) {
	t.Helper()
	var got Standing
	if err := c.Query("", QueryMsg{Winner: &struct{}{}}, &got); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestBidsAreSealed(t *testing.T) {
	c := open(t)
	offer(t, c, alice, "100", "")
	offer(t, c, alice, "110", "")
	var status Status
	if err := c.Query("", QueryMsg{Status: &struct{}{}}, &status); err != nil || status != (Status{"a painting", true, 1}) {
		t.Errorf("got %v, %v", status, err)
	}
	var own Standing
	ask := QueryMsg{Bid: &OwnBid{Bidder: alice}}
	if err := c.Query(alice, ask, &own); err != nil || own.Amount != "110" {
		t.Errorf("her own bid: got %v, %v", own, err)
	}
	for _, caller := range []string{bob, seller, ""} {
		if err := c.Query(caller, ask, &own); err == nil || err.Error() != "not your bid" {
			t.Errorf("%q: got %v", caller, err)
		}
	}
	if err := c.Query(bob, QueryMsg{Bid: &OwnBid{Bidder: bob}}, &own); err == nil || err.Error() != "you have not bid" {
		t.Errorf("got %v", err)
	}
	if err := c.Query("", QueryMsg{Winner: &struct{}{}}, &own); err == nil || err.Error() != "the auction is still open" {
		t.Errorf("got %v", err)
	}
}

func TestRules(t *testing.T) {
	c := open(t)
	for _, amount := range []string{"", "0", "-5", "1.5", "a lot", "18446744073709551616"} {
		offer(t, c, alice, amount, "a bid is a positive whole number")
	}
	offer(t, c, alice, "18446744073709551615", "")
	offer(t, c, bob, "10", "")
	offer(t, c, bob, "10", "a bid can only be raised")
	offer(t, c, bob, "9", "a bid can only be raised")
	if _, err := c.Execute(alice, ExecuteMsg{Close: &struct{}{}}); err == nil || err.Error() != "only the seller can close the auction" {
		t.Errorf("got %v", err)
	}
	finish(t, c)
	offer(t, c, bob, "11", "the auction is closed")
	if _, err := c.Execute(seller, ExecuteMsg{Close: &struct{}{}}); err == nil {
		t.Error("closed twice")
	}
}

func TestNobodyBid(t *testing.T) {
	c := open(t)
	finish(t, c)
	if err := c.Query("", QueryMsg{Winner: &struct{}{}}, nil); err == nil || err.Error() != "nobody bid" {
		t.Errorf("got %v", err)
	}
	if _, err := contracttest.New(program()).Instantiate(seller, InstantiateMsg{}); err == nil {
		t.Error("an auction of nothing")
	}
}
