// Package types holds the messages, queries and genesis of x/cluster, with the names of its store, errors and events.
// It must never import the Cosmos SDK: clients and off-chain workers link it.
package types

import "github.com/phala-go/phala/core/storekey"

// ModuleName is also the name of the module's store and of the account that holds escrows and fees.
const ModuleName = storekey.Cluster

// First bytes of the module's keys; core/storekey has the same for what is read by proof.
const (
	ParamsPrefix   byte = 0x01
	NextIDPrefix   byte = 0x02
	ClusterPrefix  byte = 0x03
	HeadPrefix     byte = 0x04
	InboxPrefix    byte = 0x05
	ItemPrefix     byte = 0x06
	BatchPrefix    byte = 0x07
	CodePrefix     byte = 0x08
	PackedPrefix   byte = 0x09
	ContractPrefix byte = 0x0a
	RevealedPrefix byte = 0x0b
	MemberPrefix   byte = 0x0c // clusters by member

	KeyEscrowPrefix     byte = 0x0d
	EscrowDealPrefix    byte = 0x0e
	EscrowRequestPrefix byte = 0x0f
	EscrowSharePrefix   byte = 0x10
)

// Events.
const (
	EventCreated        = "cluster_created"
	EventMembers        = "cluster_members" // members were admitted or removed: the next roster
	EventEpoch          = "cluster_epoch"   // a new input key is in force
	EventCodeUploaded   = "cluster_code"
	EventInput          = "cluster_input"    // an inbox item has its place; kind tells calls from instantiations
	EventBatch          = "cluster_batch"    // a batch is final
	EventPayout         = "cluster_payout"   // an effect paid out of the escrow
	EventContractStatus = "cluster_contract" // a contract became live or failed
	EventContract       = "contract_event"   // a contract's own public event; its attributes begin with AttributeDataPrefix

	EventEscrowConsent   = "escrow_consent"   // the owner's word on an escrow of state keys; no terms: to none
	EventEscrowSet       = "escrow_set"       // an escrow of state keys counts from from_height on
	EventEscrowEnded     = "escrow_ended"     // nothing more is dealt
	EventEscrowDealt     = "escrow_dealt"     // a state key lies with the custodians
	EventEscrowRequested = "escrow_requested" // a member asks the custodians for state keys
	EventEscrowShare     = "escrow_share"     // a custodian has answered

	AttributeCluster     = "cluster"
	AttributeOwner       = "owner"
	AttributeMembers     = "members" // operator/slot, comma between
	AttributeQuorum      = "quorum"
	AttributeEpoch       = "epoch"
	AttributeRoster      = "roster"
	AttributeAdded       = "added"   // operator/slot, comma between
	AttributeRemoved     = "removed" // operator/slot, comma between
	AttributeCause       = "cause"   // true: what the removed have seen is compromised
	AttributeAdmitted    = "admitted"
	AttributeCodeID      = "code_id" // hex
	AttributeCreator     = "creator"
	AttributeIndex       = "index"
	AttributeKind        = "kind"
	AttributeSender      = "sender"
	AttributeFunds       = "funds" // ppha
	AttributeGasClass    = "gas_class"
	AttributeAddress     = "address" // of a contract, hex
	AttributeNumber      = "number"
	AttributeBatchHash   = "batch_hash" // hex
	AttributeChainHeight = "chain_height"
	AttributeInboxFirst  = "inbox_first"
	AttributeInboxNext   = "inbox_next"
	AttributeLeaf        = "leaf" // of an effect, hex
	AttributeTo          = "to"
	AttributeAmount      = "amount" // ppha
	AttributeState       = "state"
	AttributeType        = "type"
	AttributeDataPrefix  = "data."

	AttributeTerms      = "terms"      // SHA-256 of the terms, hex
	AttributeThreshold  = "threshold"  // custodians that together read the state
	AttributeCustodians = "custodians" // names, quoted, comma between
	AttributeCustodian  = "custodian"  // name
	AttributeFromHeight = "from_height"
	AttributeWorker     = "worker" // operator/slot
	AttributeDeal       = "deal"   // number among those of its label
)
