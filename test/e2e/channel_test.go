package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/channel"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
)

// attestedChannels: a Go client and the command line talk to real enclaves, and to nobody else.
func attestedChannels(ctx context.Context, t *testing.T, bin string, n *devnet.Network) {
	c, err := n.Client(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := channel.Dial(ctx, n.Channels[0], channel.Options{Chain: channel.Of(c), Role: wire.ROLE_EXECUTOR, Worker: n.Executor(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if id, err := conn.Hello(ctx); err != nil || id.Kind != wire.TEE_KIND_SIMULATED || id.VerifiedHeight == 0 {
		t.Errorf("hello: %v, %v", id, err)
	}
	// Sealed to the cluster, through the channel, answered by the enclave and checked against the chain.
	var refused *client.Failure
	nowhere := address.Encode(make([]byte, 32))
	if _, err := c.QueryThrough(ctx, conn, n.Cluster, nowhere, []byte("{}"), nil); !errors.As(err, &refused) || refused.Code != "no-such-contract" {
		t.Errorf("a query through the channel: %v", err)
	}
	if _, err := conn.Result(ctx, &wire.ResultRequest{Cluster: n.Cluster, Index: 1 << 40}); !errors.As(err, &refused) || refused.Code != "not-final" {
		t.Errorf("a result through the channel: %v", err)
	}
	channelCommand(t, bin, n)
}

// channelCommand is phala attest verify --channel: who is there, as an object and as an exit code.
func channelCommand(t *testing.T, bin string, n *devnet.Network) {
	home := t.TempDir()
	conf, _ := json.Marshal(map[string]any{"rpc": n.RPC, "genesis": n.Genesis, "keyring": "test"})
	if err := os.WriteFile(filepath.Join(home, "config.json"), conf, 0o600); err != nil {
		t.Fatal(err)
	}
	gateway := strings.TrimPrefix(n.Gateways[0], "http://")
	for _, c := range []struct {
		name string
		args []string
		exit int
		word string
	}{
		{"any worker", []string{n.Channels[0]}, 0, n.Executor(0).Name()},
		{"the one that was meant", []string{n.Channels[1], "--worker", n.Executor(1).Name()}, 0, n.Executor(1).Name()},
		{"another one", []string{n.Channels[0], "--worker", n.Executor(1).Name()}, 7, "other-worker"},
		{"a gatekeeper was meant", []string{n.Channels[0], "--role", "gatekeeper"}, 7, "wrong-role"},
		{"another program", []string{n.Channels[0], "--measurement", strings.Repeat("00", 32)}, 7, "unknown-measurement"},
		{"a gateway", []string{gateway}, 6, "no-channel"},
		{"nobody", []string{"127.0.0.1:1"}, 6, "unreachable"},
	} {
		out, errOut, exit := phala(t, bin, home, append([]string{"attest", "verify", "--channel"}, c.args...)...)
		if exit != c.exit || !strings.Contains(out+errOut, c.word) {
			t.Errorf("%s: exit %d, want %d: %s%s", c.name, exit, c.exit, out, errOut)
		}
		var v struct {
			Accepted bool   `json:"accepted"`
			Channel  string `json:"channel"`
			Kind     string `json:"kind"`
		}
		if exit == 6 {
			continue
		}
		if err := json.Unmarshal([]byte(out), &v); err != nil || v.Accepted != (exit == 0) || v.Channel != c.args[0] || v.Accepted && v.Kind != "simulated" {
			t.Errorf("%s: %v: %s", c.name, err, out)
		}
	}
}
