package generation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/dprf/redistribution"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

//go:generate go test -trimpath -run TestVectors -update .

var update = flag.Bool("update", false, "record testdata/vectors.json anew")

// hexed is bytes as text.
type hexed []byte

func (h hexed) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexed) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// vectors is one generation of 2 of 3 on chain phala-test, epoch 1, attempt 1, recorded: what is sealed differs each time.
type vectors struct {
	Members []vectorMember `json:"members"`
	Keys    []vectorKey    `json:"keys"` // k_B by ascending B

	Label       hexed `json:"label"`        // of the cluster secret of cluster 1, epoch 1, roster 1
	StateLabel  hexed `json:"state_label"`  // of its state secret
	Secret      hexed `json:"secret"`       // XOR of the parts
	StateSecret hexed `json:"state_secret"` // XOR of the parts under the state label
	Check       hexed `json:"check"`        // what members announce of both

	FalseComplaint  hexed `json:"false_complaint"`  // wire.Complaint of member 0 about 1: judged a false complaint of 0
	BadContribution hexed `json:"bad_contribution"` // of member 1, signed, the first ciphertext wrong
	TrueComplaint   hexed `json:"true_complaint"`   // of member 0 about it: judged a bad contribution of 1

	NewSet hexed       `json:"new_set"` // wire.GatekeeperSet of epoch 2, 2 of 3
	Shares []vectorKey `json:"shares"`  // of the part of the first B under the state label, by B'
	Parts  []vectorKey `json:"parts"`   // new parts under the state label, by B'
}

type vectorMember struct {
	IdentitySeed hexed       `json:"identity_seed"`
	OneTimeSeeds hexed       `json:"one_time_seeds"` // for the other members, ascending, 32 bytes each
	Join         hexed       `json:"join"`           // wire.GenerationJoin
	Values       []vectorKey `json:"values"`         // c_{B,i} by ascending B
	Contribution hexed       `json:"contribution"`   // wire.Contribution
	Confirmation hexed       `json:"confirmation"`   // wire.Confirmation
}

type vectorKey struct {
	Set   uint32 `json:"set"`
	Value hexed  `json:"value"`
	Part  hexed  `json:"part,omitempty"`  // of a key, under the label
	State hexed  `json:"state,omitempty"` // of a key, under the state label
}

const vectorsFile = "testdata/vectors.json"

func complaint(who, against uint32, seed []byte) *wire.Complaint {
	k := &wire.Complaint{Epoch: 1, Attempt: 1, Member: who, Against: against, OneTimeKey: seed}
	k.Signature = ed25519.Sign(identityOf(int(who)), ComplaintBytes(chainID, k))
	return k
}

func record(t *testing.T) *vectors {
	x := newNetwork(t, 3, 2, "vectors")
	x.run()
	v := &vectors{Label: keytree.Label(keytree.ClusterSecret, chainID, 1, 1, 1), StateLabel: keytree.Label(keytree.StateSecret, chainID, 1, 1, 1)}
	sets, _ := dprf.Sets(3, 2)
	sums := map[dprf.Set][]byte{}
	for i := range 3 {
		m := vectorMember{
			IdentitySeed: identityOf(i).Seed(), Join: wire.Marshal(x.view.Joins[uint32(i)]), Contribution: wire.Marshal(x.view.Contributions[uint32(i)]),
		}
		for _, s := range x.seeds[i] {
			m.OneTimeSeeds = append(m.OneTimeSeeds, s...)
		}
		for k, b := range held(sets, uint32(i)) {
			c := x.drawn[i][k*32 : k*32+32]
			m.Values = append(m.Values, vectorKey{Set: uint32(b), Value: c})
			if sums[b] == nil {
				sums[b] = make([]byte, 32)
			}
			xor(sums[b], c)
		}
		for _, s := range x.record {
			if c, ok := s.(*wire.Confirmation); ok && int(c.Member) == i {
				m.Confirmation = wire.Marshal(c)
			}
		}
		v.Members = append(v.Members, m)
	}
	v.Secret, v.StateSecret = make([]byte, 32), make([]byte, 32)
	for _, b := range sets {
		s, _ := keytree.NewSecret(sums[b])
		p := dprf.Eval(b, s, v.Label, v.StateLabel)
		v.Keys = append(v.Keys, vectorKey{uint32(b), sums[b], p.Value[:32], p.Value[32:]})
		xor(v.Secret, p.Value[:32])
		xor(v.StateSecret, p.Value[32:])
	}
	v.Check = check(t, v)
	v.FalseComplaint = wire.Marshal(complaint(0, 1, x.seeds[0][1]))
	bad := clone(t, x.view.Contributions[1]).(*wire.Contribution)
	bad.Shares[0].Ciphertext[0] ^= 1
	bad.Signature = ed25519.Sign(identityOf(1), ContributionBytes(chainID, bad))
	v.BadContribution, v.TrueComplaint = wire.Marshal(bad), wire.Marshal(complaint(0, 1, x.seeds[0][1]))
	set, err := Set(x.view.Generation)
	if err != nil {
		t.Fatal(err)
	}
	set.Epoch = 2
	v.NewSet = wire.Marshal(set)
	to, err := redistribution.To(set)
	if err != nil {
		t.Fatal(err)
	}
	v.Shares, v.Parts = split(t, to, v.Keys)
	return v
}

// check is what members of the recorded cluster announce.
func check(t *testing.T, v *vectors) []byte {
	t.Helper()
	secret, err := keytree.NewSecret(v.Secret)
	if err != nil {
		t.Fatal(err)
	}
	state, err := keytree.NewSecret(v.StateSecret)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keytree.NewCluster(secret, state)
	if err != nil {
		t.Fatal(err)
	}
	return k.Check
}

// split gives the shares of the first key's part under the state label, and what those of all keys come to.
func split(t *testing.T, to redistribution.Target, keys []vectorKey) (first, parts []vectorKey) {
	t.Helper()
	for i, k := range keys {
		shares, err := to.Split(dprf.Part{Set: dprf.Set(k.Set), Value: k.State})
		if err != nil {
			t.Fatal(err)
		}
		for j, s := range shares {
			if i == 0 {
				first = append(first, vectorKey{Set: uint32(s.Set), Value: s.Value})
				parts = append(parts, vectorKey{Set: uint32(s.Set), Value: bytes.Clone(s.Value)})
				continue
			}
			xor(parts[j].Value, s.Value)
		}
	}
	return first, parts
}

func xor(acc, b []byte) {
	for i := range acc {
		acc[i] ^= b[i]
	}
}

// The vectors of docs/spec/keys.md: from the recorded seeds and messages everything else follows.
func TestVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(record(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	x := newNetwork(t, 3, 2, "vectors")
	for i, w := range v.Members {
		m, j, err := Join(Config{chainID, 1, 1, 2, 3, i}, ed25519.NewKeyFromSeed(w.IdentitySeed), bytes.NewReader(w.OneTimeSeeds))
		if err != nil || !bytes.Equal(wire.Marshal(j), w.Join) {
			t.Fatalf("the join of member %d is another: %v", i, err)
		}
		x.members[i] = m
		if err := x.deliver(j); err != nil {
			t.Fatal(err)
		}
	}
	Next(x.view.Generation, 100, 2)
	for i, w := range v.Members {
		c := decode(t, w.Contribution, new(wire.Contribution))
		if err := x.deliver(c); err != nil {
			t.Fatal(err)
		}
		for k, s := range w.Values {
			if h := (round{chainID, 1, 1}).commitment(dprf.Set(s.Set), uint32(i), s.Value); !bytes.Equal(h[:], c.Commitments[k]) {
				t.Errorf("the commitment of member %d for set %b is another", i, s.Set)
			}
			x.members[i].own = append(x.members[i].own, s.Value...)
		}
		x.members[i].said = c
	}
	Next(x.view.Generation, 101, 2)
	judge(t, x.view, v.FalseComplaint, 0, wire.MEMBER_FAULT_FALSE_COMPLAINT)
	other := View{decode(t, wire.Marshal(x.view.Generation), new(wire.Generation)), x.view.Joins, map[uint32]*wire.Contribution{1: decode(t, v.BadContribution, new(wire.Contribution))}}
	RecordContribution(other.Generation, other.Contributions[1])
	judge(t, other, v.TrueComplaint, 1, wire.MEMBER_FAULT_BAD_CONTRIBUTION)
	for i, w := range v.Members {
		_, c, err := x.members[i].Confirm(x.view.Generation, x.view.Contributions)
		if err != nil || !bytes.Equal(wire.Marshal(c), w.Confirmation) {
			t.Fatalf("the confirmation of member %d is another: %v", i, err)
		}
		if err := x.deliver(c); err != nil {
			t.Fatal(err)
		}
	}
	Next(x.view.Generation, 102, 2)
	all := agree(t, 3, 2, x.keys())
	sum, state := make([]byte, 32), make([]byte, 32)
	for _, k := range v.Keys {
		s, err := keytree.NewSecret(k.Value)
		if err != nil || shown(s) != all[dprf.Set(k.Set)] {
			t.Errorf("the key of set %b is another: %v", k.Set, err)
			continue
		}
		if p := dprf.Eval(dprf.Set(k.Set), s, v.Label, v.StateLabel); !bytes.Equal(p.Value[:32], k.Part) || !bytes.Equal(p.Value[32:], k.State) {
			t.Errorf("the parts of set %b are others", k.Set)
		}
		xor(sum, k.Part)
		xor(state, k.State)
	}
	if !bytes.Equal(sum, v.Secret) || !bytes.Equal(v.Label, keytree.Label(keytree.ClusterSecret, chainID, 1, 1, 1)) {
		t.Error("the cluster secret or its label is another")
	}
	if !bytes.Equal(state, v.StateSecret) || !bytes.Equal(v.StateLabel, keytree.Label(keytree.StateSecret, chainID, 1, 1, 1)) {
		t.Error("the state secret or its label is another")
	}
	if !bytes.Equal(check(t, &v), v.Check) {
		t.Error("the announced check is another")
	}
	to, err := redistribution.To(decode(t, v.NewSet, new(wire.GatekeeperSet)))
	if err != nil {
		t.Fatal(err)
	}
	shares, parts := split(t, to, v.Keys)
	same(t, "shares", shares, v.Shares)
	same(t, "new parts", parts, v.Parts)
	moved := make([]byte, 32)
	for _, p := range v.Parts {
		xor(moved, p.Value)
	}
	if !bytes.Equal(moved, v.StateSecret) {
		t.Error("the new parts come to another state secret")
	}
}

func same(t *testing.T, what string, got, want []vectorKey) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b vectorKey) bool { return a.Set == b.Set && bytes.Equal(a.Value, b.Value) }) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func decode[M wire.Message](t *testing.T, b []byte, m M) M {
	t.Helper()
	if err := wire.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func judge(t *testing.T, v View, k []byte, excluded uint32, fault wire.MemberFault) {
	t.Helper()
	c := decode(t, k, new(wire.Complaint))
	who, why, err := Judge(chainID, v.Generation, v.Joins[c.Member], v.Contributions[c.Against], c)
	if err != nil || who != excluded || why != fault {
		t.Errorf("member %d was excluded for %s, want %d for %s: %v", who, why, excluded, fault, err)
	}
}
