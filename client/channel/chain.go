package channel

import (
	"context"
	"fmt"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Of is the chain that a client follows.
func Of(c *client.Client) Chain { return chain{c} }

type chain struct{ c *client.Client }

// ahead is how many blocks a certificate's evidence may be newer than the reader's header, who then waits for them.
const ahead = 3

// Rules reads all of it by proof against the newest header.
func (k chain) Rules(ctx context.Context, id *wire.WorkerIdentity, role wire.Role) (channel.Rules, error) {
	head, err := k.c.Chain.Head(ctx)
	if err != nil {
		return channel.Rules{}, err
	}
	if n := id.GetNonceHeight(); n >= head.Height && n < head.Height+ahead {
		if _, err := k.c.Chain.WaitHeight(ctx, n+1); err != nil {
			return channel.Rules{}, err
		}
	}
	policy, network, worker, evidence := &wire.Policy{}, &wire.NetworkParams{}, &wire.Worker{}, &wire.WorkerEvidence{}
	var hasPolicy, hasNetwork, hasWorker, hasEvidence bool
	operator, slot := id.GetWorker().GetOperator(), id.GetWorker().GetSlot()
	head, err = k.c.Chain.Get(ctx,
		client.Read{Store: storekey.Attestation, Key: storekey.Policy(int32(role)), Into: policy, Found: &hasPolicy},
		client.Read{Store: storekey.Attestation, Key: storekey.Network(), Into: network, Found: &hasNetwork},
		client.Read{Store: storekey.Worker, Key: storekey.WorkerKey(operator, slot), Into: worker, Found: &hasWorker},
		client.Read{Store: storekey.Worker, Key: storekey.EvidenceKey(operator, slot), Into: evidence, Found: &hasEvidence})
	if err != nil {
		return channel.Rules{}, fmt.Errorf("reading what the chain says of worker %s: %w", id.GetWorker().Name(), err)
	}
	r := channel.Rules{
		ChainID: k.c.ChainID(), GenesisHash: k.c.Genesis.Hash, Height: head.Height, Roots: attest.RootsOf(network),
		Collateral: evidence.GetEvidence().GetCollateral(),
		Stored: func(hash []byte) []byte {
			v, err := k.c.Node.Value(ctx, head.Height, &wire.StoreKey{Store: storekey.Attestation, Key: storekey.CollateralKey(hash)})
			if err != nil || v == nil {
				return nil // the verdict names the piece that nobody keeps
			}
			return v.Value
		},
	}
	if hasPolicy && hasNetwork {
		r.Policy, r.Network = policy, network
	}
	if hasWorker {
		r.Worker = worker
	}
	return r, nil
}
