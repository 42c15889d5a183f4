package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/cmd/phala/internal/attest"
)

func attestCmd(e *env) *cobra.Command {
	return attest.Command(attest.Env{
		In: e.in, Out: e.out, Now: time.Now, Print: e.print, Usage: usage,
		Node: func(ctx context.Context) (*client.Client, error) { return e.client(ctx, false) },
	})
}
