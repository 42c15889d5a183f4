package executor_test

import (
	"strings"
	"testing"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// TestTrace: the sender is told where a contract broke off, under seal and
// beside the result, which stands without it.
func TestTrace(t *testing.T) {
	w := newWorld(t, wire.QUERY_POLICY_OPEN)
	for msg, want := range map[string]string{
		`garbage`:        "an answer that cannot be read",
		`loop`:           "out of gas",
		`{"error":"no"}`: "",
		fine:             "",
	} {
		s := w.alice.Execute(w.contract, msg, "", "")
		w.Blocks(5)
		f := s.Final(w.x)
		if got := strings.Join(f.Trace, ", "); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: the trace is %q, want %q", msg, got, want)
		}
		if want == "out of gas" && (len(f.Trace) < 2 || !strings.HasPrefix(f.Trace[1], "function ")) {
			t.Errorf("%s: no function in %q", msg, f.Trace)
		}
		f.Trace = append(f.Trace, "another member's")
		if err := settle.VerifyResult(f); err != nil {
			t.Errorf("%s: %v", msg, err)
		}
	}
	a, failure := w.Query(w.x, &wire.QueryRequest{Contract: w.contract, Msg: []byte(`garbage`)})
	if failure != nil || a.Failure.GetCode() != "contract-trap" || len(a.Trace) == 0 {
		t.Errorf("a query: %v, %v", a, failure)
	}
}
