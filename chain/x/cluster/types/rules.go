package types

import (
	"bytes"
	"slices"

	"cosmossdk.io/math"

	"github.com/phala-go/phala/core/gas"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// Bounds of what users name.
const (
	MaxLabel   = 128 // bytes
	GasClasses = gas.Classes

	// RotateGasClass is what each contract may use to rotate its secrets. Nobody pays for it.
	RotateGasClass = 2
)

// ParseAmount reads an amount of ppha in the one form it has: decimal digits without sign or leading zero; empty is 0.
func ParseAmount(s string) (math.Int, error) {
	if s == "" {
		return math.ZeroInt(), nil
	}
	n, ok := math.NewIntFromString(s)
	if !ok || n.IsNegative() || n.String() != s {
		return math.Int{}, ErrAmount.Wrapf("amount %q: want ppha in decimal digits", s)
	}
	return n, nil
}

// CheckMembers refuses a list of members or a quorum that no cluster may have.
func CheckMembers(p *Params, members []*wire.WorkerRef, quorum uint32) error {
	n := len(members)
	if n == 0 || n > int(p.MaxMembers) {
		return ErrMembers.Wrapf("%d members: want 1 to %d", n, p.MaxMembers)
	}
	seen := make(map[string]bool)
	for i, m := range members {
		if m.GetOperator() == "" || seen[m.Name()] {
			return ErrMembers.Wrapf("member %d, worker %s, is missing or named twice", i, m.Name())
		}
		seen[m.Name()] = true
	}
	if 2*uint64(quorum) <= uint64(n) || uint64(quorum) > uint64(n) {
		return ErrQuorum.Wrapf("quorum %d of %d members: want %d to %d", quorum, n, n/2+1, n)
	}
	return nil
}

// NextMembers is who is left and new, in that order, and the quorum among them.
func NextMembers(p *Params, c *wire.Cluster, m *MsgUpdateMembers) (members []*wire.WorkerRef, quorum uint32, err error) {
	switch {
	case len(m.Add) == 0 && len(m.Remove) == 0:
		return nil, 0, ErrMembers.Wrapf("nobody to add to cluster %d or to remove from it", c.Id)
	case m.Cause && len(m.Remove) == 0:
		return nil, 0, ErrMembers.Wrap("cause is for removals: name whom to remove")
	}
	members = slices.Clone(c.Members)
	for _, r := range m.Remove {
		at := slices.IndexFunc(members, r.Is)
		if at < 0 {
			return nil, 0, ErrMembers.Wrapf("worker %s is not a member of cluster %d, or named twice", r.Name(), c.Id)
		}
		members = slices.Delete(members, at, at+1)
	}
	for _, a := range m.Add {
		if slices.ContainsFunc(m.Remove, a.Is) {
			return nil, 0, ErrMembers.Wrapf("worker %s is to be added and removed", a.Name())
		}
	}
	members = append(members, m.Add...)
	if quorum = m.Quorum; quorum == 0 {
		quorum = c.Quorum
	}
	return members, quorum, CheckMembers(p, members, quorum)
}

// CheckMember refuses a worker that cannot serve in a cluster at height; w is nil if it is not registered.
func CheckMember(ref *wire.WorkerRef, w *wire.Worker, height uint64) error {
	switch {
	case w == nil:
		return ErrMembers.Wrapf("worker %s is not registered: register it first", ref.Name())
	case w.Role != wire.ROLE_EXECUTOR:
		return ErrMembers.Wrapf("worker %s is a %s: a cluster is made of executors", ref.Name(), w.Role)
	case w.ExpiryHeight <= height:
		return ErrMembers.Wrapf("registration of worker %s ended at height %d: register it anew", ref.Name(), w.ExpiryHeight)
	}
	return nil
}

// CheckCode refuses what is no WebAssembly module, by its first bytes; the enclave looks at the rest.
func CheckCode(code []byte) error {
	if !bytes.HasPrefix(code, []byte("\x00asm")) {
		return ErrCode.Wrapf("%d bytes that do not begin with \\0asm: build the contract for wasm and pack it with gzip", len(code))
	}
	return nil
}

// CheckInput refuses an input that its cluster could not open, and gives the fee of its gas class and its funds.
func CheckInput(p *Params, c *wire.Cluster, epoch, roster uint64, sealed *wire.Envelope, in *wire.InputContext) (fee, funds math.Int, err error) {
	if !settle.MaySeal(c, epoch, roster) {
		return fee, funds, ErrEpoch.Wrapf("input is for epoch %d roster %d, cluster %d has epoch %d roster %d: seal it to the cluster's newest input key", epoch, roster, c.Id, c.Epoch, c.Roster)
	}
	if uint64(in.GasClass) >= uint64(len(p.GasClassFees)) {
		return fee, funds, ErrGasClass.Wrapf("gas class %d: want 0 to %d", in.GasClass, len(p.GasClassFees)-1)
	}
	if err := seal.Check(sealed); err != nil {
		return fee, funds, ErrEnvelope.Wrapf("%v: seal the message again with a client of this version", err)
	}
	if funds, err = ParseAmount(in.Funds); err != nil {
		return fee, funds, err
	}
	fee, err = ParseAmount(p.GasClassFees[in.GasClass])
	return fee, funds, err
}

// CheckDeploy refuses an instantiation whose sender may not deploy or that leaves open who may query the contract.
func CheckDeploy(c *wire.Cluster, m *MsgInstantiate) error {
	if !c.OpenDeploy && m.Sender != c.Owner {
		return ErrOwner.Wrapf("cluster %d lets only %s deploy: ask its owner, or take a cluster with open_deploy", c.Id, c.Owner)
	}
	if len(m.Label) > MaxLabel {
		return ErrMalformed.Wrapf("label of %d bytes: at most %d", len(m.Label), MaxLabel)
	}
	if m.Query < wire.QUERY_POLICY_SELF || m.Query > wire.QUERY_POLICY_OPEN {
		return ErrMalformed.Wrapf("query policy %s: choose self, owner or open", m.Query)
	}
	return nil
}

// CheckPayout gives the escrow that is left after a payout.
func CheckPayout(escrow string, p *wire.Payout) (amount, left math.Int, err error) {
	held, err := ParseAmount(escrow)
	if err != nil {
		return amount, left, err
	}
	if amount, err = ParseAmount(p.Amount); err != nil {
		return amount, left, err
	}
	if amount.IsZero() {
		return amount, left, ErrAmount.Wrapf("payout of nothing to %s", p.To)
	}
	if amount.GT(held) {
		return amount, left, ErrEscrow.Wrapf("payout of %s to %s, the cluster's escrow holds %s", amount, p.To, held)
	}
	return amount, held.Sub(amount), nil
}
