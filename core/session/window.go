package session

import "fmt"

// WindowSize is how far behind the highest counter seen a request may come, since requests overtake each other on their way.
const WindowSize = 1024

const words = WindowSize/64 + 1 // one more than the window: the word being filled (RFC 6479)

// Window knows which counters were used. The zero value has seen none. It is not safe for concurrent use.
type Window struct {
	top  uint64 // the highest used
	bits [words]uint64
}

// Fresh is nil if counter may still be used.
func (w *Window) Fresh(counter uint64) error {
	switch {
	case counter == 0 || counter > MaxRequests:
		return fmt.Errorf("a session has the requests 1 to %d, not %d", MaxRequests, counter)
	case counter > w.top:
		return nil
	case w.top-counter >= WindowSize:
		return fmt.Errorf("request %d comes too late: request %d has been seen, and at most %d may be overtaken", counter, w.top, WindowSize-1)
	case w.bits[counter/64%words]&(1<<(counter%64)) != 0:
		return fmt.Errorf("request %d has been seen already", counter)
	}
	return nil
}

// Use marks counter as used, once and for all; an error says that it may not be used.
func (w *Window) Use(counter uint64) error {
	if err := w.Fresh(counter); err != nil {
		return err
	}
	if counter > w.top {
		for i := w.top/64 + 1; i <= counter/64 && i <= w.top/64+words; i++ {
			w.bits[i%words] = 0
		}
		w.top = counter
	}
	w.bits[counter/64%words] |= 1 << (counter % 64)
	return nil
}
