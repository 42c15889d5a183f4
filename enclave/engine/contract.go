package engine

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/enclave/engine/meter"
)

const (
	interfaceVersion = "interface_version_8"
	initialise       = "_initialize"
)

// Contract is code that has been accepted. It belongs to the engine that made
// it, which keeps it compiled as long as there is room.
type Contract struct {
	engine    *Engine
	id        [32]byte
	seed      [32]byte // of random_get
	code      []byte
	exports   map[string]bool // functions
	reactor   bool            // it wants _initialize called
	extended  bool
	deployGas uint64

	shape          sync.Once
	migrateInfo    bool // migrate takes a third argument
	migrateVersion *uint64

	loading sync.Mutex

	// Guarded by the pool.
	program *program
	place   *list.Element
	closed  bool
}

// ID is the hash of the code.
func (c *Contract) ID() [32]byte { return c.id }

// Extended tells whether the contract knows of this network's additions to
// the ABI.
func (c *Contract) Extended() bool { return c.extended }

// Exports tells whether the contract has an entry point.
func (c *Contract) Exports(e Entry) bool { return c.exports[string(e)] }

// MigrateVersion is the version of the contract's state that its code states,
// or nil.
func (c *Contract) MigrateVersion() *uint64 { return c.migrateVersion }

// DeployGas is the charge for checking and compiling the code.
func (c *Contract) DeployGas() uint64 { return c.deployGas }

// Close frees the compiled code. No call of the contract may be running.
func (c *Contract) Close(ctx context.Context) error { return c.engine.instances.forget(ctx, c) }

// Compile checks code, compiles it and initialises it. What is wrong with the
// code comes back as a CodeError. The code must not change afterwards.
func (e *Engine) Compile(ctx context.Context, code []byte) (*Contract, error) {
	if len(code) > e.cfg.MaxCodeBytes {
		return nil, refuse("%d bytes, at most %d are allowed", len(code), e.cfg.MaxCodeBytes)
	}
	m, err := meter.Rewrite(code, e.metering())
	var flaw *meter.Error
	switch {
	case errors.As(err, &flaw):
		return nil, refuse("%v", flaw)
	case err != nil:
		return nil, err
	}
	if reasons := faults(e.host, m, e.cfg.Capabilities); len(reasons) > 0 {
		return nil, &CodeError{Reasons: reasons}
	}
	if uint64(m.DeployGas) > e.cfg.DeployGas { // one that compiles for minutes would stop every contract of its cluster
		return nil, refuse("compiling it is charged %d gas, at most %d: fewer or smaller functions", m.DeployGas, e.cfg.DeployGas)
	}
	c := &Contract{engine: e, id: codepack.ID(code), code: code, exports: map[string]bool{}, deployGas: uint64(m.DeployGas)}
	for _, x := range m.Exports {
		c.exports[x.Name] = x.Kind == meter.KindFunc
	}
	c.seed = sha256.Sum256(append([]byte("phala/engine/random_get/v1"), c.id[:]...))
	c.reactor, c.extended = c.exports[initialise], c.exports[capability+extension]
	c.migrateVersion = stateVersion(code)
	if err := e.instances.admit(ctx, c, m); err != nil {
		return nil, err
	}
	return c, nil
}

// faults lists what a module lacks or has too much, by name.
func faults(h host, m *meter.Module, also []string) (reasons []string) {
	var missing []string
	for _, i := range m.Imports {
		if _, ok := h.offers(i.Module, i.Name); !ok {
			missing = append(missing, i.Module+"."+i.Name)
		}
	}
	exports := map[string]meter.Kind{}
	for _, x := range m.Exports {
		exports[x.Name] = x.Kind
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		reasons = append(reasons, "imports what is not offered here: "+strings.Join(missing, ", "))
	}
	var absent []string
	for _, name := range []string{interfaceVersion, "allocate", "deallocate", string(Instantiate)} {
		if kind, ok := exports[name]; !ok || kind != meter.KindFunc {
			absent = append(absent, name)
		}
	}
	if kind, ok := exports["memory"]; !ok || kind != meter.KindMemory {
		absent = append(absent, "memory")
	}
	if len(absent) > 0 {
		reasons = append(reasons, "does not export "+strings.Join(absent, ", "))
	}
	for name := range exports {
		if v, ok := strings.CutPrefix(name, "interface_version_"); ok && v != "8" {
			reasons = append(reasons, "wants "+name+", offered is "+interfaceVersion)
		}
	}
	for _, reason := range []string{incapable(m, also), undeclared(m)} {
		if reason != "" {
			reasons = append(reasons, reason)
		}
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
		if e == Migrate && informed(m) {
			params = 3
		}
		check(string(e), params, i32s(1))
	}
	slices.Sort(reasons)
	return reasons
}

// informed tells whether migrate asks for MigrateInfo.
func informed(m wazero.CompiledModule) bool {
	f, ok := m.ExportedFunctions()[string(Migrate)]
	return ok && len(f.ParamTypes()) == 3
}
