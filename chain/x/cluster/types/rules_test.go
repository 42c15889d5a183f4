package types

import (
	"errors"
	"testing"

	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/wire"
)

func TestCheckPayout(t *testing.T) {
	for name, c := range map[string]struct {
		escrow, amount, left string
		want                 error
	}{
		"part":     {"10", "4", "6", nil},
		"all":      {"10", "10", "0", nil},
		"more":     {"10", "11", "", ErrEscrow},
		"nothing":  {"10", "0", "", ErrAmount},
		"empty":    {"10", "", "", ErrAmount},
		"negative": {"10", "-1", "", ErrAmount},
		"padded":   {"10", "01", "", ErrAmount},
	} {
		_, left, err := CheckPayout(c.escrow, &wire.Payout{To: "x", Amount: c.amount})
		if !errors.Is(err, c.want) || (err == nil && left.String() != c.left) {
			t.Errorf("%s: %v, %v", name, left, err)
		}
	}
}

func TestValidateParams(t *testing.T) {
	production, development := &wire.NetworkParams{}, &wire.NetworkParams{Development: true}
	if err := ValidateParams(production, DefaultGenesis().Params); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Params){
		"no members":   func(p *Params) { p.MaxMembers = 0 },
		"many members": func(p *Params) { p.MaxMembers = 65 },
		"no age":       func(p *Params) { p.MaxBatchAge = 0 },
		"long age":     func(p *Params) { p.MaxBatchAge = 256 },
		"seven fees":   func(p *Params) { p.GasClassFees = p.GasClassFees[1:] },
		"a bad fee":    func(p *Params) { p.GasClassFees[7] = "free" },
	} {
		p := DefaultGenesis().Params
		change(p)
		if err := ValidateParams(development, p); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := DefaultGenesis().Params
	p.MinStorageReceipts = 0
	if err := ValidateParams(production, p); !errors.Is(err, ErrGenesis) {
		t.Errorf("no storage receipts in production: %v", err)
	}
	if err := ValidateParams(development, p); err != nil {
		t.Errorf("no storage receipts in development: %v", err)
	}
}

func genesis(t *testing.T) *GenesisState {
	t.Helper()
	module := []byte("\x00asm\x01\x00\x00\x00")
	packed, err := codepack.Pack(module)
	if err != nil {
		t.Fatal(err)
	}
	id := codepack.ID(module)
	g := DefaultGenesis()
	g.NextCluster = 2
	g.Clusters = []*wire.Cluster{{Id: 1, Members: []*wire.WorkerRef{{Operator: "o"}}, Quorum: 1}}
	g.Heads = []*wire.Head{{Cluster: 1, InboxNext: 1}}
	g.Inboxes = []*wire.Inbox{{Cluster: 1, Next: 2, Escrow: "5"}}
	g.Items = []*wire.InboxItem{{Cluster: 1, Index: 1}}
	g.Batches = []*wire.CommittedBatch{{Signed: &wire.SignedBatch{Batch: &wire.Batch{Cluster: 1, Number: 1}}}}
	g.Codes = []*ContractCode{{Code: &wire.Code{Id: id[:]}, Packed: packed}}
	g.Contracts = []*wire.Contract{{Cluster: 1, Address: make([]byte, 32)}}
	g.Revealed = []*RevealedEffect{{Cluster: 1, Number: 1, Leaf: make([]byte, 32)}}
	return g
}

func TestGenesisIsRefused(t *testing.T) {
	for _, g := range []*GenesisState{DefaultGenesis(), genesis(t)} {
		if err := g.Validate(); err != nil {
			t.Error(err)
		}
	}
	if n := genesis(t).Escrows().String(); n != "5" {
		t.Errorf("escrows of %s", n)
	}
	for name, change := range map[string]func(*GenesisState){
		"params":       func(g *GenesisState) { g.Params = nil },
		"next":         func(g *GenesisState) { g.NextCluster = 0 },
		"id":           func(g *GenesisState) { g.NextCluster = 1 },
		"head":         func(g *GenesisState) { g.Heads = nil },
		"other head":   func(g *GenesisState) { g.Heads[0].Cluster = 2 },
		"inbox behind": func(g *GenesisState) { g.Heads[0].InboxNext = 3 },
		"quorum":       func(g *GenesisState) { g.Clusters[0].Quorum = 2 },
		"escrow":       func(g *GenesisState) { g.Inboxes[0].Escrow = "-5" },
		"item":         func(g *GenesisState) { g.Items[0].Cluster = 7 },
		"batch":        func(g *GenesisState) { g.Batches[0].Signed = nil },
		"packing":      func(g *GenesisState) { g.Codes[0].Packed = nil },
		"code id":      func(g *GenesisState) { g.Codes[0].Code.Id = make([]byte, 32) },
		"contract":     func(g *GenesisState) { g.Contracts[0].Address = nil },
		"revealed":     func(g *GenesisState) { g.Revealed[0].Leaf = nil },
	} {
		g := genesis(t)
		change(g)
		if err := g.Validate(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
