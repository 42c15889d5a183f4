// Package runtime is an enclave as a state machine: one In gives any number of Outs. It draws the boot's identity, follows the
// chain and hands what is verified to its role. It must never act on anything the light client has not proven, except to refuse.
package runtime

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/executor"
	"github.com/phala-go/phala/enclave/gatekeeper"
	"github.com/phala-go/phala/enclave/lightclient"
	"github.com/phala-go/phala/enclave/tee"
)

// Config of a Runtime. Genesis, Role and TEE are required; together with Version they are what evidence vouches for.
type Config struct {
	Genesis []byte // the file
	Role    wire.Role
	TEE     tee.TEE
	Version string
	Now     func() time.Time // default time.Now
	// Counter measures how long no header came; default: the best that the TEE has, and what Now says where Now is given.
	Counter tee.Counter
	// Starved is W where it is to be shorter than the light client's.
	Starved time.Duration
	// Tamper makes a liar. Only the tests' own binary sets it.
	Tamper func(*wire.Batch)
	// TamperContribution makes a liar of a gatekeeper; the same holds.
	TamperContribution func(*wire.Contribution)
	Random             io.Reader // of a gatekeeper's keys; default crypto/rand's
}

// Runtime is not safe for concurrent use, but for Ask.
type Runtime struct {
	cfg      Config
	genesis  *light.Genesis
	identity ed25519.PrivateKey
	sealing  hpke.PrivateKey
	worker   *wire.WorkerRef
	evidence *wire.WorkerEvidence // the newest of this boot
	light    *lightclient.Client
	engine   *engine.Engine
	starved  bool                   // and what depends on it is done
	forked   bool                   // and it is said
	executor *executor.Executor     // nil for a gatekeeper
	keeper   *gatekeeper.Gatekeeper // nil for an executor
}

// New boots an enclave: the identity made here dies with it.
func New(ctx context.Context, cfg Config) (*Runtime, error) {
	if cfg.TEE == nil {
		return nil, errors.New("starting the enclave: no TEE")
	}
	var elapsed func() time.Duration
	switch {
	case cfg.Counter != nil:
		elapsed = cfg.Counter.Elapsed
	case cfg.Now == nil:
		cfg.Counter = tee.CounterOf(cfg.TEE.Kind())
		elapsed = cfg.Counter.Elapsed
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	g, err := light.ParseGenesis(cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("starting the enclave: %w", err)
	}
	if cfg.TEE.Kind() == wire.TEE_KIND_SIMULATED && !g.Development {
		return nil, fmt.Errorf("starting the enclave: the genesis of %q does not say development, and a simulated TEE serves nowhere else", g.ChainID)
	}
	if cfg.Role == wire.ROLE_GATEKEEPER && !g.Development && (cfg.Counter == nil || cfg.Counter.HostStops()) {
		return nil, fmt.Errorf("starting the enclave: %s shows no counter that the host cannot stop, and a gatekeeper needs one: a TD whose CPUID gives the rate of its time stamp counter, or a guest with SecureTSC and the kernel's msr driver", cfg.TEE.Kind())
	}
	_, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing the identity: %w", err)
	}
	sealing, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("drawing the sealing key: %w", err)
	}
	r := &Runtime{cfg: cfg, genesis: g, identity: identity, sealing: sealing, light: lightclient.New(lightclient.Config{Genesis: g, Now: cfg.Now, Elapsed: elapsed, Starved: min(cfg.Starved, time.Minute)})}
	named := func() *wire.WorkerRef { return r.worker }
	switch cfg.Role {
	case wire.ROLE_EXECUTOR:
		if r.engine, err = engine.New(ctx, engine.Config{}); err != nil {
			return nil, err
		}
		r.executor = executor.New(executor.Config{
			ChainID: g.ChainID, Identity: identity, Worker: named, Light: r.light, Engine: r.engine, Tamper: cfg.Tamper,
		})
	case wire.ROLE_GATEKEEPER:
		r.keeper = gatekeeper.New(gatekeeper.Config{
			ChainID: g.ChainID, GenesisHash: g.Hash, Identity: identity, Worker: named, Light: r.light,
			Random: cfg.Random, Tamper: cfg.TamperContribution,
		})
	default:
		return nil, fmt.Errorf("starting the enclave: no role %s", cfg.Role)
	}
	return r, nil
}

// Close frees what the engine holds.
func (r *Runtime) Close(ctx context.Context) error {
	if r.engine == nil {
		return nil
	}
	return r.engine.Close(ctx)
}

// Handle answers one In; the last Out is Done. It never fails: what is wrong with an In is a Failure.
func (r *Runtime) Handle(ctx context.Context, in *wire.In) []*wire.Out {
	r.Watch()
	outs := r.dispatch(ctx, in)
	if r.executor != nil {
		outs = append(outs, r.executor.Publish()...)
	}
	if f := r.light.Fork(); f != nil && !r.forked {
		r.forked = true
		outs = append(outs, &wire.Out{Body: &wire.Out_Fork{Fork: f}})
	}
	outs = append(outs, &wire.Out{Body: &wire.Out_Done{Done: &wire.Done{}}})
	for _, o := range outs {
		o.ReplyTo = in.Id
	}
	return outs
}

// Watch does what P16 asks when no header came for too long: an executor erases keys and state, a gatekeeper keeps its parts and doubts
// the chain. Handle does it before each In; who runs the enclave calls it meanwhile, so that a silent host does not put it off.
func (r *Runtime) Watch() {
	before := r.starved
	if r.starved = r.light.Starved(); before || !r.starved {
		return
	}
	if r.keeper != nil {
		r.keeper.Starved()
	} else {
		r.executor.Forget()
		r.executor.Publish()
	}
}

// Ask answers a request in a session. Unlike everything else it may be called by any number of goroutines, whatever the runtime does
// meanwhile: it answers from what the last Handle has left.
func (r *Runtime) Ask(ctx context.Context, in *wire.In) []*wire.Out {
	out := refused("a gatekeeper does not take %T", in.Body)[0]
	if r.executor != nil {
		out = r.executor.Ask(ctx, in.GetSessionCall())
	}
	return []*wire.Out{{ReplyTo: in.Id, Body: out.Body}, {ReplyTo: in.Id, Body: &wire.Out_Done{Done: &wire.Done{}}}}
}

func (r *Runtime) dispatch(ctx context.Context, in *wire.In) []*wire.Out {
	switch b := in.Body.(type) {
	case *wire.In_Hello:
		return []*wire.Out{r.hello()}
	case *wire.In_Attest:
		return []*wire.Out{r.attest(b.Attest)}
	case *wire.In_LightBlocks:
		return r.blocks(ctx, b.LightBlocks)
	case *wire.In_StoreValues:
		return r.values(ctx, b.StoreValues)
	case *wire.In_KeyRequest:
		if r.keeper != nil {
			return r.keeper.Hint(b.KeyRequest)
		}
	case *wire.In_Peer:
		if p := b.Peer.GetBeaconPart(); r.keeper != nil && p != nil {
			return r.keeper.BeaconPart(p)
		}
		if w := b.Peer.GetHeaderWord(); r.keeper != nil && w != nil {
			return r.keeper.HeaderWord(w)
		}
		if q := b.Peer.GetKeptRequest(); r.keeper != nil && q != nil {
			return r.keeper.KeptRequest(q)
		}
		if s := b.Peer.GetKeptShares(); r.keeper != nil && s != nil {
			return r.keeper.KeptShares(s)
		}
	}
	if r.executor == nil {
		return refused("a gatekeeper does not take %T", in.Body)
	}
	if r.worker == nil {
		return refused("the enclave has not been told its name: attest first")
	}
	switch b := in.Body.(type) {
	case *wire.In_Serve:
		return r.executor.Serve(ctx, b.Serve)
	case *wire.In_Code:
		return r.executor.Code(ctx, b.Code)
	case *wire.In_Peer:
		return r.executor.Peer(ctx, b.Peer)
	case *wire.In_Record:
		return r.executor.Record(ctx, b.Record)
	case *wire.In_Chunk:
		return r.executor.Chunk(ctx, b.Chunk)
	case *wire.In_Query, *wire.In_Result, *wire.In_SessionOpen:
		if r.starved {
			return []*wire.Out{{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: "stale", Message: r.light.Fresh().Error(), Next: "ask another member"}}}}
		}
	}
	switch b := in.Body.(type) {
	case *wire.In_Query:
		return r.executor.Query(ctx, b.Query)
	case *wire.In_Result:
		return []*wire.Out{r.executor.Result(b.Result)}
	case *wire.In_SessionOpen:
		return []*wire.Out{r.executor.OpenSession(b.SessionOpen)}
	}
	return refused("an executor does not take %T", in.Body)
}

func refused(format string, args ...any) []*wire.Out {
	return []*wire.Out{{Body: &wire.Out_Failure{Failure: &wire.Failure{
		Code: "refused", Message: fmt.Sprintf(format, args...), Next: "see docs/protocol.md, pruntime's endpoint",
	}}}}
}

func (r *Runtime) hello() *wire.Out {
	h := r.light.Newest()
	return &wire.Out{Body: &wire.Out_Identity{Identity: &wire.Identity{
		ChainId: r.genesis.ChainID, GenesisHash: r.genesis.Hash, Role: r.cfg.Role, Kind: r.cfg.TEE.Kind(),
		IdentityKey: r.identity.Public().(ed25519.PublicKey), SealingKey: r.sealing.PublicKey().Bytes(),
		Measurement: r.cfg.TEE.Measurement(), SoftwareVersion: r.cfg.Version,
		VerifiedHeight: r.light.Height(), VerifiedHash: h.Hash,
	}}}
}

// attest asks the TEE to vouch for this boot's identity. The first name it is given stays.
func (r *Runtime) attest(a *wire.Attest) *wire.Out {
	switch {
	case a.Worker == nil || a.Worker.Operator == "" || len(a.NonceHash) != 32:
		return refused("evidence needs a worker's name and a block's height and hash")[0]
	case r.worker != nil && !r.worker.Is(a.Worker):
		return refused("this boot is worker %s already: start another enclave for %s", r.worker.Name(), a.Worker.Name())[0]
	}
	id := &wire.WorkerIdentity{
		ChainId: r.genesis.ChainID, GenesisHash: r.genesis.Hash, IdentityKey: r.identity.Public().(ed25519.PublicKey),
		SealingKey: r.sealing.PublicKey().Bytes(), Worker: a.Worker, Role: r.cfg.Role, SoftwareVersion: r.cfg.Version,
		NonceHeight: a.NonceHeight, NonceHash: a.NonceHash,
	}
	ev, err := r.cfg.TEE.Evidence(attest.ReportData(id))
	if err != nil {
		return refused("asking the TEE for evidence: %v", err)[0]
	}
	r.worker, r.evidence = a.Worker, &wire.WorkerEvidence{Identity: id, Evidence: ev}
	return &wire.Out{Body: &wire.Out_Evidence{Evidence: r.evidence}}
}

// blocks follows the chain; headers before the first bad one count.
func (r *Runtime) blocks(ctx context.Context, b *wire.LightBlocks) (outs []*wire.Out) {
	before := r.light.Height()
	for _, lb := range b.Blocks {
		if err := r.light.Advance(lb); err != nil {
			outs = append(outs, refused("%v", err)...)
			break
		}
	}
	h := r.light.Newest()
	outs = append(outs, &wire.Out{Body: &wire.Out_Verified{Verified: &wire.Verified{Height: h.Height, Hash: h.Hash}}})
	switch {
	case h.Height == before:
	case r.keeper != nil:
		outs = append(outs, r.keeper.Header()...)
	default:
		outs = append(outs, r.executor.Header(ctx)...)
	}
	return outs
}

func (r *Runtime) values(ctx context.Context, sv *wire.StoreValues) []*wire.Out {
	f, err := r.light.Facts(sv)
	if err != nil {
		return refused("%v", err)
	}
	if r.keeper != nil {
		return r.keeper.Values(f)
	}
	return r.executor.Values(ctx, f)
}
