package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phala-go/phala/core/codepack"
)

// Config sets an engine's limits; zero means the default.
type Config struct {
	MemoryPages  uint32        // of 64 KiB, for one instance: 512
	CallTimeout  time.Duration // the wall-clock guard: 5 s
	MaxCodeBytes int           // of an unpacked module: 8 MiB
	// Capabilities are offered besides those of the list of the same name:
	// what the caller carries out for contracts.
	Capabilities []string
}

// Engine compiles and runs contracts. It is safe for concurrent use.
type Engine struct {
	cfg       Config
	runtime   wazero.Runtime
	host      host
	instances provider
}

// New makes an engine.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.MemoryPages == 0 {
		cfg.MemoryPages = 512
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = 5 * time.Second
	}
	if cfg.MaxCodeBytes == 0 {
		cfg.MaxCodeBytes = codepack.MaxUnpacked
	}
	if cfg.MemoryPages > 65536 || cfg.CallTimeout < 0 || cfg.MaxCodeBytes < 0 {
		return nil, errors.New("starting the engine: a limit is out of range")
	}
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		// SIMD is not needed; reference types would let a module grow a table,
		// which no limit of wazero's bounds.
		WithCoreFeatures(api.CoreFeaturesV2&^api.CoreFeatureSIMD&^api.CoreFeatureReferenceTypes).
		WithMemoryLimitPages(cfg.MemoryPages).
		WithCloseOnContextDone(true).
		WithDebugInfoEnabled(false))
	e := &Engine{cfg: cfg, runtime: rt, host: host{envModule(), wasiModule()}, instances: fresh{rt}}
	for _, m := range e.host {
		if err := m.register(ctx, rt); err != nil {
			return nil, errors.Join(fmt.Errorf("starting the engine: %w", err), rt.Close(ctx))
		}
	}
	return e, nil
}

// Close frees all compiled code. Calls still running are stopped.
func (e *Engine) Close(ctx context.Context) error { return e.runtime.Close(ctx) }
