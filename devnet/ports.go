package devnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// Ports of a network, as in docs/protocol.md.
type Ports struct {
	RPC        int   `json:"rpc"`
	REST       int   `json:"rest"`
	GRPC       int   `json:"grpc"`
	P2P        int   `json:"p2p"`
	Gatekeeper int   `json:"gatekeeper"`
	Executors  []int `json:"executors"`
	Channels   []int `json:"channels"`              // attested channels of the executors
	Keepers    []int `json:"gatekeepers,omitempty"` // of the gatekeepers after the first
}

func (p Ports) list() []int {
	return slices.Concat([]int{p.RPC, p.REST, p.GRPC, p.P2P, p.Gatekeeper}, p.Executors, p.Channels, p.Keepers)
}

// PortsAt gives the ports from base on, in the order of docs/protocol.md; 0: the usual ones.
func PortsAt(base, executors int) Ports {
	p := Ports{RPC: 26657, REST: 1317, GRPC: 9090, P2P: 26656, Gatekeeper: 8640}
	first, channels := 8641, 8741
	if base != 0 {
		p = Ports{RPC: base, REST: base + 1, GRPC: base + 2, P2P: base + 3, Gatekeeper: base + 4}
		first, channels = base+5, base+5+executors
	}
	for i := range executors {
		p.Executors, p.Channels = append(p.Executors, first+i), append(p.Channels, channels+i)
	}
	return p
}

// ports are a configuration's, with its PortBase.
func (c Config) ports() Ports {
	p := PortsAt(c.PortBase, c.Executors)
	first := 8841
	if c.PortBase != 0 {
		first = c.PortBase + 5 + 2*c.Executors
	}
	for i := 1; i < c.Gatekeepers+c.Spare; i++ {
		p.Keepers = append(p.Keepers, first+i-1)
	}
	return p
}

// FreeBase finds a port base from which a network of so many executors can listen now.
func FreeBase(executors int) (int, error) { return freeBase(Config{Executors: executors}) }

func freeBase(c Config) (int, error) {
	for range 64 {
		// Below the ports that systems hand out for outgoing connections.
		c.PortBase = 20000 + rand.IntN(10000)
		if checkPorts(c.ports()) == nil {
			return c.PortBase, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row on 127.0.0.1", len(c.ports().list()))
}

// StartFree is Start on ports that are free, whatever cfg.PortBase says. with, unless nil, is told the ports first and may change
// what depends on them. A port that somebody else takes meanwhile only means another try.
func StartFree(ctx context.Context, cfg Config, with func(*Config, Ports) error) (*Network, error) {
	cfg.sizes()
	for try := 0; ; try++ {
		var err error
		if cfg.PortBase, err = freeBase(cfg); err != nil {
			return nil, err
		}
		if with != nil {
			if err := with(&cfg, cfg.ports()); err != nil {
				return nil, err
			}
		}
		n, err := Start(ctx, cfg)
		if err == nil || try == 4 || !errors.Is(err, syscall.EADDRINUSE) {
			return n, err
		}
	}
}

// checkPorts fails before anything is started if a port is taken.
func checkPorts(p Ports) error {
	for _, port := range p.list() {
		l, err := net.Listen("tcp", local(port))
		if err != nil {
			return fmt.Errorf("port %d is not free: %w", port, err)
		}
		_ = l.Close()
	}
	return nil
}

func local(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
