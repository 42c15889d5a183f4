package types

import (
	"bytes"
	"crypto/ed25519"
	"slices"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// Sizes in bytes.
const (
	publicKeySize = 1216 // X-Wing
	checkSize     = 64
)

// Asker is a worker that speaks for its cluster, with what the chain knows of both; nil where it knows nothing.
type Asker struct {
	ChainID string
	Height  uint64
	Epoch   uint64 // of the gatekeepers
	Cluster *wire.Cluster
	Worker  *wire.Worker
}

// check refuses a worker that is no member in force of the cluster.
func (a Asker) check(cluster uint64, ref *wire.WorkerRef) error {
	c, w := a.Cluster, a.Worker
	switch {
	case c == nil:
		return ErrCluster.Wrapf("cluster %d does not exist", cluster)
	case w == nil:
		return ErrWorker.Wrapf("worker %s is not registered: register it first", ref.Name())
	case w.Role != wire.ROLE_EXECUTOR:
		return ErrWorker.Wrapf("worker %s is a %s: only executors hold clusters' keys", ref.Name(), w.Role)
	case w.ExpiryHeight <= a.Height:
		return ErrWorker.Wrapf("registration of worker %s ended at height %d: register it anew", ref.Name(), w.ExpiryHeight)
	case !slices.ContainsFunc(c.Members, ref.Is):
		return ErrMember.Wrapf("worker %s is not a member of cluster %d", ref.Name(), c.Id)
	}
	return nil
}

// CheckKeyRequest decides whether a request for a key may go on record.
func CheckKeyRequest(a Asker, r *wire.KeyRequest) error {
	if r == nil || r.Worker == nil || len(r.OneTimeKey) != publicKeySize || r.Height != 0 {
		return ErrMalformed.Wrapf("request needs a worker, a one_time_key of %d bytes (has %d) and no height", publicKeySize, len(r.GetOneTimeKey()))
	}
	if err := a.check(r.Cluster, r.Worker); err != nil {
		return err
	}
	if c := a.Cluster; !settle.MayRequest(c, a.Epoch, r.Epoch, r.Roster) {
		return ErrEpoch.Wrapf("request names epoch %d roster %d; gatekeepers are in epoch %d, cluster %d in epoch %d roster %d, before it in %d and %d: ask for one of these", r.Epoch, r.Roster, a.Epoch, c.Id, c.Epoch, c.Roster, c.PreviousEpoch, c.PreviousRoster)
	}
	if !bytes.Equal(r.IdentityKey, a.Worker.IdentityKey) {
		return ErrIdentity.Wrapf("request names identity key %x, worker %s has %x in force: register the boot that asks first", r.IdentityKey, r.Worker.Name(), a.Worker.IdentityKey)
	}
	return verify(a, settle.KeyRequestBytes(a.ChainID, r), r.Signature, r.Worker)
}

// Pause is how many blocks after its last request an enclave may ask for the same cluster again: what it asked for can be with it then.
// One that has booted anew has another identity and waits for nothing.
const Pause = 2

// CheckPause refuses a new request that follows another of the same enclave too closely; last is nil if there is none.
func CheckPause(last, r *wire.KeyRequest, height uint64) error {
	if last == nil || !bytes.Equal(last.IdentityKey, r.IdentityKey) || height >= last.Height+Pause {
		return nil
	}
	return ErrTooSoon.Wrapf("worker %s asked for cluster %d at height %d: ask again from height %d on", r.Worker.Name(), r.Cluster, last.Height, last.Height+Pause)
}

// CheckAnnouncement decides whether an announcement is its worker's word on the cluster's key of the gatekeepers' epoch; agreed is
// the newest key that a quorum has announced, in force or not, or nil.
func CheckAnnouncement(a Asker, m *wire.Announcement, agreed *wire.ClusterKey) error {
	if m == nil || m.Worker == nil || len(m.InputKey) != publicKeySize || len(m.Check) != checkSize {
		return ErrMalformed.Wrapf("announcement needs a worker, an input_key of %d bytes (has %d) and a check of %d (has %d)",
			publicKeySize, len(m.GetInputKey()), checkSize, len(m.GetCheck()))
	}
	if err := a.check(m.Cluster, m.Worker); err != nil {
		return err
	}
	if c := a.Cluster; m.Epoch != a.Epoch || m.Epoch == 0 || m.Roster != c.Roster {
		return ErrEpoch.Wrapf("announcement names epoch %d roster %d, the gatekeepers are in epoch %d, cluster %d has roster %d: announce the key of these", m.Epoch, m.Roster, a.Epoch, c.Id, c.Roster)
	}
	if err := verify(a, settle.AnnouncementBytes(a.ChainID, m), m.Signature, m.Worker); err != nil {
		return err
	}
	if IsOf(agreed, m.Epoch, m.Roster) && !SameKey(agreed, m) {
		return ErrKeySet.Wrapf("cluster %d has an input key for epoch %d roster %d: derive the cluster's secret anew, the announced key differs", m.Cluster, m.Epoch, m.Roster)
	}
	return nil
}

func verify(a Asker, msg, signature []byte, ref *wire.WorkerRef) error {
	if len(a.Worker.IdentityKey) != ed25519.PublicKeySize || !ed25519.Verify(a.Worker.IdentityKey, msg, signature) {
		return ErrSignature.Wrapf("signature is not by identity key %x of worker %s over this message on chain %q", a.Worker.IdentityKey, ref.Name(), a.ChainID)
	}
	return nil
}

// IsOf says whether k is the key of (epoch, roster).
func IsOf(k *wire.ClusterKey, epoch, roster uint64) bool {
	return k != nil && k.Epoch == epoch && k.Roster == roster
}

// Due is a key that has come into force, with the one it replaces; nil: there was none, or the members have changed since.
type Due struct {
	Key, Before *wire.ClusterKey
}

// SameKey says whether m announces k.
func SameKey(k *wire.ClusterKey, m *wire.Announcement) bool {
	return k.Epoch == m.Epoch && k.Roster == m.Roster && bytes.Equal(k.InputKey, m.InputKey) && bytes.Equal(k.Check, m.Check)
}

// Agreed counts the members of c whose announcements in all say what m says.
func Agreed(c *wire.Cluster, all []*wire.Announcement, m *wire.Announcement) uint32 {
	k := &wire.ClusterKey{Epoch: m.Epoch, Roster: m.Roster, InputKey: m.InputKey, Check: m.Check}
	var n uint32
	for _, o := range all {
		if slices.ContainsFunc(c.Members, o.Worker.Is) && SameKey(k, o) {
			n++
		}
	}
	return n
}
