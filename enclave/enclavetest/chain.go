// Package enclavetest is a chain in one process for tests of enclaves: one validator, real headers, real store proofs, the rules of
// core, and hosts that carry messages as offchaind does, or as badly as a test wishes. It must never be linked into a program.
package enclavetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"github.com/cosmos/iavl"
	"github.com/cosmos/iavl/db"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// ChainID of every chain of this package.
const ChainID = "phala-test"

// Start is the genesis time; blocks are a second apart.
func Start() time.Time { return time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC) }

// Measurement is what a simulated TEE of a role measures.
func Measurement(role wire.Role) []byte {
	h := sha256.Sum256([]byte(role.String()))
	return h[:]
}

// Chain is a development chain of one validator. A transaction waits for NewBlock; what is refused stands in Refused.
type Chain struct {
	T       testing.TB
	Genesis []byte
	Height  uint64
	Refused []string
	Paid    map[string]*big.Int // payouts that effects made
	Ahead   uint64              // blocks from the agreement on an input key to its use, where it replaces another

	shown    atomic.Uint64 // Height, for clocks that other goroutines read
	key      ed25519.PrivKey
	trees    map[string]*iavl.MutableTree
	names    []string
	blocks   map[uint64][]byte
	hashes   map[uint64][]byte
	queue    []tx
	requests []*wire.KeyRequestHint // of the newest block
	said     map[string][]*wire.Announcement
	revealed map[string]bool
	clusters uint64
	border   bool
}

type tx struct {
	name string
	run  func() error
}

// GenesisFile is a genesis of the chain's validator.
func GenesisFile(development bool) []byte {
	return fmt.Appendf(nil, `{"chain_id":%q,"genesis_time":%q,"initial_height":1,"consensus":{"validators":[{"pub_key":{"type":"tendermint/PubKeyEd25519","value":%q},"power":"10"}]},"app_state":{"attestation":{"network":{"development":%v}}}}`,
		ChainID, Start().Format(time.RFC3339Nano), base64.StdEncoding.EncodeToString(validator().PubKey().Bytes()), development)
}

func validator() ed25519.PrivKey { return ed25519.GenPrivKeyFromSecret([]byte("validator")) }

// NewChain starts a chain whose gatekeeper is the given worker.
func NewChain(t testing.TB, gatekeeper *wire.WorkerRef) *Chain {
	c := &Chain{
		T: t, Genesis: GenesisFile(true), key: validator(), Paid: map[string]*big.Int{},
		trees: map[string]*iavl.MutableTree{}, names: []string{storekey.Attestation, storekey.Cluster, storekey.Gatekeeper, storekey.Worker},
		blocks: map[uint64][]byte{}, hashes: map[uint64][]byte{}, said: map[string][]*wire.Announcement{}, revealed: map[string]bool{},
	}
	for _, n := range c.names {
		c.trees[n] = iavl.NewMutableTree(db.NewMemDB(), 0, true, iavl.NewNopLogger())
		c.put(n, []byte{0xff}, []byte("so that no tree is empty"))
	}
	c.Put(storekey.Attestation, storekey.Network(), &wire.NetworkParams{Development: true})
	for _, r := range []wire.Role{wire.ROLE_EXECUTOR, wire.ROLE_GATEKEEPER} {
		c.Put(storekey.Attestation, storekey.Policy(int32(r)), &wire.Policy{
			Role: r, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}, MaxAgeBlocks: 1000, Measurements: []*wire.Measurement{{Digest: Measurement(r)}},
		})
	}
	c.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), &wire.GatekeeperSet{Epoch: 1, Threshold: 1, Members: []*wire.GatekeeperMember{{Worker: gatekeeper}}})
	c.save()
	return c
}

func (c *Chain) put(store string, key, value []byte) {
	c.T.Helper()
	if _, err := c.trees[store].Set(key, value); err != nil {
		c.T.Fatal(err)
	}
}

// Put writes into the state of the block that is being made; tests use it for what the messages do not offer.
func (c *Chain) Put(store string, key []byte, m wire.Message) {
	c.T.Helper()
	c.put(store, key, wire.Marshal(m))
}

// Remove takes a key out of the state.
func (c *Chain) Remove(store string, key []byte) {
	c.T.Helper()
	if _, _, err := c.trees[store].Remove(key); err != nil {
		c.T.Fatal(err)
	}
}

// Get reads the newest state; false if it is not there.
func (c *Chain) Get(store string, key []byte, m wire.Message) bool {
	c.T.Helper()
	v, err := c.trees[store].Get(key)
	if err != nil {
		c.T.Fatal(err)
	}
	if v == nil {
		return false
	}
	if err := wire.Unmarshal(v, m); err != nil {
		c.T.Fatal(err)
	}
	return true
}

func (c *Chain) save() {
	c.T.Helper()
	for _, n := range c.names {
		if _, _, err := c.trees[n].SaveVersion(); err != nil {
			c.T.Fatal(err)
		}
	}
}

// Time is the newest block's.
func (c *Chain) Time() time.Time { return Start().Add(time.Duration(c.shown.Load()) * time.Second) }

// Block is the encoded light block of height.
func (c *Chain) Block(height uint64) []byte { return c.blocks[height] }

// Hash is the header hash of height.
func (c *Chain) Hash(height uint64) []byte { return c.hashes[height] }

// NewBlock signs the header of the next height over the state so far and then runs the waiting transactions.
func (c *Chain) NewBlock() {
	c.T.Helper()
	c.Height++
	c.shown.Store(c.Height)
	c.requests = nil
	root, _ := c.outer(c.Height, c.names[0])
	c.blocks[c.Height], c.hashes[c.Height] = c.Sign(c.Height, c.Time(), root, c.key)
	q := c.queue
	c.queue = nil
	for _, t := range q {
		if err := t.run(); err != nil {
			c.Refused = append(c.Refused, fmt.Sprintf("%s: %v", t.name, err))
		}
	}
	c.generate()
	c.takeDue()
	c.save()
}

// Sign makes a light block of any content by one validator.
func (c *Chain) Sign(height uint64, at time.Time, appHash []byte, key ed25519.PrivKey) (block, hash []byte) {
	c.T.Helper()
	set, err := types.ValidatorSetFromExistingValidators([]*types.Validator{types.NewValidator(key.PubKey(), 10)})
	if err != nil {
		c.T.Fatal(err)
	}
	x := sum(binary.BigEndian.AppendUint64(nil, height))
	before := c.hashes[height-1]
	if before == nil {
		before = x
	}
	h := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: ChainID, Height: int64(height), Time: at,
		LastBlockID:    types.BlockID{Hash: before, PartSetHeader: types.PartSetHeader{Total: 1, Hash: x}},
		LastCommitHash: x, DataHash: x, ValidatorsHash: set.Hash(), NextValidatorsHash: set.Hash(), ConsensusHash: x,
		AppHash: appHash, LastResultsHash: x, EvidenceHash: x, ProposerAddress: key.PubKey().Address(),
	}
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: x}}
	vote := &types.Vote{Type: cmtproto.PrecommitType, Height: h.Height, BlockID: id, Timestamp: at, ValidatorAddress: key.PubKey().Address()}
	if vote.Signature, err = key.Sign(types.VoteSignBytes(ChainID, vote.ToProto())); err != nil {
		c.T.Fatal(err)
	}
	lb := &types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: &types.Commit{Height: h.Height, BlockID: id, Signatures: []types.CommitSig{vote.CommitSig()}}}, ValidatorSet: set}
	if block, err = light.Encode(lb); err != nil {
		c.T.Fatal(err)
	}
	return block, h.Hash()
}

func sum(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func prefixed(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

func (c *Chain) version(height uint64, name string) *iavl.ImmutableTree {
	c.T.Helper()
	tree, err := c.trees[name].GetImmutable(int64(height)) // version n is the state that header n commits to
	if err != nil {
		c.T.Fatal(err)
	}
	return tree
}

// outer gives the app hash of the header of height and the proof that the store's tree lies under it.
func (c *Chain) outer(height uint64, name string) ([]byte, *ics23.CommitmentProof) {
	c.T.Helper()
	leaves := make([][]byte, len(c.names))
	for i, n := range c.names {
		leaves[i] = sum([]byte{0}, prefixed([]byte(n)), prefixed(sum(c.version(height, n).Hash())))
	}
	l, r := sum([]byte{1}, leaves[0], leaves[1]), sum([]byte{1}, leaves[2], leaves[3])
	left := func(b []byte) *ics23.InnerOp {
		return &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: append([]byte{1}, b...)}
	}
	right := func(b []byte) *ics23.InnerOp {
		return &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{1}, Suffix: b}
	}
	path := [][]*ics23.InnerOp{{right(leaves[1]), right(r)}, {left(leaves[0]), right(r)}, {right(leaves[3]), left(l)}, {left(leaves[2]), left(l)}}
	return sum([]byte{1}, l, r), &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: &ics23.ExistenceProof{
		Key: []byte(name), Value: c.version(height, name).Hash(), Leaf: ics23.TendermintSpec.LeafSpec, Path: path[slices.Index(c.names, name)],
	}}}
}

// Prove gives the values of keys, or their absence, with proofs against the header of height.
func (c *Chain) Prove(height uint64, keys ...*wire.StoreKey) *wire.StoreValues {
	c.T.Helper()
	out := &wire.StoreValues{Height: height}
	for _, k := range keys {
		tree := c.version(height, k.Store)
		value, err := tree.Get(k.Key)
		if err != nil {
			c.T.Fatal(err)
		}
		get := tree.GetMembershipProof
		if value == nil {
			get = tree.GetNonMembershipProof
		}
		inner, err := get(k.Key)
		if err != nil {
			c.T.Fatalf("%s/%x: %v", k.Store, k.Key, err)
		}
		_, outer := c.outer(height, k.Store)
		i, err := inner.Marshal()
		if err != nil {
			c.T.Fatal(err)
		}
		o, err := outer.Marshal()
		if err != nil {
			c.T.Fatal(err)
		}
		out.Values = append(out.Values, &wire.StoreValue{Key: k, Value: value, IavlProof: i, StoreProof: o})
	}
	return out
}

// Tx lets run happen in the next block.
func (c *Chain) Tx(name string, run func() error) { c.queue = append(c.queue, tx{name, run}) }

// Worker reads a worker; nil if it is not registered.
func (c *Chain) Worker(ref *wire.WorkerRef) *wire.Worker {
	w := &wire.Worker{}
	if !c.Get(storekey.Worker, storekey.WorkerKey(ref.Operator, ref.Slot), w) {
		return nil
	}
	return w
}

// Register is MsgRegisterWorker; the policy decides.
func (c *Chain) Register(ev *wire.WorkerEvidence) {
	c.Tx("register", func() error {
		id := ev.Identity
		p, net := &wire.Policy{}, &wire.NetworkParams{}
		c.Get(storekey.Attestation, storekey.Policy(int32(id.Role)), p)
		c.Get(storekey.Attestation, storekey.Network(), net)
		v := attest.Verify(attest.Input{Evidence: ev, Policy: p, Network: net, ChainID: ChainID, Height: c.Height, NonceHash: c.hashes[id.NonceHeight], GenesisUnknown: true, Time: c.Time(), Roots: attest.RootsOf(net)})
		if err := v.Err(); err != nil {
			return err
		}
		c.Put(storekey.Worker, storekey.WorkerKey(id.Worker.Operator, id.Worker.Slot), &wire.Worker{
			Worker: id.Worker, Role: id.Role, IdentityKey: id.IdentityKey, SealingKey: id.SealingKey, Kind: v.Kind, Measurement: v.Measurement,
			RegisteredHeight: c.Height, ExpiryHeight: v.ExpiryHeight, EvidenceHash: wire.Hash(ev),
		})
		c.Put(storekey.Worker, storekey.EvidenceKey(id.Worker.Operator, id.Worker.Slot), ev)
		set := c.set()
		for _, m := range set.Members {
			if c.roster() == nil && m.Worker.Is(id.Worker) && len(m.IdentityKey) == 0 {
				m.IdentityKey = id.IdentityKey
				c.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), set)
			}
		}
		return nil
	})
}

// CreateCluster is MsgCreateCluster; it gives the id the cluster will have.
func (c *Chain) CreateCluster(quorum uint32, members ...*wire.WorkerRef) uint64 {
	c.clusters++
	id := c.clusters
	c.Tx("create cluster", func() error {
		c.Put(storekey.Cluster, storekey.ClusterKey(id), &wire.Cluster{Id: id, Members: members, Quorum: quorum, Roster: 1, Epoch: c.Epoch(), CreatedHeight: c.Height, Admitted: uint64(len(members))})
		c.Put(storekey.Cluster, storekey.HeadKey(id), &wire.Head{
			Cluster: id, BatchHash: make([]byte, 32), Root: settle.EmptyRoot(), ChainHeight: c.Height, CommittedHeight: c.Height, InboxNext: 1,
		})
		c.Put(storekey.Cluster, storekey.InboxKey(id), &wire.Inbox{Cluster: id, Next: 1, Escrow: "0"})
		return nil
	})
	return id
}

// Cluster, Head and Key read what the chain has of a cluster.
func (c *Chain) Cluster(id uint64) *wire.Cluster {
	m := &wire.Cluster{}
	c.Get(storekey.Cluster, storekey.ClusterKey(id), m)
	return m
}

// Head reads the newest final batch.
func (c *Chain) Head(id uint64) *wire.Head {
	m := &wire.Head{}
	c.Get(storekey.Cluster, storekey.HeadKey(id), m)
	return m
}

// Inbox reads the inbox.
func (c *Chain) Inbox(id uint64) *wire.Inbox {
	m := &wire.Inbox{}
	c.Get(storekey.Cluster, storekey.InboxKey(id), m)
	return m
}

// Key reads the announced input key; nil if there is none.
func (c *Chain) Key(id uint64) *wire.ClusterKey {
	m := &wire.ClusterKey{}
	if !c.Get(storekey.Gatekeeper, storekey.ClusterInputKey(id), m) {
		return nil
	}
	return m
}

// Batch reads a final batch.
func (c *Chain) Batch(cluster, number uint64) *wire.Batch {
	m := &wire.CommittedBatch{}
	if !c.Get(storekey.Cluster, storekey.BatchKey(cluster, number), m) {
		return nil
	}
	return m.Signed.Batch
}

// Submit is MsgSubmitInput and MsgInstantiate: the item gets the next index when its block is made.
func (c *Chain) Submit(item *wire.InboxItem) {
	c.Tx("submit", func() error {
		in := c.Inbox(item.Cluster)
		if item.Epoch == 0 {
			item.Epoch, item.Roster = c.Cluster(item.Cluster).Epoch, c.Cluster(item.Cluster).Roster
		}
		if !settle.MaySeal(c.Cluster(item.Cluster), item.Epoch, item.Roster) {
			return fmt.Errorf("item is sealed for epoch %d roster %d", item.Epoch, item.Roster)
		}
		item.Index, item.Height = in.Next, c.Height
		if item.Context.Kind == wire.INPUT_KIND_INSTANTIATE {
			item.Address = settle.ContractAddress(item.Cluster, item.Context.CodeId, item.Index)
			c.Put(storekey.Cluster, storekey.ContractKey(item.Cluster, item.Address), &wire.Contract{Address: item.Address, Cluster: item.Cluster, State: wire.CONTRACT_STATE_PENDING})
		}
		in.Next++
		in.Escrow = add(in.Escrow, item.Context.Funds).String()
		c.Put(storekey.Cluster, storekey.ItemKey(item.Cluster, item.Index), item)
		c.Put(storekey.Cluster, storekey.InboxKey(item.Cluster), in)
		return nil
	})
}

func add(a, b string) *big.Int {
	x, _ := new(big.Int).SetString(a, 10)
	if y, ok := new(big.Int).SetString(b, 10); ok {
		x.Add(x, y)
	}
	return x
}

// RequestKey is MsgRequestKey; only the identity in force may.
func (c *Chain) RequestKey(r *wire.KeyRequest) {
	c.Tx("request key", func() error {
		w := c.Worker(r.Worker)
		if w == nil || !bytes.Equal(w.IdentityKey, r.IdentityKey) || !ed25519.PubKey(w.IdentityKey).VerifySignature(settle.KeyRequestBytes(ChainID, r), r.Signature) {
			return fmt.Errorf("identity of %s is not the registered one", r.Worker.Name())
		}
		if !settle.MayRequest(c.Cluster(r.Cluster), c.Epoch(), r.Epoch, r.Roster) || !slices.ContainsFunc(c.Cluster(r.Cluster).Members, r.Worker.Is) {
			return fmt.Errorf("%s may not have the secret of epoch %d roster %d", r.Worker.Name(), r.Epoch, r.Roster)
		}
		r.Height = c.Height
		c.Put(storekey.Gatekeeper, storekey.KeyRequestKey(r.Cluster, r.Worker.Operator, r.Worker.Slot), r)
		c.requests = append(c.requests, &wire.KeyRequestHint{Cluster: r.Cluster, Worker: r.Worker})
		return nil
	})
}

// Announce is MsgAnnounceEpoch: q equal words make the cluster's key.
func (c *Chain) Announce(a *wire.Announcement) {
	c.Tx("announce", func() error {
		w := c.Worker(a.Worker)
		if w == nil || !ed25519.PubKey(w.IdentityKey).VerifySignature(settle.AnnouncementBytes(ChainID, a), a.Signature) {
			return fmt.Errorf("identity of %s is not the registered one", a.Worker.Name())
		}
		cl := c.Cluster(a.Cluster)
		if a.Epoch != c.Epoch() || a.Roster != cl.Roster || !slices.ContainsFunc(cl.Members, a.Worker.Is) {
			return fmt.Errorf("announcement of epoch %d roster %d by %s", a.Epoch, a.Roster, a.Worker.Name())
		}
		id := fmt.Sprintf("%d %d %d %x %x", a.Cluster, a.Epoch, a.Roster, a.InputKey, a.Check)
		if slices.ContainsFunc(c.said[id], func(o *wire.Announcement) bool { return o.Worker.Is(a.Worker) }) {
			return nil
		}
		c.said[id] = append(c.said[id], a)
		if len(c.said[id]) == int(cl.Quorum) {
			c.agree(a)
		}
		return nil
	})
}

// Commit is MsgCommitBatch: core/settle decides.
func (c *Chain) Commit(b *wire.SignedBatch) {
	c.Tx("commit", func() error {
		id := b.Batch.Cluster
		cl := c.Cluster(id)
		members := make([]*wire.Worker, len(cl.Members))
		for i, m := range cl.Members {
			members[i] = c.Worker(m)
		}
		if err := settle.Accept(settle.Input{
			ChainID: ChainID, Cluster: cl, Head: c.Head(id), InboxNext: c.Inbox(id).Next, Members: members,
			ChainHash: c.hashes[b.Batch.ChainHeight], Height: c.Height, MaxAge: 64, Batch: b,
		}); err != nil {
			return err
		}
		c.Put(storekey.Cluster, storekey.BatchKey(id, b.Batch.Number), &wire.CommittedBatch{Signed: b, Height: c.Height})
		c.Put(storekey.Cluster, storekey.HeadKey(id), &wire.Head{
			Cluster: id, Number: b.Batch.Number, BatchHash: settle.BatchHash(b.Batch), Root: b.Batch.NewRoot, ChainHeight: b.Batch.ChainHeight,
			CommittedHeight: c.Height, InboxNext: b.Batch.InboxFirst + uint64(b.Batch.InboxCount),
		})
		return nil
	})
}

// Reveal is MsgRevealEffects: each effect runs once.
func (c *Chain) Reveal(e *wire.Effects) {
	c.Tx("reveal", func() error {
		b := c.Batch(e.Cluster, e.Number)
		if b == nil {
			return fmt.Errorf("no batch %d", e.Number)
		}
		for _, o := range e.Openings {
			if err := settle.VerifyEffect(b.EffectsRoot, o); err != nil {
				return err
			}
			id := fmt.Sprintf("%d/%d/%x", e.Cluster, e.Number, settle.EffectLeaf(o.Effect))
			if c.revealed[id] {
				continue
			}
			c.revealed[id] = true
			switch body := o.Effect.Body.(type) {
			case *wire.Effect_Payout:
				in := c.Inbox(e.Cluster)
				left := add(in.Escrow, "-"+body.Payout.Amount)
				if left.Sign() < 0 {
					return fmt.Errorf("payout of %s from an escrow of %s", body.Payout.Amount, in.Escrow)
				}
				in.Escrow = left.String()
				c.Put(storekey.Cluster, storekey.InboxKey(e.Cluster), in)
				if c.Paid[body.Payout.To] == nil {
					c.Paid[body.Payout.To] = new(big.Int)
				}
				c.Paid[body.Payout.To] = add(c.Paid[body.Payout.To].String(), body.Payout.Amount)
			case *wire.Effect_Contract:
				m := &wire.Contract{Address: body.Contract.Address, Cluster: e.Cluster, State: wire.CONTRACT_STATE_FAILED}
				if body.Contract.Live {
					m.State = wire.CONTRACT_STATE_LIVE
				}
				c.Put(storekey.Cluster, storekey.ContractKey(e.Cluster, m.Address), m)
			}
		}
		return nil
	})
}

// ContractState is what the chain knows of a contract.
func (c *Chain) ContractState(cluster uint64, address []byte) wire.ContractState {
	m := &wire.Contract{}
	c.Get(storekey.Cluster, storekey.ContractKey(cluster, address), m)
	return m.State
}
