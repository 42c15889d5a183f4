package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
)

// contractRow is what the chain tells everybody of a contract.
type contractRow struct {
	Address string `json:"address"`
	Label   string `json:"label"`
	State   string `json:"state"`
	Query   string `json:"query"`
	Creator string `json:"creator"`
	CodeID  string `json:"code_id"`
}

// listContractsCmd lists what accounts have instantiated; contracts that contracts have made are known to their cluster alone.
func listContractsCmd(e *env) *cobra.Command {
	var cluster uint64
	cmd := &cobra.Command{
		Use: "list", Short: "List the contracts of a cluster (the node's word)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			rows := []contractRow{}
			for req := (&clustertypes.QueryContractsRequest{Cluster: cluster}); ; {
				var res clustertypes.QueryContractsResponse
				if err := c.Node.Query(cmd.Context(), "/phala.cluster.v1.Query/Contracts", req, &res); err != nil {
					return err
				}
				for _, k := range res.Contracts {
					rows = append(rows, row(k))
					req.After = k.Address
				}
				if len(res.Contracts) == 0 {
					break
				}
			}
			return e.print(rows, func(w io.Writer) {
				for _, r := range rows {
					fmt.Fprintf(w, "%s  %-7s  query %-5s  %s\n", r.Address, r.State, r.Query, r.Label)
				}
			})
		},
	}
	cmd.Flags().Uint64Var(&cluster, "cluster", 1, "the cluster")
	return cmd
}

func row(k *wire.Contract) contractRow {
	word := func(s, prefix string) string { return strings.ToLower(strings.TrimPrefix(s, prefix)) }
	return contractRow{
		Address: address.Encode(k.Address), Label: k.Label, Creator: k.Creator, CodeID: hex.EncodeToString(k.CodeId),
		State: word(k.State.String(), "CONTRACT_STATE_"), Query: word(k.Query.String(), "QUERY_POLICY_"),
	}
}
