package generation

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func TestJoinRefusesWhatIsNoPlace(t *testing.T) {
	good := Config{chainID, 1, 1, 2, 4, 0}
	for name, change := range map[string]func(c *Config){
		"nothing":       func(c *Config) { *c = Config{} },
		"no chain":      func(c *Config) { c.ChainID = "" },
		"epoch 0":       func(c *Config) { c.Epoch = 0 },
		"attempt 0":     func(c *Config) { c.Attempt = 0 },
		"no threshold":  func(c *Config) { c.Threshold = 0 },
		"too high":      func(c *Config) { c.Threshold = 5 },
		"far too high":  func(c *Config) { c.Threshold = 1 << 31 },
		"too many":      func(c *Config) { c.N = 17 },
		"outside":       func(c *Config) { c.Me = 4 },
		"below nothing": func(c *Config) { c.Me = -1 },
	} {
		c := good
		change(&c)
		if m, j, err := Join(c, identityOf(0), random("x", 0)); err == nil || m != nil || j != nil {
			t.Errorf("%s: joined", name)
		}
	}
	if _, _, err := Join(good, nil, random("x", 0)); err == nil {
		t.Error("joined without an identity")
	}
	if _, _, err := Join(good, identityOf(0), io.LimitReader(random("x", 0), 70)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("joined without randomness: %v", err)
	}
}

// A member answers only what its own chain says of its own generation, and says one thing once.
func TestMembersTrustOnlyWhatTheChainHolds(t *testing.T) {
	x := at(t, wire.GENERATION_PHASE_CONTRIBUTE)
	m, g := x.members[0], x.view.Generation
	if _, _, err := m.Confirm(g, x.view.Contributions); err == nil {
		t.Error("confirmed before contributing")
	}
	if _, err := m.Keys(g); err == nil {
		t.Error("keys before the end")
	}
	swapped := map[uint32]*wire.GenerationJoin{0: x.view.Joins[0], 1: x.view.Joins[2], 2: x.view.Joins[1], 3: x.view.Joins[3]}
	for name, joins := range map[string]map[uint32]*wire.GenerationJoin{"none": nil, "others": swapped} {
		if _, err := m.Contribute(g, joins, x.random[0]); err == nil {
			t.Errorf("contributed to %s joins", name)
		}
	}
	if _, err := m.Contribute(g, x.view.Joins, io.LimitReader(x.random[0], 95)); err == nil {
		t.Error("contributed without randomness")
	}
	for name, change := range map[string]func(g *wire.Generation){
		"another epoch":      func(g *wire.Generation) { g.Epoch++ },
		"another attempt":    func(g *wire.Generation) { g.Attempt++ },
		"another threshold":  func(g *wire.Generation) { g.Threshold++ },
		"a member less":      func(g *wire.Generation) { g.Members = g.Members[:3] },
		"another identity":   func(g *wire.Generation) { g.Members[0].IdentityKey = g.Members[1].IdentityKey },
		"another join":       func(g *wire.Generation) { g.Members[0].JoinHash = g.Members[1].JoinHash },
		"itself excluded":    func(g *wire.Generation) { g.Members[0].Fault = wire.MEMBER_FAULT_LOST },
		"another phase":      func(g *wire.Generation) { g.Phase = wire.GENERATION_PHASE_JOIN },
		"no phase":           func(g *wire.Generation) { g.Phase = 0 },
		"nothing of members": func(g *wire.Generation) { *g = wire.Generation{} },
	} {
		var other wire.Generation
		if err := wire.Unmarshal(wire.Marshal(g), &other); err != nil {
			t.Fatal(err)
		}
		change(&other)
		if _, err := m.Contribute(&other, x.view.Joins, x.random[0]); err == nil {
			t.Errorf("%s: contributed", name)
		}
	}
	first, err := m.Contribute(g, x.view.Joins, x.random[0])
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.Contribute(g, x.view.Joins, nil); err != nil || again != first {
		t.Errorf("asked again it contributes something else: %v", err)
	}
	x.block()
	if _, _, err := m.Confirm(g, nil); err == nil {
		t.Error("confirmed what it has not seen")
	}
	other := map[uint32]*wire.Contribution{1: x.view.Contributions[2], 2: x.view.Contributions[1], 3: x.view.Contributions[3]}
	if _, _, err := m.Confirm(g, other); err == nil {
		t.Error("confirmed other contributions than the chain has")
	}
	_, one, err := m.Confirm(g, x.view.Contributions)
	if err != nil || one == nil {
		t.Fatal(err)
	}
	if _, two, err := m.Confirm(g, nil); err != nil || !bytes.Equal(wire.Marshal(one), wire.Marshal(two)) {
		t.Errorf("asked again it confirms something else: %v", err)
	}
	g.Members[3].ContributionHash = make([]byte, 32)
	if _, _, err := m.Confirm(g, x.view.Contributions); err == nil {
		t.Error("confirmed after what it had opened changed")
	}
}

// One-time keys are erased when they have opened what they were for, contributions when keys are made of them.
func TestP07_WhatWasUsedIsErased(t *testing.T) {
	x := at(t, wire.GENERATION_PHASE_CONFIRM)
	m := x.members[0]
	seeds, own := m.seeds, m.own
	if allZero(own) || allZero(seeds[1]) {
		t.Fatal("erased too early")
	}
	x.block()
	for i, s := range seeds {
		if !allZero(s) {
			t.Errorf("the one-time key for member %d outlives what it opened", i)
		}
	}
	received := m.received
	if _, err := m.Keys(x.view.Generation); err != nil {
		t.Fatal(err)
	}
	if !allZero(own) {
		t.Error("the own contributions outlive the keys")
	}
	for i, o := range received {
		if o != nil && !allZero(o.values) {
			t.Errorf("the contributions of member %d outlive the keys", i)
		}
	}
	if _, err := m.Keys(x.view.Generation); err == nil {
		t.Error("keys were given twice")
	}
	if _, err := m.Step(x.view, nil); err == nil {
		t.Error("a wiped member takes steps")
	}
	x.members[1].Wipe()
	x.members[1].Wipe()
	if _, err := x.members[1].Keys(x.view.Generation); err == nil {
		t.Error("a wiped member has keys")
	}
}

// A member about to complain keeps the key until the chain has it, and confirms once the chain has decided.
func TestComplaintsAreRepeatedUntilDecided(t *testing.T) {
	x := newNetwork(t, 4, 2, "repeat")
	x.forge(2, func(_ *Member, c *wire.Contribution) {
		for _, s := range c.Shares {
			clear(s.Ciphertext)
		}
	})
	x.block()
	x.block()
	m, g := x.members[0], x.view.Generation
	one, confirmation, err := m.Confirm(g, x.view.Contributions)
	if err != nil || len(one) != 1 || confirmation != nil || one[0].Against != 2 {
		t.Fatalf("complaints %v, confirmation %v: %v", one, confirmation, err)
	}
	two, _, err := m.Confirm(g, x.view.Contributions)
	if err != nil || !bytes.Equal(wire.Marshal(one[0]), wire.Marshal(two[0])) {
		t.Fatalf("asked again it complains differently: %v", err)
	}
	if err := x.deliver(one[0]); err != nil {
		t.Fatal(err)
	}
	if err := x.deliver(one[0]); err == nil {
		t.Error("the complaint was judged twice")
	}
	if _, confirmation, err = m.Confirm(g, x.view.Contributions); err != nil || confirmation == nil {
		t.Fatalf("no confirmation after the decision: %v", err)
	}
	x.run()
	agree(t, 4, 2, x.keys())
}

func TestNothingPrintsAMember(t *testing.T) {
	x := at(t, wire.GENERATION_PHASE_CONFIRM)
	m := x.members[0]
	var out bytes.Buffer
	for _, f := range []any{m, *m, []*Member{m}, struct{ M Member }{*m}, map[string]*Member{"m": m}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", f)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("m", "m", f)
		}
		if b, err := json.Marshal(f); err == nil {
			t.Errorf("marshalled: %s", b)
		}
	}
	for _, secret := range append([][]byte{m.own[:4]}, m.seeds[1][:4], identityOf(0)[:4]) {
		for _, form := range []string{string(secret), hex.EncodeToString(secret), fmt.Sprint(secret)[1:], fmt.Sprintf("%X", secret)} {
			if strings.Contains(out.String(), strings.TrimSuffix(form, "]")) {
				t.Errorf("a secret is printed in %q", out.String())
			}
		}
	}
}

func allZero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }
