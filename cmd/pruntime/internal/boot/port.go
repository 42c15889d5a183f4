package boot

import (
	"io"
	"net"
	"sync"
	"time"
)

// line is a virtio-serial port of the kernel's. Hung up means that nobody at the host's end has it open.
type line interface {
	// poll waits a moment; readable may be true while hung up, if something is left to read.
	poll(write bool) (ready, hungUp bool, err error)
	io.ReadWriter
}

// pause is between looks at a port that says nothing.
const pause = 50 * time.Millisecond

// Port makes a listener of a line: from when the host opens its end until it closes it is one connection. A port does not tell two
// connections apart where the second comes at once; the host's program waits a moment before it dials again.
type Port struct {
	line  line
	name  string
	close sync.Once
	done  chan struct{} // closed by Close
	free  chan bool     // holds a token while no connection is open: whether the host had hung up on the one before
}

func newPort(l line, name string) *Port {
	p := &Port{line: l, name: name, done: make(chan struct{}), free: make(chan bool, 1)}
	p.free <- true
	return p
}

// Accept waits for the host. It gives a connection only when the one before has ended at both ends.
func (p *Port) Accept() (net.Conn, error) {
	var over bool
	select {
	case <-p.done:
		return nil, net.ErrClosed
	case over = <-p.free:
	}
	for {
		ready, hungUp, err := p.line.poll(false)
		switch {
		case p.closed():
			return nil, net.ErrClosed
		case err != nil:
			return nil, err
		case over && !hungUp:
			return &conn{port: p}, nil
		case !over && ready: // the rest of a conversation that this side has ended
			if _, err := p.line.Read(make([]byte, 4096)); err != nil && !again(err) {
				return nil, err
			}
			continue
		}
		over = over || hungUp
		time.Sleep(pause)
	}
}

func (p *Port) closed() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Close ends Accept and the connection.
func (p *Port) Close() error {
	p.close.Do(func() { close(p.done) })
	return nil
}

// Addr is the port's device.
func (p *Port) Addr() net.Addr { return address(p.name) }

type address string

func (address) Network() string  { return "virtio-serial" }
func (a address) String() string { return string(a) }
