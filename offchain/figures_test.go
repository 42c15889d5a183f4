package offchain_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain"
)

// The metrics are where the operator wants them, and nowhere without.
func TestMetricsAreServed(t *testing.T) {
	if o := open(t, config(t, node(t))); o.MetricsAddr() != "" {
		t.Errorf("metrics at %s that nobody asked for", o.MetricsAddr())
	}
	cfg := config(t, node(t))
	cfg.Metrics = "127.0.0.1:0"
	enclave(t, cfg.Socket, &wire.Identity{ChainId: "test-1", GenesisHash: make([]byte, 32), Role: wire.ROLE_EXECUTOR})
	o := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	var got string
	for end := time.Now().Add(5 * time.Second); !strings.Contains(got, "phala_enclave_up{"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("shown: %q", got)
		}
		r, err := http.Get("http://" + o.MetricsAddr() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatal(r.Status, err)
		}
		got = string(b)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	taken := config(t, node(t))
	taken.Metrics = open(t, config(t, node(t))).Addr()
	if _, err := offchain.New(taken); err == nil || !strings.Contains(err.Error(), "--metrics") {
		t.Errorf("on a taken port: %v", err)
	}
}
