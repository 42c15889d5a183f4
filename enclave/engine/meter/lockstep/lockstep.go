// Package lockstep runs a contract twice, as it is and rewritten by meter, and
// says where the two part: in results, traps, what they ask of their host, in
// state or in memory. It is for tests and measurements, and knows of the
// contract ABI only what that takes; it must never run anything for real.
package lockstep

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// Gas is what each call of a rewritten contract gets.
const Gas = 1 << 50

// Pair is a contract in both forms.
type Pair struct {
	Module              *meter.Module
	Original, Rewritten *Guest
	runtime             wazero.Runtime
}

// Guest is an instance with its state.
type Guest struct {
	inst       api.Module
	gas, depth api.MutableGlobal // nil in the original
	store      map[string][]byte
	iters      [][]string
	trace      []string // what it asked of the host
	quiet      bool
	Gas        int64 // that the last call used
}

// New makes both instances and initialises them.
func New(ctx context.Context, code []byte, cfg wazero.RuntimeConfig) (*Pair, error) {
	m, err := meter.Rewrite(code, meter.Config{})
	if err != nil {
		return nil, err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, cfg.WithCoreFeatures(
		api.CoreFeaturesV2&^api.CoreFeatureSIMD&^api.CoreFeatureReferenceTypes).WithMemoryLimitPages(512))
	p := &Pair{Module: m, runtime: rt}
	if err := offer(ctx, rt, m.Imports); err != nil {
		return nil, errors.Join(err, rt.Close(ctx))
	}
	start := func(code []byte, metered bool) (*Guest, error) {
		inst, err := rt.InstantiateWithConfig(ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
		if err != nil {
			return nil, err
		}
		g := &Guest{inst: inst, store: map[string][]byte{}}
		if metered {
			g.gas = inst.ExportedGlobal(meter.GasGlobal).(api.MutableGlobal)
			g.depth = inst.ExportedGlobal(meter.DepthGlobal).(api.MutableGlobal)
			whole, _ := inst.Memory().Read(0, inst.Memory().Size())
			if err := m.Load(whole); err != nil {
				return nil, err
			}
		}
		if inst.ExportedFunction("_initialize") != nil {
			_, err = g.invoke(ctx, "_initialize")
		}
		return g, err
	}
	if p.Original, err = start(code, false); err == nil {
		p.Rewritten, err = start(m.Wasm, true)
	}
	if err == nil {
		err = p.differ(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, rt.Close(ctx))
	}
	return p, nil
}

// Close frees everything.
func (p *Pair) Close(ctx context.Context) error { return p.runtime.Close(ctx) }

// Call runs an entry point on both and compares. A trap of both is their
// answer, starting with "trap: "; an error means that they differ.
func (p *Pair) Call(ctx context.Context, entry string, args ...string) (string, error) {
	answer := func(g *Guest) string {
		g.trace = g.trace[:0]
		out, err := g.Call(ctx, entry, args...)
		if err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			return "trap: " + first
		}
		return string(out)
	}
	want, got := answer(p.Original), answer(p.Rewritten)
	if want != got {
		return want, fmt.Errorf("%s gives %q, rewritten %q", entry, want, got)
	}
	return want, p.differ(ctx)
}

// differ compares all that is left of a call.
func (p *Pair) differ(context.Context) error {
	a, b := p.Original, p.Rewritten
	if !slices.Equal(a.trace, b.trace) {
		return fmt.Errorf("%d host calls, rewritten %d, or others", len(a.trace), len(b.trace))
	}
	if !maps.EqualFunc(a.store, b.store, bytes.Equal) {
		return errors.New("different state")
	}
	x, _ := a.inst.Memory().Read(0, a.inst.Memory().Size())
	y, _ := b.inst.Memory().Read(0, b.inst.Memory().Size())
	if !bytes.Equal(x, y) {
		return errors.New("different memory")
	}
	return nil
}

// Quiet stops a guest from keeping a record, which costs time.
func (g *Guest) Quiet() { g.quiet = true }

// Call runs an entry point with a region for each argument and gives what the
// answer's region holds.
func (g *Guest) Call(ctx context.Context, entry string, args ...string) ([]byte, error) {
	g.iters = nil
	g.Gas = 0
	var params []uint64
	for _, a := range args {
		p, err := g.pass(ctx, []byte(a))
		if err != nil {
			return nil, err
		}
		params = append(params, uint64(p))
	}
	out, err := g.invoke(ctx, entry, params...)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	answer := g.region(uint32(out[0]))
	_, err = g.invoke(ctx, "deallocate", out[0])
	return answer, err
}

type guestKey struct{}

// invoke calls an export with gas and depth set, if it is not one within
// another call.
func (g *Guest) invoke(ctx context.Context, name string, params ...uint64) ([]uint64, error) {
	f := g.inst.ExportedFunction(name)
	if f == nil {
		return nil, fmt.Errorf("no export %s", name)
	}
	if ctx.Value(guestKey{}) != nil {
		return f.Call(ctx, params...)
	}
	ctx = context.WithValue(ctx, guestKey{}, g)
	if g.gas == nil {
		return f.Call(ctx, params...)
	}
	g.gas.Set(Gas)
	g.depth.Set(meter.StackSlots)
	out, err := f.Call(ctx, params...)
	g.Gas += Gas - int64(g.gas.Get())
	if end := meter.Judge(g.gas.Get(), g.depth.Get()); end != meter.Own {
		return nil, fmt.Errorf("%s: gas or depth exhausted (%d): %w", name, end, err)
	}
	if err == nil && g.depth.Get() != meter.StackSlots {
		return nil, fmt.Errorf("%s: depth %d is left", name, g.depth.Get())
	}
	return out, err
}

// pass puts bytes into a new region.
func (g *Guest) pass(ctx context.Context, b []byte) (uint32, error) {
	out, err := g.invoke(ctx, "allocate", uint64(len(b)))
	if err != nil {
		return 0, err
	}
	p := uint32(out[0])
	return p, g.fill(p, b)
}

// fill writes into a region.
func (g *Guest) fill(p uint32, b []byte) error {
	mem := g.inst.Memory()
	off, _ := mem.ReadUint32Le(p)
	if room, ok := mem.ReadUint32Le(p + 4); !ok || uint64(room) < uint64(len(b)) ||
		!mem.Write(off, b) || !mem.WriteUint32Le(p+8, uint32(len(b))) {
		return errors.New("a region is too small or out of bounds")
	}
	return nil
}

// region copies a region, of which a fault makes an empty one.
func (g *Guest) region(p uint32) []byte {
	mem := g.inst.Memory()
	head, ok := mem.Read(p, 12)
	if !ok {
		return nil
	}
	b, _ := mem.Read(binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[8:]))
	return bytes.Clone(b)
}
