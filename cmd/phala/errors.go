package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/channel"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/cmd/phala/internal/attest"
	"github.com/phala-go/phala/core/attest/evidencefile"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/devnet"
)

// Exit codes.
const (
	exitError    = 1
	exitUsage    = 2
	exitNotFound = 3
	exitTxFailed = 4
	exitRejected = 5
	exitNetwork  = 6
	exitDenied   = 7
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: `Exit codes:
  0    done
  1    an error
  2    the command was used wrongly
  3    what was asked for does not exist
  4    the transaction or the contract failed; do not simply repeat it
  5    the chain refused the transaction before it was in a block
  6    the network cannot be reached; try again
  7    not allowed: permit, query policy or attestation
  130  interrupted`}
}

type usageError struct{ msg string }

func (u *usageError) Error() string { return u.msg }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// advised carries the next step.
type advised struct {
	error
	next string
}

func (a *advised) Unwrap() error { return a.error }

func advise(err error, next string) error { return &advised{err, next} }

// report tells what, why and what to do next, and gives the exit code.
func (e *env) report(err error) int {
	code, exit, next := classify(err)
	var a *advised
	if errors.As(err, &a) {
		next = a.next
	}
	msg := err.Error()
	if e.output == "json" {
		b, _ := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": msg, "next": next}})
		fmt.Fprintln(e.err, string(b))
		return exit
	}
	fmt.Fprintln(e.err, "phala:", msg)
	if next != "" {
		fmt.Fprintln(e.err, "  next:", next)
	}
	return exit
}

func classify(err error) (code string, exit int, next string) {
	var f *client.Failure
	var p *permit.Error
	var u *usageError
	var tx *node.TxError
	var n net.Error
	var file *fs.PathError
	var died *devnet.Died
	var refused *attest.Refused
	var unknown *evidencefile.Unknown
	var silent *channel.Silent
	var receipt *refusedReceipt
	switch {
	case errors.As(err, &u):
		return "usage", exitUsage, "phala help shows the commands, phala help COMMAND its flags"
	case errors.As(err, &f):
		return f.Code, failureExit(f.Code), f.Next
	case errors.As(err, &p):
		return p.Code, exitDenied, p.Next
	case errors.As(err, &tx) && tx.Height == 0:
		return "tx-rejected", exitRejected, "nothing was spent; correct it and try again"
	case errors.As(err, &tx):
		return "tx-failed", exitTxFailed, "the chain says why above; the same transaction would fail again"
	case errors.As(err, &refused):
		return "evidence-refused", exitDenied, "each reason says what to do; phala attest status FILE says what is short"
	case errors.As(err, &receipt):
		return "receipt-refused", exitDenied, "it proves nothing: ask for another, made from what you trust (phala receipt make --checkpoint)"
	case errors.As(err, &silent):
		return "no-channel", exitNetwork, silent.Next
	case errors.As(err, &unknown):
		return "not-evidence", exitError, "name a quote, report, document or log as the machine gave it, or a recorded case in JSON"
	case errors.Is(err, attest.ErrAbsent):
		return "not-found", exitNotFound, "phala cluster show lists the workers of a cluster"
	case errors.As(err, &died):
		return "program-died", exitError, "its log says why"
	case errors.Is(err, keys.ErrNotFound):
		return "no-such-key", exitNotFound, "phala keys list shows the names"
	case errors.Is(err, keys.ErrExists):
		return "key-exists", exitError, "take another name, or delete that key first"
	case errors.Is(err, client.ErrUnknownCall):
		return "unknown-call", exitNotFound, "only the home that sent a call can open its result"
	case errors.Is(err, client.ErrNoKey):
		return "no-key", exitUsage, "add --from NAME"
	case errors.Is(err, node.ErrNotFound):
		return "not-found", exitNotFound, "is it on this chain? phala status"
	case errors.Is(err, client.ErrOtherChain):
		return "wrong-chain", exitError, "choose another home with --home, or name this chain's node and genesis with --rpc and --genesis"
	case errors.Is(err, syscall.EADDRINUSE):
		return "port-in-use", exitError, "stop what has it, or choose other ports with --port-base"
	case errors.Is(err, devnet.ErrHomeInUse):
		return "home-in-use", exitError, ""
	case errors.As(err, &file): // before net.Error, which the errors of files happen to satisfy
		return "file", exitError, "name a file that is there and that this account may use"
	case errors.As(err, &n):
		return "unreachable", exitNetwork, "is the network running? phala dev starts one"
	case errors.Is(err, fs.ErrNotExist):
		return "not-found", exitNotFound, ""
	case strings.HasPrefix(err.Error(), "unknown command"), strings.Contains(err.Error(), "arg(s)"):
		return "usage", exitUsage, "phala help shows the commands, phala help COMMAND its flags"
	}
	return "error", exitError, ""
}

func failureExit(code string) int {
	switch code {
	case permit.CodeMissing, permit.CodeInvalid, permit.CodeExpired, permit.CodeScope, "query-denied":
		return exitDenied
	case "unknown-cluster", "no-such-contract", "unknown-item":
		return exitNotFound
	case "not-serving", "stale", "height-not-reached", "enclave-down", "unreachable", "timeout":
		return exitNetwork
	case "contract-error", "contract-trap":
		return exitTxFailed
	}
	return exitError
}
