package generation

import "github.com/phala-go/phala/core/wire"

// RecordJoin writes a join that CheckJoin has passed into g.
func RecordJoin(g *wire.Generation, j *wire.GenerationJoin) {
	m := g.Members[j.Member]
	m.IdentityKey, m.JoinHash = j.IdentityKey, wire.Hash(j)
}

// RecordContribution writes a contribution that CheckContribution has passed into g.
func RecordContribution(g *wire.Generation, c *wire.Contribution) {
	g.Members[c.Member].ContributionHash = wire.Hash(c)
}

// RecordConfirmation writes a confirmation that CheckConfirmation has passed into g.
func RecordConfirmation(g *wire.Generation, c *wire.Confirmation) {
	g.Members[c.Member].Confirmed = true
}

// Exclude takes a member out of a generation that is under way, if it is in it: by Judge's word, or because its identity is lost.
// It says whether it changed anything.
func Exclude(g *wire.Generation, member uint32, fault wire.MemberFault) bool {
	done, _ := stage(g)
	if done == nil || fault == wire.MEMBER_FAULT_NONE {
		return false
	}
	m, err := active(g, member)
	if err != nil {
		return false
	}
	m.Fault = fault
	return true
}
