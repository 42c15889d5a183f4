package executor

import "slices"

// askEarly asks for a secret of a cluster that this worker is about to be a member of, a block before that is proven: the answer then
// comes a block earlier. Once a header is often enough, however often the host says it.
func (x *Executor) askEarly(c *cluster, l label) error {
	h := x.cfg.Light.Height()
	if l.epoch == 0 || l.roster == 0 || h == 0 || c.me >= 0 || c.early != nil && c.early.height == h {
		return nil
	}
	r, err := x.newRequest(c.id, l, h)
	if err == nil {
		c.endEarly()
		c.early = r
	}
	return err
}

// adopt takes an early request for the one that the worker would make now, if it is still young.
func (c *cluster) adopt() {
	r := c.early
	c.early = nil
	if r != nil && c.request == nil && c.height < r.height+repeatAfter && slices.Contains(c.missing(), r.label) {
		c.request = r
	} else if r != nil {
		r.wipe()
	}
}

// endEarly forgets the early request.
func (c *cluster) endEarly() {
	if c.early != nil {
		c.early.wipe()
	}
	c.early = nil
}
