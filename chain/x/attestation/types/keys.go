// Package types holds the messages, queries and genesis of x/attestation, with the names of its store, errors and events.
// It must never import the Cosmos SDK: clients and off-chain workers link it.
package types

import "github.com/phala-go/phala/core/storekey"

const (
	// ModuleName is also the name of the module's store.
	ModuleName = storekey.Attestation
	// NoncesKept is how many of the newest block hashes evidence and batches may name.
	NoncesKept = 256
)

// First bytes of the module's keys; core/storekey has the same.
const (
	NetworkPrefix byte = 0x01
	PolicyPrefix  byte = 0x02
	NoncePrefix   byte = 0x03

	CollateralPrefix byte = 0x04 // SHA-256 -> bytes
	KeptPrefix       byte = 0x05 // SHA-256 -> height at which it may be forgotten
	ForgetPrefix     byte = 0x06 // that height, SHA-256
)

// Life of stored collateral, in blocks.
const (
	// CollateralGrace is how long it is kept before a registration needs it, and after the last one that did has ended.
	CollateralGrace = 20_000
	// ForgottenPerBlock bounds the work of a block.
	ForgottenPerBlock = 32
)

// Events. A policy that is replaced names what it approves anew, from when, and what it ends.
const (
	EventPolicyUpdated    = "policy_updated"
	EventMeasurement      = "measurement_approved"
	EventMeasurementEnds  = "measurement_ends"
	EventCollateralStored = "collateral_stored"

	AttributeRole         = "role"
	AttributeMeasurements = "measurements"
	AttributeMeasurement  = "measurement" // hex
	AttributeCommit       = "source_commit"
	AttributeHeight       = "height"
	AttributeHash         = "hash" // hex
	AttributeSize         = "size" // bytes
	AttributeWorkers      = "workers"
)
