package lightclient_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/lightclient"
)

// counted starts a client whose counter and host's clock are apart.
func counted(t *testing.T, c *enclavetest.Chain, cfg lightclient.Config) (l *lightclient.Client, host *clock, count *time.Duration) {
	t.Helper()
	g, err := light.ParseGenesis(c.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	host, count = &clock{c.Time()}, new(time.Duration)
	cfg.Genesis, cfg.Now, cfg.Elapsed = g, func() time.Time { return host.at }, func() time.Duration { return *count }
	return lightclient.New(cfg), host, count
}

func validator() ed25519.PrivKey { return ed25519.GenPrivKeyFromSecret([]byte("validator")) }

// A host that stops its clock, or sets it back, gains nothing: the counter starves the enclave.
func TestP16_TheCounterDecides(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, host, count := counted(t, c, lightclient.Config{})
	if l.Starved() {
		t.Error("starved before the first header: there is nothing to forget")
	}
	for range 3 {
		c.NewBlock()
		host.at, *count = c.Time(), *count+time.Second
		if err := l.Advance(c.Block(c.Height)); err != nil {
			t.Fatal(err)
		}
	}
	*count += time.Minute
	if l.Starved() || l.Fresh() != nil {
		t.Error("starved within W")
	}
	*count += time.Second
	if !l.Starved() || l.Fresh() == nil || l.FreshAt(3) == nil {
		t.Error("the host's clock stands, and the enclave serves")
	}
	host.at = host.at.Add(-time.Hour)
	if !l.Starved() || l.Fresh() == nil {
		t.Error("the host's clock went back, and the enclave serves")
	}
	// The old header again is no new one.
	if err := l.Advance(c.Block(3)); err != nil || !l.Starved() {
		t.Errorf("a known header counts as new: %v", err)
	}
	// The real chain goes on: it recovers.
	for range 62 {
		c.NewBlock()
	}
	host.at = c.Time()
	if err := l.Advance(c.Block(c.Height)); err != nil {
		t.Fatal(err)
	}
	if l.Starved() || l.Fresh() != nil {
		t.Errorf("with the chain again: %v", l.Fresh())
	}
}

// Headers that come one after another, each later than it should, starve the enclave as none at all would.
func TestP16_SlowlyFed(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, host, count := counted(t, c, lightclient.Config{})
	starved := 0
	for i := range 100 {
		c.NewBlock()
		host.at = c.Time() // the host's clock lies along
		*count += 2 * time.Second
		if err := l.Advance(c.Block(c.Height)); err != nil {
			t.Fatal(err)
		}
		if starved = i; l.Starved() {
			break
		}
	}
	if starved < 58 || starved > 64 {
		t.Errorf("fed at half the speed, it was starved after %d headers", starved)
	}
	if l.Fresh() == nil {
		t.Error("and serves")
	}
	// A counter that is a little fast is no starvation.
	c = enclavetest.NewChain(t, enclavetest.Ref(0))
	l, host, count = counted(t, c, lightclient.Config{})
	for range 2000 {
		c.NewBlock()
		host.at = c.Time()
		*count += time.Second + 100*time.Microsecond
		if err := l.Advance(c.Block(c.Height)); err != nil {
			t.Fatal(err)
		}
	}
	if l.Starved() || l.Fresh() != nil {
		t.Error("a drift of 100 ppm starves")
	}
}

// The trusting period runs on the counter too.
func TestP03_TrustEndsByTheCounter(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, host, count := counted(t, c, lightclient.Config{})
	c.NewBlock()
	host.at = c.Time()
	if err := l.Advance(c.Block(1)); err != nil {
		t.Fatal(err)
	}
	c.NewBlock()
	*count = 15 * 24 * time.Hour // and the host's clock says a second
	if err := l.Advance(c.Block(2)); err == nil || !strings.Contains(err.Error(), "trusting period") {
		t.Errorf("%v", err)
	}
}

// A proven fork ends all service, for good, and is told with its proof.
func TestP03_Forks(t *testing.T) {
	for name, make := range map[string]func(c *enclavetest.Chain) []byte{
		"another newest block": func(c *enclavetest.Chain) []byte {
			b, _ := c.Sign(5, c.Time(), bytes.Repeat([]byte{1}, 32), validator())
			return b
		},
		"another old block": func(c *enclavetest.Chain) []byte {
			b, _ := c.Sign(2, c.Time(), bytes.Repeat([]byte{1}, 32), validator())
			return b
		},
		"the next block of another chain": func(c *enclavetest.Chain) []byte {
			other := enclavetest.NewChain(c.T, enclavetest.Ref(7))
			for range 6 {
				other.NewBlock()
			}
			return other.Block(6)
		},
	} {
		c := enclavetest.NewChain(t, enclavetest.Ref(0))
		l, host, _ := counted(t, c, lightclient.Config{})
		for range 5 {
			c.NewBlock()
			host.at = c.Time()
			if err := l.Advance(c.Block(c.Height)); err != nil {
				t.Fatal(err)
			}
		}
		stranger, _ := c.Sign(5, c.Time(), bytes.Repeat([]byte{1}, 32), ed25519.GenPrivKeyFromSecret([]byte("mallory")))
		if err := l.Advance(stranger); err == nil || l.Fork() != nil || l.Fresh() != nil {
			t.Errorf("%s: a stranger's block: %v", name, err)
		}
		block := make(c)
		if err := l.Advance(block); !errors.Is(err, light.ErrFork) {
			t.Fatalf("%s: %v", name, err)
		}
		f := l.Fork()
		if f == nil || !bytes.Equal(f.Conflicting, block) || !bytes.Equal(f.Hash, c.Hash(f.Height)) {
			t.Errorf("%s: evidence %v", name, f)
		}
		c.NewBlock()
		host.at = c.Time()
		if err := l.Advance(c.Block(6)); !errors.Is(err, light.ErrFork) || l.Height() != 5 || l.Fresh() == nil || l.FreshAt(5) == nil {
			t.Errorf("%s: it goes on: %v", name, err)
		}
	}
}

// A checkpoint is where trust starts, and no header before it is taken.
func TestP03_Checkpoint(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	for range 50 {
		c.NewBlock()
	}
	l, host, _ := counted(t, c, lightclient.Config{Checkpoint: &light.Checkpoint{Height: 30, Hash: c.Hash(30)}})
	host.at = c.Time()
	if l.Height() != 29 {
		t.Errorf("begins behind %d", l.Height())
	}
	for _, h := range []uint64{1, 29} {
		if err := l.Advance(c.Block(h)); err != nil || l.Newest().Height != 0 {
			t.Errorf("header %d: %v", h, err)
		}
	}
	if l.Advance(c.Block(31)) == nil {
		t.Error("a jump over the checkpoint")
	}
	if _, err := l.Facts(c.Prove(29, policy())); err == nil {
		t.Error("a value from before it")
	}
	for _, h := range []uint64{30, 31, 50} {
		if err := l.Advance(c.Block(h)); err != nil || l.Height() != h {
			t.Fatalf("header %d: %v", h, err)
		}
	}
	wrong, host, _ := counted(t, c, lightclient.Config{Checkpoint: &light.Checkpoint{Height: 30, Hash: c.Hash(31)}})
	host.at = c.Time()
	if wrong.Advance(c.Block(30)) == nil || wrong.Advance(c.Block(1)) != nil || wrong.Fresh() == nil {
		t.Error("a checkpoint of another chain leads somewhere")
	}
}

// What is kept is bounded, whatever is skipped.
func TestHistoryIsBounded(t *testing.T) {
	c := enclavetest.NewChain(t, enclavetest.Ref(0))
	l, host, count := counted(t, c, lightclient.Config{})
	root := bytes.Repeat([]byte{1}, 32)
	kept := map[uint64]bool{}
	for h := uint64(1); h < 3*light.History; h += 97 {
		at := c.Time().Add(time.Duration(h) * time.Second)
		host.at, *count = at, time.Duration(h)*time.Second
		b, _ := c.Sign(h, at, root, validator())
		if err := l.Advance(b); err != nil {
			t.Fatal(err)
		}
		kept[h] = true
	}
	n := 0
	for h := range kept {
		if _, ok := l.Header(h); ok {
			n++
		}
	}
	if most := lightclient.Keep + light.History/light.Spacing + 4; n > most {
		t.Errorf("%d headers are kept, at most %d", n, most)
	}
	h, ok := l.Behind(86_400)
	if !ok || h.Height+86_400 > l.Height() || h.Height+86_400+200 < l.Height() {
		t.Errorf("behind a day of seconds: %d of %d", h.Height, l.Height())
	}
}
