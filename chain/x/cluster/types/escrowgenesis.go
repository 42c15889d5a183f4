package types

import (
	"strconv"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/wire"
)

type escrowLabel struct{ cluster, epoch, roster uint64 }

// validateKeyEscrows refuses records of escrows of state keys that could not have been exported.
func (g *GenesisState) validateKeyEscrows() error {
	terms, dealt := map[uint64]*wire.EscrowTerms{}, map[escrowLabel]uint32{}
	known := map[uint64]*wire.Cluster{}
	for _, c := range g.Clusters {
		known[c.Id] = c
	}
	for i, d := range g.EscrowDeals {
		if d == nil {
			return ErrGenesis.Wrapf("cluster.escrow_deals[%d]: it is empty", i)
		}
		dealt[escrowLabel{d.Cluster, d.Epoch, d.Roster}]++
	}
	for i, e := range g.KeyEscrows {
		c := known[e.GetTerms().GetCluster()]
		if c == nil || terms[c.Id] != nil || e.ApprovedHeight == 0 || c.EscrowHeight != e.ApprovedHeight || len(e.Labels) > escrow.MaxLabels {
			return ErrGenesis.Wrapf("cluster.key_escrows[%d]: cluster %d does not say so", i, e.GetTerms().GetCluster())
		}
		if err := CheckEscrowTerms(c, e.Terms); err != nil {
			return ErrGenesis.Wrapf("cluster.key_escrows[%d]: %v", i, err)
		}
		terms[c.Id] = e.Terms
		for _, l := range e.Labels {
			at := escrowLabel{c.Id, l.GetEpoch(), l.GetRoster()}
			if l.GetDeals() == 0 || l.Deals > escrow.MaxDeals || dealt[at] != l.Deals {
				return ErrGenesis.Wrapf("cluster.key_escrows[%d]: %d deals of epoch %d roster %d, the records have %d", i, l.GetDeals(), at.epoch, at.roster, dealt[at])
			}
			delete(dealt, at)
		}
	}
	for at, n := range dealt {
		return ErrGenesis.Wrapf("cluster.escrow_deals: %d of cluster %d epoch %d roster %d, which no escrow lists", n, at.cluster, at.epoch, at.roster)
	}
	for i, c := range g.Clusters {
		if (c.EscrowHeight != 0) != (terms[c.Id] != nil) {
			return ErrGenesis.Wrapf("cluster.clusters[%d]: it names an escrow of height %d, the records do not", i, c.EscrowHeight)
		}
	}
	return g.validateDealt(terms)
}

func (g *GenesisState) validateDealt(terms map[uint64]*wire.EscrowTerms) error {
	for i, d := range g.EscrowDeals {
		if err := escrow.CheckDeal(terms[d.Cluster], d); err != nil {
			return ErrGenesis.Wrapf("cluster.escrow_deals[%d]: %v", i, err)
		}
	}
	asked := map[string]*wire.EscrowRequest{}
	for i, r := range g.EscrowRequests {
		if terms[r.GetCluster()] == nil || r.Worker == nil {
			return ErrGenesis.Wrapf("cluster.escrow_requests[%d]: cluster %d has no escrow, or nobody asks", i, r.GetCluster())
		}
		asked[asker(r.Cluster, r.Worker)] = r
	}
	for i, s := range g.EscrowShares {
		if s == nil || s.Worker == nil || asked[asker(s.Cluster, s.Worker)] == nil {
			return ErrGenesis.Wrapf("cluster.escrow_shares[%d]: nobody has asked for it", i)
		}
	}
	return nil
}

func asker(cluster uint64, w *wire.WorkerRef) string {
	return strconv.FormatUint(cluster, 10) + " " + w.Name()
}
