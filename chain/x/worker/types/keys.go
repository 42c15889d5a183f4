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
	ExpiryPrefix   byte = 0x05 // height at which a registration ends, worker
	LapsePrefix    byte = 0x06 // Unix second at which what its evidence rests on lapses, worker
)

// EndedPerBlock bounds how many registrations one block ends by time. Heights need no work: whoever reads the record compares.
const EndedPerBlock = 1000

// Whole is all of a bond in the parts that are slashed.
const Whole = 10_000

// Events. A registration that replaces a boot emits retired before registered.
const (
	EventRegistered   = "worker_registered"
	EventRetired      = "worker_retired"
	EventUnregistered = "worker_unregistered"
	EventExpired      = "worker_expired"
	EventRefused      = "evidence_refused" // one for each reason
	EventSlashed      = "worker_slashed"   // part of its bond is burned

	AttributeOperator    = "operator"
	AttributeSlot        = "slot"
	AttributeRole        = "role"
	AttributeKind        = "kind"
	AttributeIdentity    = "identity_key" // hex
	AttributeMeasurement = "measurement"  // hex
	AttributeEndpoint    = "endpoint"
	AttributeExpiry      = "expiry_height"
	AttributeBond        = "bond" // ppha
	AttributeLoss        = "loss" // ppha that were burned
	AttributeReason      = "reason"
	AttributeLevel       = "level"   // confidence level, 1 to 5; 0 for simulated
	AttributeChip        = "chip_id" // hex; empty where evidence does not tell
	AttributeStatus      = "tcb_status"

	AttributeCode   = "code"   // of a reason, kebab-case
	AttributeField  = "field"  // of the evidence
	AttributeGot    = "got"    // what stood there
	AttributeWant   = "want"   // what would have been accepted
	AttributeAdvice = "advice" // what the operator can do
)
