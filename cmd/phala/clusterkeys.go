package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

func clusterKeysCmd(e *env) *cobra.Command {
	var history int
	cmd := &cobra.Command{
		Use: "keys ID", Short: "Show a cluster's public keys, and which worker asked for their secrets, proven against the chain", Args: cobra.ExactArgs(1),
		Long: `Show the input keys of a cluster: the one in force, the one before, the next; and the newest request of each member.
Gatekeepers answer only what stands in these records, so nobody has been given parts of a secret who is not in them.
Older requests, and those of workers that are no members any more, are in the events of the chain: --history asks
the node for the newest of them; they are the node's word, as far back as it keeps an index.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			if history < 0 || history > node.MaxTxs {
				return usage("--history %d: want 0 to %d", history, node.MaxTxs)
			}
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			v, err := readClusterKeys(cmd.Context(), c, id)
			if err != nil {
				return err
			}
			if history > 0 {
				if v.History, err = requestHistory(cmd.Context(), c, id, history); err != nil {
					return err
				}
			}
			return e.print(v, v.text)
		},
	}
	cmd.Flags().IntVar(&history, "history", 0, "how many of the newest requests ever to ask the node for")
	return cmd
}

type inputKeyView struct {
	Use    string `json:"use"` // previous, in force or next
	Epoch  uint64 `json:"epoch"`
	Roster uint64 `json:"roster"`
	Hash   string `json:"sha256"` // of the public key, as in events
	Agreed uint64 `json:"agreed_height"`
	From   uint64 `json:"from_height"`
}

type requestView struct {
	Worker   string `json:"worker"`
	Epoch    uint64 `json:"epoch,omitempty"` // 0: the worker has never asked
	Roster   uint64 `json:"roster,omitempty"`
	Height   uint64 `json:"height,omitempty"`
	Identity string `json:"identity,omitempty"`
}

type clusterKeysView struct {
	Cluster  uint64         `json:"cluster"`
	Keys     []inputKeyView `json:"keys"`
	Requests []requestView  `json:"requests"` // the newest of each member
	History  []requestView  `json:"history,omitempty"`
	Proven   uint64         `json:"proven_height"`
}

func readClusterKeys(ctx context.Context, c *client.Client, id uint64) (*clusterKeysView, error) {
	v, err := c.Cluster(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &clusterKeysView{Cluster: id, Keys: []inputKeyView{}, Requests: []requestView{}}
	keys := [3]wire.ClusterKey{}
	requests := make([]wire.KeyRequest, len(v.Cluster.Members))
	found := make([]bool, len(keys)+len(requests))
	var reads []client.Read
	for i, k := range [][]byte{storekey.PreviousInputKey(id), storekey.ClusterInputKey(id), storekey.NextInputKey(id)} {
		reads = append(reads, client.Read{Store: storekey.Gatekeeper, Key: k, Into: &keys[i], Found: &found[i]})
	}
	for i, m := range v.Cluster.Members {
		reads = append(reads, client.Read{Store: storekey.Gatekeeper, Key: storekey.KeyRequestKey(id, m.Operator, m.Slot), Into: &requests[i], Found: &found[len(keys)+i]})
	}
	s, err := c.Chain.Get(ctx, reads...)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of cluster %d: %w", id, err)
	}
	out.Proven = s.Height
	for i, use := range []string{"previous", "in force", "next"} {
		if k := keys[i]; found[i] {
			h := sha256.Sum256(k.InputKey)
			out.Keys = append(out.Keys, inputKeyView{use, k.Epoch, k.Roster, hex.EncodeToString(h[:]), k.Height, k.FromHeight})
		}
	}
	for i, m := range v.Cluster.Members {
		r := requests[i]
		out.Requests = append(out.Requests, requestView{m.Name(), r.Epoch, r.Roster, r.Height, hex.EncodeToString(r.IdentityKey)})
	}
	return out, nil
}

// requestHistory reads the events of requests, newest first: the node's word.
func requestHistory(ctx context.Context, c *client.Client, id uint64, limit int) ([]requestView, error) {
	txs, err := c.Node.Txs(ctx, fmt.Sprintf("%s.%s='%d'", gatekeepertypes.EventKeyRequested, gatekeepertypes.AttributeCluster, id), limit)
	if err != nil {
		return nil, fmt.Errorf("asking the node for requests: %w", err)
	}
	out := []requestView{}
	for _, tx := range txs {
		for _, ev := range tx.Events {
			if ev.Type != gatekeepertypes.EventKeyRequested {
				continue
			}
			attr := func(key string) string { s, _ := ev.Attr(key); return s }
			number := func(key string) uint64 { n, _ := strconv.ParseUint(attr(key), 10, 64); return n }
			if number(gatekeepertypes.AttributeCluster) != id {
				continue
			}
			out = append(out, requestView{
				Worker: attr(gatekeepertypes.AttributeOperator) + "/" + attr(gatekeepertypes.AttributeSlot), Epoch: number(gatekeepertypes.AttributeEpoch),
				Roster: number(gatekeepertypes.AttributeRoster), Height: tx.Height, Identity: attr(gatekeepertypes.AttributeIdentity),
			})
		}
	}
	return out, nil
}

func (v *clusterKeysView) text(w io.Writer) {
	fmt.Fprintf(w, "cluster %d\n", v.Cluster)
	if len(v.Keys) == 0 {
		fmt.Fprintln(w, "  no input key: its members are getting their keys")
	}
	for _, k := range v.Keys {
		fmt.Fprintf(w, "  key %-8s  epoch %d roster %d  %.16s…  agreed in block %d, from block %d\n", k.Use, k.Epoch, k.Roster, k.Hash, k.Agreed, k.From)
	}
	for _, r := range v.Requests {
		r.line(w, "newest request of")
	}
	fmt.Fprintf(w, "  proven against block %d\n", v.Proven)
	for _, r := range v.History {
		r.line(w, "the node says: request of")
	}
}

func (r requestView) line(w io.Writer, what string) {
	if r.Epoch == 0 {
		fmt.Fprintf(w, "  %s %s: none\n", what, r.Worker)
		return
	}
	fmt.Fprintf(w, "  %s %s: epoch %d roster %d in block %d, by identity %.16s…\n", what, r.Worker, r.Epoch, r.Roster, r.Height, r.Identity)
}
