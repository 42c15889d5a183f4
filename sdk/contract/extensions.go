package contract

import "errors"

// Extensions is what this network adds to CosmWasm: the part of a Host that
// docs/spec/contract-extensions.md defines. Functions answer with its codes,
// 0 for success.
type Extensions interface {
	Random() (value []byte, code uint32)
	PublicKey(path string, curve Curve) (key []byte, code uint32)
	Sign(path string, curve Curve, message []byte) (signature []byte, code uint32)
	EmitPrivate(recipient string, data []byte) (code uint32)
}

// Curve is one on which a contract has keys.
type Curve uint32

// The curves.
const (
	Secp256k1 Curve = 1 // of Bitcoin, Ethereum and Cosmos
	Ed25519   Curve = 2
)

// What the network refuses. A contract may catch these and go on.
var (
	ErrInQuery      = errors.New("a query may not do this: what it answers is not final")
	ErrNoKeys       = errors.New("the contract has no keys")
	ErrNoRandomness = errors.New("there is no randomness for this call")
	ErrCurve        = errors.New("no such curve")
	ErrMessage      = errors.New("the curve signs hashes of 32 bytes")
	ErrRecipient    = errors.New("the recipient is no address")
	ErrUnreachable  = errors.New("nothing can be delivered to the recipient: private events reach the sender of the input alone")
	ErrTooMany      = errors.New("too many private events, or too large ones")
)

// refusal is the error of a code.
func refusal(code uint32) error {
	known := []error{nil, ErrInQuery, ErrNoKeys, ErrNoRandomness, ErrCurve, ErrMessage, ErrRecipient, ErrUnreachable, ErrTooMany}
	if int(code) < len(known) {
		return known[code]
	}
	return errors.New("the network refuses, for a reason that this version of the SDK does not know")
}

// Random draws 32 bytes that nobody could know before the input had its place
// in the order, and nobody can choose; each draw gives others. Errors:
// ErrNoRandomness, ErrInQuery.
func (c *Context) Random() ([]byte, error) {
	v, code := c.host.Random()
	return v, refusal(code)
}

// PublicKey is the contract's key under a path of at most 256 bytes: 65 bytes,
// uncompressed, on Secp256k1; 32 on Ed25519. The contract alone, in whichever
// code, signs with it. Errors: ErrNoKeys, ErrCurve.
func (c *Context) PublicKey(path string, curve Curve) ([]byte, error) {
	k, code := c.host.PublicKey(path, curve)
	return k, refusal(code)
}

// Sign signs with that key: on Secp256k1 a hash of 32 bytes, which gives
// r, s in the lower half, and 0 or 1 (27 less than Ethereum's v); on Ed25519 a
// message of at most 64 KiB. It leaves the enclave when the batch is final.
// Errors: ErrInQuery, ErrNoKeys, ErrCurve, ErrMessage.
func (c *Context) Sign(path string, curve Curve, message []byte) ([]byte, error) {
	s, code := c.host.Sign(path, curve, message)
	return s, refusal(code)
}

// EmitPrivate tells the sender of the input something that no contract on the
// way sees. It comes with the sealed result, if that is no failure. An input
// has at most 32 such events and 64 KiB of data in them. Errors: ErrRecipient,
// ErrUnreachable for any recipient but the sender, ErrTooMany, ErrInQuery.
func (c *Context) EmitPrivate(recipient string, data []byte) error {
	return refusal(c.host.EmitPrivate(recipient, data))
}
