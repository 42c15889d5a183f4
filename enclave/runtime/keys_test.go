package runtime_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// P6: a part counts only from the gatekeeper in force, for this request, cluster, epoch and worker; nothing else makes keys.
func TestP06_PartsThatDoNotCount(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	x := n.Members[1]
	var parts []*wire.PeerMessage
	n.DropPeer = func(_ *enclavetest.Node, m *wire.PeerMessage) bool {
		if m.GetKeyPart() != nil {
			parts = append(parts, m)
		}
		return m.GetKeyPart() != nil
	}
	x.Restart()
	n.Blocks(4)
	if len(parts) == 0 {
		t.Fatalf("no part came: %q", n.Failures())
	}
	good := parts[len(parts)-1]
	mallory := ed25519.NewKeyFromSeed(make([]byte, 32))
	for name, f := range map[string]func(p *wire.KeyPart){
		"another epoch":      func(p *wire.KeyPart) { p.Epoch++ },
		"another roster":     func(p *wire.KeyPart) { p.Roster++ },
		"another worker":     func(p *wire.KeyPart) { p.Worker = n.Members[0].Ref },
		"no worker":          func(p *wire.KeyPart) { p.Worker = nil },
		"no gatekeeper":      func(p *wire.KeyPart) { p.Gatekeeper = nil },
		"another gatekeeper": func(p *wire.KeyPart) { p.Gatekeeper = x.Ref },
		"unsigned":           func(p *wire.KeyPart) { p.Signature = nil },
		"signed by another": func(p *wire.KeyPart) {
			p.Signature = ed25519.Sign(mallory, settle.KeyPartBytes(enclavetest.ChainID, p))
		},
		"a changed text":      func(p *wire.KeyPart) { p.Ciphertext[4] ^= 1 },
		"another encapsulate": func(p *wire.KeyPart) { p.Enc[4] ^= 1 },
		"nothing sealed":      func(p *wire.KeyPart) { p.Enc, p.Ciphertext = nil, nil },
	} {
		var c wire.PeerMessage
		if err := wire.Unmarshal(wire.Marshal(good), &c); err != nil {
			t.Fatal(err)
		}
		f(c.GetKeyPart())
		if outs := x.Do(&wire.In{Body: &wire.In_Peer{Peer: &c}}); enclavetest.Failure(outs) == nil {
			t.Errorf("%s: %v", name, outs)
		}
		if got := state(t, n, x, contract); got != "not-serving" {
			t.Errorf("%s: the enclave answers %s", name, got)
		}
	}
	// A part of an earlier boot's request opens for nobody.
	n.DropPeer = nil
	x.Do(&wire.In{Body: &wire.In_Peer{Peer: good}})
	n.Blocks(3)
	agree(t, n, contract, 1, n.Members...)
	x.Restart()
	x.Do(&wire.In{Body: &wire.In_Peer{Peer: good}})
	if got := state(t, n, x, contract); got == one {
		t.Error("an old part gives a new boot its keys")
	}
	n.Blocks(6)
	agree(t, n, contract, 1, n.Members...)
}

// A request whose answer was lost is made and answered anew.
func TestALostPartIsAskedForAgain(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	lost := 0
	n.DropPeer = func(_ *enclavetest.Node, m *wire.PeerMessage) bool { lost++; return lost == 1 }
	x := n.Members[0]
	x.Restart()
	n.Blocks(20)
	if lost < 2 {
		t.Fatal("it was not asked again")
	}
	agree(t, n, contract, 1, x)
}

// A head that stands still for longer than the chain takes batches, and then moves.
func TestALongStandstill(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	n.DropCommit = true
	s := u.Execute(contract, fine, "", "")
	n.Blocks(80)
	n.DropCommit = false
	n.Blocks(9)
	agree(t, n, contract, 2, n.Members...)
	if f := s.Result(n.Members[2]).Failure; f != nil {
		t.Error(f)
	}
}
