package types

// First bytes of the keys of what the making of an epoch's keys leaves on the chain.
const (
	RosterPrefix       byte = 0x07
	GenerationPrefix   byte = 0x08
	JoinPrefix         byte = 0x09
	ContributionPrefix byte = 0x0a
	PreviousSetPrefix  byte = 0x0b
	ParamsPrefix       byte = 0x0c
	InForcePrefix      byte = 0x20 // the roster that a generation begins with today; enclaves do not read it
)

// Events of the making of keys.
const (
	EventLost        = "gatekeeper_lost" // another boot has registered or the registration has ended: it holds no parts of the epoch any more
	EventRoster      = "roster_updated"
	EventRosterForce = "roster_in_force"
	EventGeneration  = "generation_started"
	EventJoined      = "generation_joined"
	EventContributed = "generation_contributed"
	EventConfirmed   = "generation_confirmed"
	EventPhase       = "generation_phase" // it has gone on to another
	EventExcluded    = "generation_member_excluded"
	EventFailed      = "generation_failed"
	EventEpochBegun  = "epoch_begun"
	EventNoBeacon    = "epoch_without_beacon"

	AttributeAttempt  = "attempt"
	AttributeMember   = "member" // index in the generation
	AttributeFault    = "fault"
	AttributePhase    = "phase"
	AttributeReason   = "reason"   // of a border: genesis, roster, lost or epoch
	AttributeDeadline = "deadline" // last height at which messages of the phase count
	AttributeMembers  = "members"
	AttributeServing  = "serving" // members that hold parts
	AttributeNeeded   = "threshold"
	AttributeRetry    = "retry_height" // first at which it is tried again
)
