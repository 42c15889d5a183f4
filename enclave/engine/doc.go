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
// Execution is deterministic: package meter refuses or rewrites whatever is
// not, so that equal calls end alike and take equal gas on every machine, and
// every call ends. Only Config.CallTimeout, a guard against what gas is wrong
// about, may stop a call on one worker and not on another; it belongs far
// above what the largest gas limit takes.
//
// A program is compiled and initialised once. Its instances are kept and put
// back, after each call, to where initialisation had left them: memory mapped
// copy-on-write from an image, its growth undone, globals set. One that has
// trapped is not used again. What runs therefore never depends on what ran
// before.
package engine
