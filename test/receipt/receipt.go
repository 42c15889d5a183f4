// Package receipt tries receipts (P19): made of a network whose enclaves and proofs are real, checked natively and, compiled for js/wasm,
// under Node, with every byte flipped. It must never check one in another way than readers do.
package receipt
