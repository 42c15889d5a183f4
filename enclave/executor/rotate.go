package executor

import (
	"context"
	"errors"

	"github.com/phala-go/phala/core/gas"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
)

// rotateMessage is what contracts are told after a member was removed for cause.
const rotateMessage = `{"rotate":{}}`

// rotate calls `sudo rotate` of every contract that exports sudo, in the order of their addresses, each as a step of its own: one
// that fails keeps its secrets and stops no other. What they draw here waits for no beacon: nobody chooses this input, and what counts is
// that the removed have never had the key it is drawn with.
func (c *call) rotate(ctx context.Context) error {
	var all []*wire.Contract
	var bad error
	c.ed.Map().Ascend(calls.ContractKey(nil), calls.ContractsEnd(), func(_, v []byte) bool {
		m := &wire.Contract{}
		bad = errors.Join(bad, wire.Unmarshal(v, m))
		all = append(all, m)
		return true
	})
	if bad != nil {
		return bad
	}
	for _, m := range all {
		step := c.ed.Step()
		session := c.session()
		session.Gas, session.Slow = gas.Limit(c.item.Context.GasClass), false
		session.Random = c.job.own().InputRandomness(c.hash(), [32]byte{})
		err := session.Sudo(ctx, step, m, []byte(rotateMessage))
		c.gas += session.Used()
		var failed *userError
		switch {
		case err == nil:
			c.ed.Commit(step)
			c.effects = append(c.effects, session.Effects...)
		case !errors.As(err, &failed):
			return err
		}
	}
	return nil
}
