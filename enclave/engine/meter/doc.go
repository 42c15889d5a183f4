// Package meter makes a WebAssembly module safe to run for people who do not
// trust it: it refuses what is outside a small deterministic profile, and
// rewrites the rest so that the module itself counts its gas, bounds its depth
// and gives every NaN one bit pattern. No runtime needs to support any of it.
//
// Everything here is a pure function of the module and the Config. The package
// must never run or compile code, read a clock, a file or the environment,
// start a goroutine, panic, or take time that its input's size does not bound.
// It must never accept a module because it failed to understand it: unknown
// means refused. A change of what Rewrite puts out for some module, or of a
// number in a Table, changes what contracts pay and needs a new Table.Version.
//
// # Injected state
//
// All additions are appended to the index space they live in, so no original
// index changes its meaning, and since every index of the module is checked
// against the original count, none can reach what was added. Names that begin
// with Reserved belong to the rewriter.
//
//   - GasGlobal, an i64: the gas left. Every metered block subtracts its cost
//     when it is entered. Function entries and loop heads then trap if it is
//     negative, as do memory.grow, memory.copy and memory.fill, which also
//     charge for the amount they move; only functions that end at once do not
//     look. Those that cost no more than half a call do not even count: what
//     calls them has paid for them. Between two checks lies at most one acyclic
//     path through one function and such short ones, so a call overruns its
//     limit by no more than Report.MaxOverrun. The global is right at every
//     trap and call; a tight loop only reads it from a local of its own.
//   - DepthGlobal, an i64: the stack left, in slots of eight bytes. A function
//     that calls others takes the most native stack it can need and traps if
//     none is left; each of its exits gives it back.
//   - all mutable globals of the module, Module.Globals, for a host that
//     restores an instance.
//
// # Protocol
//
// Before a call into the guest the host sets GasGlobal to the limit (not
// negative) and DepthGlobal to StackSlots; within a host function it may
// lower GasGlobal for what it does itself. When the call has ended, in
// whatever way, it reads both and asks Judge: a negative GasGlobal means out of
// gas even where the guest trapped for another reason or returned, and its
// results are void; otherwise a negative DepthGlobal means too deep; otherwise
// the guest's result or trap is its own. A host function must look at
// GasGlobal before it does anything, and must let an error from a nested call
// end the outer one. The instance cannot be used again after a trap.
//
// Data segments are taken out of the module, so that an instance may start on
// an image of memory that stands after its initialisation: Module.Load writes
// them where there is no such image yet.
package meter
