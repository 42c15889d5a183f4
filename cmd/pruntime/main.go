// Command pruntime is the TEE worker's enclave program. It sees plaintext and keys; it has one local endpoint and opens no
// connection by itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pruntime:", err)
		os.Exit(1)
	}
}
