package enclave

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// ErrDown: there is no connection to the enclave, or it broke before the answer.
var ErrDown = errors.New("the enclave is not connected")

// Failure is the enclave's refusal of a call.
type Failure struct{ *wire.Failure }

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// writeTimeout ends a connection whose other end has stopped reading.
const writeTimeout = 30 * time.Second

// Conn is one connection. Its methods may be called at the same time.
type Conn struct {
	nc net.Conn

	writing sync.Mutex

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*answer
	closed  bool
}

type answer struct {
	out  *wire.Out
	err  error
	done chan struct{}
}

// Dial connects to the socket at path.
func Dial(ctx context.Context, path string) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connecting to the enclave: %w", err)
	}
	return New(nc), nil
}

// New speaks over a connection that stands.
func New(nc net.Conn) *Conn { return &Conn{nc: nc, waiting: make(map[uint64]*answer)} }

// Close ends the connection; calls that wait return ErrDown.
func (c *Conn) Close() error { return c.nc.Close() }

// Run reads until the connection or ctx ends. Whatever is not the direct answer to a Call goes to handle, in order and one at a
// time: handle must not wait for another answer.
func (c *Conn) Run(ctx context.Context, handle func(*wire.Out)) error {
	defer context.AfterFunc(ctx, func() { c.nc.Close() })()
	defer c.abandon()
	r := bufio.NewReaderSize(c.nc, 64<<10)
	for {
		out, err := readFrame(r)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w: %w", ErrDown, err)
		}
		if !c.take(out) {
			handle(out)
		}
	}
}

// take keeps a direct answer for its caller. What an enclave says besides (NeedValues, SignedBatch and so on) is not an answer
// even when it carries the number of a call.
func (c *Conn) take(out *wire.Out) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.waiting[out.ReplyTo]
	switch b := out.Body.(type) {
	case *wire.Out_Identity, *wire.Out_Evidence, *wire.Out_Reply, *wire.Out_SessionOpened, *wire.Out_SessionReply:
		if a != nil {
			a.out = out
		}
		return a != nil
	case *wire.Out_Failure:
		if a != nil {
			a.err = &Failure{b.Failure}
		}
		return a != nil
	case *wire.Out_Done:
		if a != nil {
			delete(c.waiting, out.ReplyTo)
			close(a.done)
		}
		return true
	}
	return false
}

func (c *Conn) abandon() {
	c.nc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for id, a := range c.waiting {
		a.out, a.err = nil, ErrDown
		delete(c.waiting, id)
		close(a.done)
	}
}

// Call sends in (its id is set here) and waits until the enclave has answered it whole. It returns the direct answer, nil if there
// was none; a refusal is a *Failure.
func (c *Conn) Call(ctx context.Context, in *wire.In) (*wire.Out, error) {
	a := &answer{done: make(chan struct{})}
	id, err := c.register(a)
	if err != nil {
		return nil, err
	}
	if err := c.write(id, in); err != nil {
		c.forget(id)
		return nil, err
	}
	select {
	case <-a.done:
		return a.out, a.err
	case <-ctx.Done():
		c.forget(id)
		return nil, ctx.Err()
	}
}

// Post sends in and does not wait; a refusal goes to Run's handler.
func (c *Conn) Post(in *wire.In) error {
	id, err := c.register(nil)
	if err != nil {
		return err
	}
	return c.write(id, in)
}

func (c *Conn) register(a *answer) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, ErrDown
	}
	c.last++
	if a != nil {
		c.waiting[c.last] = a
	}
	return c.last, nil
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

func (c *Conn) write(id uint64, in *wire.In) error {
	if in.Size() > MaxFrame-16 {
		return fmt.Errorf("sending to the enclave: a message of %d bytes, at most %d are allowed", in.Size(), MaxFrame-16)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("%w: %w", ErrDown, err)
	}
	if err := writeFrame(c.nc, &wire.In{Id: id, Body: in.Body}); err != nil {
		c.nc.Close() // part of a frame may be out: nothing after it would be understood
		return fmt.Errorf("%w: %w", ErrDown, err)
	}
	return nil
}
