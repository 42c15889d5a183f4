package devnet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports of a network, as in docs/protocol.md.
type Ports struct {
	RPC        int   `json:"rpc"`
	REST       int   `json:"rest"`
	GRPC       int   `json:"grpc"`
	P2P        int   `json:"p2p"`
	Gatekeeper int   `json:"gatekeeper"`
	Executors  []int `json:"executors"`
}

func (p Ports) list() []int {
	return append([]int{p.RPC, p.REST, p.GRPC, p.P2P, p.Gatekeeper}, p.Executors...)
}

// PortsAt gives the ports from base on, in the order of docs/protocol.md; 0: the usual ones.
func PortsAt(base, executors int) Ports {
	p := Ports{RPC: 26657, REST: 1317, GRPC: 9090, P2P: 26656, Gatekeeper: 8640}
	first := 8641
	if base != 0 {
		p = Ports{RPC: base, REST: base + 1, GRPC: base + 2, P2P: base + 3, Gatekeeper: base + 4}
		first = base + 5
	}
	for i := range executors {
		p.Executors = append(p.Executors, first+i)
	}
	return p
}

// FreeBase finds a port base from which a network of so many executors can listen now.
func FreeBase(executors int) (int, error) {
	for range 64 {
		// Below the ports that systems hand out for outgoing connections.
		base := 20000 + rand.IntN(10000)
		if checkPorts(PortsAt(base, executors)) == nil {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row on 127.0.0.1", 5+executors)
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
