package types

import (
	"errors"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

func workers(slots ...uint32) []*wire.WorkerRef {
	var out []*wire.WorkerRef
	for _, s := range slots {
		out = append(out, &wire.WorkerRef{Operator: address.Encode(make([]byte, 20)), Slot: s})
	}
	return out
}

// standing is a development network of 4 gatekeepers, 2 of whom derive a secret, in epoch 3 since height 100.
func standing() Keys {
	k := Keys{
		Height: 150, Network: &wire.NetworkParams{Development: true}, Params: &wire.KeyParams{EpochBlocks: 100, PhaseBlocks: 10},
		Roster: &wire.GatekeeperRoster{Threshold: 2, Members: workers(0, 1, 2, 3)},
		Set:    &wire.GatekeeperSet{Epoch: 3, Threshold: 2, Height: 100},
	}
	for _, w := range k.Roster.Members {
		k.Set.Members = append(k.Set.Members, &wire.GatekeeperMember{Worker: w})
	}
	return k
}

func failed(k *Keys, attempt uint32) {
	k.Generation = &wire.Generation{Epoch: 4, Attempt: attempt, Threshold: 2, Phase: wire.GENERATION_PHASE_FAILED, PhaseHeight: 140}
	for _, w := range k.Roster.Members {
		k.Generation.Members = append(k.Generation.Members, &wire.GenerationMember{Worker: w})
	}
}

func TestBorderIsDue(t *testing.T) {
	lose := func(k *Keys, n int) {
		for i := range n {
			k.Set.Members[i].Fault = wire.MEMBER_FAULT_LOST
		}
	}
	for name, c := range map[string]struct {
		change func(*Keys)
		want   string
	}{
		"nothing":                   {func(*Keys) {}, ""},
		"no gatekeepers":            {func(k *Keys) { k.Roster = nil; k.Set = &wire.GatekeeperSet{} }, ""},
		"a set without a roster":    {func(k *Keys) { k.Roster, k.Height = nil, 900 }, ""},
		"genesis":                   {func(k *Keys) { k.Set = &wire.GatekeeperSet{Height: 1} }, ReasonGenesis},
		"one block short":           {func(k *Keys) { k.Height = 199 }, ""},
		"the epoch is over":         {func(k *Keys) { k.Height = 200 }, ReasonEpoch},
		"epochs without an end":     {func(k *Keys) { k.Height, k.Params.EpochBlocks = 1<<40, 0 }, ""},
		"enough are left":           {func(k *Keys) { lose(k, 2) }, ""},
		"too few are left":          {func(k *Keys) { lose(k, 3) }, ReasonLost},
		"another member":            {func(k *Keys) { k.Roster.Members = workers(0, 1, 2, 4) }, ReasonRoster},
		"another order":             {func(k *Keys) { k.Roster.Members = workers(0, 1, 3, 2) }, ReasonRoster},
		"another threshold":         {func(k *Keys) { k.Roster.Threshold = 3 }, ReasonRoster},
		"one under way":             {func(k *Keys) { lose(k, 3); failed(k, 1); k.Generation.Phase = wire.GENERATION_PHASE_CONFIRM }, ""},
		"failed once":               {func(k *Keys) { lose(k, 3); failed(k, 1) }, ReasonLost},
		"failed twice, at once":     {func(k *Keys) { lose(k, 3); failed(k, 2); k.Height = 149 }, ""},
		"failed twice":              {func(k *Keys) { lose(k, 3); failed(k, 2) }, ReasonLost},
		"failed thrice":             {func(k *Keys) { lose(k, 3); failed(k, 3) }, ""},
		"failed for another roster": {func(k *Keys) { failed(k, 9); k.Roster.Members = workers(0, 1, 2) }, ReasonRoster},
	} {
		k := standing()
		c.change(&k)
		if got := k.Due(); got != c.want {
			t.Errorf("%s: due for %q, want %q", name, got, c.want)
		}
	}
	k := standing()
	failed(&k, 4_000_000_000)
	if got := k.RetryHeight(); got != 140+511*10 {
		t.Errorf("the wait grows to %d", got-140)
	}
}

func TestGenerationWaitsForEnough(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(*Keys)
		registered int
		want       bool
	}{
		"all":                   {func(*Keys) {}, 4, true},
		"enough":                {func(*Keys) {}, 2, true},
		"too few":               {func(*Keys) {}, 1, false},
		"production":            {func(k *Keys) { k.Network = &wire.NetworkParams{} }, 2, false},
		"enough in production":  {func(k *Keys) { k.Network = &wire.NetworkParams{} }, 3, true},
		"the first waits":       {func(k *Keys) { k.Set.Epoch, k.Set.Height = 0, 51 }, 3, false},
		"the first, long after": {func(k *Keys) { k.Set.Epoch, k.Set.Height = 0, 50 }, 3, true},
		"the first with all":    {func(k *Keys) { k.Set.Epoch, k.Set.Height = 0, 149 }, 4, true},
	} {
		k := standing()
		c.change(&k)
		if got := k.Ready(c.registered); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBeginCounts(t *testing.T) {
	k := standing()
	if g, err := k.Begin(); err != nil || g.Epoch != 4 || g.Attempt != 1 || g.Deadline != 160 {
		t.Errorf("%+v, %v", g, err)
	}
	failed(&k, 6)
	if g, err := k.Begin(); err != nil || g.Epoch != 4 || g.Attempt != 7 {
		t.Errorf("%+v, %v", g, err)
	}
	k.Set.Epoch = 4
	if g, err := k.Begin(); err != nil || g.Epoch != 5 || g.Attempt != 1 {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestSucceedRoster(t *testing.T) {
	old := &wire.GatekeeperRoster{Threshold: 4, Members: workers(0, 1, 2, 3, 4, 5, 6)}
	for name, c := range map[string]struct {
		threshold uint32
		members   []*wire.WorkerRef
		delayed   bool
	}{
		"one removed":                {4, workers(0, 1, 2, 3, 4, 5), false},
		"another order":              {4, workers(6, 1, 2, 3, 4, 5, 0), false},
		"one added":                  {4, workers(0, 1, 2, 3, 4, 5, 6, 7), true},
		"one replaced":               {4, workers(0, 1, 2, 3, 4, 5, 7), true},
		"fewer decide":               {3, workers(0, 1, 2, 3, 4, 5, 6), true},
		"one removed, fewer decide":  {3, workers(0, 1, 2, 3, 4, 5), true},
		"more decide, and none came": {5, workers(0, 1, 2, 3, 4, 5, 6), false},
	} {
		r, err := SucceedRoster(&wire.NetworkParams{}, old, c.threshold, c.members, 1000)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := uint64(1000)
		if c.delayed {
			want += attest.MinActivationDelay
		}
		if r.FromHeight != want || r.ApprovedHeight != 1000 {
			t.Errorf("%s: from %d, want %d", name, r.FromHeight, want)
		}
	}
	if _, err := SucceedRoster(&wire.NetworkParams{Development: true, ActivationDelay: 1<<64 - 1}, old, 4, workers(9, 1, 2, 3, 4, 5), 1000); !errors.Is(err, ErrRoster) {
		t.Errorf("a delay that wraps around: %v", err)
	}
}

func TestCheckRoster(t *testing.T) {
	nameless := workers(0, 1, 2)
	nameless[1] = nil
	many := make([]uint32, 17)
	for i := range many {
		many[i] = uint32(i)
	}
	for name, c := range map[string]struct {
		threshold               uint32
		members                 []*wire.WorkerRef
		production, development bool
	}{
		"4 of 7":       {4, workers(0, 1, 2, 3, 4, 5, 6), true, true},
		"one":          {1, workers(0), false, true},
		"2 of 3":       {2, workers(0, 1, 2), false, true},
		"nobody":       {0, nil, false, false},
		"no threshold": {0, workers(0, 1, 2), false, false},
		"too high":     {4, workers(0, 1, 2), false, false},
		"twice":        {1, workers(0, 1, 1), false, false},
		"nameless":     {1, nameless, false, false},
		"no address":   {1, []*wire.WorkerRef{{Operator: "o"}, {Operator: "p"}, {Operator: "q"}}, false, false},
		"17":           {4, workers(many...), false, false},
	} {
		if err := CheckRoster(&wire.NetworkParams{}, c.threshold, c.members); (err == nil) != c.production {
			t.Errorf("%s in production: %v", name, err)
		}
		if err := CheckRoster(&wire.NetworkParams{Development: true}, c.threshold, c.members); (err == nil) != c.development {
			t.Errorf("%s in development: %v", name, err)
		}
	}
}

func TestCheckVendors(t *testing.T) {
	tdx, sgx, snp, azure, nitro := wire.TEE_KIND_TDX, wire.TEE_KIND_SGX, wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP, wire.TEE_KIND_NITRO
	for name, c := range map[string]struct {
		kinds []wire.TeeKind
		fine  bool
	}{
		"three each":                {[]wire.TeeKind{tdx, tdx, tdx, snp, snp, snp, nitro}, true},
		"four of one, by two kinds": {[]wire.TeeKind{tdx, tdx, sgx, sgx, snp}, false},
		"four of AMD":               {[]wire.TeeKind{snp, azure, snp, azure}, false},
		"nobody registered":         {nil, true},
	} {
		if err := CheckVendors(&wire.NetworkParams{}, 4, c.kinds); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
		if err := CheckVendors(&wire.NetworkParams{Development: true}, 4, c.kinds); err != nil {
			t.Errorf("%s in development: %v", name, err)
		}
	}
}

func TestJoinNeedsAnotherVendor(t *testing.T) {
	g := &wire.Generation{Epoch: 1, Attempt: 1, Threshold: 2, Phase: wire.GENERATION_PHASE_JOIN}
	for _, w := range workers(0, 1, 2, 3) {
		g.Members = append(g.Members, &wire.GenerationMember{Worker: w})
	}
	w := &wire.Worker{Worker: g.Members[1].Worker, Role: wire.ROLE_GATEKEEPER, Kind: wire.TEE_KIND_TDX, IdentityKey: make([]byte, 32), ExpiryHeight: 9}
	j := &wire.GenerationJoin{Epoch: 1, Attempt: 1, Member: 1, IdentityKey: w.IdentityKey}
	before := []*wire.Worker{{Kind: wire.TEE_KIND_TDX}}
	if err := CheckJoin("c", 5, &wire.NetworkParams{}, g, w, before, j); !errors.Is(err, ErrVendor) {
		t.Errorf("a second of one vendor, threshold 2: %v", err)
	}
	if err := CheckJoin("c", 5, &wire.NetworkParams{}, g, w, []*wire.Worker{{Kind: wire.TEE_KIND_SEV_SNP}}, j); errors.Is(err, ErrVendor) {
		t.Errorf("the first of its vendor: %v", err)
	}
	for name, change := range map[string]func(*wire.Worker){
		"expired":     func(w *wire.Worker) { w.ExpiryHeight = 5 },
		"an executor": func(w *wire.Worker) { w.Role = wire.ROLE_EXECUTOR },
	} {
		other := *w
		change(&other)
		if err := CheckJoin("c", 5, &wire.NetworkParams{}, g, &other, nil, j); !errors.Is(err, ErrWorker) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckJoin("c", 5, &wire.NetworkParams{}, g, nil, nil, j); !errors.Is(err, ErrWorker) {
		t.Errorf("unregistered: %v", err)
	}
}

func TestFaultsCost(t *testing.T) {
	p := &wire.KeyParams{SlashSilent: 10, SlashLie: 1000}
	for f, want := range map[wire.MemberFault]uint32{
		wire.MEMBER_FAULT_NONE: 0, wire.MEMBER_FAULT_LOST: 0, wire.MEMBER_FAULT_SILENT: 10,
		wire.MEMBER_FAULT_BAD_CONTRIBUTION: 1000, wire.MEMBER_FAULT_FALSE_COMPLAINT: 1000,
	} {
		if got := Slash(p, f); got != want {
			t.Errorf("%s costs %d", f, got)
		}
	}
}

func TestEpochsOfGenesisAreRefused(t *testing.T) {
	r := &wire.GatekeeperRoster{Threshold: 1, Members: workers(0, 1, 2)}
	j := &wire.GenerationJoin{Epoch: 1, Attempt: 1}
	c := &wire.Contribution{Epoch: 1, Attempt: 1}
	under := func(g *GenesisState) {
		g.Roster = r
		g.Generation = &wire.Generation{Epoch: 1, Attempt: 1, Threshold: 1, Phase: wire.GENERATION_PHASE_CONTRIBUTE}
		for _, w := range r.Members {
			g.Generation.Members = append(g.Generation.Members, &wire.GenerationMember{Worker: w})
		}
		g.Generation.Members[0].JoinHash, g.Joins = wire.Hash(j), []*wire.GenerationJoin{j}
	}
	good := DefaultGenesis()
	under(good)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*GenesisState){
		"no params":             func(g *GenesisState) { g.Params = nil },
		"no blocks in a phase":  func(g *GenesisState) { g.Params.PhaseBlocks = 0 },
		"long phases":           func(g *GenesisState) { g.Params.PhaseBlocks = 1 << 60 },
		"short epochs":          func(g *GenesisState) { g.Params.EpochBlocks = 60 },
		"long epochs":           func(g *GenesisState) { g.Params.EpochBlocks = 1 << 60 },
		"all of the bond twice": func(g *GenesisState) { g.Params.SlashLie = 20_000 },
		"far ahead":             func(g *GenesisState) { g.Params.AnnounceAhead = 1 << 60 },
		"a roster of nobody":    func(g *GenesisState) { g.Roster = &wire.GatekeeperRoster{Threshold: 1} },
		"in force alone":        func(g *GenesisState) { g.Roster, g.RosterInForce = nil, r },
		"before its approval": func(g *GenesisState) {
			g.Roster = &wire.GatekeeperRoster{Threshold: 1, Members: r.Members, ApprovedHeight: 2}
		},
		"previous of today":    func(g *GenesisState) { g.PreviousSet = &wire.GatekeeperSet{} },
		"no phase":             func(g *GenesisState) { g.Generation.Phase = 0 },
		"nobody's join":        func(g *GenesisState) { g.Generation = nil },
		"another join":         func(g *GenesisState) { g.Joins = []*wire.GenerationJoin{{Epoch: 2}} },
		"a join twice":         func(g *GenesisState) { g.Joins = append(g.Joins, j) },
		"an empty join":        func(g *GenesisState) { g.Joins = append(g.Joins, nil) },
		"a join left out":      func(g *GenesisState) { g.Joins = nil },
		"a contribution more":  func(g *GenesisState) { g.Contributions = []*wire.Contribution{c} },
		"a beacon of no epoch": func(g *GenesisState) { g.BeaconKeys = []*wire.BeaconKey{{}} },
		"a beacon to come":     func(g *GenesisState) { g.BeaconKeys = []*wire.BeaconKey{{Epoch: 4}} },
	} {
		g := DefaultGenesis()
		under(g)
		change(g)
		if err := g.Validate(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := DefaultGenesis().ValidateFor(&wire.NetworkParams{}); err != nil {
		t.Errorf("the default is none for production: %v", err)
	}
	g := DefaultGenesis()
	g.Params.EpochBlocks = 0
	if err := g.ValidateFor(&wire.NetworkParams{}); !errors.Is(err, ErrGenesis) {
		t.Errorf("epochs without an end in production: %v", err)
	}
}
