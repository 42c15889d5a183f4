// Package keepertest runs the modules of chain/x together on the chain's own state machine: one package, because every one
// that links the Cosmos SDK costs half a minute. It must never hold code that runs outside tests.
package keepertest
