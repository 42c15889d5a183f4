// Package types holds the messages, queries and genesis of x/worker, with the names of its store, errors and events.
// It must never import the Cosmos SDK: clients and off-chain workers link it.
package types

import "github.com/phala-go/phala/core/storekey"

// ModuleName is also the name of the module's store and of the account that holds the bonds.
const ModuleName = storekey.Worker

// First bytes of the module's keys; core/storekey has the same for what is read by proof.
const (
	ParamsPrefix   byte = 0x01
	WorkerPrefix   byte = 0x02
	EvidencePrefix byte = 0x03
	IdentityPrefix byte = 0x04 // identity key -> worker that holds it now
)

// Events. A registration that replaces a boot emits retired before registered.
const (
	EventRegistered   = "worker_registered"
	EventRetired      = "worker_retired"
	EventUnregistered = "worker_unregistered"

	AttributeOperator    = "operator"
	AttributeSlot        = "slot"
	AttributeRole        = "role"
	AttributeKind        = "kind"
	AttributeIdentity    = "identity_key" // hex
	AttributeMeasurement = "measurement"  // hex
	AttributeEndpoint    = "endpoint"
	AttributeExpiry      = "expiry_height"
	AttributeBond        = "bond" // ppha
)
