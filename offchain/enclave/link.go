package enclave

import (
	"context"
	"sync/atomic"

	"github.com/phala-go/phala/core/wire"
)

// Link is the connection of the moment, for those who outlive it.
type Link struct {
	conn atomic.Pointer[Conn]
}

// Set names the connection that calls go over; nil: there is none.
func (l *Link) Set(c *Conn) { l.conn.Store(c) }

// Call is Conn.Call, or ErrDown.
func (l *Link) Call(ctx context.Context, in *wire.In) (*wire.Out, error) {
	c := l.conn.Load()
	if c == nil {
		return nil, ErrDown
	}
	return c.Call(ctx, in)
}

// Post is Conn.Post, or ErrDown.
func (l *Link) Post(in *wire.In) error {
	c := l.conn.Load()
	if c == nil {
		return ErrDown
	}
	return c.Post(in)
}
