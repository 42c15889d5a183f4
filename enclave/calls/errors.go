package calls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
)

// Error ends a call as a failure that its caller is told; a contract that
// asked for a reply gets it as that.
type Error struct {
	Failure *wire.Failure
	trap    *engine.TrapError
}

func (e *Error) Error() string { return e.Failure.Code + ": " + e.Failure.Message }

// Trace is where a contract broke off, if one did: why, then the functions that
// were running, innermost first. Members need not agree on it, and it may tell
// which way the contract took: it is for the sender of the input alone.
func (e *Error) Trace() []string {
	if e.trap == nil {
		return nil
	}
	return append([]string{e.trap.Kind()}, e.trap.Trace()...)
}

// Fail makes an Error: a code, what to do next, and what is wrong.
func Fail(code, next, format string, args ...any) error {
	return &Error{Failure: &wire.Failure{Code: code, Message: fmt.Sprintf(format, args...), Next: next}}
}

// timeout is a call that the wall-clock guard has stopped. Other members may
// see another end, so no contract may go on after it.
type timeout struct{ err error }

func (t *timeout) Error() string { return t.err.Error() }
func (t *timeout) Unwrap() error { return t.err }

// catchable is whether a contract may be told of err and go on.
func catchable(err error) (*Error, bool) {
	var late *timeout
	var e *Error
	if errors.As(err, &late) || !errors.As(err, &e) {
		return nil, false
	}
	return e, true
}

func spent(contract string, c engine.Call) *Error {
	return &Error{Failure: &wire.Failure{
		Code: "out-of-gas", Next: "send the message again with a higher gas class; the state is as it was before the call",
		Message: fmt.Sprintf("contract %s ran out of gas in %s", contract, what(c)),
	}}
}

// maxKind bounds what is said of a message, in bytes.
const maxKind = 64

// what names a call for people: the entry point and, of a message that is one
// of several kinds, the first key, which names the kind.
func what(c engine.Call) string {
	d := json.NewDecoder(bytes.NewReader(c.Msg))
	brace, err := d.Token()
	if err != nil || brace != json.Delim('{') || c.Entry == engine.Reply {
		return string(c.Entry)
	}
	key, err := d.Token()
	kind, ok := key.(string)
	if err != nil || !ok || len(kind) > maxKind || strings.ContainsFunc(kind, func(r rune) bool { return r > '~' || r < '!' }) {
		return string(c.Entry)
	}
	return fmt.Sprintf("%s of %s", c.Entry, kind)
}

// failed turns what the engine says into what the caller is told. Members agree on the fact of a trap, not on its words.
func failed(meta *wire.Contract, depth int, c engine.Call, err error) error {
	var said *engine.ContractError
	var trap *engine.TrapError
	name := address.Encode(meta.Address)
	switch {
	case errors.As(err, &said) && depth > 0:
		return Fail("contract-error", "change the message as the contract asks", "%s: %s", name, said.Message)
	case errors.As(err, &said):
		return Fail("contract-error", "change the message as the contract asks", "%s", said.Message)
	case errors.As(err, &trap) && trap.OutOfGas:
		e := spent(name, c)
		e.trap = trap
		return e
	case errors.As(err, &trap):
		e := trapped(meta, c)
		e.trap = trap
		if trap.Timeout {
			return &timeout{e}
		}
		return e
	}
	return fmt.Errorf("running contract %x: %w", meta.Address, err)
}

func trapped(meta *wire.Contract, c engine.Call) *Error {
	return &Error{Failure: &wire.Failure{
		Code: "contract-trap", Next: "tell the contract's author; the state is as it was before the call",
		Message: fmt.Sprintf("contract %s trapped in %s", address.Encode(meta.Address), what(c)),
	}}
}
