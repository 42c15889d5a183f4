// Package offchain is a worker's untrusted half: it joins the relay, the gateway and the object store of one enclave. It sees
// ciphertext, proofs and public state only, and must never hold a key but its operator's.
package offchain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/channel"
	"github.com/phala-go/phala/offchain/collateral"
	"github.com/phala-go/phala/offchain/enclave"
	"github.com/phala-go/phala/offchain/gateway"
	"github.com/phala-go/phala/offchain/metrics"
	"github.com/phala-go/phala/offchain/objects"
	"github.com/phala-go/phala/offchain/relay"
)

// Config of an offchaind. Zero means the default; fields without one are required.
type Config struct {
	Home     string        // folder for sealed records
	RPC      string        // URL of the node
	Socket   string        // of pruntime
	Listen   string        // default 127.0.0.1:8641
	Endpoint string        // public URL; default http:// and Listen
	Key      *cosmostx.Key // the operator's
	Slot     uint32        // tells apart the operator's workers
	// Channels is where clients reach the enclave's attested channels, and ChannelSocket pruntime's end of them. Both or none.
	Channels, ChannelSocket string
	// Collateral is a file or folder with what the TEE's maker says of this machine; empty: none.
	Collateral string
	Metrics    string // host:port at which Prometheus finds the metrics; empty: there are none
	Version    string
	Log        *slog.Logger // default: nothing is logged
}

// Offchain is one running offchaind.
type Offchain struct {
	cfg      Config
	listener net.Listener
	channels net.Listener // nil: none
	figures  net.Listener // of the metrics; nil: none
	metrics  *metrics.Set // nil: none
	server   *http.Server
	relay    *relay.Relay
}

// New opens the home and the port, so that what is wrong with them is said at once. It waits for nobody.
func New(cfg Config) (*Offchain, error) {
	if cfg.Home == "" || cfg.RPC == "" || cfg.Socket == "" || cfg.Key == nil {
		return nil, errors.New("starting offchaind: home, RPC, enclave socket and operator key are needed")
	}
	if (cfg.Channels == "") != (cfg.ChannelSocket == "") {
		return nil, errors.New("starting offchaind: channels need an address for clients (--channel-listen) and pruntime's socket (--enclave-channel)")
	}
	if err := collateral.Source(cfg.Collateral).Check(); err != nil {
		return nil, fmt.Errorf("starting offchaind: %w", err)
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:8641"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	chain, err := node.Dial(cfg.RPC)
	if err != nil {
		return nil, err
	}
	account, err := chain.Account(node.AccountConfig{Key: cfg.Key})
	if err != nil {
		return nil, err
	}
	store, err := objects.Open(filepath.Join(cfg.Home, "objects"))
	if err != nil {
		return nil, err
	}
	link, worker := new(enclave.Link), &wire.WorkerRef{Operator: account.Address(), Slot: cfg.Slot}
	gate, err := gateway.New(gateway.Config{Enclave: link, Records: store, Worker: worker, Version: cfg.Version, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	l, err := listen(cfg.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	if cfg.Endpoint == "" {
		cfg.Endpoint = "http://" + l.Addr().String()
	}
	var set *metrics.Set
	if cfg.Metrics != "" {
		set = metrics.New()
	}
	r, err := relay.New(relay.Config{
		Chain: chain, Sender: account, Socket: cfg.Socket, Link: link, Worker: worker, Endpoint: cfg.Endpoint, Records: store,
		Watcher: gate, Pin: pin(cfg.Home).check, HTTP: peerClient(), Log: cfg.Log,
		Metrics: set, Collateral: collateral.Source(cfg.Collateral),
	})
	var channels, figures net.Listener
	if err == nil && cfg.Channels != "" {
		channels, err = listen(cfg.Channels, "--channel-listen")
	}
	if err == nil && set != nil {
		figures, err = listen(cfg.Metrics, "--metrics")
	}
	if err != nil {
		l.Close()
		if channels != nil {
			channels.Close()
		}
		return nil, err
	}
	return &Offchain{cfg: cfg, listener: l, channels: channels, figures: figures, metrics: set, relay: r, server: &http.Server{
		Handler:           gatewayrpc.Handler(gate, gate),
		Protocols:         gatewayrpc.ServerProtocols(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      90 * time.Second, // a call may wait 30 s for its result
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}}, nil
}

func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on %s: the port is taken. Stop what has it, or choose another with %s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return l, nil
}

func peerClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	return &http.Client{Transport: t}
}

// Addr is where it listens.
func (o *Offchain) Addr() string { return o.listener.Addr().String() }

// Run serves until ctx ends, which is no error.
func (o *Offchain) Run(ctx context.Context) error {
	o.cfg.Log.Info("offchaind is up", "listen", o.Addr(), "endpoint", o.cfg.Endpoint, "operator", o.cfg.Key.Address(), "slot", o.cfg.Slot)
	g, ctx := errgroup.WithContext(ctx)
	o.server.BaseContext = func(net.Listener) context.Context { return ctx } // calls that wait for a result end with it
	g.Go(func() error { return o.relay.Run(ctx) })
	if o.channels != nil {
		o.cfg.Log.Info("carrying attested channels", "listen", o.channels.Addr().String(), "socket", o.cfg.ChannelSocket)
		g.Go(func() error {
			return channel.New(channel.Config{Socket: o.cfg.ChannelSocket, Log: o.cfg.Log}).Serve(ctx, o.channels)
		})
	}
	if o.figures != nil {
		o.cfg.Log.Info("showing metrics", "url", "http://"+o.MetricsAddr()+"/metrics")
		g.Go(func() error { return o.showMetrics(ctx) })
	}
	g.Go(func() error {
		if err := o.server.Serve(o.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the gateway: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		if o.server.Shutdown(stop) != nil {
			return o.server.Close()
		}
		return nil
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
