package runtime_test

import (
	"bytes"
	"crypto/hpke"
	"fmt"
	"reflect"
	"testing"
	"unsafe"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// dump is everything that an enclave holds, exported or not: what an attacker has who has broken its TEE.
type dump struct {
	seen    map[visited]bool
	bytes   [][]byte // every byte slice, array and string
	secrets map[dprf.Set][]byte
}

type visited struct {
	at unsafe.Pointer
	t  reflect.Type
}

func dumped(x any) *dump {
	d := &dump{seen: map[visited]bool{}, secrets: map[dprf.Set][]byte{}}
	d.walk(reflect.ValueOf(x), 0)
	return d
}

func (d *dump) walk(v reflect.Value, depth int) {
	if !v.IsValid() || depth > 200 {
		return
	}
	if v.CanAddr() {
		at := visited{unsafe.Pointer(v.UnsafeAddr()), v.Type()}
		if d.seen[at] {
			return
		}
		d.seen[at] = true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			d.walk(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.walk(v.Field(i), depth+1)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if s, ok := at[*keytree.Secret](it.Value()); ok && it.Key().Type() == reflect.TypeFor[dprf.Set]() {
				d.secrets[dprf.Set(it.Key().Uint())] = raw(s)
			}
			d.walk(it.Key(), depth+1)
			d.walk(it.Value(), depth+1)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			for i := range b {
				b[i] = byte(v.Index(i).Uint())
			}
			d.bytes = append(d.bytes, b)
			return
		}
		for i := range v.Len() {
			d.walk(v.Index(i), depth+1)
		}
	case reflect.String:
		d.bytes = append(d.bytes, []byte(v.String()))
	}
}

// at gives a value of a type that reflect would hide.
func at[T any](v reflect.Value) (x T, ok bool) {
	if !v.IsValid() || v.Type() != reflect.TypeFor[T]() || v.Kind() != reflect.Pointer || v.IsNil() {
		return x, false
	}
	p := v.UnsafePointer()
	return *(*T)(unsafe.Pointer(&p)), true
}

func raw(s *keytree.Secret) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(s)), keytree.Size))
}

// has says whether some bytes lie anywhere in what was dumped.
func (d *dump) has(needle []byte) bool {
	for _, b := range d.bytes {
		if bytes.Contains(b, needle) {
			return true
		}
	}
	return false
}

// parts is what one who holds these keys can compute for a label.
func (d *dump) parts(t *testing.T, labels ...[]byte) (out []dprf.Part) {
	t.Helper()
	for b, k := range d.secrets {
		s, err := keytree.NewSecret(k)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, dprf.Eval(b, s, labels...))
	}
	return out
}

// labels are those of both secrets of a cluster's first roster.
func labels(cluster, epoch uint64) [][]byte {
	return [][]byte{
		keytree.Label(keytree.ClusterSecret, enclavetest.ChainID, cluster, epoch, 1),
		keytree.Label(keytree.StateSecret, enclavetest.ChainID, cluster, epoch, 1),
	}
}

// P6: whoever has broken t-1 gatekeepers, has everything in their memory and all that ever went over the chain, derives no cluster's
// key; who has broken a worker has the keys of its own cluster and no other's.
func TestP06_AnAttackerWithOneTooFew(t *testing.T) {
	const gatekeepers, threshold = 4, 2
	n := enclavetest.New(t, 3, 2, enclavetest.Gatekeepers(gatekeepers, threshold))
	deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	first, second := n.Cluster, n.Chain.CreateCluster(1, n.Members[1].Ref)
	n.Blocks(2)
	n.Cluster = second
	n.Members[1].Serve()
	n.Blocks(12)
	epoch := n.Chain.Epoch()
	if n.Chain.Key(first) == nil || n.Chain.Key(second) == nil {
		t.Fatalf("a cluster has no key: %q", n.Failures())
	}

	// What is true, from all gatekeepers together.
	all := map[dprf.Set][]byte{}
	var dumps []*dump
	for _, x := range n.Keepers {
		d := dumped(x.RT)
		dumps = append(dumps, d)
		for b, k := range d.secrets {
			all[b] = k
		}
	}
	sets, err := dprf.Sets(gatekeepers, threshold)
	if err != nil || len(all) != len(sets) {
		t.Fatalf("%d keys are held, of %d (%v)", len(all), len(sets), err)
	}
	truth := func(cluster uint64) *keytree.Cluster {
		t.Helper()
		parts := map[int][]dprf.Part{}
		for i := range threshold {
			parts[i] = dumps[i].parts(t, labels(cluster, epoch)...)
		}
		secrets, _, err := dprf.CombineAll(gatekeepers, threshold, 2, 1, parts)
		if err != nil {
			t.Fatalf("t gatekeepers: %v", err)
		}
		k, err := keytree.NewCluster(secrets[0], secrets[1])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(k.Input.PublicKey().Bytes(), n.Chain.Key(cluster).InputKey) {
			t.Fatalf("t gatekeepers come to another key than cluster %d has", cluster)
		}
		return k
	}
	keys := map[uint64]*keytree.Cluster{first: truth(first), second: truth(second)}

	for i, d := range dumps {
		t.Run(fmt.Sprintf("gatekeeper %d", i), func(t *testing.T) {
			for b, k := range all {
				if b.Holds(i) != d.has(k) {
					t.Errorf("it holds the key of set %b: %v", b, !b.Holds(i))
				}
			}
			for cluster, k := range keys {
				for _, label := range labels(cluster, epoch) {
					if s, _, err := dprf.Combine(gatekeepers, threshold, map[int][]dprf.Part{i: d.parts(t, label)}); err == nil || s != nil {
						t.Errorf("it derives a secret of cluster %d", cluster)
					}
				}
				for name, s := range map[string]*keytree.Secret{"state": k.State, "randomness": k.Randomness} {
					if d.has(raw(s)) {
						t.Errorf("it has the %s key of cluster %d", name, cluster)
					}
				}
			}
			opens(t, n, d, i, gatekeepers)
		})
	}

	// A worker: the first serves the first cluster alone.
	d := dumped(n.Members[0].RT)
	if !d.has(raw(keys[first].State)) {
		t.Error("the dump of a worker lacks the state key of its own cluster")
	}
	for name, s := range map[string]*keytree.Secret{"state": keys[second].State, "randomness": keys[second].Randomness} {
		if d.has(raw(s)) {
			t.Errorf("a worker of cluster %d has the %s key of cluster %d", first, name, second)
		}
	}
	for b, k := range all {
		if d.has(k) {
			t.Errorf("a worker has the key of set %b", b)
		}
	}
}

// opens tries every 32 bytes that were dumped as the private half of a one-time key: none of those that the recorded generation
// sealed to is there, not even the broken gatekeeper's own.
func opens(t *testing.T, n *enclavetest.Net, d *dump, broken, gatekeepers int) {
	t.Helper()
	public := map[string]int{}
	for i := range gatekeepers {
		j := &wire.GenerationJoin{}
		if !n.Chain.Get(storekey.Gatekeeper, storekey.JoinKey(uint32(i)), j) {
			t.Fatalf("the chain does not have the join of gatekeeper %d", i)
		}
		for _, k := range j.OneTimeKeys {
			if len(k) > 0 {
				public[string(k)] = i
			}
		}
	}
	tried := map[string]bool{}
	for _, b := range d.bytes {
		if len(b) != 32 || tried[string(b)] {
			continue
		}
		tried[string(b)] = true
		k, err := hpke.MLKEM768X25519().NewPrivateKey(b)
		if err != nil {
			continue
		}
		if i, ok := public[string(k.PublicKey().Bytes())]; ok {
			t.Errorf("gatekeeper %d still has a one-time key of gatekeeper %d", broken, i)
		}
	}
	if len(tried) == 0 {
		t.Error("nothing of 32 bytes was dumped")
	}
}
