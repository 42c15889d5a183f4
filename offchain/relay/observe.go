package relay

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/metrics"
)

// observeEvery bounds how often the chain is asked for what only an operator wants to know.
const observeEvery = 2 * time.Second

// observe tells the metrics how the worker stands on the chain; nothing that the relay does rests on it.
func (s *session) observe() error {
	for tip := s.waitTip(0); tip > 0; tip = s.waitTip(tip) {
		if err := s.look(tip); err != nil && s.ctx.Err() == nil {
			s.cfg.Metrics.Add(metrics.ObservationFailed, 1)
			s.log.Debug("the chain does not say how the worker stands", "error", err)
		}
		pause(s.ctx, observeEvery)
	}
	return s.ctx.Err()
}

func (s *session) look(tip uint64) error {
	m := s.cfg.Metrics
	m.Put(metrics.PeersKnown, float64(s.peers.count()))
	m.Put(metrics.RecordsUnstored, float64(s.unstored.Load()))
	w, _, err := s.recordOnChain()
	if err != nil {
		return err
	}
	s.lookAtWorker(w, tip)
	if err := s.lookAtKeys(); err != nil {
		return err
	}
	if s.identity.Role != wire.ROLE_EXECUTOR {
		return nil
	}
	return s.lookAtClusters()
}

func (s *session) lookAtWorker(w *wire.Worker, tip uint64) {
	m := s.cfg.Metrics
	if w == nil || !bytes.Equal(w.IdentityKey, s.identity.IdentityKey) {
		m.Put(metrics.Registered, 0)
		m.Forget(metrics.ExpiryHeight, metrics.EvidenceAge)
		return
	}
	m.Put(metrics.Registered, one(w.ExpiryHeight > tip))
	m.Put(metrics.ExpiryHeight, float64(w.ExpiryHeight))
	m.Put(metrics.EvidenceAge, float64(tip-min(tip, w.RegisteredHeight)))
}

// lookAtKeys tells of the epoch in force and of the one that is being made.
func (s *session) lookAtKeys() error {
	m := s.cfg.Metrics
	var set gatekeeper.QuerySetResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.gatekeeper.v1.Query/Set", &gatekeeper.QuerySetRequest{}, &set); err != nil {
		return err
	}
	var gen gatekeeper.QueryGenerationResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.gatekeeper.v1.Query/Generation", &gatekeeper.QueryGenerationRequest{}, &gen); err != nil {
		return err
	}
	m.Put(metrics.Epoch, float64(set.Set.GetEpoch()))
	m.Put(metrics.SetThreshold, float64(set.Set.GetThreshold()))
	serving := 0
	for _, x := range set.Set.GetMembers() {
		if x.Fault == wire.MEMBER_FAULT_NONE {
			serving++
		}
	}
	m.Put(metrics.SetMembers, float64(serving), "serving")
	m.Put(metrics.SetMembers, float64(len(set.Set.GetMembers())-serving), "not serving")
	if s.identity.Role == wire.ROLE_GATEKEEPER {
		m.Forget(metrics.Serves)
		for _, x := range []*wire.GatekeeperSet{set.Previous, set.Set} {
			if x.GetEpoch() > 0 {
				m.Put(metrics.Serves, one(s.serves(x)), strconv.FormatUint(x.Epoch, 10))
			}
		}
	}
	m.Forget(metrics.Generation, metrics.GenerationWaits)
	if g := gen.Generation; g != nil {
		m.Put(metrics.Generation, float64(g.Phase), strconv.FormatUint(g.Epoch, 10), strconv.FormatUint(uint64(g.Attempt), 10))
		for _, x := range waitedFor(g) {
			m.Put(metrics.GenerationWaits, 1, x.Name())
		}
	}
	return nil
}

// serves says that the chain counts this boot's parts in a set; a gatekeeper erases them when it does not.
func (s *session) serves(set *wire.GatekeeperSet) bool {
	for _, x := range set.Members {
		if x.Worker.Is(s.cfg.Worker) {
			return x.Fault == wire.MEMBER_FAULT_NONE && bytes.Equal(x.IdentityKey, s.identity.IdentityKey)
		}
	}
	return false
}

// waitedFor are the members that have not done yet what ends the phase.
func waitedFor(g *wire.Generation) (out []*wire.WorkerRef) {
	for _, x := range g.Members {
		done := x.Fault != wire.MEMBER_FAULT_NONE
		switch g.Phase {
		case wire.GENERATION_PHASE_JOIN:
			done = done || len(x.JoinHash) > 0
		case wire.GENERATION_PHASE_CONTRIBUTE:
			done = done || len(x.ContributionHash) > 0
		case wire.GENERATION_PHASE_CONFIRM:
			done = done || x.Confirmed
		default:
			done = true
		}
		if !done {
			out = append(out, x.Worker)
		}
	}
	return out
}

func (s *session) lookAtClusters() error {
	m := s.cfg.Metrics
	var all cluster.QueryClustersResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.cluster.v1.Query/Clusters", &cluster.QueryClustersRequest{Limit: clustersPage, Member: s.cfg.Worker}, &all); err != nil {
		return err
	}
	m.Forget(metrics.ClusterEpoch, metrics.ClusterBatches, metrics.ClusterInboxLag)
	for _, c := range all.Clusters {
		var r cluster.QueryClusterResponse
		if err := s.cfg.Chain.Query(s.ctx, "/phala.cluster.v1.Query/Cluster", &cluster.QueryClusterRequest{Id: c.Id}, &r); err != nil {
			return err
		}
		id := strconv.FormatUint(c.Id, 10)
		m.Put(metrics.ClusterEpoch, float64(c.Epoch), id)
		m.Put(metrics.ClusterBatches, float64(r.Head.GetNumber()), id)
		m.Put(metrics.ClusterInboxLag, float64(r.Inbox.GetNext()-min(r.Inbox.GetNext(), r.Head.GetInboxNext())), id)
	}
	return nil
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// refusal sorts a gatekeeper's reason by the words that it uses for it.
func refusal(message string) string {
	for _, r := range [][2]string{
		{"no member", "membership"}, {"not registered", "registration"}, {"registration of", "registration"}, {"is registered as", "registration"},
		{"identity", "registration"}, {"evidence", "evidence"}, {"policy", "evidence"}, {"epoch", "epoch"}, {"roster", "epoch"}, {"parts do not count", "epoch"},
	} {
		if strings.Contains(message, r[0]) {
			return r[1]
		}
	}
	return "other"
}
