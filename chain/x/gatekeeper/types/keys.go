// Package types holds the messages, queries and genesis of x/gatekeeper, with the names of its store, errors and events.
// It must never import the Cosmos SDK: clients and off-chain workers link it.
package types

import "github.com/phala-go/phala/core/storekey"

// ModuleName is also the name of the module's store.
const ModuleName = storekey.Gatekeeper

// First bytes of the module's keys; core/storekey has the same for what is read by proof.
const (
	SetPrefix          byte = 0x01
	ClusterKeyPrefix   byte = 0x02
	KeyRequestPrefix   byte = 0x03
	AnnouncementPrefix byte = 0x04
	RequestTimePrefix  byte = 0x05 // requests by height
	OneTimeKeyPrefix   byte = 0x06 // hashes of identity and one-time key that have been on record

	PreviousKeyPrefix byte = 0x0d
	NextKeyPrefix     byte = 0x0e
	DueKeyPrefix      byte = 0x0f // clusters by the height at which their next key is in force
)

// Events.
const (
	EventKeyRequested = "gatekeeper_key_request" // a release may follow
	EventAnnounced    = "gatekeeper_announcement"
	EventClusterKey   = "gatekeeper_cluster_key" // q members have announced a cluster's input key, which counts from a height on

	AttributeCluster  = "cluster"
	AttributeEpoch    = "epoch"
	AttributeRoster   = "roster"
	AttributeOperator = "operator"
	AttributeSlot     = "slot"
	AttributeIdentity = "identity_key" // hex
	AttributeHash     = "input_key_hash"
	AttributeFrom     = "from_height"
)
