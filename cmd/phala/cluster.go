package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
)

func clusterCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "cluster", Short: "Clusters of TEE workers: create, update, show, list, and who was given their keys"}
	cmd.AddCommand(clusterCreateCmd(e), clusterUpdateCmd(e), clusterKeysCmd(e),
		&cobra.Command{
			Use: "show ID", Short: "Show a cluster, proven against the chain", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				id, err := clusterID(args[0])
				if err != nil {
					return err
				}
				c, err := e.client(cmd.Context(), false)
				if err != nil {
					return err
				}
				v, err := c.Cluster(cmd.Context(), id)
				if err != nil {
					return err
				}
				return e.showCluster(cmd.Context(), c, v)
			},
		},
		&cobra.Command{
			Use: "list", Short: "List the clusters (the node's word)", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := e.client(cmd.Context(), false)
				if err != nil {
					return err
				}
				var res clustertypes.QueryClustersResponse
				if err := c.Node.Query(cmd.Context(), "/phala.cluster.v1.Query/Clusters", &clustertypes.QueryClustersRequest{}, &res); err != nil {
					return err
				}
				type row struct {
					ID      uint64 `json:"id"`
					Owner   string `json:"owner"`
					Members int    `json:"members"`
					Quorum  uint32 `json:"quorum"`
					Open    bool   `json:"open_deploy"`
				}
				rows := []row{}
				for _, k := range res.Clusters {
					rows = append(rows, row{k.Id, k.Owner, len(k.Members), k.Quorum, k.OpenDeploy})
				}
				return e.print(rows, func(w io.Writer) {
					for _, r := range rows {
						fmt.Fprintf(w, "%d  %d members, quorum %d, owner %s\n", r.ID, r.Members, r.Quorum, r.Owner)
					}
				})
			},
		})
	return cmd
}

func clusterCreateCmd(e *env) *cobra.Command {
	var members []string
	var quorum uint32
	var open bool
	cmd := &cobra.Command{
		Use: "create", Short: "Make a cluster of registered executors", Args: cobra.NoArgs,
		Example: "  phala cluster create --member pha1…/0 --member pha1…/0 --member pha1…/0 --from alice",
		RunE: func(cmd *cobra.Command, _ []string) error {
			refs, err := e.workerRefs(members)
			if err != nil {
				return err
			}
			if len(refs) == 0 {
				return usage("no members: name each with --member OPERATOR/SLOT")
			}
			if quorum == 0 {
				quorum = uint32(len(refs)/2 + 1)
			}
			c, err := e.client(cmd.Context(), true)
			if err != nil {
				return err
			}
			id, tx, err := c.CreateCluster(cmd.Context(), refs, quorum, open)
			if err != nil {
				return err
			}
			e.say("cluster %d made in block %d; its members are getting their keys", id, tx.Height)
			v, err := c.WaitCluster(cmd.Context(), id)
			if err != nil {
				return err
			}
			return e.showCluster(cmd.Context(), c, v)
		},
	}
	e.waitFlags(cmd)
	cmd.Flags().StringSliceVar(&members, "member", nil, "OPERATOR/SLOT of a registered executor; repeat for each")
	cmd.Flags().Uint32Var(&quorum, "quorum", 0, "signatures a batch needs (default: more than half)")
	cmd.Flags().BoolVar(&open, "open-deploy", false, "let anyone deploy to it")
	return cmd
}

func clusterID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, usage("cluster %q: want its number", s)
	}
	return id, nil
}

// workerRefs reads the names of workers: OPERATOR/SLOT, or the name of an operator's key in the place of its address.
func (e *env) workerRefs(names []string) (refs []*wire.WorkerRef, err error) {
	for _, m := range names {
		op, slot, ok := strings.Cut(m, "/")
		if !ok {
			slot = "0"
		}
		n, err := strconv.ParseUint(slot, 10, 32)
		if err != nil {
			return nil, usage("worker %q: want OPERATOR/SLOT", m)
		}
		if op, err = e.operator(op); err != nil {
			return nil, usage("worker %q: %v", m, err)
		}
		refs = append(refs, &wire.WorkerRef{Operator: op, Slot: uint32(n)})
	}
	return refs, nil
}

// operator is the address that is named, or that a key of this name has.
func (e *env) operator(name string) (string, error) {
	_, err := address.Decode(name)
	if err == nil {
		return name, nil
	}
	r, ringErr := e.ring()
	if ringErr != nil {
		return "", ringErr
	}
	if k, ringErr := r.Show(name); ringErr == nil {
		return k.Address, nil
	}
	return "", fmt.Errorf("neither the name of a key here nor an address: %w", err)
}

type memberView struct {
	Worker      string `json:"worker"`
	Kind        string `json:"tee"`
	Measurement string `json:"measurement"`
	Endpoint    string `json:"endpoint"`
	Expiry      uint64 `json:"expiry_height"`
}

type clusterView struct {
	ID         uint64       `json:"id"`
	Owner      string       `json:"owner"`
	Quorum     uint32       `json:"quorum"`
	Epoch      uint64       `json:"epoch"`
	Roster     uint64       `json:"roster"`
	Admitted   uint64       `json:"admitted"` // workers, ever
	OpenDeploy bool         `json:"open_deploy"`
	HasKey     bool         `json:"has_key"`
	Batch      uint64       `json:"batch"`
	Root       string       `json:"root"`
	InboxNext  uint64       `json:"inbox_next"`
	Waiting    uint64       `json:"waiting"`
	Members    []memberView `json:"members"`
	Escrow     uint64       `json:"escrow_height,omitempty"` // since when custodians may be dealt its state keys
	Proven     uint64       `json:"proven_height"`
}

func (e *env) showCluster(ctx context.Context, c *client.Client, v *client.View) error {
	out := clusterView{v.Cluster.Id, v.Cluster.Owner, v.Cluster.Quorum, v.Cluster.Epoch, v.Cluster.Roster, v.Cluster.Admitted, v.Cluster.OpenDeploy, v.Key != nil,
		v.Head.Number, hex.EncodeToString(v.Head.Root), v.Inbox.Next, v.Inbox.Next - v.Head.InboxNext, []memberView{}, v.Cluster.EscrowHeight, v.Height}
	for _, m := range v.Cluster.Members {
		mv := memberView{Worker: m.Name(), Kind: "not registered"}
		w, err := c.Worker(ctx, m)
		if err != nil {
			return err
		}
		if w != nil {
			mv.Kind, mv.Measurement, mv.Endpoint, mv.Expiry = strings.ToLower(strings.TrimPrefix(w.Kind.String(), "TEE_KIND_")), hex.EncodeToString(w.Measurement), w.Endpoint, w.ExpiryHeight
		}
		out.Members = append(out.Members, mv)
	}
	return e.print(out, func(w io.Writer) {
		key := "announced"
		if !out.HasKey {
			key = "not announced yet"
		}
		fmt.Fprintf(w, "cluster %d of %s\n  quorum %d of %d, epoch %d, roster %d, input key %s\n  workers ever admitted %d: each may have seen the state\n  final batch %d, inbox %d items, %d waiting\n  root %s\n",
			out.ID, out.Owner, out.Quorum, len(out.Members), out.Epoch, out.Roster, key, out.Admitted, out.Batch, out.InboxNext, out.Waiting, out.Root)
		for _, m := range out.Members {
			fmt.Fprintf(w, "  member %s  %s  %.16s…  %s\n", m.Worker, m.Kind, m.Measurement, m.Endpoint)
		}
		if out.Escrow != 0 {
			fmt.Fprintf(w, "  its state keys are in escrow: custodians together can read its state (phala escrow show %d)\n", out.ID)
		}
		fmt.Fprintf(w, "  proven against block %d\n", out.Proven)
	})
}
