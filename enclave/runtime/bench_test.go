package runtime_test

import (
	"crypto/ed25519"
	"crypto/hpke"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

const (
	askers   = 50
	clusters = 20
)

// asking is a chain with workers that all ask for the keys of all clusters.
type asking struct {
	*enclavetest.Net
	genesis []byte
	ids     []ed25519.PrivateKey
	first   uint64
}

func newAsking(b *testing.B, gatekeepers int, threshold uint32) *asking {
	b.Helper()
	a := &asking{Net: enclavetest.New(b, 1, 1, enclavetest.Gatekeepers(gatekeepers, threshold))}
	g, err := light.ParseGenesis(a.Chain.Genesis)
	if err != nil {
		b.Fatal(err)
	}
	a.genesis = g.Hash
	var refs []*wire.WorkerRef
	for i := range askers {
		_, id, _ := ed25519.GenerateKey(nil)
		a.ids = append(a.ids, id)
		ref := enclavetest.Ref(10 + i)
		refs = append(refs, ref)
		w := &wire.WorkerIdentity{
			ChainId: enclavetest.ChainID, GenesisHash: a.genesis, IdentityKey: id.Public().(ed25519.PublicKey), SealingKey: make([]byte, seal.PublicKeySize),
			Worker: ref, Role: wire.ROLE_EXECUTOR, NonceHeight: a.Chain.Height, NonceHash: a.Chain.Hash(a.Chain.Height),
		}
		a.Chain.Register(&wire.WorkerEvidence{Identity: w, Evidence: attest.Simulate(enclavetest.Measurement(wire.ROLE_EXECUTOR), attest.ReportData(w))})
	}
	a.Blocks(1)
	a.first = a.Chain.CreateCluster(askers/2+1, refs...)
	for range clusters - 1 {
		a.Chain.CreateCluster(askers/2+1, refs...)
	}
	a.Blocks(1)
	return a
}

// ask puts new requests of all workers for all clusters on the chain, each with a one-time key of its own.
func (a *asking) ask(b *testing.B) (hints []*wire.In) {
	b.Helper()
	for c := a.first; c < a.first+clusters; c++ {
		for i, id := range a.ids {
			k, err := hpke.MLKEM768X25519().GenerateKey()
			if err != nil {
				b.Fatal(err)
			}
			r := &wire.KeyRequest{
				Cluster: c, Epoch: a.Chain.Epoch(), Roster: 1, Worker: enclavetest.Ref(10 + i), OneTimeKey: k.PublicKey().Bytes(), IdentityKey: id.Public().(ed25519.PublicKey),
			}
			r.Signature = ed25519.Sign(id, settle.KeyRequestBytes(enclavetest.ChainID, r))
			r.Height = a.Chain.Height
			a.Chain.Put(storekey.Gatekeeper, storekey.KeyRequestKey(c, r.Worker.Operator, r.Worker.Slot), r)
			hints = append(hints, &wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: c, Worker: r.Worker}}})
		}
	}
	return hints
}

// BenchmarkKeyRequests is what one gatekeeper of 4 of 7 does for each request: its proofs are checked, the request is judged, 20 parts
// are evaluated and sealed to its one-time key. Making the requests and their proofs is the chain's work and not counted.
func BenchmarkKeyRequests(b *testing.B) {
	a := newAsking(b, 7, 4)
	keeper := a.Keeper.RT
	var spent time.Duration
	done := 0
	for ; done < b.N; done += askers * clusters {
		queue := a.ask(b)
		a.Chain.NewBlock()
		a.Chain.NewBlock()
		queue = append([]*wire.In{{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{a.Chain.Block(a.Chain.Height - 1), a.Chain.Block(a.Chain.Height)}}}}}, queue...)
		parts := 0
		for len(queue) > 0 {
			in := queue[0]
			queue = queue[1:]
			began := time.Now()
			outs := keeper.Handle(b.Context(), in)
			spent += time.Since(began)
			for _, o := range outs {
				if v := o.GetNeedValues(); v != nil {
					queue = append(queue, &wire.In{Body: &wire.In_StoreValues{StoreValues: a.Chain.Prove(v.Height, v.Keys...)}})
				}
				if o.GetPeer().GetKeyPart() != nil {
					parts++
				}
				if f := o.GetFailure(); f != nil {
					b.Fatal(f)
				}
			}
		}
		if parts != askers*clusters {
			b.Fatalf("%d parts for %d requests", parts, askers*clusters)
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(done), "ns/op")
}
