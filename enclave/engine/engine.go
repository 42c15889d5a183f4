package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/enclave/engine/meter"
)

// Config sets an engine's limits; zero means the default. Workers of a network
// agree on all but CallTimeout, Instances and MaxRAM.
type Config struct {
	MemoryPages  uint32        // of 64 KiB, for one instance: 512
	GasLimit     uint64        // of a call that names none: 10^9
	DeployGas    uint64        // charge up to which code is compiled: 48·10^9, some seconds; a Go contract with JSON takes 14·10^9
	CallTimeout  time.Duration // the wall-clock guard, looked at when a contract calls the host: a minute
	MaxCodeBytes int           // of an unpacked module: 8 MiB
	Instances    int           // kept of each contract: two for each processor
	MaxRAM       int64         // bytes, about, for machine code, images and instances: 1 GiB
	// Capabilities are offered besides those of the list of the same name:
	// what the caller carries out for contracts.
	Capabilities []string
	// Interpreter interprets code where it would be compiled: the same results
	// and gas, from ten to a hundred times slower, and calls less than 2000
	// deep. It is for comparing the two. On processors other than amd64 there
	// is no other way.
	Interpreter bool
}

// Engine compiles and runs contracts. It is safe for concurrent use.
type Engine struct {
	cfg       Config
	table     meter.Table
	runtime   wazero.Runtime
	host      host
	mapper    *mapper
	instances provider
}

// New makes an engine.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	cfg.fill()
	if cfg.MemoryPages > 65534 || cfg.CallTimeout < 0 || cfg.MaxCodeBytes < 0 || cfg.Instances < 0 || cfg.MaxRAM < 0 || cfg.GasLimit > math.MaxInt64 {
		return nil, errors.New("starting the engine: a limit is out of range")
	}
	// Contracts end because gas does. wazero's own way to stop them, leaving the
	// guest at each turn of a loop, costs many times what metering does.
	mode := wazero.NewRuntimeConfigInterpreter()
	// For arm64, wazero v1.12.0 compiles rem so that its result may be wrong
	// where registers are short (its issue 2516; argon2 finds it).
	if !cfg.Interpreter && runtime.GOARCH == "amd64" {
		mode = wazero.NewRuntimeConfig()
	}
	rt := wazero.NewRuntimeWithConfig(ctx, mode.
		// SIMD is not needed; reference types would let a module grow a table,
		// which no limit of wazero's bounds.
		WithCoreFeatures(api.CoreFeaturesV2&^api.CoreFeatureSIMD&^api.CoreFeatureReferenceTypes).
		WithMemoryLimitPages(cfg.MemoryPages+1). // one is never given: see instance.reset
		WithDebugInfoEnabled(false))
	e := &Engine{cfg: cfg, table: meter.V1(), runtime: rt, host: host{envModule(), wasiModule(), phalaModule()}, mapper: newMapper()}
	p := &pool{engine: e}
	p.programs.Init()
	e.instances = p
	for _, m := range e.host {
		if err := m.register(ctx, rt); err != nil {
			return nil, errors.Join(fmt.Errorf("starting the engine: %w", err), e.Close(ctx))
		}
	}
	return e, nil
}

func (c *Config) fill() {
	if c.MemoryPages == 0 {
		c.MemoryPages = 512
	}
	if c.GasLimit == 0 {
		c.GasLimit = 1_000_000_000
	}
	if c.DeployGas == 0 {
		c.DeployGas = 48_000_000_000
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = time.Minute
	}
	if c.MaxCodeBytes == 0 {
		c.MaxCodeBytes = codepack.MaxUnpacked
	}
	if c.Instances == 0 {
		c.Instances = defaultInstances()
	}
	if c.MaxRAM == 0 {
		c.MaxRAM = 1 << 30
	}
}

// Close waits for the calls that run and frees everything.
func (e *Engine) Close(ctx context.Context) error {
	err := e.instances.close(ctx)
	return errors.Join(err, e.runtime.Close(ctx), e.mapper.close())
}

// metering is how modules are rewritten.
func (e *Engine) metering() meter.Config {
	return meter.Config{Table: e.table, MaxPages: e.cfg.MemoryPages, SparePage: true}
}

// memoryBytes is the most memory an instance can have.
func (e *Engine) memoryBytes() int64 { return int64(e.cfg.MemoryPages) * wasmPage }
