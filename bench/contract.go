package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"

	wasmvm "github.com/CosmWasm/wasmvm/v3"
	"github.com/CosmWasm/wasmvm/v3/types"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/enclave/engine"
)

// contract is code that one of the engines holds ready.
type contract interface {
	// call makes one call and gives what a query answers or the data of a
	// response; a refusal is an error.
	call(entry engine.Entry, msg string, s store) ([]byte, error)
}

const (
	height  = 12345
	nanos   = 1571797419879305533
	chainID = "bench-1"
)

func account(name string) string {
	h := sha256.Sum256([]byte(name))
	return address.Encode(h[:20])
}

// local is a contract in our engine.
type local struct {
	engine *engine.Engine
	code   *engine.Contract
	call0  engine.Call
}

func newEngine(ctx context.Context) (*engine.Engine, error) {
	return engine.New(ctx, engine.Config{Capabilities: []string{"staking", "stargate"}})
}

func newLocal(ctx context.Context, e *engine.Engine, code []byte) (*local, error) {
	c, err := e.Compile(ctx, code)
	if err != nil {
		return nil, err
	}
	var index uint32
	return &local{e, c, engine.Call{
		Env:      engine.Env{ChainID: chainID, Height: height, TimeNanos: nanos, TxIndex: &index, Contract: account("contract")},
		Info:     &engine.Info{Sender: account("alice")},
		GasLimit: 1 << 50,
	}}, nil
}

func (l *local) call(entry engine.Entry, msg string, s store) ([]byte, error) {
	c := l.call0
	c.Entry, c.Msg, c.Store = entry, []byte(msg), ours{s}
	out, err := l.engine.Run(context.Background(), l.code, c)
	if err != nil {
		return nil, err
	}
	if entry == engine.Query {
		return out.Query, nil
	}
	return out.Response.Data, nil
}

// peer is a contract in wasmvm, pinned there: kept in memory, ready to run.
type peer struct {
	vm   *wasmvm.VM
	code wasmvm.Checksum
	env  types.Env
	info types.MessageInfo
	api  types.GoAPI
}

// newVM starts wasmvm in a new folder; stop frees both.
func newVM() (vm *wasmvm.VM, stop func(), err error) {
	dir, err := os.MkdirTemp("", "bench-wasmvm-")
	if err != nil {
		return nil, nil, err
	}
	offered := append(engine.Capabilities(), "staking", "stargate")
	vm, err = wasmvm.NewVM(dir, offered, 32, false, 512)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("starting wasmvm: %w", err), os.RemoveAll(dir))
	}
	return vm, func() { vm.Cleanup(); _ = os.RemoveAll(dir) }, nil
}

func newPeer(vm *wasmvm.VM, code []byte) (*peer, error) {
	sum, _, err := vm.StoreCode(code, math.MaxUint64)
	if err != nil {
		return nil, fmt.Errorf("storing code in wasmvm: %w", err)
	}
	if err := vm.Pin(sum); err != nil {
		return nil, fmt.Errorf("pinning code in wasmvm: %w", err)
	}
	return &peer{
		vm: vm, code: sum,
		env: types.Env{
			Block: types.BlockInfo{Height: height, Time: nanos, ChainID: chainID}, Transaction: &types.TransactionInfo{},
			Contract: types.ContractInfo{Address: account("contract")},
		},
		info: types.MessageInfo{Sender: account("alice"), Funds: types.Array[types.Coin]{}},
		api:  addresses(),
	}, nil
}

// addresses does for wasmvm what our engine does itself.
func addresses() types.GoAPI {
	return types.GoAPI{
		HumanizeAddress:     func(b []byte) (string, uint64, error) { return address.Encode(b), 0, nil },
		CanonicalizeAddress: func(s string) ([]byte, uint64, error) { b, err := address.Decode(s); return b, 0, err },
		ValidateAddress: func(s string) (uint64, error) {
			b, err := address.Decode(s)
			if err == nil && address.Encode(b) != s {
				err = errors.New("not in lower case")
			}
			return 0, err
		},
	}
}

func (p *peer) call(entry engine.Entry, msg string, s store) ([]byte, error) {
	const limit = 1 << 60
	cost := types.UFraction{Numerator: 1, Denominator: 10000}
	if entry == engine.Query {
		r, _, err := p.vm.Query(p.code, p.env, []byte(msg), theirs{s}, p.api, nobody{}, nobody{}, limit, cost)
		if err != nil {
			return nil, err
		}
		if r.Err != "" {
			return nil, errors.New(r.Err)
		}
		return r.Ok, nil
	}
	do := p.vm.Execute
	if entry == engine.Instantiate {
		do = p.vm.Instantiate
	}
	r, _, err := do(p.code, p.env, p.info, []byte(msg), theirs{s}, p.api, nobody{}, nobody{}, limit, cost)
	if err != nil {
		return nil, err
	}
	if r.Err != "" {
		return nil, errors.New(r.Err)
	}
	return r.Ok.Data, nil
}

// nobody answers queries, of which there are none, and counts no gas beside
// wasmvm's own.
type nobody struct{}

func (nobody) Query(types.QueryRequest, uint64) ([]byte, error) { return nil, errors.New("no query") }
func (nobody) GasConsumed() uint64                              { return 0 }
