package executor

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/phala-go/phala/core/gas"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
	"github.com/phala-go/phala/enclave/state"
)

// snapshot is a cluster's state after a batch.
type snapshot struct {
	number uint64
	hash   []byte
	root   []byte
	state  state.Map
}

func genesisSnapshot() snapshot {
	return snapshot{hash: make([]byte, sha256.Size), root: settle.EmptyRoot()}
}

// job is everything that the execution of one batch depends on. Equal jobs give equal batches on every machine (P20).
type job struct {
	cluster *wire.Cluster // as it was in force at that height; nil: this worker has not seen it
	keys    ring
	prev    snapshot
	at      lightclient.Header // contracts see its height and time
	view    uint64
	first   uint64
	items   []*wire.InboxItem                      // by index, from first on, without gaps
	draw    func(height uint64) (*[32]byte, error) // the beacon of a height: see cluster.draw; nil: nothing is drawn
	slow    map[uint64]bool                        // items whose contract was stopped by the clock: not run again for each view; nil: run all
}

// own is the keys of the batch's epoch and roster.
func (j *job) own() *keytree.Cluster { return j.keys[label{j.cluster.Epoch, j.cluster.Roster}] }

// outcome is what one input came to.
type outcome struct {
	result *wire.Result
	salt   []byte
	reply  *seal.ReplyKey // nil: the envelope did not open, nobody can be answered
	void   bool           // sealed to a key whose grace is over
	trace  []string       // where a contract trapped: for the sender, and no part of the batch
}

// candidate is an executed batch that may or may not become final.
type candidate struct {
	batch    *wire.Batch
	hash     []byte
	state    state.Map
	writes   []*wire.Write
	outcomes []outcome
	effects  []*wire.Effect
}

// execute runs a job. Its only error is a missing piece (needCode, errNoKey) or a broken engine; whatever a user or contract does wrong is
// an outcome.
func (x *Executor) execute(ctx context.Context, j job) (*candidate, error) {
	if j.cluster == nil || j.own() == nil {
		return nil, errNoKey
	}
	m := j.prev.state
	if !m.Blinded() {
		m = state.New(j.own().Randomness.Key("phala/state-blind/v1"))
	}
	ed := m.Edit()
	if m.Len() == 0 {
		ed.Set(blindKey(), j.own().Randomness.Key("phala/state-blind/v1"))
	}
	c := &candidate{}
	used := uint64(0)
	for i, item := range j.items {
		run := &call{x: x, job: &j, item: item, place: uint32(i), ed: ed}
		out, err := run.do(ctx)
		if n := (*needBeacon)(nil); errors.As(err, &n) {
			return nil, &needBeacon{height: n.height, place: i}
		}
		if err != nil {
			return nil, err
		}
		out.salt = salt(&j, 'o', uint64(i))
		c.outcomes = append(c.outcomes, out)
		c.effects = append(c.effects, run.effects...)
		used += run.gas
	}
	c.effects = padEffects(c.effects)
	outputs, effects := make([][]byte, len(c.outcomes)), make([][]byte, len(c.effects))
	for i, o := range c.outcomes {
		outputs[i] = settle.OutputLeaf(o.result, o.salt)
	}
	for i, e := range c.effects {
		e.Salt = salt(&j, 'e', uint64(i))
		effects[i] = settle.EffectLeaf(e)
	}
	c.state, c.writes = ed.Map(), ed.Writes()
	c.batch = &wire.Batch{
		ChainId:          x.cfg.ChainID,
		Cluster:          j.cluster.Id,
		Number:           j.prev.number + 1,
		View:             j.view,
		PrevBatchHash:    j.prev.hash,
		PrevRoot:         j.prev.root,
		Epoch:            j.cluster.Epoch,
		Roster:           j.cluster.Roster,
		ChainHeight:      j.at.Height,
		ChainHash:        j.at.Hash,
		InboxFirst:       j.first,
		InboxCount:       uint32(len(j.items)),
		DirectInputsRoot: settle.EmptyRoot(),
		OutputsRoot:      merkle.Root(outputs),
		EffectsRoot:      merkle.Root(effects),
		NewRoot:          c.state.Root(),
		GasClass:         gas.BatchClass(used),
		DataRoot:         settle.EmptyRoot(),
	}
	if x.cfg.Tamper != nil {
		x.cfg.Tamper(c.batch)
	}
	c.hash = settle.BatchHash(c.batch)
	return c, nil
}

// salt hides a leaf from everybody but the members, who all compute the same.
func salt(j *job, kind byte, index uint64) []byte {
	ctx := []byte{kind}
	ctx = binary.BigEndian.AppendUint64(ctx, j.prev.number+1)
	ctx = append(ctx, j.prev.hash...)
	ctx = binary.BigEndian.AppendUint64(ctx, j.view)
	ctx = binary.BigEndian.AppendUint64(ctx, index)
	return j.own().Randomness.Key("phala/salt/v1", ctx)
}

// padEffects fills up to 1, 4, 16, 64, … so that their number says little (P11).
func padEffects(effects []*wire.Effect) []*wire.Effect {
	n := 1
	for n < len(effects) {
		n *= 4
	}
	for len(effects) < n {
		effects = append(effects, &wire.Effect{Body: &wire.Effect_Nothing{Nothing: &wire.Nothing{}}})
	}
	return effects
}

func (c *candidate) snapshot() snapshot {
	return snapshot{number: c.batch.Number, hash: c.hash, root: c.batch.NewRoot, state: c.state}
}
