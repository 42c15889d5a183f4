package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/receipt"
	"github.com/phala-go/phala/core/wire"
)

// trusts are what readers may have: the genesis, or a header before the result became final.
func (w *world) trusts() map[string]receipt.Trust {
	h := w.taken.Height
	return map[string]receipt.Trust{
		"genesis":              {Genesis: w.genesis},
		"an earlier header":    {ChainID: w.genesis.ChainID, Height: h - 3, Hash: w.net.Chain.Hash(h - 3)},
		"the block's own":      {ChainID: w.genesis.ChainID, Height: h, Hash: w.net.Chain.Hash(h)},
		"another chain":        {ChainID: "other", Height: h, Hash: w.net.Chain.Hash(h)},
		"another header":       {ChainID: w.genesis.ChainID, Height: h, Hash: w.net.Chain.Hash(h - 1)},
		"a later header":       {ChainID: w.genesis.ChainID, Height: h + 1, Hash: w.net.Chain.Hash(h + 1)},
		"a header not in it":   {ChainID: w.genesis.ChainID, Height: h - 4, Hash: w.net.Chain.Hash(h - 4)},
		"nothing":              {},
		"a height without one": {ChainID: w.genesis.ChainID, Height: h},
	}
}

func TestP19_AReceiptVerifiesByACheckpointAlone(t *testing.T) {
	w := newWorld(t)
	trusts := w.trusts()
	for name, from := range map[string]uint64{"genesis": 0, "an earlier header": w.taken.Height - 3, "the block's own": w.taken.Height} {
		var start *light.Checkpoint
		if from > 0 {
			start = &light.Checkpoint{Height: from, Hash: w.net.Chain.Hash(from)}
		}
		r := w.make(t, start)
		rep, err := receipt.Check(r, trusts[name], w.options())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"development":true`, `"accepted":true`, `"attributes":[{"key":"diagnosis","value":"none"}]`, `"data":"ZGF0YQ=="`, `"quorum":2`, `"members":3`} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: no %s in %s", name, want, out)
			}
		}
		if rep.Trusted.Height != from || len(rep.Signers) < 2 || rep.Height != w.taken.Height || rep.Input.Sender == "" || rep.Contract == nil {
			t.Errorf("%s: %s", name, out)
		}
		for other, trust := range trusts {
			ok := other == name || other == "genesis" || other == "the block's own" // headers of an older start are passed over
			if _, err := receipt.Check(r, trust, w.options()); (err == nil) != ok {
				t.Errorf("a receipt from %s, read by who trusts %s: %v", name, other, err)
			}
		}
	}
}

// What is wrong with a receipt is said.
func TestP19_RefusedReceipts(t *testing.T) {
	w := newWorld(t)
	now := w.options()
	for name, c := range map[string]struct {
		spoil func(r *wire.Receipt, o *receipt.Options)
		words string
	}{
		"no result":                 {func(r *wire.Receipt, _ *receipt.Options) { r.Result = nil }, "no result"},
		"another answer":            {func(r *wire.Receipt, _ *receipt.Options) { r.Result.Result.Data = []byte("lie") }, "result of item"},
		"another batch":             {func(r *wire.Receipt, _ *receipt.Options) { r.Result.Batch.NewRoot[5] ^= 1 }, "another batch"},
		"words without proof":       {func(r *wire.Receipt, _ *receipt.Options) { r.Result.Trace = []string{"x"} }, "nothing proves"},
		"another chain":             {func(r *wire.Receipt, _ *receipt.Options) { r.ChainId = "other" }, "trusted of"},
		"another genesis":           {func(r *wire.Receipt, _ *receipt.Options) { r.GenesisHash[0] ^= 1 }, "genesis"},
		"no headers":                {func(r *wire.Receipt, _ *receipt.Options) { r.Headers = nil }, "0 headers"},
		"the last header is gone":   {func(r *wire.Receipt, _ *receipt.Options) { r.Headers = r.Headers[:len(r.Headers)-1] }, "header"},
		"headers in another order":  {func(r *wire.Receipt, _ *receipt.Options) { r.Headers[0], r.Headers[1] = r.Headers[1], r.Headers[0] }, "verifying a header"},
		"no cluster":                {func(r *wire.Receipt, _ *receipt.Options) { r.Before = r.Before[1:] }, "proves nothing of cluster"},
		"a value twice":             {func(r *wire.Receipt, _ *receipt.Options) { r.Before = append(r.Before, r.Before[0]) }, "twice"},
		"another value":             {func(r *wire.Receipt, _ *receipt.Options) { r.Before[0].Value[3] ^= 1 }, "against header"},
		"no batch":                  {func(r *wire.Receipt, _ *receipt.Options) { r.After = r.After[1:] }, "proves nothing of cluster"},
		"values of the next header": {func(r *wire.Receipt, _ *receipt.Options) { r.Before, r.After = r.After, r.Before }, "against header"},
		"no evidence":               {func(r *wire.Receipt, _ *receipt.Options) { r.Before = r.Before[:len(r.Before)-1] }, "proves nothing of worker"},
		"judged too late":           {func(_ *wire.Receipt, o *receipt.Options) { o.Now = o.Now.Add(2 * time.Hour) }, "say when the receipt came"},
		"judged before it was":      {func(_ *wire.Receipt, o *receipt.Options) { o.Now = o.Now.Add(-time.Hour) }, "future"},
		"no time":                   {func(_ *wire.Receipt, o *receipt.Options) { *o = receipt.Options{} }, "trusting period"},
	} {
		r, o := w.make(t, nil), now
		c.spoil(r, &o)
		if rep, err := receipt.Check(r, receipt.Trust{Genesis: w.genesis}, o); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v %v, want %q", name, rep, err, c.words)
		}
	}
}

// Files that are none.
func TestP19_DamagedFiles(t *testing.T) {
	w := newWorld(t)
	file := receipt.Encode(w.make(t, nil))
	for i := range file {
		file[i] ^= 1
		if _, err := receipt.Parse(file); err == nil {
			t.Fatalf("byte %d may be flipped", i)
		}
		file[i] ^= 1
	}
	for _, b := range [][]byte{nil, []byte("phala-receipt/1\n"), file[:len(file)-1], append(bytes.Clone(file), 0)} {
		if _, err := receipt.Parse(b); err == nil {
			t.Errorf("%d bytes are a receipt", len(b))
		}
	}
}

// A forger makes the hash right again: then each flipped byte is refused for its reason, or has changed nothing that the report says.
func TestP19_EveryFlippedByte(t *testing.T) {
	w := newWorld(t)
	from := light.Checkpoint{Height: w.taken.Height, Hash: w.net.Chain.Hash(w.taken.Height)}
	trust := receipt.Trust{ChainID: w.genesis.ChainID, Height: from.Height, Hash: from.Hash}
	file := receipt.Encode(w.make(t, &from))
	good, err := check(file, trust, w.options())
	if err != nil {
		t.Fatal(err)
	}
	head := len("phala-receipt/1\n") + sha256.Size
	refused, same := 0, 0
	for i := head; i < len(file); i++ {
		forged := bytes.Clone(file)
		forged[i] ^= 1 << (i % 8)
		sum := sha256.Sum256(forged[head:])
		copy(forged[head-sha256.Size:], sum[:])
		rep, err := check(forged, trust, w.options())
		switch {
		case err != nil:
			refused++
		case rep == good:
			same++
		default:
			t.Errorf("byte %d flipped: another report\n%s\n%s", i, rep, good)
		}
	}
	t.Logf("%d bytes: %d refused, %d say the same", len(file)-head, refused, same)
	if same*50 > refused {
		t.Errorf("%d of %d flipped bytes change nothing", same, len(file)-head)
	}
}

// check is what a reader does, from a file to the report in JSON.
func check(file []byte, t receipt.Trust, o receipt.Options) (string, error) {
	r, err := receipt.Parse(file)
	if err != nil {
		return "", err
	}
	rep, err := receipt.Check(r, t, o)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(rep)
	return string(b), err
}
