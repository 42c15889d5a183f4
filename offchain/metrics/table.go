package metrics

// Metric describes one metric as it is shown.
type Metric struct {
	Name, Kind string // Kind: counter or gauge
	Labels     []string
	Help       string
}

// Names of the metrics, as in docs/reference/metrics.md.
const (
	EnclaveUp         = "phala_enclave_up"
	VerifiedHeight    = "phala_verified_height"
	VerifiedTime      = "phala_verified_header_timestamp_seconds"
	NodeHeight        = "phala_node_height"
	HeadersRefused    = "phala_headers_refused_total"
	Forks             = "phala_forks_total"
	Failures          = "phala_enclave_failures_total"
	Registered        = "phala_worker_registered"
	ExpiryHeight      = "phala_worker_registration_expires_height"
	RegistrationEnds  = "phala_worker_registration_ends_timestamp_seconds"
	CollateralEnds    = "phala_worker_collateral_ends_timestamp_seconds"
	EvidenceAge       = "phala_worker_evidence_age_blocks"
	Registrations     = "phala_worker_registrations_total"
	Epoch             = "phala_gatekeeper_epoch"
	Serves            = "phala_gatekeeper_serves_epoch"
	SetMembers        = "phala_gatekeeper_members"
	SetThreshold      = "phala_gatekeeper_threshold"
	Generation        = "phala_generation_phase"
	GenerationWaits   = "phala_generation_waits_for"
	GenerationSent    = "phala_generation_messages_total"
	KeyAnswers        = "phala_key_requests_answered_total"
	KeyRefusals       = "phala_key_requests_refused_total"
	KeyLimited        = "phala_key_requests_limited_total"
	KeyRequestsSent   = "phala_key_requests_sent_total"
	BeaconParts       = "phala_beacon_parts_total"
	BeaconValues      = "phala_beacon_values_total"
	ClusterEpoch      = "phala_cluster_epoch"
	ClusterBatches    = "phala_cluster_batches_final"
	ClusterInboxLag   = "phala_cluster_inbox_lag"
	BatchesSent       = "phala_batches_sent_total"
	PeerMessages      = "phala_peer_messages_total"
	PeersKnown        = "phala_peers_known"
	Transactions      = "phala_transactions_total"
	RecordsUnstored   = "phala_records_waiting_for_disk"
	ObservationFailed = "phala_observation_failures_total"
)

// Table is every metric, in the order in which they are shown.
func Table() []Metric {
	return []Metric{
		{EnclaveUp, "gauge", []string{"worker", "role", "tee"}, "1 while the enclave is connected, 0 while it is not."},
		{VerifiedHeight, "gauge", nil, "Newest height that the enclave has verified."},
		{VerifiedTime, "gauge", nil, "Time in that height's header, Unix seconds; its age is time() minus this."},
		{NodeHeight, "gauge", nil, "Newest height that the node has told of."},
		{HeadersRefused, "counter", nil, "Batches of headers that the enclave has refused."},
		{Forks, "counter", nil, "Proofs, made by the enclave, that the validators have signed two headers of one height."},
		{Failures, "counter", []string{"code"}, "What the enclave has refused or complained about, by code; the log has the reason."},
		{Registered, "gauge", nil, "1 if the chain holds this boot of the enclave for the worker, 0 if another or none."},
		{ExpiryHeight, "gauge", nil, "First height at which the worker's registration no longer counts."},
		{RegistrationEnds, "gauge", nil, "Time at which it ends with the certificates and collateral that it rests on, Unix seconds."},
		{CollateralEnds, "gauge", nil, "First end of what the files of --collateral hold, Unix seconds."},
		{EvidenceAge, "gauge", nil, "Blocks since the registration in force."},
		{Registrations, "counter", []string{"result"}, "Registrations, by done, failed or refused (by the policy as it is foreseen: not sent)."},
		{Epoch, "gauge", nil, "Epoch of keys in force on the chain."},
		{Serves, "gauge", []string{"epoch"}, "1 if the chain counts this boot's parts of the epoch (the current and the one before), else 0."},
		{SetMembers, "gauge", []string{"state"}, "Members of the epoch in force, by serving or not."},
		{SetThreshold, "gauge", nil, "How many gatekeepers' parts a key takes."},
		{Generation, "gauge", []string{"epoch", "attempt"}, "Phase of the newest making of keys: 1 join, 2 contribute, 3 confirm, 4 done, 5 failed."},
		{GenerationWaits, "gauge", []string{"worker"}, "1 for each member that a phase under way waits for."},
		{GenerationSent, "counter", []string{"kind"}, "Messages of generations that this gatekeeper has given out: join, contribution, complaint, confirmation."},
		{KeyAnswers, "counter", nil, "Requests for keys that this gatekeeper has answered with its parts."},
		{KeyRefusals, "counter", []string{"reason"}, "Requests for keys that this gatekeeper has refused."},
		{KeyLimited, "counter", nil, "Heights at which requests for keys had to wait for the next, as too many came."},
		{KeyRequestsSent, "counter", nil, "Requests for keys that this executor has made."},
		{BeaconParts, "counter", nil, "Parts of beacon values sent to other gatekeepers."},
		{BeaconValues, "counter", nil, "Beacon values that this gatekeeper has put together."},
		{ClusterEpoch, "gauge", []string{"cluster"}, "Epoch that a cluster of this worker is in."},
		{ClusterBatches, "gauge", []string{"cluster"}, "Number of its newest final batch."},
		{ClusterInboxLag, "gauge", []string{"cluster"}, "Inputs that are ordered and in no final batch yet."},
		{BatchesSent, "counter", nil, "Batches that this executor has sent to the chain."},
		{PeerMessages, "counter", []string{"result"}, "Messages of the enclave to other workers, by done or failed."},
		{PeersKnown, "gauge", nil, "Workers whose address is known."},
		{Transactions, "counter", []string{"what", "result"}, "Transactions, by sent, refused by the node, or failed in a block or without a word."},
		{RecordsUnstored, "gauge", nil, "Sealed records that are being stored or wait for room on the disk."},
		{ObservationFailed, "counter", nil, "Times that the chain could not be asked for these figures."},
	}
}
