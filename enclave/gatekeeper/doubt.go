package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// Starved is told when no header came for too long (P16). What is held of epochs is kept, and not used until others have given their
// word for the chain that is seen afterwards; a generation under way is left, since its secrets could be asked for on a fork.
func (g *Gatekeeper) Starved() {
	g.leave()
	if g.doubt != nil || len(g.epochs)+len(g.kept.parts) == 0 || g.known == nil {
		return
	}
	g.doubt = lightclient.NewDoubt(g.cfg.ChainID, g.cfg.Light.Height(), g.known, g.cfg.Worker())
}

// reassure asks the others while there is doubt; false: nothing may be done yet.
func (g *Gatekeeper) reassure() (outs []*wire.Out, sure bool) {
	if g.doubt == nil {
		return nil, true
	}
	if err := g.cfg.Light.Fresh(); err != nil {
		return g.complain("stale", "what was proven", err, "bring headers as they are made"), false
	}
	if h, ok := g.doubt.Ask(g.cfg.Light.Newest()); ok {
		for _, to := range g.doubt.Others() {
			outs = append(outs, g.word(h, to, true))
		}
	}
	if !g.doubt.Over() {
		return append(outs, g.complain("doubtful", "the chain after a gap", fmt.Errorf("no header came for too long after height %d: nothing is served until other gatekeepers confirm the chain", g.doubt.Since()),
			"carry messages between the gatekeepers")...), false
	}
	g.doubt = nil
	return append(outs, g.complain("doubtful", "the chain after a gap", nil, "")...), true
}

func (g *Gatekeeper) word(h lightclient.Header, to *wire.WorkerRef, asks bool) *wire.Out {
	w := &wire.HeaderWord{Height: h.Height, Hash: h.Hash, Gatekeeper: g.cfg.Worker(), Asks: asks}
	w.Signature = ed25519.Sign(g.cfg.Identity, lightclient.WordBytes(g.cfg.ChainID, w))
	return &wire.Out{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: to, Body: &wire.PeerMessage_HeaderWord{HeaderWord: w}}}}
}

// HeaderWord takes another gatekeeper's word, and gives this one's to a gatekeeper that asks for it, if it has verified the same header
// while it was sure of the chain, or is in the same doubt.
func (g *Gatekeeper) HeaderWord(w *wire.HeaderWord) (outs []*wire.Out) {
	if g.known == nil {
		return g.ignore("a word for a header", "this gatekeeper knows no set yet whose word would count")
	}
	if w.Asks {
		h, err := g.confirm(w)
		if err != nil {
			return g.complain("header-word", "another gatekeeper's question", err, "look which of both nodes is on the true chain, if this goes on")
		}
		outs = append(outs, g.word(h, w.Gatekeeper, false))
	}
	if g.doubt == nil {
		if !w.Asks {
			return g.ignore("a word for a header", "this gatekeeper has not asked for any")
		}
		return outs
	}
	outs = append(outs, g.complain("header-word", "another gatekeeper's word", g.doubt.Take(w), "look which of both nodes is on the true chain")...)
	if g.doubt.Over() && g.now != nil && g.now.has(g.base()...) {
		outs = append(outs, g.step()...)
	}
	return outs
}

// confirm gives the header that another asks about; an error says why this gatekeeper does not give its word for it.
func (g *Gatekeeper) confirm(w *wire.HeaderWord) (h lightclient.Header, err error) {
	if _, err := lightclient.CheckWord(g.cfg.ChainID, g.known, w); err != nil {
		return h, err
	}
	h, ok := g.cfg.Light.Header(w.Height)
	switch {
	case !ok:
		return h, fmt.Errorf("header %d is not among those that this gatekeeper has verified and kept", w.Height)
	case !bytes.Equal(h.Hash, w.Hash):
		return h, fmt.Errorf("%s asks about header %d with %X, this gatekeeper has %X there: one of both is on a fork", w.Gatekeeper.Name(), w.Height, w.Hash, h.Hash)
	}
	return h, g.cfg.Light.Fresh()
}
