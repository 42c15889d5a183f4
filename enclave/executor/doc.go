// Package executor serves clusters: it opens their ordered inputs, runs contracts, keeps the state, agrees with the other members
// on batches, and lets results out once the chain has made them final. It sees plaintext. Its step from messages to messages has
// no clock and no goroutine of its own; the light client it is given says what is verified and fresh. It must never let out
// anything that depends on a batch before the batch is final on the chain (P4), nor believe what offchaind says.
package executor
