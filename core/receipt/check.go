package receipt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Trust is what the reader brings. The zero value trusts nothing.
type Trust struct {
	Genesis *light.Genesis // or else
	ChainID string
	Height  uint64 // of a header …
	Hash    []byte // … and its hash, 32 bytes
}

// Options bound the check in time. The zero value accepts nothing.
type Options struct {
	// Now is when the reader knows the receipt to have existed: its clock, or the day on which it came.
	Now time.Time
	// TrustingPeriod is how long validators are believed that may have left since: whoever buys old keys signs what he likes.
	TrustingPeriod time.Duration
}

// Check says what r proves. An error names the first thing that does not hold; then nothing is proven.
func Check(r *wire.Receipt, t Trust, o Options) (*Report, error) {
	judged, final, start, err := follow(r, t, o)
	if err != nil {
		return nil, err
	}
	start.Now = o.Now
	before, err := proven(judged, r.Before)
	if err != nil {
		return nil, err
	}
	after, err := proven(final, r.After)
	if err != nil {
		return nil, err
	}
	c := &check{receipt: r, before: before, after: after, judged: judged, report: &Report{ChainID: judged.ChainID, GenesisHash: r.GenesisHash, Trusted: *start, Height: judged.Height, Time: judged.Time}}
	for _, step := range []func() error{c.batch, c.signers, c.output, c.contract, c.input} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("checking a receipt: %w", err)
		}
	}
	return c.report, nil
}

// follow verifies the headers from what is trusted, and gives the last two.
func follow(r *wire.Receipt, t Trust, o Options) (judged, final light.State, start *Trusted, err error) {
	fail := func(format string, args ...any) (light.State, light.State, *Trusted, error) {
		return light.State{}, light.State{}, nil, fmt.Errorf("checking a receipt: "+format, args...)
	}
	s, start, err := begin(t)
	if err != nil {
		return fail("%w", err)
	}
	if r.ChainId != s.ChainID {
		return fail("it is of chain %q, what is trusted of %q", r.ChainId, s.ChainID)
	}
	if t.Genesis != nil && !bytes.Equal(r.GenesisHash, t.Genesis.Hash) {
		return fail("it is of a genesis with hash %x, the trusted one has %x", r.GenesisHash, t.Genesis.Hash)
	}
	if len(r.Headers) < 2 || len(r.Headers) > MaxHeaders {
		return fail("%d headers: want 2 to %d", len(r.Headers), MaxHeaders)
	}
	for _, raw := range r.Headers {
		lb, err := light.Decode(raw)
		if err != nil {
			return fail("%w", err)
		}
		if lb.SignedHeader != nil && lb.Header != nil && t.Genesis == nil && uint64(lb.Height) < t.Height {
			continue // from an older start than the reader's
		}
		judged = s
		if s, err = s.Verify(lb, o.Now, light.Options{TrustingPeriod: o.TrustingPeriod, MaxClockDrift: 10 * time.Second}); err != nil {
			if s.Expired(o.Now, o.TrustingPeriod) {
				err = fmt.Errorf("%w; or say when the receipt came, if you know it", err)
			}
			return fail("%w", err)
		}
		if judged.Unlinked(lb) {
			return fail("header %d follows another header than the one verified: the chain has forked", lb.Height)
		}
		start.Headers++
	}
	if judged.Height == 0 || judged.Hash == nil || s.Height != judged.Height+1 {
		return fail("its last headers are of heights %d and %d: want two that follow each other, from height %d on", judged.Height, s.Height, t.Height)
	}
	if s.Expired(o.Now, o.TrustingPeriod) {
		return fail("its last header is of %s, more than %s before %s: say when the receipt came, if you know it", s.Time, o.TrustingPeriod, o.Now)
	}
	return judged, s, start, nil
}

func begin(t Trust) (light.State, *Trusted, error) {
	if t.Genesis != nil {
		return light.FromGenesis(t.Genesis), &Trusted{Start: "genesis", Hash: t.Genesis.Hash}, nil
	}
	if t.ChainID == "" || t.Height == 0 {
		return light.State{}, nil, errors.New("nothing is trusted: give a genesis, or the height and hash of a header")
	}
	s, err := light.FromCheckpoint(&light.Genesis{ChainID: t.ChainID, InitialHeight: 1}, light.Checkpoint{Height: t.Height, Hash: t.Hash})
	return s, &Trusted{Start: "checkpoint", Height: t.Height, Hash: t.Hash}, err
}

// values are proven ones of one header, by store and key.
type values map[string][]byte

func proven(s light.State, all []*wire.StoreValue) (values, error) {
	out := values{}
	for _, v := range all {
		if err := light.VerifyValue(s.AppHash, v); err != nil {
			return nil, fmt.Errorf("checking a receipt against header %d: %w", s.Height, err)
		}
		name := v.Key.Store + "/" + string(v.Key.Key)
		if _, ok := out[name]; ok {
			return nil, fmt.Errorf("checking a receipt against header %d: %s/%x stands there twice", s.Height, v.Key.Store, v.Key.Key)
		}
		out[name] = v.Value
	}
	return out, nil
}

// read decodes a value that must be there.
func (v values) read(store string, key []byte, into wire.Message) error {
	b, ok := v[store+"/"+string(key)]
	switch {
	case !ok:
		return fmt.Errorf("it proves nothing of %s/%x", store, key)
	case len(b) == 0:
		return fmt.Errorf("it proves that there is no %s/%x", store, key)
	}
	if err := wire.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reading %s/%x: %w", store, key, err)
	}
	return nil
}

// check is one receipt on its way to a report.
type check struct {
	receipt       *wire.Receipt
	before, after values
	judged        light.State // of the block that took the batch: its state is what the batch was judged by
	report        *Report
	cluster       wire.Cluster
}

// batch: the chain has taken the batch in the block of the first header.
func (c *check) batch() error {
	f := c.receipt.Result
	if f.GetBatch() == nil {
		return errors.New("it holds no result")
	}
	if f.FinalHeight != 0 || len(f.Trace) > 0 {
		return errors.New("it holds an enclave's word, which nothing proves")
	}
	var taken wire.CommittedBatch
	if err := c.after.read(storekey.Cluster, storekey.BatchKey(f.Batch.Cluster, f.Batch.Number), &taken); err != nil {
		return err
	}
	if taken.Signed.GetBatch() == nil || !bytes.Equal(settle.BatchHash(taken.Signed.Batch), settle.BatchHash(f.Batch)) {
		return fmt.Errorf("the result is of another batch %d than the final one", f.Batch.Number)
	}
	if taken.Height != c.judged.Height {
		return fmt.Errorf("batch %d was taken in block %d, the headers are of %d and the next", f.Batch.Number, taken.Height, c.judged.Height)
	}
	if err := c.before.read(storekey.Cluster, storekey.ClusterKey(f.Batch.Cluster), &c.cluster); err != nil {
		return err
	}
	r, b := c.report, f.Batch
	r.Cluster, r.Batch, r.BatchHash, r.StateRoot = b.Cluster, b.Number, settle.BatchHash(b), b.NewRoot
	r.Members, r.Quorum = len(c.cluster.Members), c.cluster.Quorum
	return nil
}

// output: the result stands in the batch at its place.
func (c *check) output() error {
	f := c.receipt.Result
	if err := settle.VerifyResult(f); err != nil {
		return err
	}
	r := &c.report.Result
	r.Data = f.Result.Data
	if no := f.Result.Failure; no != nil {
		r.Code, r.Message = no.Code, no.Message
	}
	for _, a := range f.Result.Attributes {
		r.Attributes = append(r.Attributes, Attribute{a.Key, a.Value})
	}
	return nil
}

// contract: which code has answered.
func (c *check) contract() error {
	res := c.receipt.Result.Result
	if len(res.Contract) == 0 {
		return nil
	}
	var k wire.Contract
	if err := c.after.read(storekey.Cluster, storekey.ContractKey(res.Cluster, res.Contract), &k); err != nil {
		return err
	}
	c.report.Contract = &Contract{Address: address.Encode(k.Address), Label: k.Label, Creator: k.Creator, CodeID: k.CodeId}
	return nil
}

// input: what the chain had ordered, and from whom.
func (c *check) input() error {
	res := c.receipt.Result.Result
	var item wire.InboxItem
	if err := c.before.read(storekey.Cluster, storekey.ItemKey(res.Cluster, res.Index), &item); err != nil {
		return err
	}
	c.report.Input = Input{Index: res.Index, Sender: item.Context.GetSender(), Height: item.Height, Hash: wire.Hash(&item)}
	return nil
}

func (h hexBytes) String() string { return hex.EncodeToString(h) }
