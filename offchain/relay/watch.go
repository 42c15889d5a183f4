package relay

import (
	"fmt"
	"slices"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// watch looks at each height for what the enclave cannot know of: clusters it is a member of, requests for keys.
func (s *session) watch() error {
	select {
	case <-s.named: // before it the enclave does not know which worker it is
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	look := s.newClusters()
	if s.identity.Role == wire.ROLE_GATEKEEPER {
		look = s.newRequests()
	}
	failed := false
	for tip := s.waitTip(0); tip > 0; tip = s.waitTip(tip) {
		err := look(tip)
		if err != nil && !failed && s.ctx.Err() == nil {
			s.log.Warn("the chain does not say what there is to serve", "error", err)
		}
		failed = err != nil
	}
	return s.ctx.Err()
}

const clustersPage = 100

// newClusters serves each cluster that this worker is a member of; whether it is the enclave sees for itself.
func (s *session) newClusters() func(uint64) error {
	var serving []uint64
	return func(tip uint64) error {
		var now []uint64
		for after := uint64(0); ; {
			var resp cluster.QueryClustersResponse
			if err := s.cfg.Chain.Query(s.ctx, "/phala.cluster.v1.Query/Clusters", &cluster.QueryClustersRequest{After: after, Limit: clustersPage, Member: s.cfg.Worker}, &resp); err != nil {
				return err
			}
			for _, c := range resp.Clusters {
				after = max(after, c.Id)
				if max(c.CreatedHeight, c.BorderHeight) >= tip && !slices.Contains(serving, c.Id) {
					s.post(&wire.In{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: c.Id, Epoch: c.Epoch, Roster: c.Roster}}})
					continue // the enclave has no header yet that proves it: it asks for the key meanwhile
				}
				now = append(now, c.Id)
				if slices.Contains(serving, c.Id) {
					continue
				}
				s.log.Info("serving a cluster", "cluster", c.Id, "members", len(c.Members), "quorum", c.Quorum, "roster", c.Roster)
				s.post(&wire.In{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: c.Id}}})
			}
			if len(resp.Clusters) < clustersPage {
				break
			}
		}
		for _, id := range serving {
			if !slices.Contains(now, id) {
				s.log.Info("this worker is a member of a cluster no more", "cluster", id)
			}
		}
		if !slices.Equal(serving, now) {
			serving = now
			s.cfg.Watcher.Serving(slices.Clone(serving))
		}
		return nil
	}
}

const (
	requestsSeen = 100  // newest requests looked at
	requestAge   = 1000 // blocks after which a request is not hinted at any more
)

// newRequests hints at each request once the enclave has a header that proves it.
func (s *session) newRequests() func(uint64) error {
	hinted := make(map[string]uint64) // request -> its height
	return func(tip uint64) error {
		var resp gatekeeper.QueryKeyRequestsResponse
		if err := s.cfg.Chain.Query(s.ctx, "/phala.gatekeeper.v1.Query/KeyRequests", &gatekeeper.QueryKeyRequestsRequest{Limit: requestsSeen}, &resp); err != nil {
			return err
		}
		for _, r := range resp.Requests {
			id := fmt.Sprintf("%d/%s/%d", r.Cluster, r.Worker.Name(), r.Height)
			if _, done := hinted[id]; done || r.Height >= tip || r.Height+requestAge < tip {
				continue
			}
			hinted[id] = r.Height
			s.log.Info("a worker asks for a cluster's key", "cluster", r.Cluster, "worker", r.Worker.Name(), "height", r.Height)
			s.post(&wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: r.Cluster, Worker: r.Worker}}})
		}
		for id, h := range hinted {
			if h+requestAge < tip {
				delete(hinted, id)
			}
		}
		return nil
	}
}
