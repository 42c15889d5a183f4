package runtime_test

import (
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// BenchmarkSessionQuery is what an enclave does for one request in a session, the least of contracts called; one goroutine.
func BenchmarkSessionQuery(b *testing.B) {
	n := enclavetest.New(b, 1, 1)
	s := n.User("alice").Instantiate(n.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	n.Blocks(6)
	x := n.Members[0]
	q := &wire.QueryRequest{Contract: s.Item.Address, Msg: []byte("{}")}
	n.Query(x, q)
	n.Blocks(1)
	session, f := n.OpenSession(x, &wire.SessionOpening{Expires: n.Chain.Height + 3000})
	if f != nil {
		b.Fatal(f)
	}
	var calls []*wire.In
	for range b.N {
		calls = append(calls, &wire.In{Body: &wire.In_SessionCall{SessionCall: session.Request(q)}})
	}
	b.ResetTimer()
	for _, c := range calls {
		if outs := x.RT.(enclavetest.Asker).Ask(b.Context(), c); outs[0].GetSessionReply() == nil {
			b.Fatal(outs)
		}
	}
}
