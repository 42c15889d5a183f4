package engine

import (
	"bytes"
	"crypto/ed25519"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/phala-go/phala/core/keytree"
)

// The import module of this network's additions to the ABI, which
// docs/spec/contract-extensions.md defines.
const phalaModuleName = extension

// What the extensions answer.
const (
	granted       = 0
	notInQuery    = 1 // what a query answers is not final
	noKeys        = 2 // the contract has no secret
	noRandomness  = 3 // there is no value to draw from
	unknownCurve  = 4
	badMessage    = 5 // not of the curve's size
	badRecipient  = 6 // not an address
	unreachable   = 7 // nothing can be delivered to the recipient
	tooManyEvents = 8 // or too large ones
)

// The most the extensions take, in bytes.
const (
	maxPath         = 256
	maxSigned       = 64 << 10
	maxPrivateEvent = 64 << 10
)

// Extensions is what a call may use of this network's additions to the ABI.
// The zero value grants none of it: functions of the extensions then answer
// with a refusal.
type Extensions struct {
	Secret    *keytree.Secret // of the contract; nil: it has no keys
	Random    *keytree.Secret // of this call and no other; nil: there is no value to draw from
	Pending   error           // breaks off a call that draws while Random is nil; nil: it is told that there is no value
	Recipient string          // the address private events can be delivered to; "": nobody
	Events    int             // how many more of these there may be
	Bytes     int             // and of what size, all together
}

// PrivateEvent is data for one reader, whom no contract on the way sees.
type PrivateEvent struct {
	Recipient string // an address, as the contract wrote it
	Data      []byte
}

func phalaModule() hostModule {
	one := i32s(1)
	return hostModule{name: phalaModuleName, funcs: map[string]hostFunc{
		"random":            {i32s(1), one, extRandom},
		"derive_public_key": {i32s(3), one, extDerive},
		"sign":              {i32s(4), one, extSign},
		"emit_private":      {i32s(2), one, extEmit},
	}}
}

// extRandom (destination) draws 32 bytes.
func extRandom(f *frame, a args) (uint64, error) {
	switch {
	case f.readOnly:
		return notInQuery, nil
	case f.extensions.Random == nil && f.extensions.Pending != nil:
		return 0, &hostFault{f.extensions.Pending}
	case f.extensions.Random == nil:
		return noRandomness, nil
	}
	f.draws++
	return granted, f.fill(a.ptr(0), f.extensions.Random.Draw(f.draws-1))
}

// extDerive (path, curve, destination) gives a public key.
func extDerive(f *frame, a args) (uint64, error) {
	key, code, err := f.external(a)
	if code != granted || err != nil {
		return code, err
	}
	defer clear(key)
	return granted, f.fill(a.ptr(2), publicKey(keytree.Curve(a.ptr(1)), key))
}

// extSign (path, curve, message, destination) signs.
func extSign(f *frame, a args) (uint64, error) {
	if f.readOnly {
		return notInQuery, nil
	}
	key, code, err := f.external(a)
	if code != granted || err != nil {
		return code, err
	}
	defer clear(key)
	message, err := f.read(a.ptr(2), maxSigned)
	if err != nil {
		return 0, err
	}
	signature := signExternal(keytree.Curve(a.ptr(1)), key, message)
	if signature == nil {
		return badMessage, nil
	}
	return granted, f.fill(a.ptr(3), signature)
}

// external derives the contract's key of the path and curve that come first.
func (f *frame) external(a args) (key []byte, code uint64, err error) {
	path, err := f.read(a.ptr(0), maxPath)
	switch {
	case err != nil:
		return nil, 0, err
	case f.extensions.Secret == nil:
		return nil, noKeys, nil
	}
	key, err = f.extensions.Secret.ExternalKey(keytree.Curve(a.ptr(1)), path)
	if err != nil {
		return nil, unknownCurve, nil
	}
	return key, granted, nil
}

// publicKey is a point in SEC1's uncompressed form, 65 bytes, or that of
// RFC 8032, 32 bytes.
func publicKey(curve keytree.Curve, key []byte) []byte {
	if curve == keytree.Ed25519 {
		private := ed25519.NewKeyFromSeed(key)
		defer clear(private)
		return bytes.Clone(private[ed25519.SeedSize:])
	}
	private := secp256k1.PrivKeyFromBytes(key)
	defer private.Zero()
	return private.PubKey().SerializeUncompressed()
}

// signExternal gives an Ed25519 signature of a message, or one of a hash of
// 32 bytes on secp256k1: r || s || v with s in the lower half and v, 0 or 1,
// the parity of R, by RFC 6979. Of a hash of another size it gives none.
func signExternal(curve keytree.Curve, key, message []byte) []byte {
	if curve == keytree.Ed25519 {
		private := ed25519.NewKeyFromSeed(key)
		defer clear(private)
		return ed25519.Sign(private, message)
	}
	if len(message) != 32 {
		return nil
	}
	private := secp256k1.PrivKeyFromBytes(key)
	defer private.Zero()
	compact := ecdsa.SignCompact(private, message, false) // 27 + v first
	return append(compact[1:], compact[0]-27)
}

// extEmit (recipient, data) tells somebody something.
func extEmit(f *frame, a args) (uint64, error) {
	if f.readOnly {
		return notInQuery, nil
	}
	recipient, err := f.read(a.ptr(0), maxHuman)
	if err != nil {
		return 0, err
	}
	data, err := f.read(a.ptr(1), maxPrivateEvent)
	if err != nil {
		return 0, err
	}
	e := &f.extensions
	switch to, err := canonical(string(recipient)); {
	case err != nil:
		return badRecipient, nil
	case !e.reaches(to):
		return unreachable, nil
	case e.Events < 1 || e.Bytes < len(data):
		return tooManyEvents, nil
	}
	e.Events--
	e.Bytes -= len(data)
	f.private = append(f.private, PrivateEvent{string(recipient), data})
	return granted, nil
}

// reaches is whether something can be delivered to an account.
func (e *Extensions) reaches(account []byte) bool {
	to, err := canonical(e.Recipient)
	return err == nil && string(to) == string(account)
}
