package calls

import (
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
)

// Error ends a call as a failure that its caller is told; a contract that
// asked for a reply gets it as that.
type Error struct{ Failure *wire.Failure }

func (e *Error) Error() string { return e.Failure.Code + ": " + e.Failure.Message }

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

func spent(contract string, entry engine.Entry) error {
	return Fail("out-of-gas", "send the message again with a higher gas class; the state is as it was before the call", "contract %s ran out of gas in %s", contract, entry)
}

// failed turns what the engine says into what the caller is told. Members agree on the fact of a trap, not on its words.
func failed(meta *wire.Contract, depth int, err error) error {
	var said *engine.ContractError
	var trap *engine.TrapError
	name := address.Encode(meta.Address)
	switch {
	case errors.As(err, &said) && depth > 0:
		return Fail("contract-error", "change the message as the contract asks", "%s: %s", name, said.Message)
	case errors.As(err, &said):
		return Fail("contract-error", "change the message as the contract asks", "%s", said.Message)
	case errors.As(err, &trap) && trap.OutOfGas:
		return spent(name, trap.Entry)
	case errors.As(err, &trap):
		if trap.Timeout {
			return &timeout{trapped(meta, trap.Entry)}
		}
		return trapped(meta, trap.Entry)
	}
	return fmt.Errorf("running contract %x: %w", meta.Address, err)
}

func trapped(meta *wire.Contract, entry engine.Entry) error {
	return Fail("contract-trap", "tell the contract's author; the state is as it was before the call", "contract %s trapped in %s", address.Encode(meta.Address), entry)
}
