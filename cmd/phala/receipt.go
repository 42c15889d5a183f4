package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/receipt"
)

func receiptCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "receipt", Short: "Receipts: proofs of results that anybody checks offline"}
	cmd.AddCommand(makeReceiptCmd(e), verifyReceiptCmd(e))
	return cmd
}

func makeReceiptCmd(e *env) *cobra.Command {
	var cluster uint64
	var out, from string
	cmd := &cobra.Command{
		Use: "make INPUT", Short: "Write the receipt of a call that this home has sent", Args: cobra.ExactArgs(1),
		Long: "Write the receipt of a call that this home has sent. It shows the result to everybody who has the file.",
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usage("input %q: want its number", args[0])
			}
			var start *light.Checkpoint
			if from != "" {
				if start, err = checkpoint(from); err != nil {
					return err
				}
			}
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			p, err := client.LoadPending(e.pendingDir(), c.ChainID(), cluster, index)
			if err != nil {
				return err
			}
			f, err := c.Result(cmd.Context(), p)
			if err != nil {
				return err
			}
			r, err := c.Receipt(cmd.Context(), f.FinalResult, start)
			if err != nil {
				return err
			}
			if out == "" {
				out = fmt.Sprintf("%s-%d-%d.receipt", c.ChainID(), cluster, index)
			}
			b := receipt.Encode(r)
			if err := os.WriteFile(out, b, 0o600); err != nil {
				return fmt.Errorf("writing the receipt: %w", err)
			}
			return e.print(map[string]any{"file": out, "bytes": len(b), "headers": len(r.Headers)}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %d bytes, %d headers\n", out, len(b), len(r.Headers))
			})
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&cluster, "cluster", 1, "number of the cluster")
	f.StringVar(&out, "out", "", "file to write (default CHAIN-CLUSTER-INPUT.receipt)")
	f.StringVar(&from, "checkpoint", "", "HEIGHT:HASH of the header that the reader trusts (default: the genesis)")
	return cmd
}

func verifyReceiptCmd(e *env) *cobra.Command {
	var chain, from, received string
	var period time.Duration
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Check a receipt offline, and say what was trusted", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := e.receiptTrust(chain, from)
			if err != nil {
				return err
			}
			o := receipt.Options{Now: time.Now(), TrustingPeriod: period}
			if received != "" {
				if o.Now, err = time.Parse(time.RFC3339, received); err != nil {
					return usage("--received %q: want a time like 2026-01-02T15:04:05Z", received)
				}
			}
			b, err := os.ReadFile(filepath.Clean(args[0]))
			if err != nil {
				return fmt.Errorf("reading the receipt: %w", err)
			}
			r, err := receipt.Parse(b)
			if err != nil {
				return &refusedReceipt{err}
			}
			rep, err := receipt.Check(r, t, o)
			if err != nil {
				return &refusedReceipt{err}
			}
			return e.print(rep, func(w io.Writer) { showReceipt(w, rep) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "checkpoint", "", "HEIGHT:HASH of a header that is trusted (default: the genesis)")
	f.StringVar(&chain, "chain", "", "chain id, with --checkpoint")
	f.StringVar(&received, "received", "", "when the receipt came, if you know it: it is judged at that time (default: now)")
	f.DurationVar(&period, "trusting-period", 14*24*time.Hour, "how long validators are believed after they may have left")
	return cmd
}

// refusedReceipt is one that proves nothing.
type refusedReceipt struct{ err error }

func (r *refusedReceipt) Error() string { return r.err.Error() }
func (r *refusedReceipt) Unwrap() error { return r.err }

func (e *env) receiptTrust(chain, from string) (t receipt.Trust, err error) {
	if from != "" {
		if chain == "" {
			return t, usage("--checkpoint needs --chain, the id of its chain")
		}
		c, err := checkpoint(from)
		if err != nil {
			return t, err
		}
		return receipt.Trust{ChainID: chain, Height: c.Height, Hash: c.Hash}, nil
	}
	s, err := e.config()
	if err != nil {
		return t, err
	}
	if s.Genesis == "" {
		return t, usage("nothing is trusted: give --genesis FILE, or --chain and --checkpoint")
	}
	b, err := os.ReadFile(s.Genesis)
	if err != nil {
		return t, fmt.Errorf("reading the genesis: %w", err)
	}
	t.Genesis, err = light.ParseGenesis(b)
	return t, err
}

func checkpoint(s string) (*light.Checkpoint, error) {
	height, hash, _ := strings.Cut(s, ":")
	h, err := strconv.ParseUint(height, 10, 63)
	b, err2 := hex.DecodeString(hash)
	if err != nil || err2 != nil || len(b) != 32 || h == 0 {
		return nil, usage("--checkpoint %q: want HEIGHT:HASH, the hash in 64 digits of hex", s)
	}
	return &light.Checkpoint{Height: h, Hash: b}, nil
}

func showReceipt(w io.Writer, r *receipt.Report) {
	if r.Development {
		fmt.Fprintln(w, "a DEVELOPMENT network: its TEEs may be simulated and hide nothing")
	}
	outcome := "succeeded"
	if r.Result.Code != "" {
		outcome = "failed: " + r.Result.Code + ": " + r.Result.Message
	}
	fmt.Fprintf(w, "proven    input %d of cluster %d on %s %s\n", r.Input.Index, r.Cluster, r.ChainID, outcome)
	fmt.Fprintf(w, "final     batch %d, block %d, %s\n", r.Batch, r.Height, r.Time.UTC().Format(time.RFC3339))
	fmt.Fprintf(w, "sender    %s, in block %d\n", r.Input.Sender, r.Input.Height)
	if c := r.Contract; c != nil {
		fmt.Fprintf(w, "contract  %s (%s), code %s\n", c.Address, c.Label, c.CodeID)
	}
	if len(r.Result.Data) > 0 {
		data := hex.EncodeToString(r.Result.Data)
		if json.Valid(r.Result.Data) {
			data = string(r.Result.Data)
		}
		fmt.Fprintf(w, "data      %s\n", data)
	}
	for _, a := range r.Result.Attributes {
		fmt.Fprintf(w, "          %s = %s\n", a.Key, a.Value)
	}
	fmt.Fprintf(w, "signed by %d members of %d, quorum %d\n", len(r.Signers), r.Members, r.Quorum)
	for _, s := range r.Signers {
		verdict := "accepted"
		if !s.Accepted {
			verdict = fmt.Sprintf("refused: %v", s.Reasons)
		}
		fmt.Fprintf(w, "          %s  %s  %s  evidence %s\n", s.Worker, strings.ToLower(strings.TrimPrefix(s.Kind, "TEE_KIND_")), s.Measurement, verdict)
	}
	fmt.Fprintf(w, "trusted   the %s", r.Trusted.Start)
	if r.Trusted.Height > 0 {
		fmt.Fprintf(w, " at height %d", r.Trusted.Height)
	}
	fmt.Fprintf(w, ", hash %s; two thirds of the chain's validators over %d headers; a quorum of the signers' TEEs and their makers\n", r.Trusted.Hash, r.Trusted.Headers)
}
