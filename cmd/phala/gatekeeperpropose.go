package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// minDeposit is what a proposal needs to be voted on under the genesis of phalad, ppha: 10 PHA.
const minDeposit = "10000000000000ppha"

func gatekeeperProposeCmd(e *env) *cobra.Command {
	var add, remove []string
	var threshold uint32
	var file, title, deposit string
	cmd := &cobra.Command{
		Use: "propose", Short: "Write the proposal by which governance adds, removes or replaces gatekeepers", Args: cobra.NoArgs,
		Long: `Write the proposal by which governance adds, removes or replaces gatekeepers: one vote, one border.
It starts from the newest roster, proven against the chain, and says on standard error what will happen.
The file is for phalad: phalad tx gov submit-proposal FILE, then phalad tx gov vote ID yes.`,
		Example: "  phala gatekeeper propose --add pha1…/0 --remove pha1…/0 --file proposal.json\n  phalad tx gov submit-proposal proposal.json --from validator",
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := e.workerRefs(add)
			if err != nil {
				return err
			}
			out, err := e.workerRefs(remove)
			if err != nil {
				return err
			}
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			s, err := readRosters(cmd.Context(), c)
			if err != nil {
				return err
			}
			r, err := s.succeed(in, out, threshold)
			if err != nil {
				return err
			}
			if e.output == "text" {
				s.text(e.err, r)
			}
			return e.writeProposal(file, proposal(r, title, deposit))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&add, "add", nil, "OPERATOR/SLOT of a gatekeeper to come; repeat for each")
	f.StringSliceVar(&remove, "remove", nil, "OPERATOR/SLOT of a gatekeeper to go; repeat for each")
	f.Uint32Var(&threshold, "threshold", 0, "how many of them derive a secret (default: as before)")
	f.StringVar(&file, "file", "", "where to write the proposal (default: standard output)")
	f.StringVar(&title, "title", "Gatekeepers", "the proposal's title")
	f.StringVar(&deposit, "deposit", minDeposit, "the proposal's deposit")
	return cmd
}

// rosters is who is to hold parts now, by what governance has said last, under the network's rules.
type rosters struct {
	height  uint64
	network *wire.NetworkParams
	newest  *wire.GatekeeperRoster
	set     *wire.GatekeeperSet
}

func readRosters(ctx context.Context, c *client.Client) (*rosters, error) {
	s := &rosters{network: &wire.NetworkParams{}, newest: &wire.GatekeeperRoster{}, set: &wire.GatekeeperSet{}}
	var found [3]bool
	head, err := c.Chain.Get(ctx,
		client.Read{Store: storekey.Attestation, Key: storekey.Network(), Into: s.network, Found: &found[0]},
		client.Read{Store: storekey.Gatekeeper, Key: storekey.RosterKey(), Into: s.newest, Found: &found[1]},
		client.Read{Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey(), Into: s.set, Found: &found[2]})
	if err != nil {
		return nil, fmt.Errorf("reading the roster: %w", err)
	}
	s.height = head.Height
	return s, nil
}

// succeed is the roster that the newest one becomes, as the chain would decide now.
func (s *rosters) succeed(add, remove []*wire.WorkerRef, threshold uint32) (*wire.GatekeeperRoster, error) {
	for _, w := range remove {
		if !slices.ContainsFunc(s.newest.Members, w.Is) {
			return nil, advise(usage("gatekeeper %s is not on the roster", w.Name()), "phala gatekeeper status shows who is")
		}
	}
	if threshold == 0 {
		threshold = s.newest.Threshold
	}
	if len(add) == 0 && len(remove) == 0 && threshold == s.newest.Threshold {
		return nil, usage("nothing changes: name gatekeepers with --add and --remove, or another --threshold")
	}
	members := append(without(s.newest.Members, remove), add...)
	r, err := gatekeepertypes.SucceedRoster(s.network, s.inForce(), threshold, members, s.height)
	if errors.Is(err, gatekeepertypes.ErrRoster) {
		return nil, advise(err, "choose other members, or another --threshold")
	}
	return r, err
}

// inForce is the roster that counts now: the newest, or, while that is to come, the one that the epoch's set was made from.
func (s *rosters) inForce() *wire.GatekeeperRoster {
	if s.newest.FromHeight <= s.height {
		return s.newest
	}
	r := &wire.GatekeeperRoster{Threshold: s.set.Threshold}
	for _, m := range s.set.Members {
		r.Members = append(r.Members, m.Worker)
	}
	return r
}

// text says what follows if the vote is won.
func (s *rosters) text(w io.Writer, r *wire.GatekeeperRoster) {
	fmt.Fprintf(w, "gatekeepers, as of block %d: %d with threshold %d become %d with threshold %d\n", s.height, len(s.newest.Members), s.newest.Threshold, len(r.Members), r.Threshold)
	if s.newest.FromHeight > s.height {
		fmt.Fprintf(w, "  it takes the place of the roster that was to be in force from block %d\n", s.newest.FromHeight)
	}
	for _, m := range without(s.newest.Members, r.Members) {
		fmt.Fprintf(w, "  %s goes: it holds nothing from the border on; what it holds of the epoch before ends one epoch later\n", m.Name())
	}
	for _, m := range without(r.Members, s.newest.Members) {
		fmt.Fprintf(w, "  %s comes: it takes part in the next keys\n", m.Name())
	}
	when := "with the block that takes the vote"
	if d := r.FromHeight - r.ApprovedHeight; d > 0 {
		when = fmt.Sprintf("%d blocks after the block that takes the vote: somebody is given keys who could not get them before", d)
	}
	fmt.Fprintf(w, "  new keys are made %s; one border, epoch %d serves until then\n", when, s.set.Epoch)
}

// proposal is what x/gov takes: a message of its own account.
func proposal(r *wire.GatekeeperRoster, title, deposit string) any {
	gov := sha256.Sum256([]byte("gov"))
	type member struct {
		Operator string `json:"operator"`
		Slot     uint32 `json:"slot"`
	}
	var members []member
	for _, m := range r.Members {
		members = append(members, member{m.Operator, m.Slot})
	}
	return map[string]any{
		"messages": []any{map[string]any{
			"@type": "/phala.gatekeeper.v1.MsgUpdateRoster", "authority": address.Encode(gov[:20]), "threshold": r.Threshold, "members": members,
		}},
		"deposit": deposit, "title": title, "metadata": "",
		"summary": fmt.Sprintf("%d gatekeepers, of whom %d derive a secret", len(r.Members), r.Threshold),
	}
}

func (e *env) writeProposal(file string, p any) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if file == "" {
		_, err = e.out.Write(b)
		return err
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return fmt.Errorf("writing the proposal: %w", err)
	}
	return e.print(map[string]string{"file": file}, func(w io.Writer) {
		fmt.Fprintf(w, "written to %s; propose and vote:\n  phalad tx gov submit-proposal %s --from NAME --fees 1000000000ppha --gas 3000000\n  phalad tx gov vote ID yes --from NAME --fees 1000000000ppha\n", file, file)
	})
}
