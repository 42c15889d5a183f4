package receipt

import (
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// signers: a quorum of members in force has signed, and the evidence of a quorum says that they ran what governance had approved.
func (c *check) signers() error {
	var taken wire.CommittedBatch
	b := c.receipt.Result.Batch
	if err := c.after.read(storekey.Cluster, storekey.BatchKey(b.Cluster, b.Number), &taken); err != nil {
		return err
	}
	members := make([]*wire.Worker, len(c.cluster.Members))
	for _, s := range taken.Signed.Signatures {
		if uint64(s.GetMember()) >= uint64(len(members)) {
			return fmt.Errorf("batch %d is signed by member %d of %d", b.Number, s.GetMember(), len(members))
		}
		ref, w := c.cluster.Members[s.Member], &wire.Worker{}
		if err := c.before.read(storekey.Worker, storekey.WorkerKey(ref.Operator, ref.Slot), w); err != nil {
			return err
		}
		members[s.Member] = w
	}
	if err := settle.Signed(&c.cluster, members, taken.Signed); err != nil {
		return err
	}
	judge, err := c.judge()
	if err != nil {
		return err
	}
	accepted, refused := uint32(0), error(nil)
	for _, w := range members {
		if w == nil {
			continue
		}
		s, err := judge(w)
		if err != nil {
			return err
		}
		if s.Accepted {
			accepted++
		} else {
			refused = errors.Join(refused, fmt.Errorf("evidence of worker %s: %v", s.Worker, s.Reasons))
		}
		c.report.Signers = append(c.report.Signers, s)
	}
	if accepted < c.cluster.Quorum {
		return fmt.Errorf("evidence of %d signers is accepted, the quorum is %d: %w", accepted, c.cluster.Quorum, refused)
	}
	return nil
}

// judge gives the function that judges one worker's evidence as the chain would at that height.
func (c *check) judge() (func(*wire.Worker) (Signer, error), error) {
	var network wire.NetworkParams
	var policy wire.Policy
	if err := c.before.read(storekey.Attestation, storekey.Network(), &network); err != nil {
		return nil, err
	}
	if err := c.before.read(storekey.Attestation, storekey.Policy(int32(wire.ROLE_EXECUTOR)), &policy); err != nil {
		return nil, err
	}
	c.report.Development = network.Development
	return func(w *wire.Worker) (Signer, error) {
		var ev wire.WorkerEvidence
		if err := c.before.read(storekey.Worker, storekey.EvidenceKey(w.Worker.GetOperator(), w.Worker.GetSlot()), &ev); err != nil {
			return Signer{}, err
		}
		if string(wire.Hash(&ev)) != string(w.EvidenceHash) || string(ev.Identity.GetIdentityKey()) != string(w.IdentityKey) {
			return Signer{}, fmt.Errorf("evidence of worker %s is not that of its registration", w.Worker.Name())
		}
		v := attest.Verify(attest.Input{
			Evidence: &ev, Policy: &policy, Network: &network, ChainID: c.report.ChainID, GenesisHash: c.receipt.GenesisHash,
			Height: c.judged.Height, NonceChecked: true, Time: c.judged.Time, Roots: attest.RootsOf(&network),
			Stored: func(h []byte) []byte { return c.before[storekey.Attestation+"/"+string(storekey.CollateralKey(h))] },
		})
		s := Signer{Worker: w.Worker.Name(), Kind: v.Kind.String(), Measurement: v.Measurement, Level: v.Level, Status: v.Status.String(), Advisories: v.Advisories, Accepted: v.Accepted, Reasons: v.Reasons}
		s.Source = attest.Approval(&policy, v.Measurement).GetSourceCommit()
		return s, nil
	}, nil
}
