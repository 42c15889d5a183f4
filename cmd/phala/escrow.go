package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/wire"
)

func escrowCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "escrow", Short: "State keys in escrow among named custodians: key, terms, consent, propose, show, open",
		Long: `State keys of a cluster in escrow among named people, its custodians: off unless the cluster's owner consents
and governance decides. Any threshold of them together can read the cluster's whole state; fewer can read nothing.
They can never open its inputs, and no gatekeeper's key is ever in escrow.`,
	}
	cmd.AddCommand(escrowKeyCmd(e), escrowTermsCmd(e), escrowConsentCmd(e), escrowProposeCmd(e), escrowShowCmd(e), escrowOpenCmd(e))
	return cmd
}

func escrowTermsCmd(e *env) *cobra.Command {
	var threshold uint32
	var records []string
	var file string
	cmd := &cobra.Command{
		Use: "terms ID", Short: "Write the terms of an escrow from its custodians' records", Args: cobra.ExactArgs(1),
		Long: `Write the terms of an escrow: which cluster, who the custodians are, how many of them read its state together.
The owner consents to the hash of this file's content, and governance puts the same into force. The order of the
custodians counts: it gives each its index.`,
		Example: "  phala escrow terms 1 --threshold 2 --custodian anna.json --custodian bert.json --custodian cleo.json --file terms.json",
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			t := &wire.EscrowTerms{Cluster: id, Threshold: threshold}
			for _, name := range records {
				c := &wire.Custodian{}
				if err := readJSON(name, c); err != nil {
					return err
				}
				t.Custodians = append(t.Custodians, c)
			}
			if err := escrow.CheckTerms(t); err != nil {
				return advise(err, "phala escrow key makes a custodian's record; name them all with --custodian, and --threshold")
			}
			b, err := json.MarshalIndent(t, "", "  ")
			if err != nil {
				return err
			}
			if file == "" {
				_, err = e.out.Write(append(b, '\n'))
				return err
			}
			if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
				return fmt.Errorf("writing the terms: %w", err)
			}
			hash := hex.EncodeToString(escrow.TermsHash(t))
			return e.print(map[string]string{"file": file, "sha256": hash}, func(w io.Writer) {
				termsText(w, t)
				fmt.Fprintf(w, "written to %s, hash %s\n", file, hash)
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&records, "custodian", nil, "file with a custodian's record; repeat for each")
	f.Uint32Var(&threshold, "threshold", 0, "how many of them read the state together, at least 2")
	f.StringVar(&file, "file", "", "where to write the terms (default: standard output)")
	return cmd
}

func escrowConsentCmd(e *env) *cobra.Command {
	var terms string
	var withdraw bool
	cmd := &cobra.Command{
		Use: "consent ID", Short: "Consent, as the cluster's owner, to an escrow under exactly these terms; or withdraw it", Args: cobra.ExactArgs(1),
		Long: `Consent, as the cluster's owner, to an escrow of its state keys under exactly these terms. Nothing is in escrow
before governance puts the same terms into force and the activation delay has passed.
With --withdraw the consent ends, and an escrow with it: no key is dealt any more. What was dealt before stays with
the custodians, as far as the chain's history; the next roster (phala cluster update) or epoch has another key.`,
		Example: "  phala escrow consent 1 --terms terms.json --from alice\n  phala escrow consent 1 --withdraw --from alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			if withdraw == (terms != "") {
				return usage("give either --terms FILE or --withdraw")
			}
			var t *wire.EscrowTerms
			if !withdraw {
				if t, err = readTerms(terms, id); err != nil {
					return err
				}
				if e.output == "text" {
					termsText(e.err, t)
				}
			}
			c, err := e.client(cmd.Context(), true)
			if err != nil {
				return err
			}
			tx, err := c.ConsentEscrow(cmd.Context(), id, t)
			if err != nil {
				return err
			}
			out := map[string]any{"cluster": id, "height": tx.Height, "withdrawn": withdraw}
			return e.print(out, func(w io.Writer) {
				if withdraw {
					fmt.Fprintf(w, "withdrawn in block %d: no state key of cluster %d is dealt any more\n", tx.Height, id)
					return
				}
				fmt.Fprintf(w, "consented in block %d: governance may put these terms into force (phala escrow propose)\n", tx.Height)
			})
		},
	}
	e.waitFlags(cmd)
	cmd.Flags().StringVar(&terms, "terms", "", "file with the terms")
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "end the consent, and the escrow")
	return cmd
}

func escrowProposeCmd(e *env) *cobra.Command {
	var terms, file, title, deposit string
	var end bool
	cmd := &cobra.Command{
		Use: "propose ID", Short: "Write the proposal by which governance puts an escrow into force, or ends it", Args: cobra.ExactArgs(1),
		Long: `Write the proposal by which governance puts an escrow into force, or ends it. The owner's consent to these terms is
checked first, by proof: without it the vote would have no effect.
The file is for phalad: phalad tx gov submit-proposal FILE, then phalad tx gov vote ID yes.`,
		Example: "  phala escrow propose 1 --terms terms.json --file proposal.json\n  phala escrow propose 1 --end --file proposal.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			if end == (terms != "") {
				return usage("give either --terms FILE or --end")
			}
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			s, err := c.Escrow(cmd.Context(), id)
			if err != nil {
				return err
			}
			t := &wire.EscrowTerms{Cluster: id}
			switch {
			case end && s.Record == nil:
				return fmt.Errorf("the state keys of cluster %d are in no escrow: %w", id, node.ErrNotFound)
			case !end:
				if t, err = readTerms(terms, id); err != nil {
					return err
				}
				if !bytes.Equal(escrow.TermsHash(t), s.Cluster.EscrowConsent) {
					return advise(fmt.Errorf("the owner of cluster %d, %s, has not consented to these terms (block %d)", id, s.Cluster.Owner, s.Height), "the owner runs phala escrow consent first, with the same file")
				}
				if e.output == "text" {
					termsText(e.err, t)
				}
			}
			return e.writeProposal(file, escrowProposal(t, title, deposit))
		},
	}
	f := cmd.Flags()
	f.StringVar(&terms, "terms", "", "file with the terms")
	f.BoolVar(&end, "end", false, "end the escrow that there is")
	f.StringVar(&file, "file", "", "where to write the proposal (default: standard output)")
	f.StringVar(&title, "title", "Escrow of state keys", "the proposal's title")
	f.StringVar(&deposit, "deposit", minDeposit, "the proposal's deposit")
	return cmd
}

// escrowProposal is what x/gov takes; terms without custodians end the escrow.
func escrowProposal(t *wire.EscrowTerms, title, deposit string) any {
	gov := sha256.Sum256([]byte("gov"))
	m := map[string]any{
		"@type": "/phala.cluster.v1.MsgSetEscrow", "authority": address.Encode(gov[:20]), "cluster": strconv.FormatUint(t.Cluster, 10),
		"threshold": t.Threshold, "custodians": t.Custodians,
	}
	summary := fmt.Sprintf("%d of %d custodians together can read the state of cluster %d: %s", t.Threshold, len(t.Custodians), t.Cluster, strings.Join(custodians(t), ", "))
	if len(t.Custodians) == 0 {
		m["custodians"] = []any{}
		summary = fmt.Sprintf("No state key of cluster %d is put into escrow any more", t.Cluster)
	}
	return map[string]any{"messages": []any{m}, "deposit": deposit, "title": title, "metadata": "", "summary": summary}
}

func custodians(t *wire.EscrowTerms) (names []string) {
	for _, c := range t.GetCustodians() {
		names = append(names, c.Name)
	}
	return names
}

// termsText says what is given up.
func termsText(w io.Writer, t *wire.EscrowTerms) {
	fmt.Fprintf(w, "cluster %d: any %d of these %d custodians together can read its whole state, of now and of every epoch while this is in force:\n", t.Cluster, t.Threshold, len(t.Custodians))
	for _, c := range t.Custodians {
		h := sha256.Sum256(c.IdentityKey)
		fmt.Fprintf(w, "  %s  identity %.16s…\n", c.Name, hex.EncodeToString(h[:]))
	}
	fmt.Fprintf(w, "fewer than %d read nothing; inputs stay closed to all of them\n", t.Threshold)
}

func readTerms(file string, cluster uint64) (*wire.EscrowTerms, error) {
	t := &wire.EscrowTerms{}
	if err := readJSON(file, t); err != nil {
		return nil, err
	}
	if err := escrow.CheckTerms(t); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if t.Cluster != cluster {
		return nil, usage("%s has terms for cluster %d, not %d", file, t.Cluster, cluster)
	}
	return t, nil
}

// readJSON reads one value and nothing else.
func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading %s: something stands after its value", file)
	}
	return nil
}
