package lightclient

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

// WordBytes is what a gatekeeper's identity signs to give its word for a header.
func WordBytes(chainID string, w *wire.HeaderWord) []byte {
	return wire.SignBytes("phala/header-word/v1/"+chainID, &wire.HeaderWord{Height: w.Height, Hash: w.Hash, Gatekeeper: w.Gatekeeper})
}

// CheckWord gives the index of the member of set whose word w is. An error says why it is nobody's.
func CheckWord(chainID string, set *wire.GatekeeperSet, w *wire.HeaderWord) (int, error) {
	for i, m := range set.GetMembers() {
		if !m.GetWorker().Is(w.GetGatekeeper()) || m.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		if len(m.IdentityKey) != ed25519.PublicKeySize || !ed25519.Verify(m.IdentityKey, WordBytes(chainID, w), w.Signature) {
			return 0, fmt.Errorf("taking a word for header %d: not signed by gatekeeper %s of epoch %d", w.Height, m.Worker.Name(), set.Epoch)
		}
		return i, nil
	}
	return 0, fmt.Errorf("taking a word for header %d: %s is no gatekeeper of epoch %d", w.GetHeight(), w.GetGatekeeper().Name(), set.GetEpoch())
}

const (
	askAgain = 2 // headers after which the others are asked again
	askAnew  = 8 // headers after which they are asked for a newer one
)

// Doubt is what a gatekeeper has after a gap: the chain that it sees since then may be a fork whose makers bought old keys, so it serves
// only once as many others as the threshold have given their word for a header of it. The others are those it knew before the gap: what
// the doubtful chain says of them does not count.
type Doubt struct {
	chainID string
	since   uint64 // newest height before the gap
	set     *wire.GatekeeperSet
	me      *wire.WorkerRef
	header  Header // that words are wanted for; height 0: none yet
	asked   uint64 // height at which the others were asked last
	given   map[int]bool
}

// NewDoubt begins at a gap behind the height since, with the set in force before it.
func NewDoubt(chainID string, since uint64, set *wire.GatekeeperSet, me *wire.WorkerRef) *Doubt {
	return &Doubt{chainID: chainID, since: since, set: set, me: me, given: map[int]bool{}}
}

// Others are the members who may give their word.
func (d *Doubt) Others() (refs []*wire.WorkerRef) {
	for _, m := range d.set.GetMembers() {
		if m.Fault == wire.MEMBER_FAULT_NONE && !m.Worker.Is(d.me) {
			refs = append(refs, m.Worker)
		}
	}
	return refs
}

// Since is the newest height before the gap.
func (d *Doubt) Since() uint64 { return d.since }

// Ask says for which header the others are to be asked when newest has been verified; false: for none now.
func (d *Doubt) Ask(newest Header) (Header, bool) {
	switch {
	case newest.Height <= d.since || d.header.Height > 0 && newest.Height < d.asked+askAgain:
		return Header{}, false
	case d.header.Height == 0 || newest.Height >= d.header.Height+askAnew:
		d.header = newest
		clear(d.given)
	}
	d.asked = newest.Height
	return d.header, true
}

// Take counts another member's word. An error says why it does not count.
func (d *Doubt) Take(w *wire.HeaderWord) error {
	i, err := CheckWord(d.chainID, d.set, w)
	switch {
	case err != nil:
		return err
	case w.Gatekeeper.Is(d.me):
		return fmt.Errorf("taking a word for header %d: it is this gatekeeper's own", w.Height)
	case d.header.Height == 0 || w.Height != d.header.Height:
		return nil // late, or not asked for
	case !bytes.Equal(w.Hash, d.header.Hash):
		return fmt.Errorf("taking a word for header %d: gatekeeper %s has %X there, this enclave %X: one of both is on a fork", w.Height, w.Gatekeeper.Name(), w.Hash, d.header.Hash)
	}
	d.given[i] = true
	return nil
}

// Over says that enough words are there: as many as the threshold, or all the others where there are not so many.
func (d *Doubt) Over() bool {
	return d.header.Height > d.since && len(d.given) >= min(int(d.set.GetThreshold()), len(d.set.GetMembers())-1)
}
