package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"
)

// CodeError says why code was refused, all reasons at once.
type CodeError struct{ Reasons []string }

func (e *CodeError) Error() string { return "code refused: " + strings.Join(e.Reasons, "; ") }

func refuse(format string, args ...any) error {
	return &CodeError{Reasons: []string{fmt.Sprintf(format, args...)}}
}

// ContractError is the contract's own refusal of a call.
type ContractError struct{ Message string }

func (e *ContractError) Error() string { return e.Message }

// TrapError is a call that broke off: a trap, a fault in the use of the ABI,
// too much memory or too much time. Reason is for people; workers agree on the
// fact, not on its words.
type TrapError struct {
	Entry   Entry
	Reason  string
	Timeout bool // stopped by the wall-clock guard, so another worker may see another end
}

func (e *TrapError) Error() string { return fmt.Sprintf("%s trapped: %s", e.Entry, e.Reason) }

// hostFault carries an error of the node through the guest's frames; it is not
// the contract's doing and must not be reported as such.
type hostFault struct{ err error }

func (f *hostFault) Error() string { return f.err.Error() }
func (f *hostFault) Unwrap() error { return f.err }

// abi is a fault of the contract found by a host function.
type abiFault struct{ reason string }

func (f *abiFault) Error() string { return f.reason }

func fault(format string, args ...any) error {
	return &abiFault{reason: fmt.Sprintf(format, args...)}
}

// explain turns what a call into the guest came back with into one of ours.
func (e *Engine) explain(ctx, outer context.Context, entry Entry, err error) error {
	var node *hostFault
	var ours *abiFault
	var exit *sys.ExitError
	switch {
	case outer.Err() != nil: // the caller gave up: nothing is known about the contract
		return context.Cause(outer)
	case errors.As(err, &node):
		return node.err
	case errors.As(err, &ours):
		return &TrapError{Entry: entry, Reason: ours.reason}
	case ctx.Err() != nil, errors.As(err, &exit):
		return &TrapError{Entry: entry, Timeout: true, Reason: fmt.Sprintf("ran for longer than %s", e.cfg.CallTimeout)}
	}
	// wazero's first line names the trap; a stack trace follows.
	reason, _, _ := strings.Cut(err.Error(), "\n")
	reason = strings.TrimPrefix(reason, "wasm error: ")
	return &TrapError{Entry: entry, Reason: strings.TrimSuffix(reason, " (recovered by wazero)")}
}
