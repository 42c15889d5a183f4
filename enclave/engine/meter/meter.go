package meter

import (
	"errors"
	"fmt"
)

// Names of what is added to a module.
const (
	Reserved    = "phala:" // no import or export of a contract may begin so
	GasGlobal   = Reserved + "gas"
	DepthGlobal = Reserved + "depth"

	globalPrefix = Reserved + "global:" // and a number, counting mutable globals alone
)

const pageSize = 65536

// Config says how to rewrite. Workers agree on it as they agree on the code.
type Config struct {
	Table    Table  // the zero Table means V1
	Limits   Limits // zero fields mean DefaultLimits
	MaxPages uint32 // of memory, 64 KiB each, the most a contract can have: 512

	// SparePage declares one page more than a contract can have. A host that
	// shrinks memory through wazero's Grow needs it, and must then enforce
	// Module.MaxPages in its allocator.
	SparePage bool
}

// Module is a rewritten module and what its host has to know.
type Module struct {
	Wasm    []byte
	Imports []Import
	Exports []Export
	Globals []Global // mutable ones, without gas and depth
	Data    []Segment

	// MinPages and MaxPages bound the memory; both are 0 if there is none.
	MinPages, MaxPages uint32

	// Names are those of functions, by index, as far as the module tells.
	// They are untrusted text.
	Names map[uint32]string

	DeployGas int64 // for checking and compiling it, whatever it does
	Report    Report
}

// Import is a function the module wants.
type Import struct {
	Module, Name    string
	Params, Results []byte // value types of the binary format
}

// Kind is what an export is.
type Kind byte

// Kinds of exports, as the binary format numbers them.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

// Export is an export of the original module.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Global names a mutable global of the original module.
type Global struct {
	Name string // it is exported under
	Type byte   // value type of the binary format
}

// Segment is one piece of the memory's first content.
type Segment struct {
	Offset uint32
	Bytes  []byte // of the module given to Rewrite: do not change it
}

// Report is what Rewrite saw, for people and for setting limits.
type Report struct {
	Functions  int // defined, not imported
	Blocks     int // metered
	FloatOps   int // made canonical
	MaxOverrun int64

	// The largest values any function has: what Limits bounds.
	MaxBody, MaxLocals, MaxBlocks, MaxGraph, MaxNesting, MaxLoops, MaxHeight, MaxWork, MaxEdges, MaxSlots int
}

// Error says why a module was refused.
type Error struct {
	Offset int // of the byte in the module where the reason stands
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Reason) }

// Rewrite checks a module against the profile and instruments it. What is
// wrong with the module comes back as an *Error, what is wrong with the Config
// as another error.
func Rewrite(wasm []byte, cfg Config) (*Module, error) {
	if cfg.Table == (Table{}) {
		cfg.Table = V1()
	}
	if cfg.MaxPages == 0 {
		cfg.MaxPages = 512
	}
	cfg.Limits = cfg.Limits.filled()
	if cfg.MaxPages > 65535 {
		return nil, errors.New("rewriting a module: more than 65535 pages of memory")
	}
	if err := cfg.Table.check(); err != nil {
		return nil, fmt.Errorf("rewriting a module: %w", err)
	}
	m := &module{cfg: cfg, r: reader{b: wasm, end: len(wasm)}}
	m.parse()
	if m.r.err != nil {
		return nil, m.r.err
	}
	m.out.Wasm = m.build()
	return &m.out, nil
}

// Load writes the data segments into a new memory.
func (m *Module) Load(memory []byte) error {
	if uint64(len(memory)) < uint64(m.MinPages)*pageSize {
		return fmt.Errorf("loading data: %d bytes of memory, %d pages are needed", len(memory), m.MinPages)
	}
	for _, s := range m.Data {
		copy(memory[s.Offset:], s.Bytes)
	}
	return nil
}

// End is how a call ended, as far as the injected code tells.
type End int

// Ends of calls.
const (
	Own      End = iota // the guest's own doing: its result or its trap counts
	OutOfGas            // the result is void
	TooDeep
)

// Judge tells how a call ended from the values of GasGlobal and DepthGlobal
// after it.
func Judge(gas, depth uint64) End {
	switch {
	case int64(gas) < 0:
		return OutOfGas
	case int64(depth) < 0:
		return TooDeep
	}
	return Own
}
