package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/escrow"
)

func escrowShowCmd(e *env) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a cluster's escrow, what is dealt and who asks for it, proven against the chain", Args: cobra.ExactArgs(1),
		Long: `Show a cluster's escrow, which state keys are dealt, and which members ask the custodians for them, proven against the
chain. With --key a custodian sees whether it can open its share of each: one that it cannot was dealt badly, and the
custodian says so while the others still have the state (the owner then replaces the member that dealt it).`,
		Example: "  phala escrow show 1\n  phala escrow show 1 --key anna.key",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clusterID(args[0])
			if err != nil {
				return err
			}
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			s, err := c.Escrow(cmd.Context(), id)
			if err != nil {
				return err
			}
			v := viewEscrow(s)
			if key != "" {
				k, err := readCustodian(key)
				if err != nil {
					return err
				}
				if err := v.mine(s, c.ChainID(), k); err != nil {
					return err
				}
			}
			if s.Record == nil && len(s.Cluster.EscrowConsent) == 0 {
				return advise(fmt.Errorf("the state keys of cluster %d are in no escrow: %w", id, node.ErrNotFound), "there is none unless its owner and governance want it: phala escrow --help")
			}
			return e.print(v, v.text)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "a custodian's key file: try to open its shares")
	return cmd
}

type escrowDealView struct {
	Epoch  uint64 `json:"epoch"`
	Roster uint64 `json:"roster"`
	Number uint32 `json:"number"`
	Worker string `json:"dealt_by"`
	Height uint64 `json:"height"`
	Mine   string `json:"mine,omitempty"` // "opens", or why not
}

type escrowAskView struct {
	Worker      string   `json:"worker"`
	Height      uint64   `json:"height"`
	Kind        string   `json:"kind"`
	Measurement string   `json:"measurement"`
	Registered  uint64   `json:"registered_height"`
	Refused     string   `json:"refused,omitempty"` // why nobody may answer it
	Answered    []string `json:"answered_by"`       // custodians who have given all
}

type escrowView struct {
	Cluster    uint64           `json:"cluster"`
	Owner      string           `json:"owner"`
	Consent    string           `json:"consent"` // hash of the terms that the owner consents to
	InForce    bool             `json:"in_force"`
	Threshold  uint32           `json:"threshold"`
	Custodians []string         `json:"custodians"`
	Approved   uint64           `json:"approved_height"`
	From       uint64           `json:"from_height"`
	Deals      []escrowDealView `json:"deals"`
	Requests   []escrowAskView  `json:"requests"`
	Proven     uint64           `json:"proven_height"`
}

func viewEscrow(s *client.Escrow) *escrowView {
	t := s.Record.GetTerms()
	v := &escrowView{
		Cluster: s.Cluster.Id, Owner: s.Cluster.Owner, Consent: hex.EncodeToString(s.Cluster.EscrowConsent),
		InForce: s.Record != nil && s.Record.FromHeight <= s.Height, Threshold: t.GetThreshold(), Custodians: append([]string{}, custodians(t)...),
		Approved: s.Record.GetApprovedHeight(), From: s.Record.GetFromHeight(), Deals: []escrowDealView{}, Requests: []escrowAskView{}, Proven: s.Height,
	}
	for _, d := range s.Deals {
		v.Deals = append(v.Deals, escrowDealView{Epoch: d.Deal.Epoch, Roster: d.Deal.Roster, Number: d.Number, Worker: d.Deal.Worker.Name(), Height: d.Deal.Height})
	}
	for _, a := range s.Requests {
		v.Requests = append(v.Requests, viewAsk(s, a))
	}
	return v
}

func viewAsk(s *client.Escrow, a *client.EscrowAsk) escrowAskView {
	v := escrowAskView{Worker: a.Request.Worker.Name(), Height: a.Request.Height, Answered: []string{}}
	if w := a.Worker; w != nil {
		v.Kind, v.Measurement, v.Registered = strings.ToLower(strings.TrimPrefix(w.Kind.String(), "TEE_KIND_")), hex.EncodeToString(w.Measurement), w.RegisteredHeight
	}
	if a.Refused != nil {
		v.Refused = a.Refused.Error()
	}
	for i, name := range custodians(s.Record.GetTerms()) {
		all := len(s.Deals) > 0
		for d := range s.Deals {
			all = all && a.Answered[client.EscrowSlot{Deal: d, Custodian: uint32(i)}]
		}
		if all {
			v.Answered = append(v.Answered, name)
		}
	}
	return v
}

// mine notes which shares of a custodian open.
func (v *escrowView) mine(s *client.Escrow, chainID string, k *escrow.Key) error {
	if s.Record == nil {
		return nil // nobody is a custodian
	}
	if _, ok := s.Custodian(k); !ok {
		return advise(fmt.Errorf("this key is of no custodian of cluster %d", v.Cluster), "phala escrow show without --key lists the custodians; phala escrow key NAME --file FILE shows the key's record")
	}
	for i, d := range s.Deals {
		share, err := s.Open(chainID, k, d)
		if err != nil {
			v.Deals[i].Mine = err.Error()
			continue
		}
		share.Wipe()
		v.Deals[i].Mine = "opens"
	}
	return nil
}

func (v *escrowView) text(w io.Writer) {
	fmt.Fprintf(w, "cluster %d of %s\n", v.Cluster, v.Owner)
	if len(v.Custodians) == 0 {
		fmt.Fprintf(w, "  no escrow: the owner consents to terms %.16s…, governance has not put them into force\n", v.Consent)
		fmt.Fprintf(w, "  proven against block %d\n", v.Proven)
		return
	}
	from := fmt.Sprintf("in force since block %d", v.From)
	if !v.InForce {
		from = fmt.Sprintf("in force in %d blocks, from block %d", v.From-v.Proven, v.From)
	}
	fmt.Fprintf(w, "  escrow      any %d of %d custodians together read its state, approved in block %d, %s\n  custodians  %s\n",
		v.Threshold, len(v.Custodians), v.Approved, from, strings.Join(v.Custodians, ", "))
	for _, d := range v.Deals {
		fmt.Fprintf(w, "  dealt       key of epoch %d roster %d, number %d, by %s in block %d", d.Epoch, d.Roster, d.Number, d.Worker, d.Height)
		if d.Mine != "" {
			fmt.Fprintf(w, "; your share: %s", d.Mine)
		}
		fmt.Fprintln(w)
	}
	if len(v.Deals) == 0 {
		fmt.Fprintln(w, "  nothing is dealt yet")
	}
	for _, r := range v.Requests {
		fmt.Fprintf(w, "  asked       by %s in block %d, answered by %s", r.Worker, r.Height, orNobody(r.Answered))
		if r.Refused != "" {
			fmt.Fprintf(w, "; nobody may answer it: %s", r.Refused)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  proven against block %d\n", v.Proven)
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
