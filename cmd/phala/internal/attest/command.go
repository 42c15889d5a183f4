// Package attest is the command phala attest: it reads evidence of TEEs out of files and from the chain, asks the verifiers of
// core/attest about it, and tells people what they said. It must never decide by itself what a maker's signature is worth, and never
// fetch anything from a maker.
package attest

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/attest/claims"
)

// Env is what the command needs of the program around it.
type Env struct {
	In    io.Reader
	Out   io.Writer
	Now   func() time.Time
	Print func(data any, text func(io.Writer)) error        // as JSON or as text
	Usage func(format string, args ...any) error            // an error: the command was used wrongly
	Node  func(ctx context.Context) (*client.Client, error) // for what stands on the chain
}

// Refused is the error for evidence that was judged and not accepted. Its reasons have been printed already.
type Refused struct{ Reasons []claims.Reason }

// Error counts the reasons.
func (r *Refused) Error() string {
	if len(r.Reasons) == 1 {
		return "evidence refused: " + clean(r.Reasons[0].Code)
	}
	return fmt.Sprintf("evidence refused for %d reasons", len(r.Reasons))
}

// Command is phala attest.
func Command(e Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "attest", Short: "Know whom you trust, and why: evidence of TEEs",
		Long: `Evidence of TEEs, read from files or from the chain. A file may be a TDX or SGX quote, an SEV-SNP report (with its certificate
beside it), a Nitro document, a TPM's quote, an event log, a recorded case, or our own message; the format is recognised.
Exit code 0: accepted; 7: refused, with every reason and what to do about it.`,
	}
	cmd.AddCommand(verifyCmd(e), showCmd(e), statusCmd(e), measureCmd(e))
	return cmd
}

// coloured is whether out is a terminal whose owner does not mind colours.
func coloured(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}
