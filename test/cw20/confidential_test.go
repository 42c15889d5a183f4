package cw20

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// label is the one thing about the token that is said in public.
const label = "a token of others"

// TestConfidentialToken deploys the token that others wrote and published for open chains, unchanged, and its balances are secret.
func TestConfidentialToken(t *testing.T) {
	n := start(t)
	wasm, err := Locate()
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := n.names["alice"], n.names["bob"]
	began := time.Now()
	var code struct {
		ID string `json:"code_id"`
	}
	n.phala(t, "", &code, "upload", wasm, "--from", "alice")
	if code.ID != digest {
		t.Errorf("the code's id is %s, its hash %s", code.ID, digest)
	}
	var deployed result
	n.phala(t, "", &deployed, "deploy", code.ID, "--query", "self", "--label", label, "--from", "alice", "--init", fmt.Sprintf(
		`{"name":"Secret","symbol":"SCRT","decimals":6,"initial_balances":[{"address":%q,"amount":"1000"}]}`, alice))
	token := deployed.Contract
	if !strings.HasPrefix(token, "pha1") || deployed.Signatures < 2 {
		t.Fatalf("deployed: %+v", deployed)
	}

	var paid result
	n.phala(t, "", &paid, "call", token, fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"300"}}`, bob), "--from", "alice")
	if a := paid.Attributes; paid.Signatures < 2 || paid.Final <= paid.Ordered || len(a) != 4 || a[0].Value != "transfer" || a[3].Value != "300" {
		t.Errorf("the transfer: %+v", paid)
	}
	t.Logf("uploaded, deployed and paid in %.1f s", time.Since(began).Seconds())
	n.wantBalance(t, token, "alice", "700")
	n.wantBalance(t, token, "bob", "300")

	t.Run("nothing in clear", func(t *testing.T) {
		if !n.stored(t, label) {
			t.Error("not even the public label is found: the search sees nothing")
		}
		for _, secret := range []string{`{"transfer":{"recipient"`, `"amount":"300"`, `"amount":"1000"`} {
			if n.stored(t, secret) {
				t.Errorf("%s lies in clear in the files of the network", secret)
			}
		}
	})
	t.Run("another's balance", func(t *testing.T) {
		n.phala(t, "query-denied", nil, "query", token, balance(bob), "--from", "alice")
		n.phala(t, "query-denied", nil, "query", token, balance(alice), "--from", "carol")
		n.phala(t, "query-denied", nil, "query", token, balance(strings.ToUpper(bob)), "--from", "alice")
		n.phala(t, "permit-missing", nil, "query", token, balance(bob))
	})
	t.Run("who holds it", func(t *testing.T) { // the limit of the policy, as docs/limitations.md has it
		var answer struct{ Data struct{ Accounts []string } }
		n.phala(t, "", &answer, "query", token, `{"all_accounts":{}}`, "--from", "carol")
		if len(answer.Data.Accounts) != 2 {
			t.Errorf("carol sees the holders %v", answer.Data.Accounts)
		}
	})
	t.Run("overdraft", func(t *testing.T) {
		var refused result
		n.phala(t, "contract-error", &refused, "call", token, fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"701"}}`, bob), "--from", "alice")
		if f := refused.Failure; f == nil || f.Code != "contract-error" || !strings.Contains(f.Message, "Cannot Sub") || refused.Final == 0 {
			t.Errorf("the overdraft: %+v", refused)
		}
		n.wantBalance(t, token, "alice", "700")
		n.wantBalance(t, token, "bob", "300")
	})
	t.Run("nobody may mint", func(t *testing.T) {
		n.phala(t, "contract-error", nil, "call", token, fmt.Sprintf(`{"mint":{"recipient":%q,"amount":"1"}}`, bob), "--from", "bob")
		n.wantBalance(t, token, "bob", "300")
	})
	t.Run("what a refusal leaves", func(t *testing.T) { // a token that goes on
		n.phala(t, "", nil, "call", token, fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"300"}}`, alice), "--from", "bob")
		n.wantBalance(t, token, "alice", "1000")
		n.wantBalance(t, token, "bob", "0")
	})
}

func balance(of string) string { return fmt.Sprintf(`{"balance":{"address":%q}}`, of) }

// wantBalance reads somebody's balance with that account's own permit.
func (n *network) wantBalance(t *testing.T, token, name, want string) {
	t.Helper()
	var answer struct{ Data struct{ Balance string } }
	n.phala(t, "", &answer, "query", token, balance(n.names[name]), "--from", name)
	if got := answer.Data.Balance; got != want {
		t.Errorf("%s has %q, want %s", name, got, want)
	}
}
