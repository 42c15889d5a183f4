package enclavetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/executor"
	"github.com/phala-go/phala/enclave/lightclient"
)

// Broken is a TEE whose identity key the attacker has taken out: an honest executor, and whatever the test signs beside it.
type Broken struct {
	Identity ed25519.PrivateKey

	ref   *wire.WorkerRef
	gen   *light.Genesis
	light *lightclient.Client
	x     *executor.Executor
}

// Break makes the node's enclave a broken one; use it in New's change.
func (x *Node) Break() *Broken {
	b := &Broken{ref: x.Ref}
	x.Make = func() Handler {
		ctx, t := context.Background(), x.net.T
		g, err := light.ParseGenesis(x.net.Chain.Genesis)
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(ctx, engine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close(ctx) })
		_, b.Identity, _ = ed25519.GenerateKey(rand.Reader)
		b.gen, b.light = g, lightclient.New(lightclient.Config{Genesis: g, Now: x.net.Clock})
		b.x = executor.New(executor.Config{ChainID: ChainID, Identity: b.Identity, Worker: func() *wire.WorkerRef { return b.ref }, Light: b.light, Engine: e})
		return b
	}
	return b
}

// Executor is what the attacker looks into.
func (b *Broken) Executor() *executor.Executor { return b.x }

// Handle is the runtime's, without its guards.
func (b *Broken) Handle(ctx context.Context, in *wire.In) (outs []*wire.Out) {
	switch m := in.Body.(type) {
	case *wire.In_Attest:
		id := &wire.WorkerIdentity{
			ChainId: ChainID, GenesisHash: b.gen.Hash, IdentityKey: b.Identity.Public().(ed25519.PublicKey), SealingKey: make([]byte, seal.PublicKeySize),
			Worker: b.ref, Role: wire.ROLE_EXECUTOR, NonceHeight: m.Attest.NonceHeight, NonceHash: m.Attest.NonceHash,
		}
		ev := attest.Simulate(Measurement(wire.ROLE_EXECUTOR), attest.ReportData(id))
		outs = []*wire.Out{{Body: &wire.Out_Evidence{Evidence: &wire.WorkerEvidence{Identity: id, Evidence: ev}}}}
	case *wire.In_LightBlocks:
		for _, lb := range m.LightBlocks.Blocks {
			_ = b.light.Advance(lb)
		}
		outs = b.x.Header(ctx)
	case *wire.In_StoreValues:
		if f, err := b.light.Facts(m.StoreValues); err == nil {
			outs = b.x.Values(ctx, f)
		}
	case *wire.In_Serve:
		outs = b.x.Serve(ctx, m.Serve)
	case *wire.In_Code:
		outs = b.x.Code(ctx, m.Code)
	case *wire.In_Peer:
		outs = b.x.Peer(ctx, m.Peer)
	case *wire.In_Record:
		outs = b.x.Record(ctx, m.Record)
	case *wire.In_Chunk:
		outs = b.x.Chunk(ctx, m.Chunk)
	case *wire.In_Query:
		outs = b.x.Query(ctx, m.Query)
	case *wire.In_Result:
		outs = []*wire.Out{b.x.Result(m.Result)}
	}
	return append(outs, &wire.Out{Body: &wire.Out_Done{Done: &wire.Done{}}})
}
