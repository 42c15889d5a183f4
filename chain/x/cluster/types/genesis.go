package types

import (
	"bytes"

	"cosmossdk.io/math"

	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/wire"
)

// Bounds of the parameters.
const (
	maxMembers  = 64
	maxBatchAge = 255 // the chain knows the hashes of 256 blocks
)

// DefaultGenesis is a production network without clusters. It demands storage receipts, which this version cannot check:
// a network in development sets min_storage_receipts to 0.
func DefaultGenesis() *GenesisState {
	return &GenesisState{
		Params: &Params{
			MaxMembers: 16, MaxBatchAge: 100, MinStorageReceipts: 1,
			// 0.001 PHA, doubled from class to class.
			GasClassFees: []string{"1000000000", "2000000000", "4000000000", "8000000000", "16000000000", "32000000000", "64000000000", "128000000000"},
		},
		NextCluster: 1,
	}
}

// ValidateParams refuses parameters that the network may not have.
func ValidateParams(n *wire.NetworkParams, p *Params) error {
	switch {
	case p == nil:
		return ErrGenesis.Wrap("cluster.params is missing")
	case p.MaxMembers == 0 || p.MaxMembers > maxMembers:
		return ErrGenesis.Wrapf("cluster.params.max_members %d: want 1 to %d", p.MaxMembers, maxMembers)
	case p.MaxBatchAge == 0 || p.MaxBatchAge > maxBatchAge:
		return ErrGenesis.Wrapf("cluster.params.max_batch_age %d: want 1 to %d", p.MaxBatchAge, maxBatchAge)
	case len(p.GasClassFees) != GasClasses:
		return ErrGenesis.Wrapf("cluster.params.gas_class_fees has %d entries: want %d", len(p.GasClassFees), GasClasses)
	case p.MinStorageReceipts == 0 && !n.GetDevelopment():
		return ErrGenesis.Wrap("cluster.params.min_storage_receipts is 0: only a network whose genesis says development may do without")
	}
	for i, f := range p.GasClassFees {
		if _, err := ParseAmount(f); err != nil {
			return ErrGenesis.Wrapf("cluster.params.gas_class_fees[%d]: %v", i, err)
		}
	}
	return nil
}

// Validate refuses a genesis that could not have been exported. What only a network in development may have is for
// ValidateParams.
func (g *GenesisState) Validate() error {
	if err := ValidateParams(&wire.NetworkParams{Development: true}, g.Params); err != nil {
		return err
	}
	if g.NextCluster == 0 {
		return ErrGenesis.Wrap("cluster.next_cluster is 0: the first cluster is 1")
	}
	if len(g.Heads) != len(g.Clusters) || len(g.Inboxes) != len(g.Clusters) {
		return ErrGenesis.Wrapf("cluster: %d clusters, %d heads, %d inboxes: each cluster has one of each", len(g.Clusters), len(g.Heads), len(g.Inboxes))
	}
	known := make(map[uint64]bool)
	for i, c := range g.Clusters {
		h, in := g.Heads[i], g.Inboxes[i]
		switch {
		case c == nil || c.Id == 0 || c.Id >= g.NextCluster || known[c.Id]:
			return ErrGenesis.Wrapf("cluster.clusters[%d]: id %d is repeated or not between 1 and next_cluster %d", i, c.GetId(), g.NextCluster)
		case h.GetCluster() != c.Id || in.GetCluster() != c.Id:
			return ErrGenesis.Wrapf("cluster.clusters[%d]: cluster %d stands beside head %d and inbox %d", i, c.Id, h.GetCluster(), in.GetCluster())
		case in.Next == 0 || h.InboxNext == 0 || h.InboxNext > in.Next:
			return ErrGenesis.Wrapf("cluster.inboxes[%d]: next item %d, the head expects %d", i, in.Next, h.InboxNext)
		}
		if err := CheckMembers(&Params{MaxMembers: maxMembers}, c.Members, c.Quorum); err != nil {
			return ErrGenesis.Wrapf("cluster.clusters[%d]: %v", i, err)
		}
		if _, err := ParseAmount(in.Escrow); err != nil {
			return ErrGenesis.Wrapf("cluster.inboxes[%d]: escrow: %v", i, err)
		}
		known[c.Id] = true
	}
	if err := g.validateKeyEscrows(); err != nil {
		return err
	}
	return g.validateContents(known)
}

func (g *GenesisState) validateContents(known map[uint64]bool) error {
	for i, it := range g.Items {
		if !known[it.GetCluster()] || it.Index == 0 {
			return ErrGenesis.Wrapf("cluster.items[%d]: item %d of unknown cluster %d", i, it.GetIndex(), it.GetCluster())
		}
	}
	for i, b := range g.Batches {
		if in := b.GetSigned().GetBatch(); !known[in.GetCluster()] || in.Number == 0 {
			return ErrGenesis.Wrapf("cluster.batches[%d]: batch %d of unknown cluster %d", i, in.GetNumber(), in.GetCluster())
		}
	}
	for i, c := range g.Codes {
		code, err := codepack.Unpack(c.Packed)
		if err != nil {
			return ErrGenesis.Wrapf("cluster.codes[%d]: %v", i, err)
		}
		if id := codepack.ID(code); !bytes.Equal(id[:], c.GetCode().GetId()) {
			return ErrGenesis.Wrapf("cluster.codes[%d]: id %x, the module's is %x", i, c.GetCode().GetId(), id)
		}
	}
	for i, c := range g.Contracts {
		if !known[c.GetCluster()] || len(c.Address) != 32 {
			return ErrGenesis.Wrapf("cluster.contracts[%d]: address %x of unknown cluster %d", i, c.GetAddress(), c.GetCluster())
		}
	}
	for i, r := range g.Revealed {
		if !known[r.GetCluster()] || len(r.Leaf) != 32 {
			return ErrGenesis.Wrapf("cluster.revealed[%d]: effect %x of unknown cluster %d", i, r.GetLeaf(), r.GetCluster())
		}
	}
	return nil
}

// Escrows is the sum of all escrows of a validated genesis.
func (g *GenesisState) Escrows() math.Int {
	sum := math.ZeroInt()
	for _, in := range g.Inboxes {
		if n, err := ParseAmount(in.Escrow); err == nil {
			sum = sum.Add(n)
		}
	}
	return sum
}
