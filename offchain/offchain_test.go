package offchain_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain"
)

func config(t *testing.T, rpc string) offchain.Config {
	t.Helper()
	k, err := cosmostx.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return offchain.Config{Home: filepath.Join(dir, "home"), RPC: rpc, Socket: filepath.Join(dir, "s"), Listen: "127.0.0.1:0", Key: k}
}

func open(t *testing.T, cfg offchain.Config) *offchain.Offchain {
	t.Helper()
	o, err := offchain.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// node answers status and nothing else.
func node(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"result":{"node_info":{"network":"test-1"},"sync_info":{"latest_block_height":"4","latest_block_time":"2026-01-02T03:04:05Z"}}}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// enclave says who it is and answers nothing else.
func enclave(t *testing.T, path string, id *wire.Identity) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for {
					var head [4]byte
					if _, err := io.ReadFull(c, head[:]); err != nil {
						return
					}
					b := make([]byte, binary.BigEndian.Uint32(head[:]))
					if _, err := io.ReadFull(c, b); err != nil {
						return
					}
					var in wire.In
					if in.Unmarshal(b) != nil || in.GetHello() == nil {
						continue
					}
					for _, o := range []*wire.Out{{ReplyTo: in.Id, Body: &wire.Out_Identity{Identity: id}}, {ReplyTo: in.Id, Body: &wire.Out_Done{Done: &wire.Done{}}}} {
						b := wire.Marshal(o)
						_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
					}
				}
			}()
		}
	}()
}

func ends(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}

func TestWaitsForEverybodyAndStops(t *testing.T) {
	o := open(t, config(t, "http://127.0.0.1:1")) // neither node nor enclave
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	c := gatewayrpc.NewClient(http.DefaultClient, "http://"+o.Addr())
	r, err := c.Info(context.Background(), &wire.InfoRequest{})
	if err != nil || r.Identity != nil || !strings.HasPrefix(r.Worker.Operator, "pha1") {
		t.Errorf("info: %v, %v", r, err)
	}
	cancel()
	if err := ends(t, done); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config(t, "http://127.0.0.1:1")
	cfg.Listen = l.Addr().String()
	if _, err := offchain.New(cfg); err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("got %v", err)
	}
}

func TestAHomeBelongsToOneChain(t *testing.T) {
	cfg := config(t, node(t))
	run := func(o *offchain.Offchain, id *wire.Identity, identified bool) error {
		enclave(t, cfg.Socket, id)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		if !identified {
			return ends(t, done)
		}
		c := gatewayrpc.NewClient(http.DefaultClient, "http://"+o.Addr())
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			r, err := c.Info(ctx, &wire.InfoRequest{})
			if err == nil && r.Identity != nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("no identity: %v, %v", r, err)
			}
		}
		cancel()
		return ends(t, done)
	}
	first := &wire.Identity{ChainId: "test-1", GenesisHash: []byte{1}, Role: wire.ROLE_EXECUTOR}
	if err := run(open(t, cfg), first, true); err != nil {
		t.Fatal(err)
	}
	// The same chain id with another genesis: a network made anew.
	cfg.Socket += "2"
	err := run(open(t, cfg), &wire.Identity{ChainId: "test-1", GenesisHash: []byte{2}}, false)
	if err == nil || !strings.Contains(err.Error(), "belongs to another chain") || !strings.Contains(err.Error(), "--home") {
		t.Errorf("got %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*offchain.Config){
		"home":   func(c *offchain.Config) { c.Home = "" },
		"key":    func(c *offchain.Config) { c.Key = nil },
		"socket": func(c *offchain.Config) { c.Socket = "" },
		"rpc":    func(c *offchain.Config) { c.RPC = "nowhere" },
		"listen": func(c *offchain.Config) { c.Listen = "nowhere" },
	} {
		cfg := config(t, "http://127.0.0.1:1")
		spoil(&cfg)
		if _, err := offchain.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Channels need both of their ends, and a port that is free.
func TestChannels(t *testing.T) {
	for name, change := range map[string]func(*offchain.Config){
		"--enclave-channel": func(c *offchain.Config) { c.Channels = "127.0.0.1:0" },
		"--channel-listen":  func(c *offchain.Config) { c.ChannelSocket = "s" },
	} {
		cfg := config(t, "http://127.0.0.1:1")
		change(&cfg)
		if _, err := offchain.New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config(t, "http://127.0.0.1:1")
	cfg.Channels, cfg.ChannelSocket = l.Addr().String(), "s"
	if _, err := offchain.New(cfg); err == nil || !strings.Contains(err.Error(), "another with --channel-listen") {
		t.Errorf("on a taken port: %v", err)
	}
}
