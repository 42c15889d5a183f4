package settle

import "github.com/phala-go/phala/core/wire"

// A label (epoch, roster) names a cluster's keys. A cluster has one in force and remembers the one before. Epoch 0 has no keys:
// the network has made none yet.

// MayRequest says whether a member in force may have the secret of (epoch, roster), the gatekeepers' epoch being set: that of
// the members' own list in the gatekeepers' epoch and in the cluster's, and the one before, which queued items may be sealed to.
// Whether gatekeepers still have an epoch's keys is for them to say.
func MayRequest(c *wire.Cluster, set, epoch, roster uint64) bool {
	switch {
	case c == nil || epoch == 0 || epoch > set:
		return false
	case roster == c.Roster && (epoch == set || epoch == c.Epoch):
		return true
	}
	return epoch == c.PreviousEpoch && roster == c.PreviousRoster
}

// MaySeal says whether an input sealed to the key of (epoch, roster) may be ordered: to the one in force, and to the one before
// unless the members have changed since, which ends it at once (P8).
func MaySeal(c *wire.Cluster, epoch, roster uint64) bool {
	if c == nil || epoch == 0 || roster != c.Roster {
		return false
	}
	return epoch == c.Epoch || epoch == c.PreviousEpoch && roster == c.PreviousRoster && adjacent(c)
}

// adjacent says whether the label before is of the same epoch or the one before. A cluster that has lagged further behind its
// gatekeepers takes leave of older input keys as it moves: nobody gives them any more.
func adjacent(c *wire.Cluster) bool { return c.PreviousEpoch+1 >= c.Epoch }

// Opens says whether a batch made under c opens an item that was sealed to (epoch, roster). What does not open is void: the batch
// consumes it and returns its funds. What was sealed before the members changed opens under the roster that follows: the removed
// could read it anyway, since it was sealed for them too.
func Opens(c *wire.Cluster, epoch, roster uint64) bool {
	if c == nil || epoch == 0 {
		return false
	}
	return epoch == c.Epoch && roster == c.Roster || epoch == c.PreviousEpoch && roster == c.PreviousRoster && adjacent(c)
}

// EpochAt is the epoch that a batch must name which executes at chainHeight: the one that the header of that height proves. ok is
// false if the members changed after it: such a batch counts no more.
func EpochAt(c *wire.Cluster, chainHeight uint64) (epoch uint64, ok bool) {
	if chainHeight > c.BorderHeight {
		return c.Epoch, c.Epoch > 0
	}
	return c.PreviousEpoch, c.PreviousEpoch > 0 && c.PreviousRoster == c.Roster
}
