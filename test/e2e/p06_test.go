package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
)

const (
	p06Keepers   = 4
	p06Threshold = 2
)

// burglar has the memory of every gatekeeper, which is more than the property allows anybody. With all of it together it finds the
// keys, and so knows the truth that is looked for in the memory of fewer.
type burglar struct {
	t       *testing.T
	n       *devnet.Network
	sets    []dprf.Set
	keepers []string // names of the processes
	keys    map[dprf.Set]window
}

// pruntimes names the enclave processes of workers.
func pruntimes(n *devnet.Network, workers ...*wire.WorkerRef) (names []string) {
	for _, w := range workers {
		for _, a := range n.Workers {
			if a.Address == w.Operator {
				names = append(names, "pruntime-"+a.Name)
			}
		}
	}
	return names
}

// announced is what the chain says of a cluster's key.
type announced struct {
	Epoch  uint64 `json:"epoch,string"`
	Roster uint64 `json:"roster,string"`
	Check  []byte `json:"check"`
}

func (b *burglar) announced(ctx context.Context, cluster uint64) (a announced) {
	b.t.Helper()
	var r struct{ Key announced }
	if err := rest(ctx, b.n, fmt.Sprintf("/phala/gatekeeper/v1/keys/%d", cluster), &r); err != nil || len(r.Key.Check) != keytree.CheckSize {
		b.t.Fatalf("the key of cluster %d: %+v, %v", cluster, r, err)
	}
	return r.Key
}

// part evaluates a window as the key of a set, for both secrets of a cluster.
func (b *burglar) part(set dprf.Set, w window, cluster uint64, a announced) [64]byte {
	s, err := keytree.NewSecret(w[:])
	if err != nil {
		b.t.Fatal(err)
	}
	v := dprf.Eval(set, s, keytree.Label(keytree.ClusterSecret, b.n.ChainID, cluster, a.Epoch, a.Roster), keytree.Label(keytree.StateSecret, b.n.ChainID, cluster, a.Epoch, a.Roster)).Value
	return [64]byte(v)
}

func xor(a, b [64]byte) (x [64]byte) {
	for i := range x {
		x[i] = a[i] ^ b[i]
	}
	return x
}

// opens says whether a sum of parts is one of both secrets that members have announced: either would do an attacker.
func (a announced) opens(sum [64]byte) bool {
	for i := range 2 {
		mac := hmac.New(sha256.New, sum[32*i:32*i+32])
		mac.Write([]byte("check"))
		if hmac.Equal(mac.Sum(nil), a.Check[32*i:32*i+32]) {
			return true
		}
	}
	return false
}

// enough is how many choices of keys can be tried in half a minute.
const enough = 10_000_000

// candidates are, for each set, what lies again and again in the memory of exactly its holders. It looks until few enough are left.
func (b *burglar) candidates() (left map[dprf.Set][]window) {
	b.t.Helper()
	var lasting []map[window]bool
	for look := range 20 {
		for i, name := range b.keepers {
			now := dump(b.t, b.n, name).allocated()
			if look == 0 {
				lasting = append(lasting, now)
				continue
			}
			for w := range lasting[i] {
				if !now[w] {
					delete(lasting[i], w)
				}
			}
		}
		if look < 3 {
			time.Sleep(time.Second) // garbage is overwritten meanwhile
			continue
		}
		b.forgetPublic(lasting)
		tries := 1
		left = map[dprf.Set][]window{}
		for _, set := range b.sets {
			left[set] = b.heldBy(set, lasting)
			tries *= len(left[set])
		}
		if tries <= enough {
			b.t.Logf("after %d looks there are %d choices of keys", look+1, tries)
			return left
		}
		time.Sleep(time.Second)
	}
	b.t.Fatal("too much of the gatekeepers' memory looks like keys")
	return nil
}

// forgetPublic takes away what untrusted programs have too: that is no key, or there is nothing left to test.
func (b *burglar) forgetPublic(lasting []map[window]bool) {
	for _, p := range b.n.Processes() {
		if b.untrusted(p.Name) {
			dump(b.t, b.n, p.Name).windows(8, func(w window) {
				for _, l := range lasting {
					delete(l, w)
				}
			})
		}
	}
}

func (b *burglar) untrusted(program string) bool {
	return strings.HasPrefix(program, "offchaind-") || program == "phalad"
}

func (b *burglar) heldBy(set dprf.Set, lasting []map[window]bool) (out []window) {
	for w := range lasting[b.holder(set)] {
		held := true
		for i := range b.keepers {
			held = held && lasting[i][w] == set.Holds(i)
		}
		if held {
			out = append(out, w)
		}
	}
	return out
}

func (b *burglar) holder(set dprf.Set) int {
	for i := range b.keepers {
		if set.Holds(i) {
			return i
		}
	}
	b.t.Fatalf("nobody holds set %b", set)
	return -1
}

// collect finds the key of every set: the choice whose parts add up to what the chain knows of the cluster's secrets.
func (b *burglar) collect(ctx context.Context, cluster uint64) {
	b.t.Helper()
	a, from := b.announced(ctx, cluster), b.candidates()
	parts := make([][][64]byte, len(b.sets))
	for i, set := range b.sets {
		for _, w := range from[set] {
			parts[i] = append(parts[i], b.part(set, w, cluster, a))
		}
	}
	chosen := make([]int, len(b.sets))
	var try func(i int, sum [64]byte) bool
	try = func(i int, sum [64]byte) bool {
		if i == len(b.sets) {
			return a.opens(sum)
		}
		for k, p := range parts[i] {
			if chosen[i] = k; try(i+1, xor(sum, p)) {
				return true
			}
		}
		return false
	}
	if !try(0, [64]byte{}) {
		b.t.Fatal("all gatekeepers together do not give the cluster's secret: this test does not see the keys where they lie")
	}
	b.keys = map[dprf.Set]window{}
	for i, set := range b.sets {
		b.keys[set] = from[set][chosen[i]]
	}
}

// secrets are everything of a cluster that nobody but its members may have, by name.
func (b *burglar) secrets(cluster uint64, a announced) map[string][]byte {
	b.t.Helper()
	var sum [64]byte
	for _, set := range b.sets {
		sum = xor(sum, b.part(set, b.keys[set], cluster, a))
	}
	if !a.opens(sum) {
		b.t.Fatalf("the keys are not those of cluster %d", cluster)
	}
	all := map[string][]byte{"cluster secret": sum[:32], "state secret": sum[32:]}
	secret, err := keytree.NewSecret(sum[:32])
	if err != nil {
		b.t.Fatal(err)
	}
	state, err := keytree.NewSecret(sum[32:])
	if err != nil {
		b.t.Fatal(err)
	}
	all["seed of the input key"] = secret.Key("phala/input-key/v1")
	all["randomness key"] = secret.Key("phala/randomness-key/v1")
	all["state key"] = state.Key("phala/state-key/v1")
	return all
}

// completes tries everything that lies in some memories as what is missing: as the key of set, and as its part.
func (b *burglar) completes(set dprf.Set, cluster uint64, a announced, have ...*memory) (tried int, found bool) {
	var known [64]byte
	for _, s := range b.sets {
		if s != set {
			known = xor(known, b.part(s, b.keys[s], cluster, a))
		}
	}
	seen := map[window]bool{}
	for _, m := range have {
		m.windows(8, func(w window) {
			if found || seen[w] {
				return
			}
			seen[w] = true
			tried++
			twice := [64]byte(append(w[:], w[:]...))
			found = a.opens(xor(known, b.part(set, w, cluster, a))) || a.opens(xor(known, twice)) || a.opens(twice)
		})
	}
	return tried, found
}

// TestP06_MemoryOfRealPrograms: whoever has the memory of t-1 gatekeepers and of a worker, of real processes, comes to no secret of a
// cluster that the worker does not serve; and keys of an epoch whose grace is over are in no memory at all (P7).
func TestP06_MemoryOfRealPrograms(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read on Linux")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	n, err := devnet.StartFree(ctx, devnet.Config{
		Home: filepath.Join(t.TempDir(), "net"), Bin: bin, BlockTime: 500 * time.Millisecond, Gatekeepers: p06Keepers, Threshold: p06Threshold, Executors: 2, Members: 1,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	other := secondCluster(ctx, t, n)
	sets, err := dprf.Sets(p06Keepers, p06Threshold)
	if err != nil {
		t.Fatal(err)
	}
	b := &burglar{t: t, n: n, sets: sets}
	for i := range p06Keepers {
		b.keepers = append(b.keepers, pruntimes(n, n.Gatekeeper(i))...)
	}
	b.collect(ctx, n.Cluster)
	first, second := b.announced(ctx, n.Cluster), b.announced(ctx, other)
	own, foreign := b.secrets(n.Cluster, first), b.secrets(other, second)

	worker := dump(t, n, pruntimes(n, n.Executor(0))[0])
	if !worker.has(own["state key"]) {
		t.Error("the worker's own state key is not found in its memory: this test would find nothing")
	}
	b.lacks(worker, foreign, 0)
	for i, name := range b.keepers {
		m := dump(t, n, name)
		b.lacks(m, own, 1<<i)
		b.lacks(m, foreign, 1<<i)
		tried, found := b.completes(1<<i, other, second, m, worker)
		if found {
			t.Errorf("gatekeeper %d and a worker come to the secret of cluster %d", i, other)
		}
		if tried < 1000 {
			t.Errorf("only %d values were tried", tried)
		}
		t.Logf("gatekeeper %d and a worker: %d values tried", i, tried)
	}
	for _, p := range n.Processes() { // the untrusted halves and the node
		if b.untrusted(p.Name) {
			m := dump(t, n, p.Name)
			b.lacks(m, own, 0)
			b.lacks(m, foreign, 0)
		}
	}
	b.erased(ctx)
}

// lacks: none of the secrets is in a memory, nor any key but those that gatekeeper me (a bit mask; 0: no gatekeeper) holds.
func (b *burglar) lacks(m *memory, secrets map[string][]byte, me dprf.Set) {
	b.t.Helper()
	for what, s := range secrets {
		if m.has(s) {
			b.t.Errorf("%s has the %s", m.name, what)
		}
	}
	for set, k := range b.keys {
		if got, want := m.has(k[:]), me != 0 && set&me == 0; got != want {
			b.t.Errorf("%s has the key of set %04b: %v, want %v", m.name, set, got, want)
		}
	}
}

// secondCluster is of the second executor alone.
func secondCluster(ctx context.Context, t *testing.T, n *devnet.Network) uint64 {
	t.Helper()
	k, err := n.Owner.Key()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(ctx, client.Config{RPC: n.RPC, Genesis: n.Genesis, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := c.CreateCluster(ctx, []*wire.WorkerRef{n.Executor(1)}, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WaitCluster(ctx, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// erased lets two epochs begin, and looks for the keys of the first everywhere.
func (b *burglar) erased(ctx context.Context) {
	b.t.Helper()
	for i := range 2 { // the same members in another order are another roster
		members := []*wire.WorkerRef{b.n.Gatekeeper(0), b.n.Gatekeeper(1), b.n.Gatekeeper(2), b.n.Gatekeeper(3)}
		members[i], members[i+1] = members[i+1], members[i]
		govern(ctx, b.t, b.n, roster(p06Threshold, members...))
		keepersWhen(ctx, b.t, b.n, "an epoch", func(k keepers) bool { return k.Epoch == uint64(i+2) })
		time.Sleep(3 * time.Second)
		for _, name := range b.keepers {
			m, held := dump(b.t, b.n, name), 0
			for _, k := range b.keys {
				if m.has(k[:]) {
					held++
				}
			}
			if want := (p06Keepers - 1) * (1 - i); held != want {
				b.t.Errorf("epoch %d: %s has %d keys of epoch 1, want %d", i+2, name, held, want)
			}
		}
	}
}
