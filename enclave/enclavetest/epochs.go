package enclavetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Epoch reads the gatekeepers' epoch.
func (c *Chain) Epoch() uint64 { return c.set().Epoch }

func (c *Chain) set() *wire.GatekeeperSet {
	m := &wire.GatekeeperSet{}
	c.Get(storekey.Gatekeeper, storekey.GatekeeperSetKey(), m)
	return m
}

// NextEpoch is a border in the next block: the same gatekeepers, with the keys of an epoch later by as many.
func (c *Chain) NextEpoch(by uint64) {
	c.Tx("next epoch", func() error {
		s := c.set()
		c.Put(storekey.Gatekeeper, storekey.PreviousSetKey(), s)
		s.Epoch += by
		s.Height = c.Height
		c.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), s)
		return nil
	})
}

// UpdateMembers is MsgUpdateMembers of the owner.
func (c *Chain) UpdateMembers(id uint64, quorum uint32, cause bool, add, remove []*wire.WorkerRef) {
	c.Tx("update members", func() error {
		cl := c.Cluster(id)
		cl.Members = slices.DeleteFunc(cl.Members, func(m *wire.WorkerRef) bool { return slices.ContainsFunc(remove, m.Is) })
		cl.Members = append(cl.Members, add...)
		if c.Key(id) != nil {
			cl.PreviousEpoch, cl.PreviousRoster = cl.Epoch, cl.Roster
		}
		cl.Quorum, cl.BorderHeight, cl.Rotate = quorum, c.Height, cl.Rotate || cause
		cl.Roster++
		cl.Admitted += uint64(len(add))
		c.Put(storekey.Cluster, storekey.ClusterKey(id), cl)
		c.drop(storekey.ClusterInputKey(id))
		c.drop(storekey.NextInputKey(id))
		c.drop(storekey.PreviousInputKey(id))
		return nil
	})
}

func (c *Chain) drop(key []byte) {
	if c.Get(storekey.Gatekeeper, key, &wire.ClusterKey{}) {
		c.Remove(storekey.Gatekeeper, key)
	}
}

// NextKey reads the input key that is agreed on and not in force; nil if there is none.
func (c *Chain) NextKey(id uint64) *wire.ClusterKey {
	m := &wire.ClusterKey{}
	if !c.Get(storekey.Gatekeeper, storekey.NextInputKey(id), m) {
		return nil
	}
	return m
}

// agree takes a key that a quorum has announced.
func (c *Chain) agree(a *wire.Announcement) {
	k := &wire.ClusterKey{Cluster: a.Cluster, Epoch: a.Epoch, Roster: a.Roster, InputKey: a.InputKey, Check: a.Check, Height: c.Height, FromHeight: c.Height}
	if c.Key(a.Cluster) != nil {
		k.FromHeight += c.Ahead
	}
	c.Put(storekey.Gatekeeper, storekey.NextInputKey(a.Cluster), k)
}

// takeDue ends a block: keys whose height has come are in force.
func (c *Chain) takeDue() {
	for id := uint64(1); id <= c.clusters; id++ {
		k := c.NextKey(id)
		if k == nil || k.FromHeight > c.Height {
			continue
		}
		cl := c.Cluster(id)
		if before := c.Key(id); before != nil {
			c.Put(storekey.Gatekeeper, storekey.PreviousInputKey(id), before)
			cl.PreviousEpoch, cl.PreviousRoster = before.Epoch, before.Roster
		}
		c.drop(storekey.NextInputKey(id))
		c.Put(storekey.Gatekeeper, storekey.ClusterInputKey(id), k)
		if cl.Epoch != k.Epoch {
			cl.Epoch, cl.BorderHeight = k.Epoch, c.Height
		}
		if cl.Rotate {
			cl.Rotate = false
			in := c.Inbox(id)
			c.Put(storekey.Cluster, storekey.ItemKey(id, in.Next), &wire.InboxItem{
				Cluster: id, Index: in.Next, Height: c.Height, Epoch: cl.Epoch, Roster: cl.Roster,
				Context: &wire.InputContext{Sender: "cluster", Funds: "0", GasClass: 2, Kind: wire.INPUT_KIND_ROTATE},
			})
			in.Next++
			c.Put(storekey.Cluster, storekey.InboxKey(id), in)
		}
		c.Put(storekey.Cluster, storekey.ClusterKey(id), cl)
	}
}

// Issuer stands for gatekeepers that have made new keys in every epoch: one that answers whatever the chain's rule allows.
type Issuer struct {
	Answered int  // requests
	Silent   bool // answers nothing

	ref  *wire.WorkerRef
	net  *Net
	id   ed25519.PrivateKey
	gen  *light.Genesis
	keys map[uint64]*keytree.Secret // by epoch
}

// Issue makes the node an Issuer; use it in New's change, on Keeper.
func (x *Node) Issue() *Issuer {
	g := &Issuer{ref: x.Ref, net: x.net, keys: map[uint64]*keytree.Secret{}}
	x.Make = func() Handler {
		gen, err := light.ParseGenesis(x.net.Chain.Genesis)
		if err != nil {
			x.net.T.Fatal(err)
		}
		_, g.id, _ = ed25519.GenerateKey(rand.Reader)
		g.gen = gen
		return g
	}
	return g
}

// Erase forgets an epoch's keys: nobody gets its secrets any more.
func (g *Issuer) Erase(epoch uint64) { g.keys[epoch] = nil }

// Handle attests and answers requests.
func (g *Issuer) Handle(_ context.Context, in *wire.In) (outs []*wire.Out) {
	switch m := in.Body.(type) {
	case *wire.In_Attest:
		id := &wire.WorkerIdentity{
			ChainId: ChainID, GenesisHash: g.gen.Hash, IdentityKey: g.id.Public().(ed25519.PublicKey), SealingKey: make([]byte, seal.PublicKeySize),
			Worker: g.ref, Role: wire.ROLE_GATEKEEPER, NonceHeight: m.Attest.NonceHeight, NonceHash: m.Attest.NonceHash,
		}
		ev := attest.Simulate(Measurement(wire.ROLE_GATEKEEPER), attest.ReportData(id))
		outs = append(outs, &wire.Out{Body: &wire.Out_Evidence{Evidence: &wire.WorkerEvidence{Identity: id, Evidence: ev}}})
	case *wire.In_KeyRequest:
		r := &wire.KeyRequest{}
		w := m.KeyRequest.Worker
		if g.Silent || !g.net.Chain.Get(storekey.Gatekeeper, storekey.KeyRequestKey(m.KeyRequest.Cluster, w.Operator, w.Slot), r) {
			break
		}
		if p := g.part(r); p != nil {
			g.Answered++
			outs = append(outs, &wire.Out{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: w, Body: &wire.PeerMessage_KeyPart{KeyPart: p}}}})
		}
	}
	return append(outs, &wire.Out{Body: &wire.Out_Done{Done: &wire.Done{}}})
}

func (g *Issuer) part(r *wire.KeyRequest) *wire.KeyPart {
	set := g.net.Chain.Epoch()
	cl := g.net.Chain.Cluster(r.Cluster)
	if !settle.MayRequest(cl, set, r.Epoch, r.Roster) || r.Epoch+1 < set || !slices.ContainsFunc(cl.Members, r.Worker.Is) {
		return nil
	}
	k, known := g.keys[r.Epoch]
	if !known {
		var b [keytree.Size]byte
		rand.Read(b[:])
		k, _ = keytree.NewSecret(b[:])
		g.keys[r.Epoch] = k
	}
	if k == nil {
		return nil
	}
	v := dprf.Eval(0, k, keytree.Label(keytree.ClusterSecret, ChainID, r.Cluster, r.Epoch, r.Roster),
		keytree.Label(keytree.StateSecret, ChainID, r.Cluster, r.Epoch, r.Roster)).Value
	part := &wire.PrfPart{Value: v[:keytree.Size], State: v[keytree.Size:]}
	to, err := seal.PublicKey(r.OneTimeKey)
	if err != nil {
		return nil
	}
	p := &wire.KeyPart{Cluster: r.Cluster, Epoch: r.Epoch, Roster: r.Roster, Gatekeeper: g.ref, Worker: r.Worker}
	at := seal.Context{Domain: seal.DomainKeyPart, ChainID: ChainID, Cluster: r.Cluster, Epoch: r.Epoch, Roster: r.Roster}
	env, _, err := seal.Seal(to, at, wire.Marshal(p.Gatekeeper), wire.Marshal(&wire.KeyPartBody{Parts: []*wire.PrfPart{part}}))
	if err != nil {
		g.net.T.Fatal(fmt.Errorf("sealing a part: %w", err))
	}
	p.Enc, p.Ciphertext = env.Enc, env.Ciphertext
	p.Signature = ed25519.Sign(g.id, settle.KeyPartBytes(ChainID, p))
	return p
}

// Item reads an inbox item.
func (c *Chain) Item(cluster, index uint64) *wire.InboxItem {
	m := &wire.InboxItem{}
	c.Get(storekey.Cluster, storekey.ItemKey(cluster, index), m)
	return m
}

// AddMember boots and registers an executor that is not a member of the cluster yet.
func (n *Net) AddMember() *Node {
	n.T.Helper()
	x := &Node{Ref: Ref(len(n.Members)), Role: wire.ROLE_EXECUTOR, Records: map[uint64]*wire.SealedRecord{}, net: n}
	n.Members = append(n.Members, x)
	x.Boot()
	x.catchUp()
	x.Register()
	n.Blocks(1)
	return x
}
