package types

import (
	"errors"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func TestParseAmount(t *testing.T) {
	for s, want := range map[string]string{"": "0", "0": "0", "7": "7", "1000000000000000000000000": "1000000000000000000000000"} {
		if n, err := ParseAmount(s); err != nil || n.String() != want {
			t.Errorf("%q: %v, %v", s, n, err)
		}
	}
	for _, s := range []string{"-1", "+1", "01", "1.0", "1e3", "0x1", " 1", "1ppha", "-0"} {
		if n, err := ParseAmount(s); err == nil {
			t.Errorf("%q was read as %s", s, n)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	for _, s := range []string{"http://127.0.0.1:1", "https://worker.example:8443", "https://worker.example/path", "http://[::1]:9000"} {
		if err := CheckEndpoint(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	long := "http://" + string(make([]byte, 300))
	for _, s := range []string{"", "worker.example", "ftp://worker.example", "http://", "http://:80", "https://a:b@worker.example", "http://w.example/?q", "http://w.example/#f", long} {
		if err := CheckEndpoint(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestCheckSuccession(t *testing.T) {
	old := &wire.Worker{Worker: &wire.WorkerRef{Operator: "o"}, Role: wire.ROLE_EXECUTOR}
	for name, c := range map[string]struct {
		old  *wire.Worker
		next wire.WorkerIdentity
		want error
	}{
		"first":           {nil, wire.WorkerIdentity{Role: wire.ROLE_GATEKEEPER}, nil},
		"later":           {old, wire.WorkerIdentity{Role: wire.ROLE_EXECUTOR, NonceHeight: 8}, nil},
		"same block":      {old, wire.WorkerIdentity{Role: wire.ROLE_EXECUTOR, NonceHeight: 7}, nil},
		"earlier":         {old, wire.WorkerIdentity{Role: wire.ROLE_EXECUTOR, NonceHeight: 6}, ErrNonce},
		"in another role": {old, wire.WorkerIdentity{Role: wire.ROLE_GATEKEEPER, NonceHeight: 8}, ErrRole},
	} {
		if err := CheckSuccession(c.old, 7, &c.next); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGenesisIsRefused(t *testing.T) {
	if err := DefaultGenesis().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*GenesisState){
		"params":          func(g *GenesisState) { g.Params = nil },
		"min bond":        func(g *GenesisState) { g.Params.MinBond = "one" },
		"evidence":        func(g *GenesisState) { g.Evidence = nil },
		"evidence hash":   func(g *GenesisState) { g.Workers[0].EvidenceHash = make([]byte, 32) },
		"worker twice":    func(g *GenesisState) { g.Workers[1] = g.Workers[0] },
		"identity twice":  func(g *GenesisState) { g.Workers[1].IdentityKey = g.Workers[0].IdentityKey },
		"bond":            func(g *GenesisState) { g.Workers[0].Bond = "-1" },
		"nameless":        func(g *GenesisState) { g.Workers[0].Worker = nil },
		"nameless report": func(g *GenesisState) { g.Evidence[0].Identity = nil },
	} {
		g := DefaultGenesis()
		for i := range uint32(2) {
			ref := &wire.WorkerRef{Operator: "o", Slot: i}
			e := &wire.WorkerEvidence{Identity: &wire.WorkerIdentity{Worker: ref}, Evidence: &wire.Evidence{}}
			key := make([]byte, 32)
			key[0] = byte(i)
			g.Evidence = append(g.Evidence, e)
			g.Workers = append(g.Workers, &wire.Worker{Worker: ref, IdentityKey: key, EvidenceHash: wire.Hash(e), Bond: "5"})
		}
		if err := g.Validate(); err != nil || g.Bonds().String() != "10" {
			t.Fatal(err, g.Bonds())
		}
		change(g)
		if err := g.Validate(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
