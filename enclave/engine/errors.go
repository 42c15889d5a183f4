package engine

import (
	"errors"
	"fmt"
	"strings"
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
// too much gas, memory or depth. Reason is for people; workers agree on the
// fact and on OutOfGas, not on its words.
type TrapError struct {
	Entry    Entry
	Reason   string
	OutOfGas bool
	Timeout  bool // stopped by the wall-clock guard, so another worker may see another end

	kind   string
	frames []string // as wazero has them
	code   []byte
}

// Kind is the sort of trap in a few words, none of them the contract's. Like
// Reason it may differ between workers.
func (e *TrapError) Kind() string {
	if e.kind == "" {
		return "an answer that cannot be read"
	}
	return e.kind
}

func (e *TrapError) Error() string { return fmt.Sprintf("%s trapped: %s", e.Entry, e.Reason) }

// hostFault carries an error of the node through the guest's frames; it is not
// the contract's doing and must not be reported as such.
type hostFault struct{ err error }

func (f *hostFault) Error() string { return f.err.Error() }
func (f *hostFault) Unwrap() error { return f.err }

// abiFault is a fault of the contract found by a host function, or what the
// contract itself says as it breaks off.
type abiFault struct {
	reason string
	said   bool
}

func (f *abiFault) Error() string { return f.reason }

func fault(format string, args ...any) error {
	return &abiFault{reason: fmt.Sprintf(format, args...)}
}

// saidBy is what a contract said as it broke off.
func saidBy(err error) (string, bool) {
	var ours *abiFault
	if errors.As(err, &ours) && ours.said {
		return ours.reason, true
	}
	return "", false
}

// firstLine names a trap: a stack trace of wazero's follows it.
func firstLine(err error) string {
	reason, _, _ := strings.Cut(err.Error(), "\n")
	reason = strings.TrimPrefix(reason, "wasm error: ")
	return strings.TrimSuffix(reason, " (recovered by wazero)")
}
