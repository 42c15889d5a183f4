package generation

import (
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// Every n and t that are small, and the sizes that networks have.
func TestAllFinishAndAgree(t *testing.T) {
	sizes := [][2]int{{7, 4}, {10, 7}}
	for n := 1; n <= 5; n++ {
		for k := 1; k <= n; k++ {
			sizes = append(sizes, [2]int{n, k})
		}
	}
	if !testing.Short() {
		sizes = append(sizes, [2]int{16, 11})
	}
	for _, s := range sizes {
		n, k := s[0], s[1]
		t.Run(fmt.Sprintf("%d of %d", k, n), func(t *testing.T) {
			x := newNetwork(t, n, k, "all")
			x.run()
			if x.view.Generation.Phase != wire.GENERATION_PHASE_DONE || x.height != 103 || len(x.refused) != 0 {
				t.Fatalf("phase %s at height %d, refused %v", x.view.Generation.Phase, x.height, x.refused)
			}
			set, err := Set(x.view.Generation)
			if err != nil || set.Height != 102 || set.Epoch != 1 || len(set.Members) != n {
				t.Fatalf("set %v: %v", set, err)
			}
			keys := x.keys()
			all := agree(t, n, k, keys)
			sets, _ := dprf.Sets(n, k)
			if len(all) != len(sets) || len(keys) != n {
				t.Fatalf("%d keys of %d, %d members", len(all), len(sets), len(keys))
			}
			label := keytree.Label(keytree.ClusterSecret, chainID, 1, 1, 1)
			parts := map[int][]dprf.Part{}
			for i := range k {
				for b, key := range keys[n-1-i] {
					parts[n-1-i] = append(parts[n-1-i], dprf.Eval(b, key, label))
				}
			}
			if _, _, err := dprf.Combine(n, k, parts); err != nil {
				t.Errorf("the parts of the last %d members: %v", k, err)
			}
		})
	}
}

// A second generation of the same members shares nothing with the first.
func TestEpochsShareNothing(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []string{"a", "b"} {
		x := newNetwork(t, 4, 2, seed)
		x.run()
		for b, k := range agree(t, 4, 2, x.keys()) {
			if seen[k] {
				t.Errorf("the key of %b is an old one", b)
			}
			seen[k] = true
		}
	}
}
