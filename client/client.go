// Package client is the Go SDK: it seals calls to a cluster, waits for their final results and asks contracts, and believes
// nobody but the genesis it was given and the enclaves that the chain's policies accept: cluster keys, heads and batches are
// taken by store proof. It must never send a plaintext to a node or gateway.
package client

import (
	"bytes"
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cosmos/gogoproto/proto"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Config says what to connect to. Zero means the default where one is named.
type Config struct {
	RPC            string        // of a node, such as http://127.0.0.1:26657
	Genesis        string        // path of the genesis file: where trust starts
	Gateways       []string      // default: the endpoints that a cluster's members have on the chain
	Key            *keys.Key     // signs; nil: only reads
	Fee            string        // ppha a transaction; default none
	TrustingPeriod time.Duration // default 14 days
}

// Client speaks to one network for one account. Safe for concurrent use.
type Client struct {
	Node    *node.Client
	Chain   *Chain
	Genesis *light.Genesis

	cfg     Config
	account sender                   // nil: only reads
	gateway func(url string) Gateway // of a member
}

// sender puts messages into a block; a refusal is a *node.TxError.
type sender interface {
	Send(ctx context.Context, msgs ...proto.Message) (node.TxResult, error)
}

// ErrNoKey: the client was opened without a key.
var ErrNoKey = errors.New("no key to sign with")

// Open reads the genesis and follows the chain to its newest header.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.TrustingPeriod == 0 {
		cfg.TrustingPeriod = 14 * 24 * time.Hour
	}
	file, err := os.ReadFile(cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("reading the genesis: %w", err)
	}
	g, err := light.ParseGenesis(file)
	if err != nil {
		return nil, err
	}
	n, err := node.Dial(cfg.RPC)
	if err != nil {
		return nil, err
	}
	c := &Client{Node: n, Genesis: g, cfg: cfg, gateway: newGateway, Chain: NewChain(n, g, light.Options{TrustingPeriod: cfg.TrustingPeriod, MaxClockDrift: 10 * time.Second})}
	if cfg.Key != nil {
		k, err := cosmostx.KeyFromBytes(cfg.Key.Bytes())
		if err != nil {
			return nil, err
		}
		if c.account, err = n.Account(node.AccountConfig{Key: k, ChainID: g.ChainID, Fee: cfg.Fee}); err != nil {
			return nil, err
		}
	}
	if _, err := c.Chain.Head(ctx); err != nil {
		return nil, fmt.Errorf("following chain %s at %s: %w", g.ChainID, cfg.RPC, err)
	}
	return c, nil
}

// With is the same client for another account.
func (c *Client) With(k *keys.Key) (*Client, error) {
	d := *c
	d.cfg.Key = k
	ck, err := cosmostx.KeyFromBytes(k.Bytes())
	if err != nil {
		return nil, err
	}
	d.account, err = c.Node.Account(node.AccountConfig{Key: ck, ChainID: c.Genesis.ChainID, Fee: c.cfg.Fee})
	return &d, err
}

// ChainID is the network's.
func (c *Client) ChainID() string { return c.Genesis.ChainID }

// Address is the account that signs.
func (c *Client) Address() string {
	if c.cfg.Key == nil {
		return ""
	}
	return c.cfg.Key.Address()
}

// View is a cluster as proven against one header.
type View struct {
	Height  uint64 // of the header
	Cluster *wire.Cluster
	Head    *wire.Head
	Inbox   *wire.Inbox
	Key     *wire.ClusterKey // nil until q members announced one
}

// Cluster reads a cluster by proof.
func (c *Client) Cluster(ctx context.Context, id uint64) (*View, error) {
	var v View
	v.Cluster, v.Head, v.Inbox, v.Key = &wire.Cluster{}, &wire.Head{}, &wire.Inbox{}, &wire.ClusterKey{}
	var okC, okH, okI, okK bool
	s, err := c.Chain.Get(ctx,
		Read{storekey.Cluster, storekey.ClusterKey(id), v.Cluster, &okC},
		Read{storekey.Cluster, storekey.HeadKey(id), v.Head, &okH},
		Read{storekey.Cluster, storekey.InboxKey(id), v.Inbox, &okI},
		Read{storekey.Gatekeeper, storekey.ClusterInputKey(id), v.Key, &okK})
	if err != nil {
		return nil, fmt.Errorf("reading cluster %d: %w", id, err)
	}
	if !okC || !okH || !okI {
		return nil, &Failure{&wire.Failure{Code: "unknown-cluster", Message: fmt.Sprintf("chain %s has no cluster %d", c.ChainID(), id), Next: "list them: phala cluster list"}}
	}
	if !okK || v.Key.Epoch != v.Cluster.Epoch || v.Key.Roster != v.Cluster.Roster {
		v.Key = nil
	}
	v.Height = s.Height
	return &v, nil
}

// WaitCluster waits until a cluster's members have announced its input key.
func (c *Client) WaitCluster(ctx context.Context, id uint64) (*View, error) {
	for {
		v, err := c.Cluster(ctx, id)
		if err == nil && v.Key != nil {
			return v, nil
		}
		var f *Failure
		if err != nil && (!errors.As(err, &f) || f.Code != "unknown-cluster") {
			return nil, err
		}
		if e := sleep(ctx, 100*time.Millisecond); e != nil {
			if err == nil {
				err = errors.New("its members have no keys yet")
			}
			return nil, fmt.Errorf("waiting for cluster %d: %w (%w)", id, e, err)
		}
	}
}

// Worker reads a TEE worker's registration by proof; nil if there is none.
func (c *Client) Worker(ctx context.Context, ref *wire.WorkerRef) (*wire.Worker, error) {
	w, ok := &wire.Worker{}, false
	if _, err := c.Chain.Get(ctx, Read{storekey.Worker, storekey.WorkerKey(ref.Operator, ref.Slot), w, &ok}); err != nil || !ok {
		return nil, err
	}
	return w, nil
}

// Evidence reads the evidence behind a worker's registration by proof; nil if there is none.
func (c *Client) Evidence(ctx context.Context, ref *wire.WorkerRef) (*wire.WorkerEvidence, error) {
	w, ok := &wire.WorkerEvidence{}, false
	if _, err := c.Chain.Get(ctx, Read{storekey.Worker, storekey.EvidenceKey(ref.Operator, ref.Slot), w, &ok}); err != nil || !ok {
		return nil, err
	}
	return w, nil
}

// Contract reads a contract's record by proof; nil if there is none.
func (c *Client) Contract(ctx context.Context, cluster uint64, addr []byte) (*wire.Contract, error) {
	k, ok := &wire.Contract{}, false
	if _, err := c.Chain.Get(ctx, Read{storekey.Cluster, storekey.ContractKey(cluster, addr), k, &ok}); err != nil || !ok {
		return nil, err
	}
	return k, nil
}

// Item reads an inbox item by proof: what the chain sees of an input; nil if there is none.
func (c *Client) Item(ctx context.Context, cluster, index uint64) (*wire.InboxItem, error) {
	it, ok := &wire.InboxItem{}, false
	if _, err := c.Chain.Get(ctx, Read{storekey.Cluster, storekey.ItemKey(cluster, index), it, &ok}); err != nil || !ok {
		return nil, err
	}
	return it, nil
}

// Batch reads a final batch by proof; nil if there is none of that number yet.
func (c *Client) Batch(ctx context.Context, cluster, number uint64) (*wire.CommittedBatch, error) {
	b, _, err := c.provenBatch(ctx, cluster, number)
	return b, err
}

func (c *Client) provenBatch(ctx context.Context, cluster, number uint64) (*wire.CommittedBatch, uint64, error) {
	b, ok := &wire.CommittedBatch{}, false
	s, err := c.Chain.Get(ctx, Read{storekey.Cluster, storekey.BatchKey(cluster, number), b, &ok})
	if err != nil || !ok {
		return nil, s.Height, err
	}
	return b, s.Height, nil
}

// CreateCluster makes the account the owner of a new cluster.
func (c *Client) CreateCluster(ctx context.Context, members []*wire.WorkerRef, quorum uint32, openDeploy bool) (id uint64, tx node.TxResult, err error) {
	if c.account == nil {
		return 0, tx, ErrNoKey
	}
	tx, err = c.account.Send(ctx, &clustertypes.MsgCreateCluster{Owner: c.Address(), Members: members, Quorum: quorum, OpenDeploy: openDeploy})
	if err != nil {
		return 0, tx, fmt.Errorf("creating a cluster: %w", err)
	}
	var r clustertypes.MsgCreateClusterResponse
	if err := tx.Response(0, &r); err != nil {
		return 0, tx, err
	}
	return r.Cluster, tx, nil
}

// UpdateMembers admits and removes members of a cluster that the account owns. The removed read nothing that is sealed afterwards; cause
// has contracts rotate the secrets that they have seen. Quorum 0 stays as it is.
func (c *Client) UpdateMembers(ctx context.Context, cluster uint64, add, remove []*wire.WorkerRef, cause bool, quorum uint32) (roster uint64, tx node.TxResult, err error) {
	if c.account == nil {
		return 0, tx, ErrNoKey
	}
	tx, err = c.account.Send(ctx, &clustertypes.MsgUpdateMembers{Authority: c.Address(), Cluster: cluster, Add: add, Remove: remove, Cause: cause, Quorum: quorum})
	if err != nil {
		return 0, tx, fmt.Errorf("changing the members of cluster %d: %w", cluster, err)
	}
	var r clustertypes.MsgUpdateMembersResponse
	if err := tx.Response(0, &r); err != nil {
		return 0, tx, err
	}
	return r.Roster, tx, nil
}

// UploadCode puts a module on the chain and gives its id. A module that is there already is not sent again.
func (c *Client) UploadCode(ctx context.Context, module []byte) (id []byte, tx node.TxResult, err error) {
	if c.account == nil {
		return nil, tx, ErrNoKey
	}
	sum := codepack.ID(module)
	there := false
	if _, err = c.Chain.Get(ctx, Read{storekey.Cluster, storekey.CodeKey(sum[:]), &wire.Code{}, &there}); err != nil {
		return nil, tx, fmt.Errorf("looking for the code on the chain: %w", err)
	}
	if there {
		return sum[:], tx, nil
	}
	packed, err := codepack.Pack(module)
	if err != nil {
		return nil, tx, err
	}
	if tx, err = c.account.Send(ctx, &clustertypes.MsgUploadCode{Sender: c.Address(), Packed: packed}); err != nil {
		return nil, tx, fmt.Errorf("uploading the code: %w", err)
	}
	var r clustertypes.MsgUploadCodeResponse
	if err := tx.Response(0, &r); err != nil {
		return nil, tx, err
	}
	if !bytes.Equal(r.CodeId, sum[:]) {
		return nil, tx, fmt.Errorf("the chain calls the code %x, it is %x", r.CodeId, sum)
	}
	return sum[:], tx, nil
}

// OfferBatch sends a batch to the chain, as anyone may; its signatures decide.
func (c *Client) OfferBatch(ctx context.Context, b *wire.SignedBatch) (node.TxResult, error) {
	if c.account == nil {
		return node.TxResult{}, ErrNoKey
	}
	tx, err := c.account.Send(ctx, &clustertypes.MsgCommitBatch{Sender: c.Address(), Batch: b})
	if err != nil {
		return tx, fmt.Errorf("offering batch %d: %w", b.GetBatch().GetNumber(), err)
	}
	return tx, nil
}

// Instantiation says what to make of a code.
type Instantiation struct {
	Cluster  uint64
	CodeID   []byte
	Label    string
	Query    wire.QueryPolicy // default QUERY_POLICY_SELF
	Msg      []byte           // JSON
	Funds    string           // ppha; default none
	GasClass uint32
}

// Instantiate orders a new contract; it lives when the result is final.
func (c *Client) Instantiate(ctx context.Context, in Instantiation) (*Pending, error) {
	if in.Query == wire.QUERY_POLICY_UNSPECIFIED {
		in.Query = wire.QUERY_POLICY_SELF
	}
	msg := &clustertypes.MsgInstantiate{Sender: c.Address(), Cluster: in.Cluster, CodeId: in.CodeID, Label: in.Label, Query: in.Query, GasClass: in.GasClass, Funds: in.Funds}
	aad := &wire.InputContext{Sender: c.Address(), Funds: in.Funds, GasClass: in.GasClass, Kind: wire.INPUT_KIND_INSTANTIATE, CodeId: in.CodeID, Label: in.Label, Query: in.Query}
	call := &wire.Call{Body: &wire.Call_Instantiate{Instantiate: &wire.Instantiate{Msg: in.Msg, Funds: in.Funds}}}
	return c.place(ctx, order{in.Cluster, aad, call, func(ctx context.Context, e *wire.Envelope, k *wire.ClusterKey) (*Pending, error) {
		msg.Sealed, msg.Epoch, msg.Roster = e, k.Epoch, k.Roster
		tx, err := c.account.Send(ctx, msg)
		if err != nil {
			return nil, fmt.Errorf("ordering the instantiation: %w", err)
		}
		var r clustertypes.MsgInstantiateResponse
		if err := tx.Response(0, &r); err != nil {
			return nil, err
		}
		return &Pending{ChainID: c.ChainID(), Cluster: in.Cluster, Index: r.Index, Ordered: tx.Height, TxHash: tx.Hash, Contract: address.Encode(r.Address)}, nil
	}})
}

// Call is one message to a contract.
type Call struct {
	Cluster  uint64
	Contract string // bech32
	Msg      []byte // JSON
	Funds    string // ppha; default none
	GasClass uint32
}

// SubmitCall seals a call to its cluster and has it ordered.
func (c *Client) SubmitCall(ctx context.Context, in Call) (*Pending, error) {
	addr, err := contractBytes(in.Contract)
	if err != nil {
		return nil, err
	}
	msg := &clustertypes.MsgSubmitInput{Sender: c.Address(), Cluster: in.Cluster, GasClass: in.GasClass, Funds: in.Funds}
	aad := &wire.InputContext{Sender: c.Address(), Funds: in.Funds, GasClass: in.GasClass, Kind: wire.INPUT_KIND_CALL}
	call := &wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: addr, Msg: in.Msg, Funds: in.Funds}}}
	return c.place(ctx, order{in.Cluster, aad, call, func(ctx context.Context, e *wire.Envelope, k *wire.ClusterKey) (*Pending, error) {
		msg.Sealed, msg.Epoch, msg.Roster = e, k.Epoch, k.Roster
		tx, err := c.account.Send(ctx, msg)
		if err != nil {
			return nil, fmt.Errorf("ordering the call: %w", err)
		}
		var r clustertypes.MsgSubmitInputResponse
		if err := tx.Response(0, &r); err != nil {
			return nil, err
		}
		return &Pending{ChainID: c.ChainID(), Cluster: in.Cluster, Index: r.Index, Ordered: tx.Height, TxHash: tx.Hash, Contract: in.Contract}, nil
	}})
}

func (c *Client) sealTo(v *View, domain string, aad []byte, m wire.Message) (*wire.Envelope, *seal.ReplyKey, error) {
	pk, at, err := c.keyOf(v, domain)
	if err != nil {
		return nil, nil, err
	}
	return seal.Seal(pk, at, aad, wire.Marshal(m))
}

// keyOf is the key in force and what is sealed to it under a domain.
func (c *Client) keyOf(v *View, domain string) (hpke.PublicKey, seal.Context, error) {
	if v.Key == nil {
		return nil, seal.Context{}, &Failure{&wire.Failure{Code: "not-serving", Message: fmt.Sprintf("cluster %d has no input key yet: fewer than %d members have announced one", v.Cluster.Id, v.Cluster.Quorum), Next: "try again in a few blocks; are its members running?"}}
	}
	pk, err := seal.PublicKey(v.Key.InputKey)
	if err != nil {
		return nil, seal.Context{}, err
	}
	return pk, seal.Context{Domain: domain, ChainID: c.ChainID(), Cluster: v.Cluster.Id, Epoch: v.Key.Epoch, Roster: v.Key.Roster}, nil
}

// Permit signs a query right of the account. Without contracts it is for all of the cluster.
func (c *Client) Permit(cluster uint64, valid time.Duration, contracts ...string) (*wire.Permit, error) {
	if c.cfg.Key == nil {
		return nil, ErrNoKey
	}
	return permit.Sign(c.cfg.Key.Private(), permit.Body{ChainID: c.ChainID(), Cluster: cluster, Contracts: contracts, Expires: time.Now().Add(valid).Truncate(time.Second)})
}

func contractBytes(s string) ([]byte, error) {
	b, err := address.Decode(s)
	if err != nil {
		return nil, err
	}
	if len(b) != 32 {
		return nil, fmt.Errorf("address %s is an account's: a contract's has 32 bytes", s)
	}
	return b, nil
}
