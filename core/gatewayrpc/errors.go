package gatewayrpc

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/phala-go/phala/core/wire"
)

// Codes that offchaind itself gives; the others are the enclave's (docs/protocol.md).
const (
	CodeMalformed   = "malformed"
	CodeNotFinal    = "not-final"
	CodeUnknownItem = "unknown-item"
	CodeEnclaveDown = "enclave-down" // offchaind runs, its enclave does not answer
	CodeNoRecord    = "no-record"
	CodeWrongWorker = "wrong-worker"
	CodeUnreachable = "unreachable" // the gateway does not answer
	CodeTimeout     = "timeout"
	CodeBusy        = "busy"
	CodeInternal    = "internal"
)

// Error is a failure with what to do next.
type Error struct {
	Code    string // stable, kebab-case
	Message string
	Next    string
	Cause   error // of the transport, on the client's side; may be nil
}

func (e *Error) Error() string {
	s := e.Code + ": " + e.Message
	if e.Next != "" {
		s += ". " + e.Next
	}
	return s
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Of is the error that f says.
func Of(f *wire.Failure) *Error {
	return &Error{Code: f.GetCode(), Message: f.GetMessage(), Next: f.GetNext()}
}

// failureType is the detail's type in the protocol's Any.
const failureType = "type.googleapis.com/phala.wire.v1.Failure"

// connectCode is for software that knows Connect and not us: whether to retry, to ask for rights, or to give up.
func connectCode(code string) connect.Code {
	switch code {
	case CodeMalformed, "wrong-suite", "wrong-epoch", "does-not-open", "replayed", "session-life", CodeWrongWorker:
		return connect.CodeInvalidArgument
	case "unknown-cluster", "no-such-contract", "unknown-session", CodeUnknownItem, CodeNoRecord:
		return connect.CodeNotFound
	case "not-serving", "stale", "height-not-reached", CodeEnclaveDown, CodeNotFinal, CodeUnreachable:
		return connect.CodeUnavailable
	case "permit-missing", "permit-expired", "permit-invalid":
		return connect.CodeUnauthenticated
	case "permit-scope", "query-denied":
		return connect.CodePermissionDenied
	case "contract-error", "contract-trap":
		return connect.CodeAborted
	case CodeBusy:
		return connect.CodeResourceExhausted
	case CodeTimeout:
		return connect.CodeDeadlineExceeded
	case CodeInternal:
		return connect.CodeInternal
	}
	return connect.CodeUnknown
}

// toConnect makes what crosses the wire. An error that is not an *Error is nobody's business outside: its text stays here.
func toConnect(err error) error {
	e := known(err)
	if e == nil {
		return connect.NewError(connect.CodeCanceled, err)
	}
	c := connect.NewError(connectCode(e.Code), errors.New(e.Message))
	f := &wire.Failure{Code: e.Code, Message: e.Message, Next: e.Next}
	if d, err := connect.NewErrorDetail(&anypb.Any{TypeUrl: failureType, Value: wire.Marshal(f)}); err == nil {
		c.AddDetail(d)
	}
	return c
}

// known is what may be told of an error; nil: its caller has gone.
func known(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeTimeout, Message: "it took longer than the request allowed", Next: "Try again with more time."}
	case errors.Is(err, context.Canceled):
		return nil
	}
	return &Error{Code: CodeInternal, Message: "the gateway failed", Next: "Ask the operator to look into its log, or use another member's gateway."}
}

// ErrorOf is what a call or a stream has failed of, at the client: an *Error or context.Canceled.
func ErrorOf(err error) error {
	var c *connect.Error
	if !errors.As(err, &c) {
		return &Error{Code: CodeUnreachable, Message: "the gateway does not answer", Next: "Use another member's gateway.", Cause: err}
	}
	for _, d := range c.Details() {
		if d.Type() != "phala.wire.v1.Failure" {
			continue
		}
		var f wire.Failure
		if f.Unmarshal(d.Bytes()) == nil {
			e := Of(&f)
			e.Cause = err
			return e
		}
	}
	e := &Error{Code: CodeInternal, Message: c.Message(), Cause: err}
	switch c.Code() {
	case connect.CodeCanceled:
		return context.Canceled
	case connect.CodeDeadlineExceeded:
		e.Code = CodeTimeout
	case connect.CodeUnavailable:
		e.Code, e.Next = CodeUnreachable, "Use another member's gateway."
	case connect.CodeInvalidArgument, connect.CodeResourceExhausted:
		e.Code, e.Next = CodeMalformed, "Use a client of this version."
	}
	return e
}
