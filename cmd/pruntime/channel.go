package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/phala-go/phala/enclave/channel"
	"github.com/phala-go/phala/enclave/endpoint"
)

// watchEvery is how long erasure may be late behind what P16 allows.
const watchEvery = 5 * time.Second

// serveDoors serves the host at l and, unless path is empty, strangers at the socket of that path, until ctx or one of both ends.
func serveDoors(ctx context.Context, r channel.Runtime, l net.Listener, path string, log *slog.Logger) error {
	door := channel.NewDoor(r)
	go door.Watch(ctx, watchEvery)
	if path == "" {
		return endpoint.New(door, log).Serve(ctx, l)
	}
	strangers, err := open(path)
	if err != nil {
		l.Close()
		return err
	}
	log.Info("serving attested channels", "socket", path)
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- channel.New(channel.Config{Door: door, Log: log}).Serve(ctx, strangers)
	}()
	err = endpoint.New(door, log).Serve(ctx, l)
	stop()
	return errors.Join(err, <-ended)
}
