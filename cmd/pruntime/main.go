// Command pruntime is the TEE worker's enclave program. It sees plaintext and keys; it has one local endpoint and opens no
// connection by itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/phala-go/phala/cmd/pruntime/internal/boot"
)

func main() {
	if boot.First() { // of the measured image
		if err := serveGuest(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "pruntime:", err)
		}
		boot.Off()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pruntime:", err)
		os.Exit(1)
	}
}
