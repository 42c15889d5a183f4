// Package storekey builds the keys under which the chain stores what enclaves and clients read with proofs. It is written
// by hand so that the trusted base need not link the chain's collections library; a test of the chain compares the two.
// It must never build a key for something that is not part of wire's state.
package storekey

import "encoding/binary"

// Store names, equal to the modules' names.
const (
	Attestation = "attestation"
	Worker      = "worker"
	Cluster     = "cluster"
	Gatekeeper  = "gatekeeper"
)

func u64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }
func u32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

func worker(b []byte, operator string, slot uint32) []byte {
	b = append(b, operator...)
	b = append(b, 0)
	return u32(b, slot)
}

// Network is the key of wire.NetworkParams in Attestation.
func Network() []byte { return []byte{0x01} }

// Policy is the key of wire.Policy in Attestation.
func Policy(role int32) []byte { return u32([]byte{0x02}, uint32(role)) }

// Nonce is the key of the hash of a recent block in Attestation.
func Nonce(height uint64) []byte { return u64([]byte{0x03}, height) }

// CollateralKey is the key of collateral with a SHA-256 in Attestation. It is its own proof: enclaves compare the hash.
func CollateralKey(hash []byte) []byte { return append([]byte{0x04}, hash...) }

// WorkerKey is the key of wire.Worker in Worker.
func WorkerKey(operator string, slot uint32) []byte { return worker([]byte{0x02}, operator, slot) }

// EvidenceKey is the key of wire.WorkerEvidence in Worker.
func EvidenceKey(operator string, slot uint32) []byte { return worker([]byte{0x03}, operator, slot) }

// ClusterKey is the key of wire.Cluster in Cluster.
func ClusterKey(id uint64) []byte { return u64([]byte{0x03}, id) }

// HeadKey is the key of wire.Head in Cluster.
func HeadKey(id uint64) []byte { return u64([]byte{0x04}, id) }

// InboxKey is the key of wire.Inbox in Cluster.
func InboxKey(id uint64) []byte { return u64([]byte{0x05}, id) }

// ItemKey is the key of wire.InboxItem in Cluster.
func ItemKey(cluster, index uint64) []byte { return u64(u64([]byte{0x06}, cluster), index) }

// BatchKey is the key of wire.CommittedBatch in Cluster.
func BatchKey(cluster, number uint64) []byte { return u64(u64([]byte{0x07}, cluster), number) }

// CodeKey is the key of wire.Code in Cluster.
func CodeKey(id []byte) []byte { return append([]byte{0x08}, id...) }

// ContractKey is the key of wire.Contract in Cluster.
func ContractKey(cluster uint64, address []byte) []byte {
	return append(u64([]byte{0x0a}, cluster), address...)
}

// GatekeeperSetKey is the key of wire.GatekeeperSet in Gatekeeper.
func GatekeeperSetKey() []byte { return []byte{0x01} }

// ClusterInputKey is the key of wire.ClusterKey in Gatekeeper.
func ClusterInputKey(cluster uint64) []byte { return u64([]byte{0x02}, cluster) }

// KeyRequestKey is the key of wire.KeyRequest in Gatekeeper.
func KeyRequestKey(cluster uint64, operator string, slot uint32) []byte {
	return worker(u64([]byte{0x03}, cluster), operator, slot)
}

// RosterKey is the key of wire.GatekeeperRoster in Gatekeeper: who holds parts from the next border on.
func RosterKey() []byte { return []byte{0x07} }

// GenerationKey is the key of wire.Generation in Gatekeeper, the newest.
func GenerationKey() []byte { return []byte{0x08} }

// JoinKey is the key of a member's wire.GenerationJoin in Gatekeeper, in the newest generation.
func JoinKey(member uint32) []byte { return u32([]byte{0x09}, member) }

// ContributionKey is the key of a member's wire.Contribution in Gatekeeper, in the newest generation.
func ContributionKey(member uint32) []byte { return u32([]byte{0x0a}, member) }

// PreviousSetKey is the key of the wire.GatekeeperSet of the epoch before in Gatekeeper.
func PreviousSetKey() []byte { return []byte{0x0b} }

// KeyParamsKey is the key of wire.KeyParams in Gatekeeper.
func KeyParamsKey() []byte { return []byte{0x0c} }

// PreviousInputKey is the key of the wire.ClusterKey in Gatekeeper that a cluster's inputs may be sealed to besides its own.
func PreviousInputKey(cluster uint64) []byte { return u64([]byte{0x0d}, cluster) }

// NextInputKey is the key of the wire.ClusterKey in Gatekeeper that is announced and not in use yet.
func NextInputKey(cluster uint64) []byte { return u64([]byte{0x0e}, cluster) }

// BeaconKeyKey is the key of an epoch's wire.BeaconKey in Gatekeeper.
func BeaconKeyKey(epoch uint64) []byte { return u64([]byte{0x10}, epoch) }

// BeaconAt is the key of the wire.Beacon of a height in Gatekeeper.
func BeaconAt(height uint64) []byte { return u64([]byte{0x11}, height) }
