package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phala-go/phala/core/codepack"
)

const (
	interfaceVersion = "interface_version_8"
	initialise       = "_initialize"
)

// Contract is compiled code. It belongs to the engine that made it.
type Contract struct {
	id       [32]byte
	seed     [32]byte // of random_get
	compiled wazero.CompiledModule
	reactor  bool // it wants _initialize called
	extended bool

	migrateInfo    bool // migrate takes a third argument
	migrateVersion *uint64
}

// ID is the hash of the code.
func (c *Contract) ID() [32]byte { return c.id }

// Extended tells whether the contract knows of this network's additions to
// the ABI.
func (c *Contract) Extended() bool { return c.extended }

// MigrateVersion is the version of the contract's state that its code states,
// or nil.
func (c *Contract) MigrateVersion() *uint64 { return c.migrateVersion }

// Close frees the compiled code. No call of the contract may be running.
func (c *Contract) Close(ctx context.Context) error { return c.compiled.Close(ctx) }

// Compile checks code, compiles it and initialises it once for trial. What is
// wrong with the code comes back as a CodeError.
func (e *Engine) Compile(ctx context.Context, code []byte) (*Contract, error) {
	if len(code) > e.cfg.MaxCodeBytes {
		return nil, refuse("%d bytes, at most %d are allowed", len(code), e.cfg.MaxCodeBytes)
	}
	m, err := scan(code)
	if err != nil {
		return nil, refuse("%v", err)
	}
	if reasons := m.faults(e.host, e.cfg.Capabilities); len(reasons) > 0 {
		return nil, &CodeError{Reasons: reasons}
	}
	compiled, err := e.runtime.CompileModule(ctx, code)
	switch {
	case ctx.Err() != nil: // the caller gave up: nothing is known about the code
		return nil, errors.Join(context.Cause(ctx), discard(compiled))
	case err != nil:
		return nil, refuse("%v", err)
	}
	c := &Contract{id: codepack.ID(code), compiled: compiled}
	c.seed = sha256.Sum256(append([]byte("phala/engine/random_get/v1"), c.id[:]...))
	_, c.reactor = m.exports[initialise]
	_, c.extended = m.exports[capability+extension]
	c.migrateVersion = m.migrateVersion
	if f, ok := compiled.ExportedFunctions()[string(Migrate)]; ok {
		c.migrateInfo = len(f.ParamTypes()) == 3
	}
	if err := e.prove(ctx, c); err != nil {
		return nil, errors.Join(err, discard(compiled))
	}
	return c, nil
}

// discard frees compiled code whether or not the caller still waits.
func discard(m wazero.CompiledModule) error {
	if m == nil {
		return nil
	}
	return m.Close(context.Background())
}

// prove checks the signatures of what is imported and exported, and that an
// instance comes up.
func (e *Engine) prove(ctx context.Context, c *Contract) error {
	if reasons := mismatches(e.host, c.compiled); len(reasons) > 0 {
		return &CodeError{Reasons: reasons}
	}
	inner, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	inst, err := e.instances.take(inner, c)
	if err != nil {
		err = e.explain(inner, ctx, initialise, err)
		if ctx.Err() != nil {
			return err
		}
		return refuse("it does not start: %v", err)
	}
	e.instances.release(ctx, inst)
	return nil
}

// faults lists what a module lacks or has too much, by name.
func (m *module) faults(h host, also []string) (reasons []string) {
	var missing []string
	for _, s := range m.imports {
		if _, ok := h.offers(s.module, s.name); !ok || s.kind != kindFunc {
			missing = append(missing, s.String())
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		reasons = append(reasons, "imports what is not offered here: "+strings.Join(missing, ", "))
	}
	var absent []string
	for _, name := range []string{interfaceVersion, "allocate", "deallocate", string(Instantiate)} {
		if kind, ok := m.exports[name]; !ok || kind != kindFunc {
			absent = append(absent, name)
		}
	}
	if kind, ok := m.exports["memory"]; !ok || kind != kindMemory || m.memories != 1 {
		absent = append(absent, "memory")
	}
	if len(absent) > 0 {
		reasons = append(reasons, "does not export "+strings.Join(absent, ", "))
	}
	for name := range m.exports {
		if v, ok := strings.CutPrefix(name, "interface_version_"); ok && v != "8" {
			reasons = append(reasons, "wants "+name+", offered is "+interfaceVersion)
		}
	}
	if reason := m.incapable(also); reason != "" {
		reasons = append(reasons, reason)
	}
	if m.start {
		reasons = append(reasons, "has a start function")
	}
	slices.Sort(reasons)
	return reasons
}

// mismatches lists functions of the right name and the wrong type.
func mismatches(h host, m wazero.CompiledModule) (reasons []string) {
	for _, f := range m.ImportedFunctions() {
		from, name, _ := f.Import()
		want, _ := h.offers(from, name)
		if !equal(f.ParamTypes(), want.params) || !equal(f.ResultTypes(), want.result) {
			reasons = append(reasons, fmt.Sprintf("imports %s.%s with another signature", from, name))
		}
	}
	exports := m.ExportedFunctions()
	check := func(name string, params int, result []api.ValueType) {
		f, ok := exports[name]
		if ok && (!equal(f.ParamTypes(), i32s(params)) || !equal(f.ResultTypes(), result)) {
			reasons = append(reasons, fmt.Sprintf("exports %s with another signature", name))
		}
	}
	check("allocate", 1, i32s(1))
	check("deallocate", 1, nil)
	check(initialise, 0, nil)
	for _, e := range entries() {
		params := e.params()
		if f, ok := exports[string(e)]; ok && e == Migrate && len(f.ParamTypes()) == 3 {
			params = 3 // it asks for MigrateInfo
		}
		check(string(e), params, i32s(1))
	}
	slices.Sort(reasons)
	return reasons
}
