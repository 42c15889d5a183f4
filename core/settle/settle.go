// Package settle decides whether a batch counts. The chain, the client and the browser run the same function. It must never
// read a clock, a store or the network: everything it decides on is an argument.
package settle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/wire"
)

// ViewBlocks is how many blocks a leader has before the next one's turn.
const ViewBlocks = 3

// Refusal says why a batch does not count.
type Refusal struct {
	Code    string // stable, kebab-case
	Message string
}

// Error names the code and the reason.
func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Input is what Accept decides on.
type Input struct {
	ChainID   string
	Cluster   *wire.Cluster
	Head      *wire.Head
	InboxNext uint64         // index of the next item to be submitted
	Members   []*wire.Worker // in the cluster's order; nil where no worker is registered
	ChainHash []byte         // the chain's own hash of the block at the batch's chain_height; nil: not known any more
	Height    uint64         // of the block that would take the batch
	MaxAge    uint64         // d: the most blocks between chain_height and Height
	Receipts  uint32         // s: storage receipts demanded; 0 only in development
	Batch     *wire.SignedBatch
}

// Accept returns nil if the batch follows the head, covers the inbox in order, names a recent block of this chain and carries
// the signatures of a quorum of members in force at that block; otherwise a *Refusal.
func Accept(in Input) error {
	if err := Follows(in); err != nil {
		return err
	}
	if in.Receipts > 0 {
		return refuse("no-storage-receipts", "%d storage receipts are demanded and this version knows none", in.Receipts)
	}
	return Signed(in.Cluster, in.Members, in.Batch)
}

// Follows checks everything but signatures; members check a leader's proposal with it.
func Follows(in Input) error {
	b := in.Batch.GetBatch()
	c, h := in.Cluster, in.Head
	if b == nil || c == nil || h == nil {
		return refuse("malformed", "batch, cluster or head is missing")
	}
	for _, root := range [][]byte{b.PrevRoot, b.DirectInputsRoot, b.OutputsRoot, b.EffectsRoot, b.NewRoot, b.DataRoot} {
		if len(root) != merkle.RootSize || root[0] != merkle.Version {
			return refuse("malformed", "a root of %d bytes: want %d, the first %d", len(root), merkle.RootSize, merkle.Version)
		}
	}
	if empty := EmptyRoot(); !bytes.Equal(b.DirectInputsRoot, empty) || !bytes.Equal(b.DataRoot, empty) {
		return refuse("direct-inputs", "batch holds direct inputs or data, which this version does not know")
	}
	if q, k := uint64(c.Quorum), uint64(len(c.Members)); 2*q <= k || q > k {
		return refuse("bad-quorum", "cluster %d has %d members and a quorum of %d: want more than half of them", c.Id, k, q)
	}
	epoch, ok := EpochAt(c, b.ChainHeight)
	switch {
	case b.ChainId != in.ChainID:
		return refuse("wrong-chain", "batch is for chain %q, this is %q", b.ChainId, in.ChainID)
	case b.Cluster != c.Id:
		return refuse("wrong-cluster", "batch is for cluster %d, not %d", b.Cluster, c.Id)
	case b.Number != h.Number+1 || !bytes.Equal(b.PrevBatchHash, h.BatchHash) || !bytes.Equal(b.PrevRoot, h.Root):
		return refuse("stale-head", "batch %d does not follow the head, batch %d: another was final first", b.Number, h.Number)
	case !ok || b.Epoch != epoch || b.Roster != c.Roster:
		return refuse("wrong-epoch", "batch names epoch %d roster %d, the cluster has %d and %d since height %d, and had %d and %d before", b.Epoch, b.Roster, c.Epoch, c.Roster, c.BorderHeight, c.PreviousEpoch, c.PreviousRoster)
	case b.ChainHeight < h.ChainHeight:
		return refuse("height-backwards", "batch executes at height %d, its head at %d", b.ChainHeight, h.ChainHeight)
	case b.ChainHeight >= in.Height:
		return refuse("height-unknown", "batch executes at height %d, not before this block, %d", b.ChainHeight, in.Height)
	case in.Height-b.ChainHeight > in.MaxAge:
		return refuse("height-too-old", "batch executes at height %d, %d blocks before %d; at most %d", b.ChainHeight, in.Height-b.ChainHeight, in.Height, in.MaxAge)
	case len(in.ChainHash) != sha256.Size || !bytes.Equal(b.ChainHash, in.ChainHash):
		return refuse("wrong-block", "batch names another block at height %d than this chain has", b.ChainHeight)
	case b.View != View(h, b.ChainHeight):
		return refuse("wrong-view", "batch claims view %d; at height %d it is view %d", b.View, b.ChainHeight, View(h, b.ChainHeight))
	case b.InboxFirst != h.InboxNext:
		return refuse("inbox-skipped", "batch begins with inbox item %d; %d is next", b.InboxFirst, h.InboxNext)
	case b.InboxCount == 0:
		return refuse("empty", "batch holds no input")
	case b.InboxFirst+uint64(b.InboxCount) > in.InboxNext:
		return refuse("inbox-beyond", "batch takes %d items from item %d on; the inbox holds only those before %d", b.InboxCount, b.InboxFirst, in.InboxNext)
	}
	return nil
}

// Signed checks that a quorum of a cluster's members in force, given in its order, has signed a batch.
func Signed(c *wire.Cluster, members []*wire.Worker, signed *wire.SignedBatch) error {
	b := signed.GetBatch()
	if c == nil || b == nil {
		return refuse("malformed", "batch or cluster is missing")
	}
	msg := BatchBytes(b)
	var valid uint32
	last := int64(-1)
	seen := make(map[string]uint32, len(signed.Signatures))
	for _, s := range signed.Signatures {
		m := int64(s.GetMember())
		if s == nil || m <= last || m >= int64(len(c.Members)) || m >= int64(len(members)) {
			return refuse("malformed", "signature of member %d is out of order, repeated or of no member", s.GetMember())
		}
		last = m
		w := members[m]
		if err := VerifyMember(c, w, s, msg, b.ChainHeight); err != nil {
			return err
		}
		// One enclave counts once, under whatever names its host has registered it.
		if other, ok := seen[string(w.IdentityKey)]; ok {
			return refuse("same-identity", "members %d and %d are one identity", other, s.Member)
		}
		seen[string(w.IdentityKey)] = s.Member
		valid++
	}
	if valid < c.Quorum {
		return refuse("no-quorum", "%d signatures count, the quorum is %d", valid, c.Quorum)
	}
	return nil
}

// VerifyMember checks one signature over msg by the identity that was in force at height. s may come from anybody.
func VerifyMember(c *wire.Cluster, w *wire.Worker, s *wire.BatchSignature, msg []byte, height uint64) error {
	if s == nil || uint64(s.Member) >= uint64(len(c.GetMembers())) {
		return refuse("malformed", "signature is missing or of no member")
	}
	name := c.Members[s.Member].Name()
	switch {
	case w == nil || !w.Worker.Is(c.Members[s.Member]):
		return refuse("unregistered", "member %d, worker %s, is not registered", s.Member, name)
	case w.Role != wire.ROLE_EXECUTOR:
		return refuse("wrong-role", "member %d, worker %s, is no executor", s.Member, name)
	case w.ExpiryHeight <= height:
		return refuse("expired", "registration of worker %s ended at height %d, the batch executes at %d", name, w.ExpiryHeight, height)
	case w.RegisteredHeight >= height:
		return refuse("superseded", "identity of worker %s counts after height %d, the batch executes at %d", name, w.RegisteredHeight, height)
	case len(w.IdentityKey) != ed25519.PublicKeySize || !ed25519.Verify(w.IdentityKey, msg, s.Signature):
		return refuse("bad-signature", "signature of member %d is not by the registered identity of worker %s: superseded, or of another batch", s.Member, name)
	}
	return nil
}

// View counts the leaders since the head, by chain height.
func View(h *wire.Head, chainHeight uint64) uint64 {
	if chainHeight <= h.CommittedHeight {
		return 0
	}
	return (chainHeight - h.CommittedHeight) / ViewBlocks
}

// Leader is the index of the member whose turn it is; -1 in a cluster without members.
func Leader(c *wire.Cluster, number, view uint64) int {
	if len(c.GetMembers()) == 0 {
		return -1
	}
	return int((number + view) % uint64(len(c.Members)))
}

// EmptyRoot is the root of a state without keys, and of every other empty tree.
func EmptyRoot() []byte { return merkle.Root(nil) }
