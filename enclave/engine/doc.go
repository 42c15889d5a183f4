// Package engine runs confidential contracts: WASM modules with the CosmWasm
// ABI (interface_version_8), written in Rust or Go, over an ordered map of
// state that the caller hands in.
//
// A contract sees its arguments, its state and what the caller's Querier
// answers, and nothing else. The package must never give it a clock, a file,
// the network or true randomness, must never keep anything of a call after
// Run returns, and must never write compiled code to a disk, since whoever
// controls that disk would then choose what the enclave executes.
//
// Execution is deterministic but for one thing: until gas is metered
// (Call.GasLimit and Outcome.GasUsed are reserved for it), a contract that
// does not end is stopped by a wall-clock guard, Config.CallTimeout. Two
// workers may disagree on a call that runs about that long, so an engine
// without gas belongs on simulated networks only. Bit patterns of NaN and the
// depth of the stack are not pinned down yet either.
package engine
