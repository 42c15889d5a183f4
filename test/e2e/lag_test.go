package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
)

// TestALaggingClusterOfRealPrograms: all executors of a cluster are gone while their gatekeepers make the keys of two epochs; started
// anew, holding nothing, they open the state that lies on their hosts' disks with what the gatekeepers have kept, and go on.
func TestALaggingClusterOfRealPrograms(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("networks are tested on Linux")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	module, err := story.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, err := devnet.StartFree(ctx, devnet.Config{
		Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 300 * time.Millisecond, Gatekeepers: 4, Threshold: 2, EpochBlocks: 120, PhaseBlocks: 25,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	keepersWhen(ctx, t, n, "the first epoch", func(k keepers) bool { return k.Epoch >= 1 })
	alice := open(ctx, t, n, "alice")
	code, _, err := alice.UploadCode(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	p, err := alice.Instantiate(ctx, client.Instantiation{Cluster: n.Cluster, CodeID: code, Label: "lag", Msg: []byte(`{"item":"a vase"}`), Query: wire.QUERY_POLICY_SELF})
	if err != nil {
		t.Fatal(err)
	}
	made, err := alice.Result(ctx, p)
	if err != nil || made.Err() != nil {
		t.Fatal(err, made)
	}
	contract := address.Encode(made.Result.Contract)
	bid := func(amount int) error {
		p, err := alice.SubmitCall(ctx, client.Call{Cluster: n.Cluster, Contract: contract, Msg: fmt.Appendf(nil, `{"bid":{"amount":"%d"}}`, amount)})
		if err != nil {
			return err
		}
		r, err := alice.Result(ctx, p)
		if err != nil {
			return err
		}
		return r.Err()
	}
	if err := bid(1); err != nil {
		t.Fatal(err)
	}

	// Everybody leaves, and comes back when nobody holds the keys of that epoch any more.
	for i := range 3 {
		if err := n.StopExecutor(i); err != nil {
			t.Fatal(err)
		}
	}
	was := cluster(ctx, t, n)
	gone := keepersWhen(ctx, t, n, "any epoch", func(k keepers) bool { return k.Epoch > 0 }).Epoch
	for e := gone + 1; e <= gone+2; e++ {
		keepersWhen(ctx, t, n, fmt.Sprintf("epoch %d", e), func(k keepers) bool { return k.Epoch >= e })
	}
	if now := cluster(ctx, t, n); now != was {
		t.Fatalf("the cluster went from epoch %d to %d with nobody there", was, now)
	}
	for i := range 3 {
		if err := n.StartExecutor(i); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for end := began.Add(2 * time.Minute); cluster(ctx, t, n) == was; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the cluster is in epoch %d still", was)
		}
	}
	if err := bid(2); err != nil {
		t.Fatal(err)
	}
	t.Logf("from epoch %d to %d; a bid was final %s after the executors were back", was, cluster(ctx, t, n), time.Since(began).Round(time.Second))
}

// cluster reads the epoch that the network's cluster is in.
func cluster(ctx context.Context, t *testing.T, n *devnet.Network) uint64 {
	t.Helper()
	var c struct {
		Cluster struct {
			Epoch uint64 `json:"epoch,string"`
		} `json:"cluster"`
	}
	for range 20 {
		if rest(ctx, n, fmt.Sprintf("/phala/cluster/v1/clusters/%d", n.Cluster), &c) == nil {
			return c.Cluster.Epoch
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("the chain does not answer")
	return 0
}
