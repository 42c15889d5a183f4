package executor

import "github.com/phala-go/phala/core/keytree"

// Held is what an attacker finds in an enclave's memory: its keys of a cluster, by epoch and roster.
func (x *Executor) Held(cluster uint64) map[[2]uint64]*keytree.Cluster {
	out := map[[2]uint64]*keytree.Cluster{}
	for l, k := range x.clusters[cluster].keys {
		out[[2]uint64{l.epoch, l.roster}] = k
	}
	return out
}

// Rescue says whether a worker asks custodians, and how many old state keys it holds.
func (x *Executor) Rescue(cluster uint64) (asks bool, archived int) {
	c := x.clusters[cluster]
	return c.rescue.key != nil, len(c.archive)
}
