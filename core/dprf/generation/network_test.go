package generation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

const chainID = "phala-test"

// stream is randomness that can be repeated: SHA-256(seed || counter).
type stream struct {
	seed string
	n    uint64
	rest []byte
}

func (s *stream) Read(b []byte) (int, error) {
	for i := range b {
		if len(s.rest) == 0 {
			h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.seed), s.n))
			s.rest, s.n = h[:], s.n+1
		}
		b[i], s.rest = s.rest[0], s.rest[1:]
	}
	return len(b), nil
}

func random(seed string, i int) io.Reader { return &stream{seed: fmt.Sprintf("%s %d", seed, i)} }

func identityOf(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "identity %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

// network is a chain and its members, without anything between them.
type network struct {
	t       testing.TB
	view    View
	least   uint32
	height  uint64
	members []*Member
	random  []io.Reader
	seeds   [][][]byte                        // private one-time keys of every member, which each erases itself
	drawn   [][]byte                          // contributions of every member
	down    map[int]bool                      // says nothing more
	liar    int                               // 1 + index of whom a lie may leave without words; 0: nobody
	lie     func(wire.Message) []wire.Message // what is sent in place of a message; nil: the message
	record  []wire.Message                    // all that was sent, refused or not
	refused []error
	judged  int
}

func newNetwork(t testing.TB, n, threshold int, seed string) *network {
	t.Helper()
	var refs []*wire.WorkerRef
	for i := range n {
		refs = append(refs, &wire.WorkerRef{Operator: fmt.Sprintf("operator-%d", i), Slot: 1})
	}
	g, err := New(1, 1, uint32(threshold), refs, 100, 5)
	if err != nil {
		t.Fatal(err)
	}
	x := &network{
		t: t, height: 100, least: uint32(threshold), down: map[int]bool{},
		view: View{g, map[uint32]*wire.GenerationJoin{}, map[uint32]*wire.Contribution{}},
	}
	for i := range n {
		x.random = append(x.random, random(seed, i))
		m, _, err := Join(Config{chainID, 1, 1, uint32(threshold), n, i}, identityOf(i), x.random[i])
		if err != nil {
			t.Fatal(err)
		}
		x.members = append(x.members, m)
		var seeds [][]byte
		for _, s := range m.seeds {
			seeds = append(seeds, bytes.Clone(s))
		}
		x.seeds, x.drawn = append(x.seeds, seeds), append(x.drawn, nil)
	}
	return x
}

// block lets every member that is up take a step, delivers what they say, and ends the block.
func (x *network) block() {
	var said []wire.Message
	for i, m := range x.members {
		if x.down[i] || x.view.Generation.Members[i].Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		out, err := m.Step(x.view, x.random[i])
		if err != nil && x.liar == i+1 {
			continue
		}
		if err != nil {
			x.t.Fatalf("member %d at height %d: %v", i, x.height, err)
		}
		said = append(said, out...)
		if m.own != nil && x.drawn[i] == nil {
			x.drawn[i] = bytes.Clone(m.own)
		}
	}
	for _, s := range said {
		sent := []wire.Message{s}
		if x.lie != nil {
			if other := x.lie(s); other != nil {
				sent = other
			}
		}
		for _, s := range sent {
			if err := x.deliver(s); err != nil {
				x.refused = append(x.refused, err)
			}
		}
	}
	Next(x.view.Generation, x.height, x.least)
	x.height++
}

// deliver is what the chain does with a message.
func (x *network) deliver(s wire.Message) error {
	x.record = append(x.record, s)
	g := x.view.Generation
	switch s := s.(type) {
	case *wire.GenerationJoin:
		if err := CheckJoin(chainID, g, s); err != nil {
			return err
		}
		if !bytes.Equal(s.IdentityKey, identityOf(int(s.Member)).Public().(ed25519.PublicKey)) {
			return fmt.Errorf("member %d is not registered so", s.Member)
		}
		RecordJoin(g, s)
		x.view.Joins[s.Member] = s
	case *wire.Contribution:
		if err := CheckContribution(chainID, g, s); err != nil {
			return err
		}
		RecordContribution(g, s)
		x.view.Contributions[s.Member] = s
	case *wire.Confirmation:
		if err := CheckConfirmation(chainID, g, s); err != nil {
			return err
		}
		RecordConfirmation(g, s)
	case *wire.Complaint:
		who, fault, err := Judge(chainID, g, x.view.Joins[s.Member], x.view.Contributions[s.Against], s)
		if err != nil {
			return err
		}
		x.judged++
		Exclude(g, who, fault)
	}
	return nil
}

// run goes on to the end.
func (x *network) run() {
	for x.view.Generation.Phase != wire.GENERATION_PHASE_DONE && x.view.Generation.Phase != wire.GENERATION_PHASE_FAILED {
		if x.height > 200 {
			x.t.Fatalf("no end: %v", x.view.Generation)
		}
		x.block()
	}
}

// keys gives the keys of every member that finished.
func (x *network) keys() map[int]map[dprf.Set]*keytree.Secret {
	out := map[int]map[dprf.Set]*keytree.Secret{}
	for i, m := range x.members {
		if x.down[i] || x.view.Generation.Members[i].Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		k, err := m.Keys(x.view.Generation)
		if err != nil {
			x.t.Fatalf("keys of member %d: %v", i, err)
		}
		out[i] = k
	}
	return out
}

// shown stands for a secret in comparisons.
func shown(s *keytree.Secret) string { return hex.EncodeToString(s.Key("test")) }

// agree checks that members hold exactly the keys of the sets they are outside of, and the same, and gives them.
func agree(t testing.TB, n, threshold int, keys map[int]map[dprf.Set]*keytree.Secret) map[dprf.Set]string {
	t.Helper()
	sets, err := dprf.Sets(n, threshold)
	if err != nil {
		t.Fatal(err)
	}
	out := map[dprf.Set]string{}
	for i, ks := range keys {
		if want := len(held(sets, uint32(i))); len(ks) != want {
			t.Errorf("member %d has %d keys, want %d", i, len(ks), want)
		}
		for b, k := range ks {
			if !b.Holds(i) {
				t.Errorf("member %d has the key of %b", i, b)
			}
			if other, ok := out[b]; ok && other != shown(k) {
				t.Errorf("member %d has another key of %b than others", i, b)
			}
			out[b] = shown(k)
		}
	}
	seen := map[string]bool{}
	for b, k := range out {
		if seen[k] {
			t.Errorf("the key of %b is that of another set", b)
		}
		seen[k] = true
	}
	return out
}

func (x *network) faults() string {
	s := ""
	for _, m := range x.view.Generation.Members {
		s += string("-SBFL"[m.Fault])
	}
	return s
}
