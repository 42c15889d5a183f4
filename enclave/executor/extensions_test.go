package executor_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

// TestExtensions runs the extensions in a cluster of three: members agree, the
// sender's own sealed result carries the private events, and there is no
// randomness without a beacon.
func TestExtensions(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	w := &world{Net: n, t: t, x: n.Members[0], alice: n.User("alice")}
	s := w.alice.Instantiate(n.Upload(gocontract.Build(t, "../calls/testdata/vault")), wire.QUERY_POLICY_OPEN, `{}`)
	w.want(s, "")
	w.contract = s.Item.Address

	const key = `{"key":{"path":"p","curve":2}}`
	r := w.want(w.alice.Execute(w.contract, key, "", ""), "")
	var public string
	if err := json.Unmarshal(r.Data, &public); err != nil || len(public) != 64 {
		t.Fatalf("a key: %q, %v", r.Data, err)
	}
	for i, m := range n.Members {
		a, f := w.Query(m, &wire.QueryRequest{Contract: w.contract, Msg: []byte(key)})
		if f != nil || string(a.Data) != string(r.Data) {
			t.Errorf("member %d: %v %v", i, a, f)
		}
	}

	tell := w.alice.Execute(w.contract, fmt.Sprintf(`{"tell":{"who":%q,"what":%q}}`, w.alice.Addr, base64.StdEncoding.EncodeToString([]byte("for you"))), "", "")
	r = w.want(tell, "")
	if len(r.PrivateEvents) != 1 || string(r.PrivateEvents[0].Data) != "for you" || !bytes.Equal(r.PrivateEvents[0].Contract, w.contract) {
		t.Errorf("private events %v", r.PrivateEvents)
	}
	bob := w.User("bob").Addr
	for msg, want := range map[string]string{
		fmt.Sprintf(`{"tell":{"who":%q}}`, bob):                             "sender of the input alone",
		fmt.Sprintf(`{"fail":{"tell":{"who":%q,"what":""}}}`, w.alice.Addr): "on purpose",
	} {
		r := w.want(w.alice.Execute(w.contract, msg, "", ""), "contract-error")
		if !strings.Contains(r.Failure.Message, want) || r.PrivateEvents != nil {
			t.Errorf("%s: %v", msg, r)
		}
	}
	// What is told is part of what the members agree on.
	f := tell.Final(w.x)
	if err := settle.VerifyResult(f); err != nil {
		t.Fatal(err)
	}
	f.Result.PrivateEvents[0].Data = []byte("forged")
	if settle.VerifyResult(f) == nil {
		t.Error("a forged private event verifies")
	}
}
