package relay_test

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/metrics"
	"github.com/phala-go/phala/offchain/relay"
)

func shown(s *metrics.Set) string {
	r := httptest.NewRecorder()
	s.ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	return r.Body.String()
}

// wanted waits until all of the lines are shown.
func wanted(t *testing.T, s *metrics.Set, lines string) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, missing := shown(s), ""
		for _, l := range strings.Split(strings.TrimSpace(lines), "\n") {
			if !strings.Contains(got, strings.TrimSpace(l)+"\n") {
				missing += l + "\n"
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not shown:\n%s\nbut:\n%s", missing, got)
		}
	}
}

// What a gatekeeper's operator sees: how it stands on the chain, whom a generation waits for, and what became of requests for keys.
func TestMetricsOfAGatekeeper(t *testing.T) {
	b, set := newBench(t, 30), metrics.New()
	b.change = func(c *relay.Config) { c.Metrics = set }
	b.chain.workers["pha1other/0"] = &wire.Worker{Endpoint: "http://127.0.0.1:1"}
	b.chain.set = &wire.GatekeeperSet{Epoch: 4, Threshold: 2, Members: []*wire.GatekeeperMember{
		{Worker: self, IdentityKey: key(1)},
		{Worker: &wire.WorkerRef{Operator: "pha1other"}, IdentityKey: key(2), Fault: wire.MEMBER_FAULT_LOST},
		{Worker: &wire.WorkerRef{Operator: "pha1third"}, IdentityKey: key(3)},
	}}
	b.chain.previous = &wire.GatekeeperSet{Epoch: 3, Members: []*wire.GatekeeperMember{{Worker: self, IdentityKey: key(9)}}}
	b.chain.generation = &wire.Generation{Epoch: 5, Attempt: 2, Phase: wire.GENERATION_PHASE_CONTRIBUTE, Members: []*wire.GenerationMember{
		{Worker: self, ContributionHash: []byte{1}},
		{Worker: &wire.WorkerRef{Operator: "pha1third"}},
		{Worker: &wire.WorkerRef{Operator: "pha1other"}, Fault: wire.MEMBER_FAULT_SILENT},
	}}
	e := startTEE(t, b.socket, &wire.Identity{ChainId: chainID, Role: wire.ROLE_GATEKEEPER, Kind: wire.TEE_KIND_SIMULATED, IdentityKey: key(1)})
	other := &wire.WorkerRef{Operator: "pha1other"}
	said := false
	e.answer = func(in *wire.In) []*wire.Out {
		if in.GetLightBlocks() == nil || said {
			return nil
		}
		said = true
		fail := func(code, why string) *wire.Out {
			return &wire.Out{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: code, Message: why}}}
		}
		// A failure among the answers would be the answer: these come by themselves.
		go func() {
			for _, o := range []*wire.Out{
				fail("key-refused", "request of pha1x/0 for cluster 1: worker pha1x/0 is no member of cluster 1"),
				fail("key-refused", "request of pha1x/0 for cluster 1: registration of worker pha1x/0 ended at height 3"),
				fail("key-refused", "request of pha1x/0 for cluster 1: evidence refused by the policy before the activation delay: x"),
				fail("rate-limited", "requests for keys at height 7"),
				{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: other, Body: &wire.PeerMessage_KeyPart{KeyPart: &wire.KeyPart{}}}}},
				{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: other, Body: &wire.PeerMessage_BeaconPart{BeaconPart: &wire.BeaconPart{}}}}},
				{Body: &wire.Out_Complaint{Complaint: &wire.Complaint{Epoch: 5}}},
				{Body: &wire.Out_Beacon{Beacon: &wire.Beacon{Height: 3}}},
				{Body: &wire.Out_Fork{Fork: &wire.ForkEvidence{Height: 9}}},
			} {
				e.say(o)
			}
		}()
		return nil
	}
	e.serve()
	b.run(t)
	wanted(t, set, `
		phala_enclave_up{worker="pha1self/1",role="gatekeeper",tee="simulated"} 1
		phala_verified_height 30
		phala_node_height 30
		phala_worker_registered 1
		phala_worker_registration_expires_height 70
		phala_worker_evidence_age_blocks 0
		phala_worker_registrations_total{result="done"} 1
		phala_gatekeeper_epoch 4
		phala_gatekeeper_threshold 2
		phala_gatekeeper_members{state="serving"} 2
		phala_gatekeeper_members{state="not serving"} 1
		phala_gatekeeper_serves_epoch{epoch="3"} 0
		phala_gatekeeper_serves_epoch{epoch="4"} 1
		phala_generation_phase{epoch="5",attempt="2"} 2
		phala_generation_waits_for{worker="pha1third/0"} 1
		phala_key_requests_refused_total{reason="membership"} 1
		phala_key_requests_refused_total{reason="registration"} 1
		phala_key_requests_refused_total{reason="evidence"} 1
		phala_key_requests_limited_total 1
		phala_key_requests_answered_total 1
		phala_beacon_parts_total 1
		phala_beacon_values_total 1
		phala_forks_total 1
		phala_generation_messages_total{kind="complaint"} 1
		phala_enclave_failures_total{code="rate-limited"} 1
		phala_peer_messages_total{result="failed"} 2
		phala_transactions_total{what="beacon",result="sent"} 1
	`)
	if got := shown(set); strings.Contains(got, `waits_for{worker="pha1self/1"}`) || strings.Contains(got, `waits_for{worker="pha1other/0"}`) {
		t.Errorf("it waits for one that has spoken, or is excluded:\n%s", got)
	}
	if proofs, _ := filepath.Glob(filepath.Join(filepath.Dir(b.socket), "objects", "forks", "9-*.json")); len(proofs) != 1 {
		t.Errorf("the proof of the fork is not kept: %q", proofs)
	}
	b.chain.advance()
	wanted(t, set, "phala_verified_height 31\nphala_worker_evidence_age_blocks 1\nphala_peers_known 1")
	e.stop()
	wanted(t, set, `phala_enclave_up{worker="pha1self/1",role="gatekeeper",tee="simulated"} 0`)
}

// What an executor's operator sees of its clusters.
func TestMetricsOfAnExecutor(t *testing.T) {
	b, set := newBench(t, 20), metrics.New()
	b.change = func(c *relay.Config) { c.Metrics = set }
	b.chain.clusters = []*wire.Cluster{{Id: 6, Epoch: 3, Roster: 1, Members: []*wire.WorkerRef{self}, CreatedHeight: 2}}
	b.chain.head, b.chain.inbox = &wire.Head{Number: 12, InboxNext: 40}, &wire.Inbox{Next: 47}
	e := startTEE(t, b.socket, executor(1))
	e.serve()
	b.run(t)
	wanted(t, set, `
		phala_enclave_up{worker="pha1self/1",role="executor",tee="unspecified"} 1
		phala_cluster_epoch{cluster="6"} 3
		phala_cluster_batches_final{cluster="6"} 12
		phala_cluster_inbox_lag{cluster="6"} 7
	`)
	if got := shown(set); strings.Contains(got, "serves_epoch") {
		t.Errorf("an executor serves an epoch:\n%s", got)
	}
}
