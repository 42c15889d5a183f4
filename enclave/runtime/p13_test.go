package runtime_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

const drawing = `{"draw":{}}`

// casino is a network with a contract that draws.
func casino(t *testing.T) (*enclavetest.Net, *enclavetest.User, []byte) {
	t.Helper()
	n := enclavetest.New(t, 3, 2, enclavetest.Gatekeepers(4, 2))
	u := n.User("alice")
	s := u.Instantiate(n.Upload(gocontract.Build(t, "../calls/testdata/vault")), wire.QUERY_POLICY_OPEN, "{}")
	n.Blocks(5)
	if f := s.Result(n.Members[0]).Failure; f != nil {
		t.Fatal(f)
	}
	return n, u, s.Item.Address
}

// P13: what an input draws waits for the beacon of the height that ordered it, and is then the same for all, whatever happened meanwhile:
// restarts, a dead leader, other inputs before and behind it, and a batch that was tried and thrown away.
func TestP13_RandomnessIsNotSteerable(t *testing.T) {
	n, u, vault := casino(t)
	echo := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	seen := map[string]bool{}
	for round := range 12 {
		before := u.Execute(echo, fine, "", "")
		draw := u.Execute(vault, drawing, "", "")
		again := u.Execute(vault, drawing, "", "")
		behind := u.Execute(echo, fine, "", "")
		n.Blocks(1)
		if b := n.Chain.BeaconOf(draw.Item.Height); b != nil {
			t.Fatal("the beacon was there before the order")
		}
		switch round % 4 { // what a host may try while the value is not known
		case 1:
			n.Members[round%3].Restart()
		case 2:
			n.Leader().Dead = true
		case 3:
			for _, x := range n.Members {
				x.Serve()
			}
		}
		n.Blocks(9)
		for _, x := range n.Members {
			x.Dead = false
		}
		n.Blocks(3)
		b := n.Chain.BeaconOf(draw.Item.Height)
		if b == nil {
			t.Fatal("the height has no beacon")
		}
		var said string
		served := 0
		for i, x := range n.Members {
			if enclavetest.Reply(draw.Ask(x)) == nil || enclavetest.Reply(again.Ask(x)) == nil {
				continue // it was away, and has restored what the others came to
			}
			served++
			for _, s := range []*enclavetest.Sent{before, draw, again, behind} {
				if enclavetest.Reply(s.Ask(x)) == nil && round%4 == 1 {
					continue // an input before its start
				}
				if f := s.Result(x).Failure; f != nil {
					t.Fatalf("round %d, member %d: %v", round, i, f)
				}
			}
			got := strings.Trim(string(draw.Result(x).Data), `"`)
			if said == "" {
				said = got
			}
			if got != said {
				t.Errorf("round %d: member %d has drawn %s, another %s", round, i, got, said)
			}
			if batch := draw.Final(x).Batch; batch.ChainHeight <= b.Taken {
				t.Errorf("round %d: drawn at height %d, the beacon came in block %d", round, batch.ChainHeight, b.Taken)
			}
			if next := strings.Trim(string(again.Result(x).Data), `"`); next == got || seen[next] {
				t.Errorf("round %d: two inputs of one block have drawn %s", round, next)
			}
		}
		if served < 2 {
			t.Errorf("round %d: %d members have the result", round, served)
		}
		if raw, err := hex.DecodeString(said); err != nil || len(raw) != 64 || seen[said] || said[:64] == said[64:] {
			t.Errorf("round %d: %s", round, said)
		}
		seen[said] = true
		agree(t, n, echo, n.Chain.Head(n.Cluster).Number, n.Members...)
	}
}

// No value, no draw: where the gatekeepers give none the contract is told so, once none will ever come, and the cluster goes on.
func TestP13_WithoutABeaconNothingIsDrawn(t *testing.T) {
	n, u, vault := casino(t)
	echo := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	for _, x := range n.Keepers {
		x.Dead = true
	}
	n.Blocks(2) // what was on its way
	before := u.Execute(echo, fine, "", "")
	draw := u.Execute(vault, drawing, "", "")
	behind := u.Execute(echo, fine, "", "")
	n.Blocks(8)
	if f := before.Result(n.Members[0]).Failure; f != nil {
		t.Error("the input before has waited: ", f)
	}
	for _, s := range []*enclavetest.Sent{draw, behind} {
		if r := enclavetest.Reply(s.Ask(n.Members[0])); r != nil {
			t.Error("an input has not waited for the beacon")
		}
	}
	n.Blocks(beacon.Window)
	for i, x := range n.Members {
		if f := draw.Result(x).Failure; f == nil || f.Code != "contract-error" {
			t.Errorf("member %d: drawn without a beacon: %v", i, f)
		}
		if f := behind.Result(x).Failure; f != nil {
			t.Errorf("member %d: %v", i, f)
		}
	}
}
