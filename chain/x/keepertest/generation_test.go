package keepertest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

const (
	phaseBlocks = 6
	rosterDelay = 12 // blocks between the vote on a gatekeeper and its first generation
)

// gatekeepers is a chain in development with a roster of gatekeepers and the enclaves that make its keys.
type gatekeepers struct {
	*world
	boots   []*boot              // of the roster in force, by index
	members []*generation.Member // in the newest generation; nil: says nothing
	seeds   []*bytes.Buffer      // private halves of each member's one-time keys, in the order of the other members
	at      *wire.Generation     // that the members are made for
	down    map[int]bool
	lie     func(i int, m wire.Message) wire.Message // what member i sends in place of m
	events  []abci.Event                             // of all blocks since the last look
}

// newGatekeepers is a chain whose n gatekeepers are registered; epochBlocks 0 makes new keys only when needed.
func newGatekeepers(t *testing.T, n, threshold int, epochBlocks uint64) *gatekeepers {
	t.Helper()
	return newGatekeepersWith(t, n, threshold, epochBlocks, phaseBlocks)
}

func newGatekeepersWith(t *testing.T, n, threshold int, epochBlocks, phaseBlocks uint64) *gatekeepers {
	t.Helper()
	app.Configure()
	k := &gatekeepers{down: map[int]bool{}}
	refs := []string{}
	for i := range n {
		k.boots = append(k.boots, newBoot(apptest.NewAccount("1"), uint32(i), wire.ROLE_GATEKEEPER, fmt.Sprint("gatekeeper ", i)))
		refs = append(refs, fmt.Sprintf(`{"operator":%q,"slot":%d}`, k.boots[i].ref.Operator, i))
	}
	patch := fmt.Sprintf(`{"gatekeeper":{"set":{"epoch":"0","threshold":0,"members":[]},
		"params":{"epoch_blocks":"%d","phase_blocks":"%d","announce_ahead":"3","slash_silent":100,"slash_lie":1000},
		"roster":{"threshold":%d,"members":[%s]}}}`, epochBlocks, phaseBlocks, threshold, strings.Join(refs, ","))
	k.world = newWorldWith(t, rosterDelay, patch)
	for _, b := range k.boots {
		k.send(k.registration(b))
	}
	return k
}

// send puts messages into one block, each in a transaction of its own, and gives their results.
func (k *gatekeepers) send(msgs ...sdk.Msg) []*abci.ExecTxResult {
	k.t.Helper()
	var txs [][]byte
	skip := map[string]uint64{}
	for _, m := range msgs {
		from := k.Accounts[3]
		if r, ok := m.(interface{ GetOperator() string }); ok && r.GetOperator() == k.Accounts[1].String() {
			from = k.Accounts[1]
		}
		txs = append(txs, k.Sign(from, skip[from.String()], m))
		skip[from.String()]++
	}
	res := k.Block(txs...)
	k.events = append(k.events, res.Events...)
	for _, r := range res.TxResults {
		k.events = append(k.events, r.Events...)
	}
	return res.TxResults
}

func (k *gatekeepers) generation() *wire.Generation {
	k.t.Helper()
	var res gatekeepertypes.QueryGenerationResponse
	k.check(k.Query("/phala.gatekeeper.v1.Query/Generation", &gatekeepertypes.QueryGenerationRequest{}, &res))
	return res.Generation
}

func (k *gatekeepers) sets() *gatekeepertypes.QuerySetResponse {
	k.t.Helper()
	var res gatekeepertypes.QuerySetResponse
	k.check(k.Query("/phala.gatekeeper.v1.Query/Set", &gatekeepertypes.QuerySetRequest{}, &res))
	return &res
}

// read is what an enclave reads under a key by proof.
func (k *gatekeepers) read(key []byte, m wire.Message) bool {
	k.t.Helper()
	r := k.Prove(storekey.Gatekeeper, key)
	if len(r.Value) == 0 {
		return false
	}
	k.check(wire.Unmarshal(r.Value, m))
	return true
}

func (k *gatekeepers) view() generation.View {
	k.t.Helper()
	v := generation.View{Joins: map[uint32]*wire.GenerationJoin{}, Contributions: map[uint32]*wire.Contribution{}}
	if g := new(wire.Generation); k.read(storekey.GenerationKey(), g) {
		v.Generation = g
	}
	for i := range uint32(len(v.Generation.GetMembers())) {
		if j := new(wire.GenerationJoin); k.read(storekey.JoinKey(i), j) {
			v.Joins[i] = j
		}
		if c := new(wire.Contribution); k.read(storekey.ContributionKey(i), c) {
			v.Contributions[i] = c
		}
	}
	return v
}

// join makes the members of a generation that has begun; none may move before.
func (k *gatekeepers) join(g *wire.Generation) {
	k.t.Helper()
	if k.at != nil && k.at.Epoch == g.Epoch && k.at.Attempt == g.Attempt {
		return
	}
	k.at, k.members, k.seeds = g, nil, nil
	for i, b := range k.boots {
		seed := [32]byte{byte(i), byte(g.Epoch), byte(g.Attempt)}
		buf := &bytes.Buffer{}
		m, _, err := generation.Join(generation.Config{
			ChainID: k.Genesis.ChainID, Epoch: g.Epoch, Attempt: g.Attempt, Threshold: g.Threshold, N: len(g.Members), Me: i,
		}, b.key, io.TeeReader(rand.NewChaCha8(seed), buf))
		k.check(err)
		k.members, k.seeds = append(k.members, m), append(k.seeds, buf)
	}
}

// said wraps what a member says for the chain.
func (k *gatekeepers) said(m wire.Message) sdk.Msg {
	from := k.Accounts[3].String()
	switch m := m.(type) {
	case *wire.GenerationJoin:
		return &gatekeepertypes.MsgJoinGeneration{Sender: from, Join: m}
	case *wire.Contribution:
		return &gatekeepertypes.MsgContribute{Sender: from, Contribution: m}
	case *wire.Complaint:
		return &gatekeepertypes.MsgComplain{Sender: from, Complaint: m}
	case *wire.Confirmation:
		return &gatekeepertypes.MsgConfirm{Sender: from, Confirmation: m}
	}
	k.t.Fatalf("%T is not said by a member", m)
	return nil
}

// step gives every member that is not down or out its say, in one block.
func (k *gatekeepers) step() []*abci.ExecTxResult {
	k.t.Helper()
	v := k.view()
	if !gatekeepertypes.Running(v.Generation) {
		k.send()
		return nil
	}
	k.join(v.Generation)
	var msgs []sdk.Msg
	for i, m := range k.members {
		if k.down[i] || v.Generation.Members[i].Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		words, err := m.Step(v, rand.NewChaCha8([32]byte{99, byte(i)}))
		k.check(err)
		for _, w := range words {
			if k.lie != nil {
				if w = k.lie(i, w); w == nil {
					continue
				}
			}
			msgs = append(msgs, k.said(w))
		}
	}
	return k.send(msgs...)
}

// run lets blocks pass until the generation of (epoch, attempt) has ended, and gives it.
func (k *gatekeepers) run(epoch uint64, attempt uint32) *wire.Generation {
	k.t.Helper()
	for range 20 * phaseBlocks {
		g := k.generation()
		if g != nil && g.Epoch == epoch && g.Attempt == attempt && !gatekeepertypes.Running(g) {
			return g
		}
		for _, r := range k.step() {
			if r.Code != 0 {
				k.t.Fatalf("an honest member is refused: %s", r.Log)
			}
		}
	}
	k.t.Fatalf("epoch %d attempt %d does not end: %+v", epoch, attempt, k.generation())
	return nil
}

// keys are what the members of a finished generation hold, by index, after checking that all holders have the same.
func (k *gatekeepers) keys(g *wire.Generation) map[int]map[dprf.Set]*keytree.Secret {
	k.t.Helper()
	out, all := map[int]map[dprf.Set]*keytree.Secret{}, map[dprf.Set]*keytree.Secret{}
	for i, m := range g.Members {
		if m.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		keys, err := k.members[i].Keys(g)
		k.check(err)
		for b, s := range keys {
			if o, ok := all[b]; ok && !bytes.Equal(o.Key("test"), s.Key("test")) {
				k.t.Errorf("holders of set %b differ", b)
			}
			all[b] = s
		}
		out[i] = keys
	}
	return out
}

// agree checks that any t members of a finished generation derive the same secret.
func (k *gatekeepers) agree(g *wire.Generation) {
	k.t.Helper()
	keys := k.keys(g)
	var secrets [][]byte
	for from := range keys {
		parts := map[int][]dprf.Part{}
		for i := range maps.Keys(keys) {
			if i < from || len(parts) == int(g.Threshold) {
				continue
			}
			for b, s := range keys[i] {
				parts[i] = append(parts[i], dprf.Eval(b, s, []byte("label")))
			}
		}
		if len(parts) < int(g.Threshold) {
			continue
		}
		s, _, err := dprf.Combine(len(g.Members), int(g.Threshold), parts)
		k.check(err)
		secrets = append(secrets, s.Key("test"))
	}
	for _, s := range secrets {
		if !bytes.Equal(s, secrets[0]) {
			k.t.Error("two groups of members derive different secrets")
		}
	}
	if len(secrets) == 0 {
		k.t.Error("no group of members derives a secret")
	}
}

// faults are those of the newest generation.
func (k *gatekeepers) faults() (out []wire.MemberFault) {
	for _, m := range k.generation().Members {
		out = append(out, m.Fault)
	}
	return out
}

// saw wants an event since the last look, with these attributes, and forgets all events.
func (k *gatekeepers) saw(name string, attrs ...string) {
	k.t.Helper()
	events := k.events
	k.events = nil
	for _, e := range events {
		have := map[string]string{}
		for _, a := range e.Attributes {
			have[a.Key] = a.Value
		}
		fits := e.Type == name
		for i := 0; i < len(attrs); i += 2 {
			fits = fits && have[attrs[i]] == attrs[i+1]
		}
		if fits {
			k.events = events
			return
		}
	}
	k.events = events
	k.t.Errorf("no event %s with %v", name, attrs)
}

// state is all that the module keeps.
func (k *gatekeepers) state() string {
	k.t.Helper()
	ex, err := k.App.Export(nil)
	k.check(err)
	var modules map[string]json.RawMessage
	k.check(json.Unmarshal(ex.AppState, &modules))
	return string(modules[gatekeepertypes.ModuleName])
}

func resign(b *boot, m wire.Message, chainID string) {
	switch m := m.(type) {
	case *wire.GenerationJoin:
		m.Signature = ed25519.Sign(b.key, generation.JoinBytes(chainID, m))
	case *wire.Contribution:
		m.Signature = ed25519.Sign(b.key, generation.ContributionBytes(chainID, m))
	case *wire.Complaint:
		m.Signature = ed25519.Sign(b.key, generation.ComplaintBytes(chainID, m))
	case *wire.Confirmation:
		m.Signature = ed25519.Sign(b.key, generation.ConfirmationBytes(chainID, m))
	}
}
