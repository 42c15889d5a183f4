package types

import (
	"errors"
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func set(threshold uint32, n int) *wire.GatekeeperSet {
	s := &wire.GatekeeperSet{Epoch: 1, Threshold: threshold}
	for i := range n {
		s.Members = append(s.Members, &wire.GatekeeperMember{Worker: &wire.WorkerRef{Operator: "o", Slot: uint32(i)}, IdentityKey: make([]byte, 32)})
	}
	return s
}

func TestValidateSet(t *testing.T) {
	twice, nameless, key, epoch, absent, unbound := set(1, 3), set(1, 3), set(1, 3), set(1, 3), set(1, 3), set(1, 3)
	absent.Members[1].IdentityKey, absent.Members[1].Fault = nil, wire.MEMBER_FAULT_SILENT
	unbound.Members[1].IdentityKey = nil
	twice.Members[1] = twice.Members[0]
	nameless.Members[2].Worker = nil
	key.Members[0].IdentityKey = make([]byte, 31)
	epoch.Epoch = 0
	for name, c := range map[string]struct {
		set                     *wire.GatekeeperSet
		production, development bool
	}{
		"nobody":         {set(0, 0), true, true},
		"4 of 7":         {set(4, 7), true, true},
		"2 of 4":         {set(2, 4), true, true},
		"one":            {set(1, 1), false, true},
		"2 of 3":         {set(2, 3), false, true},
		"no threshold":   {set(0, 3), false, false},
		"high threshold": {set(4, 3), false, false},
		"none":           {nil, false, false},
		"epoch 0":        {epoch, false, false},
		"twice":          {twice, false, false},
		"nameless":       {nameless, false, false},
		"short key":      {key, false, false},
		"who was silent": {absent, true, true},
		"no identity":    {unbound, false, false},
	} {
		if err := ValidateSet(&wire.NetworkParams{}, c.set); (err == nil) != c.production {
			t.Errorf("%s in production: %v", name, err)
		}
		if err := ValidateSet(&wire.NetworkParams{Development: true}, c.set); (err == nil) != c.development {
			t.Errorf("%s in development: %v", name, err)
		}
	}
}

func TestAgreed(t *testing.T) {
	var c wire.Cluster
	var all []*wire.Announcement
	for i := range uint32(4) {
		ref := &wire.WorkerRef{Operator: "o", Slot: i}
		if i < 3 {
			c.Members = append(c.Members, ref)
		}
		all = append(all, &wire.Announcement{Epoch: 1, Roster: 1, Worker: ref, InputKey: []byte("key"), Check: []byte("check")})
	}
	if n := Agreed(&c, all, all[0]); n != 3 {
		t.Errorf("%d of three members agree; the fourth is none", n)
	}
	for i, change := range []func(*wire.Announcement){
		func(a *wire.Announcement) { a.Epoch = 2 },
		func(a *wire.Announcement) { a.Roster = 2 },
		func(a *wire.Announcement) { a.InputKey = nil },
		func(a *wire.Announcement) { a.Check = nil },
	} {
		other := *all[1]
		change(&other)
		if n := Agreed(&c, []*wire.Announcement{all[0], &other}, all[0]); n != 1 {
			t.Errorf("change %d: %d agree", i, n)
		}
	}
}

func TestGenesisIsRefused(t *testing.T) {
	if err := DefaultGenesis().Validate(); err != nil {
		t.Error(err)
	}
	ref := &wire.WorkerRef{Operator: "o"}
	r, a := &wire.KeyRequest{Cluster: 1, Worker: ref}, &wire.Announcement{Cluster: 1, Worker: ref}
	k := &wire.ClusterKey{Cluster: 1, InputKey: make([]byte, publicKeySize), Check: make([]byte, checkSize)}
	for i, change := range []func(*GenesisState){
		func(g *GenesisState) { g.Set = nil },
		func(g *GenesisState) { g.Requests = []*wire.KeyRequest{r, r} },
		func(g *GenesisState) { g.Requests = []*wire.KeyRequest{{Cluster: 1}} },
		func(g *GenesisState) { g.Announcements = []*wire.Announcement{a, a} },
		func(g *GenesisState) { g.Keys = []*wire.ClusterKey{k, k} },
		func(g *GenesisState) { g.Keys = []*wire.ClusterKey{{Cluster: 1}} },
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			g := DefaultGenesis()
			change(g)
			if err := g.Validate(); !errors.Is(err, ErrGenesis) {
				t.Error(err)
			}
		})
	}
}
