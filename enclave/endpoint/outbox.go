package endpoint

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/phala-go/phala/core/wire"
)

// maxHeld is how many bytes of answers wait for the host to read them; who has more to say waits.
const maxHeld = 1 << 20

// outbox writes answers in the background, as many at once as there are: under load one write carries many.
type outbox struct {
	c net.Conn

	mu      sync.Mutex
	changed sync.Cond // something was put, taken or broken
	held    []byte
	err     error
	closed  bool
	done    chan struct{}
}

func newOutbox(c net.Conn) *outbox {
	o := &outbox{c: c, done: make(chan struct{})}
	o.changed.L = &o.mu
	go o.write()
	return o
}

// put adds frames, which stay together. An error is that of an earlier write.
func (o *outbox) put(outs []*wire.Out) error {
	var frames []byte
	for _, m := range outs {
		b := wire.Marshal(m)
		frames = append(binary.BigEndian.AppendUint32(frames, uint32(len(b))), b...)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.held) > maxHeld && o.err == nil && !o.closed {
		o.changed.Wait()
	}
	if o.err == nil {
		o.held = append(o.held, frames...)
		o.changed.Broadcast()
	}
	return o.err
}

// close waits until what was put is written or cannot be.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.changed.Broadcast()
	o.mu.Unlock()
	<-o.done
}

func (o *outbox) write() {
	defer close(o.done)
	var spare []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.held) == 0 && !o.closed {
			o.changed.Wait()
		}
		if len(o.held) == 0 {
			return
		}
		now := o.held
		o.held = spare[:0]
		o.changed.Broadcast()
		o.mu.Unlock()
		_, err := o.c.Write(now)
		o.mu.Lock()
		if spare = now; cap(spare) > maxHeld {
			spare = nil
		}
		if err != nil {
			o.err, o.held = err, nil
			o.c.Close() // the reader must hear of it
			o.changed.Broadcast()
			return
		}
	}
}
