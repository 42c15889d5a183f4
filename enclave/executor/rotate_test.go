package executor_test

import (
	"encoding/json"
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

// After a removal for cause a contract draws another secret, the same at every member: the one case in which what it draws waits for
// no beacon. One that does not know the message keeps what it has, and stops nobody.
func TestContractsRotateTheirSecrets(t *testing.T) {
	c := newCity(t, 4, 3)
	first := c.alice.Instantiate(c.Upload(gocontract.Build(t, "../../test/e2e/testdata/rotating")), wire.QUERY_POLICY_OPEN, `{"secret":"b2xk"}`)
	c.Blocks(5)
	c.final(first, "", c.Members...)
	shown := func(x *enclavetest.Node) (s struct {
		Rotated int
		Hash    string
	}) {
		t.Helper()
		q := &wire.QueryRequest{Contract: first.Item.Address, Msg: []byte(`{}`)}
		c.Query(x, q) // loads the contract
		a, f := c.Query(x, q)
		if f != nil {
			t.Fatal(f)
		}
		if err := json.Unmarshal(a.Data, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := shown(c.Members[0])
	c.Chain.UpdateMembers(c.Cluster, 2, true, nil, []*wire.WorkerRef{c.Members[3].Ref})
	c.Blocks(12)
	c.inEpoch(1, 2)
	fresh := shown(c.Members[0])
	if old.Rotated != 0 || fresh.Rotated != 1 || fresh.Hash == old.Hash {
		t.Errorf("before %+v, after %+v; failures %q", old, fresh, c.Failures())
	}
	for _, x := range c.Members[1:3] {
		if got := shown(x); got != fresh {
			t.Errorf("%s has %+v, another %+v", x.Ref.Name(), got, fresh)
		}
	}
	s := c.call()
	c.Blocks(5)
	c.final(s, "", c.Members[:3]...)
}
