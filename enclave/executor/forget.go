package executor

import "github.com/phala-go/phala/core/settle"

// Forget erases all keys and state (P16): no header of the chain came for too long. The clusters are looked at anew, and their keys asked
// for anew, when the next one comes. What was signed is forgotten with the rest, so nothing is signed before the next leader's turn.
func (x *Executor) Forget() {
	for _, c := range x.clusters {
		c.retire()
	}
	x.quiet = x.cfg.Light.Height() + settle.ViewBlocks - 1
}
