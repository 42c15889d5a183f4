package runtime_test

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"testing"

	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/lightclient"
)

// P16: a gatekeeper that was cut off is fed a fork by the validators' own keys, on which everything is proven that a key takes, and
// impostors stand for the other gatekeepers. It gives nothing. Once the true others have signed the header that it sees, it serves.
func TestP16_AForkByOldKeysOpensNothing(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2))
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	g, x := n.Keepers[0], n.Members[0]
	g.Cut = true
	n.Blocks(62)
	g.Do(&wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})

	// From here on only the gatekeeper and a worker that wants keys see the chain: to the others it does not exist.
	for _, other := range n.Keepers[1:] {
		other.Dead = true
	}
	impostor := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	truth := n.Chain.Set()
	lie := n.Chain.Set()
	for _, m := range lie.Members[1:] {
		m.IdentityKey = impostor.Public().(ed25519.PublicKey)
	}
	n.Chain.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), lie)
	g.Cut, g.Outs = false, nil
	x.Restart()
	n.Blocks(8)
	if words := answer(n, g, impostor); len(words) == 0 || slices.ContainsFunc(words, func(code string) bool { return code != "header-word" }) {
		t.Errorf("words of impostors: %q", words)
	}
	n.Blocks(4)
	if got := codes(g); keyParts(g) != 0 || !slices.Contains(got, "doubtful") {
		t.Errorf("on a fork it gives %d parts of keys, and says %q", keyParts(g), got)
	}
	if got := state(t, n, x, contract); got != "not-serving" {
		t.Errorf("on a fork a worker answers %s", got)
	}

	n.Chain.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), truth)
	n.Blocks(2) // the others must not be shown that lie: here it is on their chain too
	for _, other := range n.Keepers[1:] {
		other.Dead = false
		n.Post(other, &wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: n.Cluster, Worker: x.Ref}}})
	}
	n.Blocks(12)
	state(t, n, x, contract) // asks for the code
	n.Blocks(1)
	if got := state(t, n, x, contract); keyParts(g) == 0 || got != one {
		t.Errorf("with the others' words it gives %d parts, and the worker answers %s: %q", keyParts(g), got, codes(g))
	}
}

// answer gives each question of g for a word the word that whoever is asked would give, had it that key, and the codes of what g says to it.
func answer(n *enclavetest.Net, g *enclavetest.Node, key ed25519.PrivateKey) (said []string) {
	for _, o := range slices.Clone(g.Outs) {
		asked := o.GetPeer().GetHeaderWord()
		if asked == nil || !asked.Asks {
			continue
		}
		w := &wire.HeaderWord{Height: asked.Height, Hash: asked.Hash, Gatekeeper: o.GetPeer().To}
		w.Signature = ed25519.Sign(key, lightclient.WordBytes(enclavetest.ChainID, w))
		if f := enclavetest.Failure(g.Do(&wire.In{Body: &wire.In_Peer{Peer: &wire.PeerMessage{To: g.Ref, Body: &wire.PeerMessage_HeaderWord{HeaderWord: w}}}})); f != nil {
			said = append(said, f.Code)
		} else {
			said = append(said, "taken")
		}
	}
	return said
}

// codes are those of everything that a node has refused or complained about.
func codes(x *enclavetest.Node) (all []string) {
	for _, o := range x.Outs {
		if f := o.GetFailure(); f != nil && !slices.Contains(all, f.Code) {
			all = append(all, f.Code)
		}
	}
	return all
}
