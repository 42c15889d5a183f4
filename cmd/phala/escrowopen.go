package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/wire"
)

func escrowOpenCmd(e *env) *cobra.Command {
	var key, member string
	var yes bool
	cmd := &cobra.Command{
		Use: "open ID", Short: "Answer, as a custodian, the members that ask for the cluster's state keys", Args: cobra.ExactArgs(1),
		Long: `Answer, as a custodian, the members that ask for the cluster's state keys: with your share of each key, sealed to the
one-time key of the enclave that asks. Terms, deals, requests and who the members are, are proven against the chain;
whom you release to is said first, and you are asked. Together with the shares of others, up to the threshold, an answer
lets that enclave read the whole state. It cannot be taken back.
Look at the enclave before: phala attest verify --chain --worker OPERATOR/SLOT judges its evidence. Talk to the others: a member asks only
if it has found its state nowhere else.
Any account pays for the transaction; only your key decides.`,
		Example: "  phala escrow open 1 --key anna.key --from anna\n  phala escrow open 1 --key anna.key --from anna --member pha1…/0 --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			k, err := readCustodian(key)
			if err != nil {
				return err
			}
			var only []*wire.WorkerRef
			if member != "" {
				if only, err = e.workerRefs([]string{member}); err != nil {
					return err
				}
			}
			c, err := e.client(cmd.Context(), true)
			if err != nil {
				return err
			}
			s, err := c.Escrow(cmd.Context(), id)
			if err != nil {
				return err
			}
			if s.Record == nil {
				return fmt.Errorf("the state keys of cluster %d are in no escrow: %w", id, node.ErrNotFound)
			}
			v := viewEscrow(s)
			if err := v.mine(s, c.ChainID(), k); err != nil {
				return err
			}
			out := openView{Cluster: id, Released: []releaseView{}, Failed: []string{}, Proven: s.Height}
			var shares []*wire.EscrowShare
			for _, a := range s.Requests {
				if only != nil && !a.Request.Worker.Is(only[0]) {
					continue
				}
				give, failed := s.Answer(c.ChainID(), k, a)
				for _, err := range failed {
					out.Failed = append(out.Failed, err.Error())
				}
				for _, g := range give {
					out.Released = append(out.Released, releaseView{viewAsk(s, a), g.Epoch, g.Roster, g.Deal, 0})
				}
				shares = append(shares, give...)
			}
			if len(shares) == 0 {
				return out.nothing(e)
			}
			out.ask(e.err)
			if err := e.confirm(yes); err != nil {
				return err
			}
			return e.release(cmd, c, &out, shares)
		},
	}
	e.waitFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "the custodian's key file")
	f.StringVar(&member, "member", "", "answer this OPERATOR/SLOT alone")
	f.BoolVar(&yes, "yes", false, "release without being asked")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic("naming a flag that is there: " + err.Error())
	}
	return cmd
}

type releaseView struct {
	escrowAskView
	Epoch   uint64 `json:"epoch"`
	Roster  uint64 `json:"roster"`
	Deal    uint32 `json:"deal"`
	InBlock uint64 `json:"released_height"`
}

type openView struct {
	Cluster  uint64        `json:"cluster"`
	Released []releaseView `json:"released"`
	Failed   []string      `json:"failed"` // deals whose share does not open, requests that nobody may answer
	Proven   uint64        `json:"proven_height"`
}

// nothing says why nothing is to be done.
func (v *openView) nothing(e *env) error {
	if len(v.Failed) > 0 {
		return advise(errors.New(strings.Join(v.Failed, "; ")), "phala escrow show says who asks and who dealt")
	}
	return e.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "nobody asks you for anything in cluster %d (block %d)\n", v.Cluster, v.Proven)
	})
}

// ask says whom the custodian would release to.
func (v *openView) ask(w io.Writer) {
	for _, f := range v.Failed {
		fmt.Fprintf(w, "not possible: %s\n", f)
	}
	for _, r := range v.Released {
		fmt.Fprintf(w, "your share of the key of epoch %d roster %d of cluster %d\n  goes to  %s, a member that asked in block %d\n  enclave  %s %.16s…, registered in block %d\n  before you %s\n",
			r.Epoch, r.Roster, v.Cluster, r.Worker, r.Height, r.Kind, r.Measurement, r.Registered, orNobody(r.Answered))
	}
	fmt.Fprintf(w, "proven against block %d\n", v.Proven)
}

// confirm wants a person's yes.
func (e *env) confirm(yes bool) error {
	if yes {
		return nil
	}
	f, ok := e.in.(*os.File)
	if e.noInput || !ok || !term.IsTerminal(int(f.Fd())) {
		return advise(usage("a release cannot be taken back, and nobody can be asked"), "look at what stands above, and say --yes")
	}
	fmt.Fprint(e.err, "Release? Type yes: ")
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "yes" {
		return errors.New("nothing was released")
	}
	return nil
}

func (e *env) release(cmd *cobra.Command, c *client.Client, v *openView, shares []*wire.EscrowShare) error {
	for i, s := range shares {
		tx, err := c.SendEscrowShare(cmd.Context(), s)
		if err != nil {
			return err
		}
		v.Released[i].InBlock = tx.Height
	}
	return e.print(v, func(w io.Writer) {
		for _, r := range v.Released {
			fmt.Fprintf(w, "released to %s in block %d: epoch %d roster %d\n", r.Worker, r.InBlock, r.Epoch, r.Roster)
		}
	})
}
