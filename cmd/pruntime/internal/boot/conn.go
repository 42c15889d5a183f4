package boot

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is what the host says from when it opens its end of a port until it closes it.
type conn struct {
	port   *Port
	close  sync.Once
	shut   atomic.Bool
	hungUp atomic.Bool
}

var errHungUp = errors.New("the host has hung up")

func again(err error) bool { return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) }

// turn waits until the line is ready for a read or a write, or tells why it never will be.
func (c *conn) turn(write bool) error {
	for {
		if c.shut.Load() || c.port.closed() {
			return net.ErrClosed
		}
		ready, hungUp, err := c.port.line.poll(write)
		switch {
		case err != nil:
			return err
		case ready && (!write || !hungUp): // what the host said before it hung up is still read
			return nil
		case hungUp:
			c.hungUp.Store(true)
			return errHungUp
		}
	}
}

// Read gives what the host has written, and io.EOF when it has hung up.
func (c *conn) Read(b []byte) (int, error) {
	for {
		if err := c.turn(false); errors.Is(err, errHungUp) {
			return 0, io.EOF
		} else if err != nil {
			return 0, err
		}
		switch n, err := c.port.line.Read(b); {
		case err != nil && again(err):
		case err == nil && n == 0, errors.Is(err, io.EOF):
			c.hungUp.Store(true)
			return 0, io.EOF
		default:
			return n, err
		}
	}
}

// Write gives the host all of b.
func (c *conn) Write(b []byte) (done int, err error) {
	for done < len(b) {
		if err := c.turn(true); err != nil {
			return done, err
		}
		n, err := c.port.line.Write(b[done:])
		if err != nil && !again(err) {
			return done, err
		}
		done += max(n, 0)
	}
	return done, nil
}

// Close makes room for the next connection.
func (c *conn) Close() error {
	c.close.Do(func() {
		c.shut.Store(true)
		c.port.free <- c.hungUp.Load()
	})
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.port.Addr() }
func (c *conn) RemoteAddr() net.Addr { return address("host") }

// A port has no deadlines.
func (*conn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (*conn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (*conn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
