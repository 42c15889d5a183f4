package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

func gatekeeperCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "gatekeeper", Short: "Gatekeepers: who holds parts of the network's keys"}
	cmd.AddCommand(gatekeeperProposeCmd(e), &cobra.Command{
		Use: "status", Short: "Show the epoch, its members and the making of the next keys, proven against the chain", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			k, err := readKeys(cmd.Context(), c)
			if err != nil {
				return err
			}
			if len(k.roster.Members) == 0 && len(k.set.Members) == 0 {
				return advise(fmt.Errorf("this network has no gatekeepers: %w", node.ErrNotFound), "governance names them with MsgUpdateRoster")
			}
			v := k.view()
			return e.print(v, v.text)
		},
	})
	return cmd
}

// keyRecords are what the chain says about the making of keys, all at one height; what is not there is empty.
type keyRecords struct {
	height     uint64
	params     *wire.KeyParams
	set        *wire.GatekeeperSet
	roster     *wire.GatekeeperRoster
	generation *wire.Generation
}

func readKeys(ctx context.Context, c *client.Client) (*keyRecords, error) {
	k := &keyRecords{params: &wire.KeyParams{}, set: &wire.GatekeeperSet{}, roster: &wire.GatekeeperRoster{}, generation: &wire.Generation{}}
	var found [4]bool
	s, err := c.Chain.Get(ctx,
		client.Read{Store: storekey.Gatekeeper, Key: storekey.KeyParamsKey(), Into: k.params, Found: &found[0]},
		client.Read{Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey(), Into: k.set, Found: &found[1]},
		client.Read{Store: storekey.Gatekeeper, Key: storekey.RosterKey(), Into: k.roster, Found: &found[2]},
		client.Read{Store: storekey.Gatekeeper, Key: storekey.GenerationKey(), Into: k.generation, Found: &found[3]})
	if err != nil {
		return nil, fmt.Errorf("reading the gatekeepers: %w", err)
	}
	k.height = s.Height
	return k, nil
}

type keyMemberView struct {
	Worker string `json:"worker"`
	State  string `json:"state"` // serving, lost or excluded
	Why    string `json:"why,omitempty"`
}

type generationView struct {
	Epoch    uint64          `json:"epoch"`
	Attempt  uint32          `json:"attempt"`
	Phase    string          `json:"phase"`
	Since    uint64          `json:"since_height"`
	Deadline uint64          `json:"deadline,omitempty"`
	Missing  []string        `json:"missing"` // whose word the phase waits for
	Excluded []keyMemberView `json:"excluded"`
}

type rosterView struct {
	Threshold uint32   `json:"threshold"`
	Members   []string `json:"members"`
	Approved  uint64   `json:"approved_height"`
	From      uint64   `json:"from_height"`
	InForce   bool     `json:"in_force"`
}

type keysView struct {
	Height     uint64          `json:"proven_height"`
	Epoch      uint64          `json:"epoch"` // 0: none yet
	Since      uint64          `json:"since_height"`
	Threshold  uint32          `json:"threshold"`
	Serving    int             `json:"serving"`
	Border     uint64          `json:"border_height,omitempty"` // 0: only when one is needed
	Members    []keyMemberView `json:"members"`
	Generation *generationView `json:"generation,omitempty"`
	Roster     *rosterView     `json:"roster,omitempty"`
}

func (k *keyRecords) view() *keysView {
	v := &keysView{Height: k.height, Epoch: k.set.Epoch, Since: k.set.Height, Threshold: k.set.Threshold, Members: []keyMemberView{}}
	if k.set.Epoch != 0 && k.params.EpochBlocks != 0 {
		v.Border = k.set.Height + k.params.EpochBlocks
	}
	for _, m := range k.set.Members {
		s := stateOf(m.Worker, m.Fault)
		if s.State == "serving" {
			v.Serving++
		}
		v.Members = append(v.Members, s)
	}
	if r := k.roster; len(r.Members) != 0 {
		v.Roster = &rosterView{Threshold: r.Threshold, Approved: r.ApprovedHeight, From: r.FromHeight, InForce: r.FromHeight <= k.height}
		for _, w := range r.Members {
			v.Roster.Members = append(v.Roster.Members, w.Name())
		}
	}
	if g := k.generation; g.Epoch != 0 && g.Phase != wire.GENERATION_PHASE_DONE {
		v.Generation = viewGeneration(g)
	}
	return v
}

func viewGeneration(g *wire.Generation) *generationView {
	v := &generationView{
		Epoch: g.Epoch, Attempt: g.Attempt, Since: g.PhaseHeight, Deadline: g.Deadline, Missing: []string{}, Excluded: []keyMemberView{},
		Phase: strings.ToLower(strings.TrimPrefix(g.Phase.String(), "GENERATION_PHASE_")),
	}
	for _, m := range g.Members {
		if m.Fault != wire.MEMBER_FAULT_NONE {
			v.Excluded = append(v.Excluded, stateOf(m.Worker, m.Fault))
			continue
		}
		waits := false
		switch g.Phase {
		case wire.GENERATION_PHASE_JOIN:
			waits = len(m.JoinHash) == 0
		case wire.GENERATION_PHASE_CONTRIBUTE:
			waits = len(m.ContributionHash) == 0
		case wire.GENERATION_PHASE_CONFIRM:
			waits = !m.Confirmed
		}
		if waits {
			v.Missing = append(v.Missing, m.Worker.Name())
		}
	}
	return v
}

func stateOf(w *wire.WorkerRef, f wire.MemberFault) keyMemberView {
	v := keyMemberView{Worker: w.Name(), State: "excluded"}
	switch f {
	case wire.MEMBER_FAULT_NONE:
		v.State = "serving"
	case wire.MEMBER_FAULT_LOST:
		v.State, v.Why = "lost", "another boot has registered, or the registration ended: it is back with the next epoch"
	case wire.MEMBER_FAULT_SILENT:
		v.Why = "sent nothing in time"
	case wire.MEMBER_FAULT_BAD_CONTRIBUTION:
		v.Why = "what it sent was not what it had committed to"
	case wire.MEMBER_FAULT_FALSE_COMPLAINT:
		v.Why = "complained about what was right"
	default:
		v.Why = f.String()
	}
	return v
}

func (v *keysView) text(w io.Writer) {
	switch {
	case v.Epoch == 0:
		fmt.Fprintln(w, "epoch   none yet: no cluster gets keys before the first generation is done")
	default:
		fmt.Fprintf(w, "epoch   %d since block %d, %d of %d members serve, %d derive a secret\n", v.Epoch, v.Since, v.Serving, len(v.Members), v.Threshold)
		if v.Serving < int(v.Threshold) {
			fmt.Fprintln(w, "        FEWER THAN THE THRESHOLD: nobody can be given keys until a new epoch begins")
		}
	}
	switch {
	case v.Generation != nil:
	case v.Border == 0:
		fmt.Fprintln(w, "border  only when one is needed")
	case v.Border <= v.Height:
		fmt.Fprintf(w, "border  due since block %d, until enough gatekeepers are registered\n", v.Border)
	default:
		fmt.Fprintf(w, "border  in %d blocks, at block %d\n", v.Border-v.Height, v.Border)
	}
	for _, m := range v.Members {
		m.line(w, "member")
	}
	if g := v.Generation; g != nil {
		until := ""
		if g.Deadline != 0 {
			until = fmt.Sprintf(", until block %d", g.Deadline)
		}
		fmt.Fprintf(w, "making  epoch %d, attempt %d: %s since block %d%s\n", g.Epoch, g.Attempt, g.Phase, g.Since, until)
		for _, m := range g.Missing {
			fmt.Fprintf(w, "  waits for %s\n", m)
		}
		for _, m := range g.Excluded {
			m.line(w, "without")
		}
	}
	if r := v.Roster; r != nil {
		from := "in force"
		if !r.InForce {
			from = fmt.Sprintf("in force in %d blocks, from block %d", r.From-v.Height, r.From)
		}
		fmt.Fprintf(w, "roster  %d members, threshold %d, approved at block %d, %s\n", len(r.Members), r.Threshold, r.Approved, from)
		if !r.InForce {
			for _, m := range r.Members {
				fmt.Fprintf(w, "  next %s\n", m)
			}
		}
	}
	fmt.Fprintf(w, "proven against block %d\n", v.Height)
}

func (m keyMemberView) line(w io.Writer, word string) {
	fmt.Fprintf(w, "  %s %s  %s", word, m.Worker, m.State)
	if m.Why != "" {
		fmt.Fprintf(w, ": %s", m.Why)
	}
	fmt.Fprintln(w)
}
