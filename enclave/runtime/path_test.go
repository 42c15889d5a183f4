package runtime_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

const (
	fine = `{"ok":{"messages":[],"attributes":[{"key":"a","value":"b"}],"events":[],"data":"ZGF0YQ=="}}`
	one  = "1" // what the echo contract answers after its instantiation
	two  = "2" // and after a call that succeeded
)

// deploy instantiates the echo contract and waits until it is final.
func deploy(t *testing.T, n *enclavetest.Net, u *enclavetest.User, policy wire.QueryPolicy) []byte {
	t.Helper()
	s := u.Instantiate(n.Upload(enclavetest.Echo()), policy, fine)
	n.Blocks(4)
	if f := s.Result(n.Members[0]).Failure; f != nil {
		t.Fatal(f)
	}
	return s.Item.Address
}

// state is what an open contract answers at a node.
func state(t *testing.T, n *enclavetest.Net, x *enclavetest.Node, contract []byte) string {
	t.Helper()
	a, f := n.Query(x, &wire.QueryRequest{Contract: contract, Msg: []byte("{}")})
	switch {
	case f != nil:
		return f.Code
	case a.Failure != nil:
		return a.Failure.Code
	}
	return string(a.Data)
}

// agree checks that the head has moved to number and that all nodes serve its root.
func agree(t *testing.T, n *enclavetest.Net, contract []byte, number uint64, nodes ...*enclavetest.Node) {
	t.Helper()
	h := n.Chain.Head(n.Cluster)
	if h.Number != number {
		t.Fatalf("head is batch %d, want %d; refused %q, failures %q", h.Number, number, n.Chain.Refused, n.Failures())
	}
	for _, x := range nodes {
		a, f := n.Query(x, &wire.QueryRequest{Contract: contract, Msg: []byte("{}")})
		if f != nil || a.Number != number || !bytes.Equal(a.Root, h.Root) || !bytes.Equal(a.BatchHash, h.BatchHash) {
			t.Errorf("%s answers from %v (%v), the head is %d with root %x", x.Ref.Name(), a, f, number, h.Root)
		}
	}
}

func TestAuctionFromKeysToAnswers(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	seller, alice, bob := n.User("seller"), n.User("alice"), n.User("bob")
	s := seller.Instantiate(n.Upload(gocontract.Build(t, "../../examples/auction/contract")), wire.QUERY_POLICY_SELF, `{"item":"a painting"}`)
	n.Blocks(5)
	if f := s.Result(n.Members[1]).Failure; f != nil {
		t.Fatal(f)
	}
	contract := s.Item.Address
	if got := n.Chain.ContractState(n.Cluster, contract); got != wire.CONTRACT_STATE_LIVE {
		t.Errorf("contract is %s", got)
	}
	a, b := alice.Execute(contract, `{"bid":{"amount":"125"}}`, "", ""), bob.Execute(contract, `{"bid":{"amount":"0"}}`, "", "")
	n.Blocks(5)
	for _, x := range n.Members {
		if f := a.Result(x).Failure; f != nil {
			t.Error(f)
		}
		if f := b.Result(x).Failure; f == nil || f.Code != "contract-error" || f.Message != "a bid is a positive whole number" {
			t.Error(f)
		}
	}
	agree(t, n, contract, 2, n.Members...)
	ask := func(p *wire.Permit, msg string) (string, string) {
		t.Helper()
		r, f := n.Query(n.Members[2], &wire.QueryRequest{Contract: contract, Msg: []byte(msg), Permit: p})
		if f != nil {
			t.Fatal(f)
		}
		return string(r.Data), r.Failure.GetCode()
	}
	own := `{"bid":{"bidder":"` + alice.Addr + `"}}`
	if data, code := ask(alice.Permit(address.Encode(contract)), own); data != `{"bidder":"`+alice.Addr+`","amount":"125"}` {
		t.Errorf("%s %s", data, code)
	}
	if data, code := ask(bob.Permit(), own); code != "query-denied" || data != "" {
		t.Errorf("%s %s", data, code)
	}
	if data, code := ask(nil, own); code != "permit-missing" || data != "" {
		t.Errorf("%s %s", data, code)
	}
	// Another may hold the envelope and ask for its result; only its author opens the answer.
	if _, err := b.Key.OpenReply(enclavetest.Reply(a.Ask(n.Members[0]))); err == nil {
		t.Error("bob opens alice's result")
	}
	if len(n.Chain.Refused) > 0 {
		t.Errorf("the chain refused %q", n.Chain.Refused)
	}
	for _, f := range n.Failures() {
		if !strings.Contains(f, "unknown-cluster") {
			t.Log(f)
		}
	}
}
