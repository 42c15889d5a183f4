package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/wire"
)

// change is what is to become of a cluster's members.
type change struct {
	add, remove []*wire.WorkerRef
	cause       bool
	quorum      uint32 // 0: as before
}

func clusterUpdateCmd(e *env) *cobra.Command {
	var add, remove, replace []string
	var ch change
	var dry bool
	cmd := &cobra.Command{
		Use: "update ID", Short: "Admit, remove and replace members in one step; the removed read nothing that is sealed afterwards", Args: cobra.ExactArgs(1),
		Long: `Admit, remove and replace members of a cluster that the account owns, in one step.
What will happen is said first; with --dry-run nothing else is done. Then the cluster's key is another at once,
the state is sealed anew, and the command ends when the new key is in force.
With --for-cause, contracts that export sudo are told to rotate the secrets that the removed have seen.`,
		Example: "  phala cluster update 1 --remove pha1…/0 --for-cause --dry-run\n  phala cluster update 1 --replace pha1…/0=pha1…/1 --for-cause --from alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			if err := ch.name(e, add, remove, replace); err != nil {
				return err
			}
			c, err := e.client(cmd.Context(), !dry)
			if err != nil {
				return err
			}
			v, err := c.Cluster(cmd.Context(), id)
			if err != nil {
				return err
			}
			plan, err := ch.plan(v)
			if err != nil {
				return err
			}
			if dry {
				return e.print(plan, plan.text)
			}
			if e.output == "text" {
				plan.text(e.err)
			}
			return e.update(cmd.Context(), c, id, &ch)
		},
	}
	e.waitFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&add, "add", nil, "OPERATOR/SLOT of a registered executor; repeat for each")
	f.StringSliceVar(&remove, "remove", nil, "OPERATOR/SLOT of a member; repeat for each")
	f.StringSliceVar(&replace, "replace", nil, "MEMBER=EXECUTOR: the one goes, the other comes; repeat for each")
	f.BoolVar(&ch.cause, "for-cause", false, "what the removed have seen is compromised: contracts are told to rotate their secrets")
	f.Uint32Var(&ch.quorum, "quorum", 0, "signatures a batch needs (default: as before)")
	f.BoolVar(&dry, "dry-run", false, "say what would happen, and do nothing")
	return cmd
}

// name reads the names of workers.
func (ch *change) name(e *env, add, remove, replace []string) (err error) {
	for _, r := range replace {
		out, in, ok := strings.Cut(r, "=")
		if !ok {
			return usage("--replace %q: want MEMBER=EXECUTOR", r)
		}
		remove, add = append(remove, out), append(add, in)
	}
	if ch.add, err = e.workerRefs(add); err != nil {
		return err
	}
	ch.remove, err = e.workerRefs(remove)
	return err
}

// memberPlan is what a change comes to.
type memberPlan struct {
	Cluster  uint64   `json:"cluster"`
	Roster   uint64   `json:"roster"`
	Members  []string `json:"members"`
	Quorum   uint32   `json:"quorum"`
	Admitted uint64   `json:"admitted"` // workers, ever
	Steps    []string `json:"steps"`
}

// plan says what will happen, or why the chain would refuse it.
func (ch *change) plan(v *client.View) (*memberPlan, error) {
	c := v.Cluster
	members, quorum, err := clustertypes.NextMembers(&clustertypes.Params{MaxMembers: ^uint32(0)}, c, &clustertypes.MsgUpdateMembers{
		Cluster: c.Id, Add: ch.add, Remove: ch.remove, Cause: ch.cause, Quorum: ch.quorum,
	})
	switch {
	case errors.Is(err, clustertypes.ErrQuorum):
		return nil, advise(err, "choose another with --quorum")
	case err != nil:
		return nil, advise(err, "phala cluster show lists the members")
	}
	p := &memberPlan{Cluster: c.Id, Roster: c.Roster + 1, Quorum: quorum, Admitted: c.Admitted + uint64(len(ch.add))}
	for _, m := range members {
		p.Members = append(p.Members, m.Name())
	}
	say := func(format string, args ...any) { p.Steps = append(p.Steps, fmt.Sprintf(format, args...)) }
	say("%d members with quorum %d become %d with quorum %d", len(c.Members), c.Quorum, len(members), quorum)
	say("the input key ends with the block that takes this; no inputs are taken until %d members have announced the next, some three blocks later", quorum)
	if n := v.Inbox.GetNext() - v.Head.GetInboxNext(); n > 0 {
		say("inputs that wait, %d at the moment, are executed by those who are members then", n)
	}
	for _, w := range ch.remove {
		say("%s is removed: it opens nothing that is sealed afterwards, and keeps what it has seen", w.Name())
	}
	for _, w := range ch.add {
		say("%s is admitted: it is given the state, as %d workers were before", w.Name(), c.Admitted)
	}
	say("those who stay seal the state anew, under a key that nobody else is given")
	switch {
	case ch.cause:
		say(`contracts that export sudo are told {"rotate":{}} once the next key is in force; the others keep secrets that the removed have seen`)
	case len(ch.remove) > 0:
		say("contracts keep their secrets, which the removed have seen: --for-cause has them rotated")
	}
	return p, nil
}

func (p *memberPlan) text(w io.Writer) {
	fmt.Fprintf(w, "cluster %d, roster %d:\n", p.Cluster, p.Roster)
	for _, s := range p.Steps {
		fmt.Fprintf(w, "  %s\n", s)
	}
}

// update does it and waits until the cluster can be called again.
func (e *env) update(ctx context.Context, c *client.Client, id uint64, ch *change) error {
	roster, tx, err := c.UpdateMembers(ctx, id, ch.add, ch.remove, ch.cause, ch.quorum)
	if err != nil {
		return err
	}
	e.say("cluster %d has roster %d since block %d; its members are getting their keys", id, roster, tx.Height)
	if _, err := c.Chain.WaitHeight(ctx, tx.Height+1); err != nil {
		return err
	}
	v, err := c.WaitCluster(ctx, id)
	if err != nil {
		return err
	}
	if ch.cause {
		item, err := rotation(ctx, c, v, tx.Height)
		if err != nil {
			return err
		}
		e.say("contracts are told to rotate by input %d", item)
	}
	return e.showCluster(ctx, c, v)
}

// rotation finds the input by which the chain has contracts rotate, after a change of members at height since.
func rotation(ctx context.Context, c *client.Client, v *client.View, since uint64) (uint64, error) {
	for i := v.Inbox.Next - 1; i > 0; i-- {
		it, err := c.Item(ctx, v.Cluster.Id, i)
		switch {
		case err != nil:
			return 0, err
		case it == nil || it.Height < since:
			return 0, fmt.Errorf("the chain has put no input to rotate into the inbox of cluster %d since block %d", v.Cluster.Id, since)
		case it.Context.GetKind() == wire.INPUT_KIND_ROTATE:
			return i, nil
		}
	}
	return 0, fmt.Errorf("the inbox of cluster %d is empty", v.Cluster.Id)
}

// without is list less what is to go.
func without(list, gone []*wire.WorkerRef) []*wire.WorkerRef {
	return slices.DeleteFunc(slices.Clone(list), func(w *wire.WorkerRef) bool { return slices.ContainsFunc(gone, w.Is) })
}
