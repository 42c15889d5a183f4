package executor

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

const testChain = "phala-test"

// asking is a member that has asked for its cluster's secret of epoch 1 and roster 1, and the gatekeepers that answer it.
type asking struct {
	*testing.T
	x       *Executor
	c       *cluster
	keepers []ed25519.PrivateKey
	keys    map[dprf.Set]*keytree.Secret
}

func newAsking(t *testing.T, n, threshold int) *asking {
	t.Helper()
	me := &wire.WorkerRef{Operator: "me"}
	a := &asking{T: t, keys: map[dprf.Set]*keytree.Secret{}}
	a.x = New(Config{ChainID: testChain, Identity: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Worker: func() *wire.WorkerRef { return me }})
	a.c = newCluster(1)
	a.c.height = 10
	a.c.info = &wire.Cluster{Id: 1, Roster: 1, Quorum: 1, Members: []*wire.WorkerRef{me}}
	a.c.set = &wire.GatekeeperSet{Epoch: 1, Threshold: uint32(threshold)}
	for i := range n {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
		a.keepers = append(a.keepers, key)
		a.c.set.Members = append(a.c.set.Members, &wire.GatekeeperMember{Worker: keeperRef(i), IdentityKey: key.Public().(ed25519.PublicKey)})
	}
	a.x.clusters[1] = a.c
	sets, err := dprf.Sets(n, threshold)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range sets {
		h := sha256.Sum256(fmt.Appendf(nil, "key of %b", b))
		a.keys[b], _ = keytree.NewSecret(h[:])
	}
	a.ask()
	return a
}

func keeperRef(i int) *wire.WorkerRef { return &wire.WorkerRef{Operator: "keeper", Slot: uint32(i)} }

func (a *asking) ask() {
	a.Helper()
	if err := a.x.ask(a.c, label{1, 1}); err != nil {
		a.Fatal(err)
	}
}

// answer brings gatekeeper i's parts; of those sets it lies about where lies says so.
func (a *asking) answer(i int, lies func(dprf.Set) bool) error {
	a.Helper()
	body := &wire.KeyPartBody{}
	for b := range dprf.Set(1 << len(a.keepers)) {
		if a.keys[b] == nil || !b.Holds(i) {
			continue
		}
		v := dprf.Eval(b, a.keys[b], keytree.Label(keytree.ClusterSecret, testChain, 1, 1, 1), keytree.Label(keytree.StateSecret, testChain, 1, 1, 1)).Value
		if lies != nil && lies(b) {
			v[0] ^= 1
		}
		body.Parts = append(body.Parts, &wire.PrfPart{Set: uint32(b), Value: v[:keytree.Size], State: v[keytree.Size:]})
	}
	p := &wire.KeyPart{Cluster: 1, Epoch: 1, Roster: 1, Gatekeeper: keeperRef(i), Worker: a.x.cfg.Worker()}
	at := seal.Context{Domain: seal.DomainKeyPart, ChainID: testChain, Cluster: 1, Epoch: 1, Roster: 1}
	env, _, err := seal.Seal(a.c.request.key.PublicKey(), at, wire.Marshal(p.Gatekeeper), wire.Marshal(body))
	if err != nil {
		a.Fatal(err)
	}
	p.Enc, p.Ciphertext = env.Enc, env.Ciphertext
	p.Signature = ed25519.Sign(a.keepers[i], settle.KeyPartBytes(testChain, p))
	return a.x.part(a.Context(), p)
}

// right is what the members of the cluster announce when nobody lies.
func (a *asking) right() *wire.ClusterKey {
	a.Helper()
	sums := [2][keytree.Size]byte{}
	for b, k := range a.keys {
		v := dprf.Eval(b, k, keytree.Label(keytree.ClusterSecret, testChain, 1, 1, 1), keytree.Label(keytree.StateSecret, testChain, 1, 1, 1)).Value
		for i := range v {
			sums[i/keytree.Size][i%keytree.Size] ^= v[i]
		}
	}
	secret, _ := keytree.NewSecret(sums[0][:])
	state, _ := keytree.NewSecret(sums[1][:])
	keys, err := keytree.NewCluster(secret, state)
	if err != nil {
		a.Fatal(err)
	}
	return &wire.ClusterKey{Cluster: 1, Epoch: 1, Roster: 1, InputKey: keys.Input.PublicKey().Bytes(), Check: keys.Check}
}

func (a *asking) holds(want bool) {
	a.Helper()
	k := a.c.keys[label{1, 1}]
	if (k != nil) != want {
		a.Fatalf("holds keys: %v, want %v", k != nil, want)
	}
	if k != nil && !bytes.Equal(k.Check, a.right().Check) {
		a.Fatal("the member holds keys that are none")
	}
}

// A gatekeeper that lies where nobody is there yet to be compared with makes nobody hold a false key: another holder's part is waited for.
func TestP06_ALiarAmongTheFirstToAnswer(t *testing.T) {
	a := newAsking(t, 4, 2)
	alone := func(b dprf.Set) bool { return b == 0b0001 } // gatekeeper 0 is in it
	for _, i := range []int{0, 1} {
		var lies func(dprf.Set) bool
		if i == 1 {
			lies = alone
		}
		if err := a.answer(i, lies); err != nil {
			t.Fatal(err)
		}
	}
	a.holds(false)
	for _, i := range []int{2, 3} {
		if a.c.request != nil {
			_ = a.answer(i, nil)
		}
	}
	a.holds(true)
	if said := fmt.Sprint(a.x.drain()); !strings.Contains(said, "gatekeepers [1] of epoch 1") {
		t.Errorf("the liar is not named: %s", said)
	}
}

// Down to t gatekeepers nobody is left to be compared with: after some blocks what has come is taken, at once where the chain says that
// the others are gone.
func TestDownToTheThresholdKeysCome(t *testing.T) {
	a := newAsking(t, 4, 2)
	_, _ = a.answer(0, nil), a.answer(1, nil)
	a.holds(false)
	a.c.height += comparedFor - 1
	if _, err := a.x.combine(a.c); err != nil {
		t.Fatal(err)
	}
	a.holds(false)
	a.c.height++
	if _, err := a.x.combine(a.c); err != nil {
		t.Fatal(err)
	}
	a.holds(true)

	b := newAsking(t, 4, 2)
	for _, m := range b.c.set.Members[2:] {
		m.Fault = wire.MEMBER_FAULT_LOST
	}
	_, _ = b.answer(0, nil), b.answer(1, nil)
	b.holds(true)
}

// What members have announced decides, where as many lie as tell the truth.
func TestTheAnnouncedKeyDecides(t *testing.T) {
	a := newAsking(t, 4, 2)
	a.c.nextKey = a.right()
	alike := func(b dprf.Set) bool { return b == 0b0001 }
	_, _, _ = a.answer(0, nil), a.answer(1, alike), a.answer(2, alike)
	a.holds(false)
	if err := a.answer(3, nil); err != nil {
		t.Fatal(err)
	}
	a.holds(true)
}

// A member that a liar has given a false key, all the same, lets go of it when a quorum announces another.
func TestAFalseKeyIsDisowned(t *testing.T) {
	a := newAsking(t, 4, 2)
	a.c.height += comparedFor
	_, _ = a.answer(0, nil), a.answer(1, func(b dprf.Set) bool { return b == 0b0001 })
	if k := a.c.keys[label{1, 1}]; k == nil || bytes.Equal(k.Check, a.right().Check) {
		t.Fatal("no false key to begin with")
	}
	a.c.nextKey = a.right()
	if got := a.c.disown(); len(got) != 1 || got[0] != (label{1, 1}) {
		t.Fatalf("disowned %v", got)
	}
	a.holds(false)
	if got := a.c.missing(); len(got) != 1 || got[0] != (label{1, 1}) {
		t.Fatalf("asks for %v", got)
	}
	a.ask()
	_, _ = a.answer(0, nil), a.answer(2, nil)
	a.holds(true)
	if got := a.c.disown(); got != nil {
		t.Errorf("it lets go of the right key: %v", got)
	}
}

// Parts and the one-time key are overwritten once the secret has come of them, and with everything else (P7).
func TestP07_PartsAreErased(t *testing.T) {
	for name, end := range map[string]func(*asking){
		"combined":  func(a *asking) { _, _ = a.answer(1, nil), a.answer(2, nil) },
		"retired":   func(a *asking) { a.c.retire() },
		"asked new": func(a *asking) { a.c.height += repeatAfter; a.x.keep(a.c) },
		"moved":     func(a *asking) { a.c.info.Roster++; a.c.moved(nil) },
	} {
		a := newAsking(t, 4, 2)
		_ = a.answer(0, nil)
		parts := a.c.request.parts[0]
		seed, err := a.c.request.key.Bytes()
		if err != nil || len(parts) != 3 || bytes.Equal(seed, make([]byte, len(seed))) {
			t.Fatalf("%s: %d parts, %v", name, len(parts), err)
		}
		end(a)
		for _, p := range parts {
			if !bytes.Equal(p.Value, make([]byte, 2*keytree.Size)) {
				t.Errorf("%s: a part for set %b is still there", name, p.Set)
			}
		}
		if !bytes.Equal(seed, make([]byte, len(seed))) {
			t.Errorf("%s: the one-time key is still there", name)
		}
	}
}
