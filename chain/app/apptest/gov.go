package apptest

import (
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
)

// Authority is the address that governs the modules, for the authority field of their messages.
func Authority() string { return authtypes.NewModuleAddress(govtypes.ModuleName).String() }

// Govern has governance run these messages: it proposes, votes with the validator's stake and lets the voting period
// pass. It returns the proposal as it ended: passed, or failed with a reason if the messages failed.
func (n *Net) Govern(msgs ...sdk.Msg) *govv1.Proposal {
	n.t.Helper()
	params, err := n.App.GovKeeper.Params.Get(n.Ctx())
	check(n.t, err)
	submit, err := govv1.NewMsgSubmitProposal(msgs, params.MinDeposit, n.Validator.String(), "", "test", "test", false)
	check(n.t, err)
	var resp govv1.MsgSubmitProposalResponse
	Response(n.t, n.MustDeliver(n.Validator, submit).Data, 0, &resp)
	n.MustDeliver(n.Validator, govv1.NewMsgVote(n.Validator.Addr, resp.ProposalId, govv1.OptionYes, ""))
	n.Advance(*params.VotingPeriod)
	n.Block()
	prop, err := n.App.GovKeeper.Proposals.Get(n.Ctx(), resp.ProposalId)
	check(n.t, err)
	return &prop
}
