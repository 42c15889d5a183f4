package lightclient

import "time"

// slack is by how much of the time counted the counter may run fast against the chain's clocks: one part in slack. A host that delays
// every header by as much stays unseen by the counter.
const slack = 5000

// clock is the least that the time can be, by the headers' times and the counter: what was the time once has passed since.
type clock struct {
	began bool
	at    time.Time     // the time at least …
	when  time.Duration // … at this count
	last  time.Duration // count at the newest header
}

// saw notes that a header of time t was verified at a count.
func (c *clock) saw(t time.Time, count time.Duration) {
	if !c.began || t.After(c.now(count)) {
		c.at, c.when = t, count
	}
	c.began, c.last = true, count
}

// now is the time at least; zero before the first header.
func (c *clock) now(count time.Duration) time.Time {
	since := count - c.when
	return c.at.Add(since - since/slack)
}
