package lightclient

// Frozen is the client as it was at one moment, with the header of one height. Unlike the client it may be asked by any goroutine: whether
// what was proven at that height is fresh still, by counters that go on.
type Frozen struct {
	c      Client
	height uint64
}

// Freeze takes the moment for what was proven at height.
func (c *Client) Freeze(height uint64) *Frozen {
	f := &Frozen{Client{cfg: c.cfg, state: c.state, clock: c.clock, fork: c.fork, history: newHistory(height)}, height}
	if s, ok := c.history.states[height]; ok {
		f.c.history.states[height] = s
	}
	if s, ok := c.history.states[c.state.Height]; ok {
		f.c.history.states[c.state.Height] = s
	}
	return f
}

// Fresh is the client's FreshAt.
func (f *Frozen) Fresh() error { return f.c.FreshAt(f.height) }

// Header is the header of the height.
func (f *Frozen) Header() Header {
	h, _ := f.c.Header(f.height)
	return h
}

// Newest is the newest header of that moment.
func (f *Frozen) Newest() Header { return f.c.Newest() }
