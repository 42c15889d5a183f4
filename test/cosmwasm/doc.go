// Package cosmwasm holds, as tests, what contracts that others have built and
// published do on this network: those among the test data of wasmd and wasmvm,
// with the results that their authors' own tests state.
//
// It is a module of its own because it names these two, whose code must never
// be compiled into anything of ours.
package cosmwasm
