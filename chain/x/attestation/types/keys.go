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
)

// EventPolicyUpdated says that governance replaced the policy of a role.
const (
	EventPolicyUpdated = "policy_updated"

	AttributeRole         = "role"
	AttributeMeasurements = "measurements"
)
