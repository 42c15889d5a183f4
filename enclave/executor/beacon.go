package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/lightclient"
)

// beacons are the chain's values of the public beacon, as far as inputs have needed them.
type beacons struct {
	values map[uint64]*wire.Beacon    // by height, as proven
	valid  map[uint64]bool            // and their signature is checked
	absent map[uint64]uint64          // the newest header that proved that a height has none
	keys   map[uint64]*wire.BeaconKey // by epoch
}

func newBeacons() beacons {
	return beacons{map[uint64]*wire.Beacon{}, map[uint64]bool{}, map[uint64]uint64{}, map[uint64]*wire.BeaconKey{}}
}

// maxBeacons bounds what is remembered; what is forgotten is asked for again.
const maxBeacons = 1024

// needBeacon breaks off an execution until the chain has the value of a height (P13).
type needBeacon struct {
	height uint64 // that ordered the input
	place  int    // of the input in the batch
}

func (n *needBeacon) Error() string {
	return fmt.Sprintf("an input draws, and the beacon of height %d that ordered it is not on the chain yet", n.height)
}

// draw is the beacon of the height that ordered an input, as the state at header `at` has it: so all members see the same. It is a
// *needBeacon while the value may come, and nil without an error once it never will: then nothing takes its place.
func (c *cluster) draw(chainID string, height, at uint64) (*[32]byte, error) {
	last := height + beacon.Window + 1 // the header that shows the last block which takes the value
	b := c.beacons.values[height]
	switch {
	case b != nil && b.Taken < at:
		if err := c.beacons.check(chainID, b); err != nil {
			return nil, err
		}
		v := [32]byte(beacon.Value(b.Signature))
		return &v, nil
	case at >= last && (b != nil || c.beacons.absent[height] >= last):
		return nil, nil
	}
	return nil, &needBeacon{height: height}
}

// check verifies a value by its epoch's key, which the chain has proven as well.
func (s *beacons) check(chainID string, b *wire.Beacon) error {
	if s.valid[b.Height] {
		return nil
	}
	key := s.keys[b.Epoch]
	if key == nil || len(key.Commitments) == 0 {
		return &needBeacon{height: b.Height}
	}
	if err := beacon.Verify(key.Commitments[0], chainID, b.Epoch, b.Height, b.Signature); err != nil {
		return fmt.Errorf("checking the chain's beacon of height %d: %w", b.Height, err)
	}
	s.valid[b.Height] = true
	return nil
}

// take keeps a value, its absence, or a key.
func (s *beacons) take(f lightclient.Facts, k *wire.StoreKey, height uint64) error {
	if k.Key[0] == storekey.BeaconKeyKey(0)[0] {
		key := &wire.BeaconKey{}
		ok, err := f.Read(k, key)
		if err == nil && ok {
			s.keys[key.Epoch] = key
		}
		return err
	}
	b := &wire.Beacon{}
	ok, err := f.Read(k, b)
	switch {
	case err != nil:
		return err
	case ok && b.Height == height:
		s.values[height] = b
	case !ok:
		s.absent[height] = max(s.absent[height], f.Height)
	}
	return nil
}

// await asks for what a draw lacks, once at each header.
func (x *Executor) await(c *cluster, n *needBeacon) {
	if len(c.beacons.values)+len(c.beacons.absent) > maxBeacons {
		c.beacons = newBeacons()
	}
	b := c.beacons.values[n.height]
	switch {
	case b == nil && c.beacons.absent[n.height] < x.cfg.Light.Height():
		x.want(c, &wire.StoreKey{Store: storekey.Gatekeeper, Key: storekey.BeaconAt(n.height)})
	case b != nil && c.beacons.keys[b.Epoch] == nil:
		x.want(c, &wire.StoreKey{Store: storekey.Gatekeeper, Key: storekey.BeaconKeyKey(b.Epoch)})
	}
}

// run executes a job under a cluster's keys and beacons; an input that draws and must wait is remembered.
func (x *Executor) run(ctx context.Context, c *cluster, j job) (*candidate, error) {
	j.keys = c.keys
	j.draw = func(height uint64) (*[32]byte, error) { return c.draw(x.cfg.ChainID, height, j.at.Height) }
	cand, err := x.execute(ctx, j)
	if n := (*needBeacon)(nil); errors.As(err, &n) {
		c.draws[j.items[n.place].Index] = true
		x.await(c, n)
	}
	return cand, err
}

// ready cuts items before the first that is known to draw and still waits for its beacon.
func (x *Executor) ready(c *cluster, items []*wire.InboxItem, at uint64) []*wire.InboxItem {
	for i, item := range items {
		if !c.draws[item.Index] {
			continue
		}
		_, err := c.draw(x.cfg.ChainID, item.Height, at)
		if n, ok := err.(*needBeacon); ok { //nolint:errorlint // draw gives it as it is
			x.await(c, n)
			return items[:i]
		}
	}
	return items
}

// sources is what the extensions draw from.
func (c *call) sources() calls.Sources {
	input := c.hash()
	s := calls.Sources{Secret: func(contract [32]byte) []byte { return c.job.own().ContractSecret(contract, input) }}
	if c.job.draw == nil {
		return s
	}
	switch value, err := c.job.draw(c.item.Height); {
	case err != nil:
		s.Pending = err
	case value != nil:
		s.Random = c.job.own().InputRandomness(input, *value)
	}
	return s
}
