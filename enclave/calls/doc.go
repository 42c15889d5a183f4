// Package calls carries out what the contracts of one cluster ask of each
// other, as CosmWasm has it: messages with replies, queries, instantiation and
// migration, and payments, over the cluster's state.
//
// Each call runs on an instance of its own and begins when its caller has
// returned, so a contract may be called again from within what it has called.
// A message that fails leaves nothing: neither writes nor effects nor events.
// What crosses the cluster's border is collected as effects and must never be
// carried out before the batch is final. A contract sees of another one what
// that one's query policy lets it see; nothing here may answer around it.
//
// Everything is a function of the state, the input and the code. The one
// error that is not an Error comes from the node and ends the whole input.
package calls
