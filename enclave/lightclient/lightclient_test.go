package lightclient_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/lightclient"
)

type clock struct{ at time.Time }

func start(t *testing.T, c *enclavetest.Chain) (*lightclient.Client, *clock) {
	t.Helper()
	g, err := light.ParseGenesis(c.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	k := &clock{c.Time()}
	return lightclient.New(lightclient.Config{Genesis: g, Now: func() time.Time { return k.at }}), k
}

func policy() *wire.StoreKey {
	return &wire.StoreKey{Store: storekey.Attestation, Key: storekey.Policy(1)}
}

func absent() *wire.StoreKey {
	return &wire.StoreKey{Store: storekey.Cluster, Key: storekey.ClusterKey(9)}
}

func TestP03_FollowsAndRefuses(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, k := start(t, c)
	if l.Height() != 0 || l.Fresh() == nil || l.Newest().Height != 0 {
		t.Error("fresh before the first header")
	}
	for range 5 {
		c.NewBlock()
		k.at = c.Time()
	}
	for h := uint64(1); h <= 5; h++ {
		if err := l.Advance(c.Block(h)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Advance(c.Block(2)); err != nil || l.Height() != 5 {
		t.Errorf("a known height: %v", err)
	}
	if h := l.Newest(); h.Height != 5 || !bytes.Equal(h.Hash, c.Hash(5)) || !h.Time.Equal(c.Time()) {
		t.Errorf("newest %+v", h)
	}
	f, err := l.Facts(c.Prove(5, policy(), absent()))
	if err != nil {
		t.Fatal(err)
	}
	var p wire.Policy
	if ok, err := f.Read(policy(), &p); !ok || err != nil || p.MaxAgeBlocks != 1000 {
		t.Errorf("%v %v %v", &p, ok, err)
	}
	if ok, err := f.Read(absent(), &wire.Cluster{}); ok || err != nil {
		t.Errorf("an absence: %v %v", ok, err)
	}
	if _, err := f.Read(&wire.StoreKey{Store: storekey.Cluster, Key: storekey.ClusterKey(8)}, &wire.Cluster{}); err == nil {
		t.Error("what was not asked reads as absent")
	}
	if _, err := f.Read(policy(), &wire.Batch{}); err == nil {
		t.Error("a policy reads as a batch")
	}
	if !f.Has(policy(), absent()) || f.Has(policy(), &wire.StoreKey{Store: "x"}) {
		t.Error("Has")
	}

	for name, change := range map[string]func(v *wire.StoreValues){
		"a value":          func(v *wire.StoreValues) { v.Values[0].Value = []byte("x") },
		"one of two":       func(v *wire.StoreValues) { v.Values[1].Value = []byte("x") },
		"absence":          func(v *wire.StoreValues) { v.Values[0].Value = nil },
		"unknown height":   func(v *wire.StoreValues) { v.Height = 6 },
		"nil value":        func(v *wire.StoreValues) { v.Values[0] = nil },
		"empty value":      func(v *wire.StoreValues) { v.Values[0] = &wire.StoreValue{} },
		"another key":      func(v *wire.StoreValues) { v.Values[0].Key = absent() },
		"another store":    func(v *wire.StoreValues) { v.Values[0].Key.Store = storekey.Worker },
		"garbage":          func(v *wire.StoreValues) { v.Values[0].IavlProof = []byte{0xff} },
		"garbage of store": func(v *wire.StoreValues) { v.Values[0].StoreProof = []byte{0xff} },
	} {
		v := c.Prove(5, policy(), absent())
		change(v)
		if _, err := l.Facts(v); err == nil {
			t.Errorf("%s: taken", name)
		}
	}

	// Headers.
	key := ed25519.GenPrivKeyFromSecret([]byte("mallory"))
	root := bytes.Repeat([]byte{1}, 32)
	fork, _ := c.Sign(6, c.Time().Add(time.Second), root, key)
	future, _ := c.Sign(6, c.Time().Add(time.Hour), root, ed25519.GenPrivKeyFromSecret([]byte("validator")))
	past, _ := c.Sign(6, c.Time().Add(-time.Hour), root, ed25519.GenPrivKeyFromSecret([]byte("validator")))
	jump, _ := c.Sign(900, c.Time().Add(time.Second), root, key)
	for name, b := range map[string][]byte{"a fork": fork, "from the future": future, "from the past": past, "a jump": jump, "nothing": nil, "garbage": {0xff}} {
		if err := l.Advance(b); err == nil || l.Height() != 5 {
			t.Errorf("%s: taken", name)
		}
	}
	k.at = k.at.Add(15 * 24 * time.Hour)
	c.NewBlock()
	if err := l.Advance(c.Block(6)); err == nil || !strings.Contains(err.Error(), "trusting period") {
		t.Errorf("after the trusting period: %v", err)
	}
}

func TestP16_Fresh(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, k := start(t, c)
	for range 3 {
		c.NewBlock()
		k.at = c.Time()
		if err := l.Advance(c.Block(c.Height)); err != nil {
			t.Fatal(err)
		}
	}
	for after, fresh := range map[time.Duration]bool{0: true, time.Minute: true, time.Minute + time.Nanosecond: false, time.Hour: false} {
		k.at = c.Time().Add(after)
		if err := l.Fresh(); (err == nil) != fresh {
			t.Errorf("after %s: %v", after, err)
		}
	}
	k.at = c.Time().Add(time.Hour)
	if l.FreshAt(3) == nil {
		t.Error("stale, and fresh at a height")
	}
	k.at = c.Time()
	if l.FreshAt(3) != nil || l.FreshAt(1) != nil || l.FreshAt(0) == nil || l.FreshAt(4) == nil {
		t.Error("fresh at heights")
	}
	// A header that comes late says that the chain was alive then.
	c.NewBlock()
	k.at = c.Time().Add(2 * time.Minute)
	if err := l.Advance(c.Block(c.Height)); err != nil {
		t.Fatal(err)
	}
	if err := l.Fresh(); err == nil || !strings.Contains(err.Error(), "was made") {
		t.Errorf("an old header brought late: %v", err)
	}
}

func TestOldHeadersAreForgotten(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, k := start(t, c)
	if _, ok := l.Behind(0); ok {
		t.Error("a header behind nothing")
	}
	for range lightclient.Keep + 70 {
		c.NewBlock()
		k.at = c.Time()
		if err := l.Advance(c.Block(c.Height)); err != nil {
			t.Fatal(err)
		}
	}
	for h, kept := range map[uint64]bool{0: false, 1: true, 2: true, 3: false, 63: false, 64: true, 65: false, 69: false, 70: true, 71: true, 582: true, 583: false} {
		if _, ok := l.Header(h); ok != kept {
			t.Errorf("header %d: kept %v", h, ok)
		}
	}
	if _, err := l.Facts(c.Prove(3, policy())); err == nil {
		t.Error("a value of a header that was forgotten is taken")
	}
	if f, err := l.Facts(c.Prove(64, policy())); err != nil || !f.Has(policy()) {
		t.Errorf("a value of an old header that is kept: %v", err)
	}
	for blocks, want := range map[uint64]uint64{0: 582, 1: 581, 512: 70, 513: 64, 518: 64, 519: 2, 580: 2, 581: 2, 1 << 40: 2} {
		if h, ok := l.Behind(blocks); !ok || h.Height != want || !bytes.Equal(h.Hash, c.Hash(want)) {
			t.Errorf("behind %d: %d %v, want %d", blocks, h.Height, ok, want)
		}
	}
	// One that came late was brought no old headers: it says that it has none, and never gives a newer one.
	late, _ := start(t, c)
	if err := late.Advance(c.Block(400)); err != nil {
		t.Fatal(err)
	}
	if h, ok := late.Behind(1); ok {
		t.Errorf("a header behind 399: %d", h.Height)
	}
	if h, ok := late.Behind(0); !ok || h.Height != 400 {
		t.Errorf("behind none: %d %v", h.Height, ok)
	}
}

// Whatever a host sends as a block: no panic, no progress.
func TestHostileBlocks(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	c.NewBlock()
	l, k := start(t, c)
	k.at = c.Time()
	for name, change := range map[string]func(b *cmtproto.LightBlock){
		"no header":          func(b *cmtproto.LightBlock) { b.SignedHeader.Header = nil },
		"no commit":          func(b *cmtproto.LightBlock) { b.SignedHeader.Commit = nil },
		"no signed header":   func(b *cmtproto.LightBlock) { b.SignedHeader = nil },
		"no set":             func(b *cmtproto.LightBlock) { b.ValidatorSet = nil },
		"an empty set":       func(b *cmtproto.LightBlock) { b.ValidatorSet.Validators = nil },
		"no proposer":        func(b *cmtproto.LightBlock) { b.ValidatorSet.Proposer = nil },
		"an empty validator": func(b *cmtproto.LightBlock) { b.ValidatorSet.Validators[0] = &cmtproto.Validator{} },
		"too much power":     func(b *cmtproto.LightBlock) { b.ValidatorSet.Validators[0].VotingPower = 1<<63 - 1 },
		"power below zero":   func(b *cmtproto.LightBlock) { b.ValidatorSet.Validators[0].VotingPower = -1 << 63 },
		"too much together": func(b *cmtproto.LightBlock) {
			v := *b.ValidatorSet.Validators[0]
			v.VotingPower = 1 << 60
			b.ValidatorSet.Validators = append(b.ValidatorSet.Validators, &v)
		},
		"twice one validator": func(b *cmtproto.LightBlock) {
			b.ValidatorSet.Validators = append(b.ValidatorSet.Validators, b.ValidatorSet.Validators[0])
		},
		"no signatures":       func(b *cmtproto.LightBlock) { b.SignedHeader.Commit.Signatures = nil },
		"an empty signature":  func(b *cmtproto.LightBlock) { b.SignedHeader.Commit.Signatures[0] = cmtproto.CommitSig{} },
		"a height below zero": func(b *cmtproto.LightBlock) { b.SignedHeader.Header.Height = -1 },
	} {
		var p cmtproto.LightBlock
		if err := p.Unmarshal(c.Block(1)); err != nil {
			t.Fatal(err)
		}
		change(&p)
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: panic: %v", name, r)
				}
			}()
			if err := l.Advance(b); err == nil && name != "no proposer" || l.Height() > 1 {
				t.Errorf("%s: taken", name)
			}
		}()
	}
}
