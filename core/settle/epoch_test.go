package settle

import (
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

// What each label is good for: in an epoch like any other, just after a change of members, at the first epoch, and before it.
func TestLabels(t *testing.T) {
	type can struct{ request, seal, open bool }
	for _, c := range []struct {
		name    string
		cluster wire.Cluster
		set     uint64
		want    map[[2]uint64]can
	}{
		{"an epoch", wire.Cluster{Epoch: 4, Roster: 2, PreviousEpoch: 3, PreviousRoster: 2}, 4, map[[2]uint64]can{
			{4, 2}: {true, true, true}, {3, 2}: {true, true, true}, {5, 2}: {}, {2, 2}: {}, {4, 1}: {}, {3, 1}: {}, {4, 3}: {}, {0, 2}: {},
		}},
		{"the gatekeepers are ahead", wire.Cluster{Epoch: 4, Roster: 2, PreviousEpoch: 3, PreviousRoster: 2}, 6, map[[2]uint64]can{
			{6, 2}: {request: true}, {5, 2}: {}, {4, 2}: {true, true, true}, {3, 2}: {true, true, true}, {6, 1}: {},
		}},
		{"it has caught up", wire.Cluster{Epoch: 6, Roster: 2, PreviousEpoch: 4, PreviousRoster: 2}, 6, map[[2]uint64]can{
			{6, 2}: {true, true, true}, {4, 2}: {request: true}, {5, 2}: {},
		}},
		{"other members", wire.Cluster{Epoch: 4, Roster: 3, PreviousEpoch: 4, PreviousRoster: 2}, 4, map[[2]uint64]can{
			{4, 3}: {true, true, true}, {4, 2}: {request: true, open: true}, {3, 2}: {}, {4, 1}: {},
		}},
		{"the first epoch", wire.Cluster{Epoch: 1, Roster: 1}, 1, map[[2]uint64]can{{1, 1}: {true, true, true}, {0, 0}: {}, {0, 1}: {}}},
		{"before it", wire.Cluster{Roster: 1}, 0, map[[2]uint64]can{{0, 1}: {}, {0, 0}: {}, {1, 1}: {}}},
	} {
		for l, want := range c.want {
			got := can{MayRequest(&c.cluster, c.set, l[0], l[1]), MaySeal(&c.cluster, l[0], l[1]), Opens(&c.cluster, l[0], l[1])}
			if got != want {
				t.Errorf("%s: epoch %d roster %d: %+v, want %+v", c.name, l[0], l[1], got, want)
			}
		}
	}
	if MayRequest(nil, 1, 1, 1) || MaySeal(nil, 1, 1) || Opens(nil, 1, 1) {
		t.Error("a cluster that is not there has keys")
	}
}

func TestEpochOfABatch(t *testing.T) {
	moved := &wire.Cluster{Epoch: 4, Roster: 2, PreviousEpoch: 3, PreviousRoster: 2, BorderHeight: 100}
	changed := &wire.Cluster{Epoch: 4, Roster: 2, PreviousEpoch: 4, PreviousRoster: 1, BorderHeight: 100}
	first := &wire.Cluster{Epoch: 1, Roster: 1, BorderHeight: 100}
	for _, c := range []struct {
		cluster *wire.Cluster
		height  uint64
		want    string
	}{
		{moved, 101, "4 true"}, {moved, 100, "3 true"}, {moved, 1, "3 true"},
		{changed, 101, "4 true"}, {changed, 100, "4 false"},
		{first, 101, "1 true"}, {first, 100, "0 false"},
		{&wire.Cluster{Epoch: 1, Roster: 1}, 1, "1 true"}, {&wire.Cluster{Roster: 1}, 1, "0 false"},
	} {
		epoch, ok := EpochAt(c.cluster, c.height)
		if got := fmt.Sprint(epoch, ok); got != c.want {
			t.Errorf("%+v at height %d: %s, want %s", c.cluster, c.height, got, c.want)
		}
	}
}
