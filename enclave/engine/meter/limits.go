package meter

import "cmp"

// StackSlots is what a host puts into DepthGlobal: 40 MB of native stack in
// slots of eight bytes. Code compiled by wazero v1.12.0 overflows once its
// stack has more than 50 000 000 bytes, after a depth that is not the same on
// every processor; the injected bound bites first, since a function's slots are
// an upper bound of its frame. wazero's interpreter stops at 2000 frames
// whatever they hold, so it agrees on calls less deep than that.
const StackSlots = 5_000_000

// Limits bound what is handed to the compiler. Its time is not linear in a
// function's size, and it cannot be interrupted within one.
type Limits struct {
	Module                                      int // bytes
	Types, Imports, Functions, Exports, Globals int
	MutableGlobals                              int // the compiler loads each again after every call
	TableSize                                   int
	Segments                                    int // of data, and as many of elements
	Name                                        int // bytes
	Arity                                       int // parameters or results of a type

	// Of one function.
	Body    int // bytes
	Locals  int // with parameters
	Blocks  int // metered
	Graph   int // metered blocks, blocks, loops, targets of br_table and indirect calls
	Nesting int
	Loops   int // one within another
	Work    int // blocks × (locals + mutable globals) + calls × mutable globals
	Edges   int // targets of br_table × (locals + mutable globals)
	Slots   int // of stack
}

// DefaultLimits are generous for what compilers emit. The largest functions
// seen in published contracts and in Go programs have 4340 metered blocks, 101
// locals, 67 KB and a nesting of 550. wazero v1.12.0 spends seconds on the worst
// function that passes: its time goes with the square of Graph, and metered
// blocks weigh most.
func DefaultLimits() Limits {
	return Limits{
		Module: 8 << 20,
		Types:  10_000, Imports: 200, Functions: 30_000, Exports: 1000, Globals: 1000,
		MutableGlobals: 64, TableSize: 65_536, Segments: 100_000, Name: 256, Arity: 32,
		Body: 128 << 10, Locals: 2000, Blocks: 6000, Graph: 12_000, Nesting: 1000, Loops: 200,
		Work: 400_000, Edges: 1_000_000, Slots: StackSlots / 5,
	}
}

// filled replaces what is zero.
func (l Limits) filled() Limits {
	d := DefaultLimits()
	return Limits{
		Module:         cmp.Or(l.Module, d.Module),
		Types:          cmp.Or(l.Types, d.Types),
		Imports:        cmp.Or(l.Imports, d.Imports),
		Functions:      cmp.Or(l.Functions, d.Functions),
		Exports:        cmp.Or(l.Exports, d.Exports),
		Globals:        cmp.Or(l.Globals, d.Globals),
		MutableGlobals: cmp.Or(l.MutableGlobals, d.MutableGlobals),
		TableSize:      cmp.Or(l.TableSize, d.TableSize),
		Segments:       cmp.Or(l.Segments, d.Segments),
		Name:           cmp.Or(l.Name, d.Name),
		Arity:          cmp.Or(l.Arity, d.Arity),
		Body:           cmp.Or(l.Body, d.Body),
		Locals:         cmp.Or(l.Locals, d.Locals),
		Blocks:         cmp.Or(l.Blocks, d.Blocks),
		Graph:          cmp.Or(l.Graph, d.Graph),
		Nesting:        cmp.Or(l.Nesting, d.Nesting),
		Loops:          cmp.Or(l.Loops, d.Loops),
		Work:           cmp.Or(l.Work, d.Work),
		Edges:          cmp.Or(l.Edges, d.Edges),
		Slots:          cmp.Or(l.Slots, d.Slots),
	}
}
