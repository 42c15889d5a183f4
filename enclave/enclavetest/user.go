package enclavetest

import (
	"crypto/sha256"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// User is an account on the chain.
type User struct {
	Key  *secp256k1.PrivateKey
	Addr string
	net  *Net
}

// User makes the account of a name.
func (n *Net) User(name string) *User {
	n.T.Helper()
	h := sha256.Sum256([]byte(name))
	k := secp256k1.PrivKeyFromBytes(h[:])
	a, err := permit.Address(k.PubKey().SerializeCompressed())
	if err != nil {
		n.T.Fatal(err)
	}
	return &User{k, a, n}
}

// Sent is an input on its way.
type Sent struct {
	Item *wire.InboxItem
	Key  *seal.ReplyKey
	net  *Net
}

// At is the context of what is sealed now.
func (n *Net) At(domain string) seal.Context {
	c := n.Chain.Cluster(n.Cluster)
	return seal.Context{Domain: domain, ChainID: ChainID, Cluster: c.Id, Epoch: c.Epoch, Roster: c.Roster}
}

// Seal seals plaintext to the cluster's key.
func (n *Net) Seal(at seal.Context, aad, plaintext []byte) (*wire.Envelope, *seal.ReplyKey) {
	n.T.Helper()
	return n.SealTo(n.Chain.Key(n.Cluster), at, aad, plaintext)
}

// SealTo is Seal to a key of the test's choice.
func (n *Net) SealTo(k *wire.ClusterKey, at seal.Context, aad, plaintext []byte) (*wire.Envelope, *seal.ReplyKey) {
	n.T.Helper()
	pk, err := seal.PublicKey(k.InputKey)
	if err != nil {
		n.T.Fatal(err)
	}
	e, key, err := seal.Seal(pk, at, aad, plaintext)
	if err != nil {
		n.T.Fatal(err)
	}
	return e, key
}

// Send submits a message under a context.
func (u *User) Send(in *wire.InputContext, msg *wire.Call) *Sent {
	u.net.T.Helper()
	return u.SendTo(u.net.Chain.Key(u.net.Cluster), u.net.At(seal.DomainInput), in, msg)
}

// SendTo is Send to a key of the test's choice.
func (u *User) SendTo(k *wire.ClusterKey, at seal.Context, in *wire.InputContext, msg *wire.Call) *Sent {
	u.net.T.Helper()
	in.Sender = u.Addr
	e, key := u.net.SealTo(k, at, wire.Marshal(in), wire.Marshal(msg))
	s := &Sent{Item: &wire.InboxItem{Cluster: u.net.Cluster, Epoch: at.Epoch, Roster: at.Roster, Context: in, Sealed: e}, Key: key, net: u.net}
	u.net.Chain.Submit(s.Item)
	return s
}

// Execute calls a contract; funds come along on the chain, attached go from the private balance to the contract.
func (u *User) Execute(contract []byte, msg, funds, attached string) *Sent {
	u.net.T.Helper()
	return u.Send(&wire.InputContext{Kind: wire.INPUT_KIND_CALL, Funds: funds}, &wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: contract, Msg: []byte(msg), Funds: attached}}})
}

// Instantiate deploys code; Sent.Item.Address is the contract's once its block is made.
func (u *User) Instantiate(code []byte, policy wire.QueryPolicy, msg string) *Sent {
	u.net.T.Helper()
	return u.Send(&wire.InputContext{Kind: wire.INPUT_KIND_INSTANTIATE, CodeId: code, Query: policy}, &wire.Call{Body: &wire.Call_Instantiate{Instantiate: &wire.Instantiate{Msg: []byte(msg)}}})
}

// Withdraw takes from the private balance.
func (u *User) Withdraw(amount, funds string) *Sent {
	u.net.T.Helper()
	return u.Send(&wire.InputContext{Kind: wire.INPUT_KIND_CALL, Funds: funds}, &wire.Call{Body: &wire.Call_Withdraw{Withdraw: &wire.Withdraw{Amount: amount}}})
}

// Ask asks a node for the result.
func (s *Sent) Ask(x *Node) []*wire.Out {
	return x.Do(&wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: s.Item.Cluster, Index: s.Item.Index}}})
}

// Result is Final without what shows that it is final.
func (s *Sent) Result(x *Node) *wire.Result {
	s.net.T.Helper()
	return s.Final(x).Result
}

// Final asks a node, opens the result and verifies that it stands in a batch that the chain has.
func (s *Sent) Final(x *Node) *wire.FinalResult {
	t := s.net.T
	t.Helper()
	outs := s.Ask(x)
	r := Reply(outs)
	if r == nil {
		t.Fatalf("no result of item %d: %v; failures %q, refused %q", s.Item.Index, Failure(outs), s.net.Failures(), s.net.Chain.Refused)
	}
	plain, err := s.Key.OpenReply(r)
	if err != nil {
		t.Fatal(err)
	}
	var f wire.FinalResult
	if err := wire.Unmarshal(plain, &f); err != nil {
		t.Fatal(err)
	}
	if err := settle.VerifyResult(&f); err != nil {
		t.Fatal(err)
	}
	if b := s.net.Chain.Batch(f.Batch.Cluster, f.Batch.Number); b == nil || string(settle.BatchHash(b)) != string(settle.BatchHash(f.Batch)) {
		t.Fatalf("batch %d of the result is not final", f.Batch.Number)
	}
	return &f
}

// Permit is the user's right to query the cluster for an hour of the chain's time.
func (u *User) Permit(contracts ...string) *wire.Permit {
	u.net.T.Helper()
	p, err := permit.Sign(u.Key, permit.Body{ChainID: ChainID, Cluster: u.net.Cluster, Contracts: contracts, Expires: u.net.Chain.Time().Add(time.Hour)})
	if err != nil {
		u.net.T.Fatal(err)
	}
	return p
}

// Query asks a node; without a sealed reply there is a failure in clear.
func (n *Net) Query(x *Node, q *wire.QueryRequest) (*wire.QueryReply, *wire.Failure) {
	n.T.Helper()
	e, key := n.Seal(n.At(seal.DomainQuery), nil, wire.Marshal(q))
	outs := x.Do(&wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: n.Cluster, Envelope: e}}})
	r := Reply(outs)
	if r == nil {
		return nil, Failure(outs)
	}
	plain, err := key.OpenReply(r)
	if err != nil {
		n.T.Fatal(err)
	}
	var a wire.QueryReply
	if err := wire.Unmarshal(plain, &a); err != nil {
		n.T.Fatal(err)
	}
	return &a, nil
}
