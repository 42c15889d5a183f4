package runtime_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/runtime"
	"github.com/phala-go/phala/enclave/tee"
)

// An enclave vouches for a channel with the newest evidence of its boot, by the chain's clock, and with nothing where it has none.
func TestCertificate(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	key := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	rt := n.Members[0].RT.(*runtime.Runtime)
	first := certificate(t, rt, key)
	if w := n.Chain.Worker(n.Members[0].Ref); !bytes.Equal(first.Evidence.Identity.IdentityKey, w.IdentityKey) || !first.Key.Equal(key) {
		t.Errorf("%v", first)
	}
	if !first.NotBefore.Equal(n.Chain.Time()) || first.NotAfter.Sub(first.NotBefore) != channel.MaxLife {
		t.Errorf("from %s to %s at %s", first.NotBefore, first.NotAfter, n.Chain.Time())
	}
	n.Blocks(1)
	n.Members[0].Register()
	if again := certificate(t, rt, key); again.Evidence.Identity.NonceHeight != n.Chain.Height {
		t.Errorf("evidence over block %d at %d", again.Evidence.Identity.NonceHeight, n.Chain.Height)
	}
	n.Skew = 2 * time.Minute
	if _, err := rt.Certificate(key); err == nil || !strings.Contains(err.Error(), "newest header") && !strings.Contains(err.Error(), "no new header") {
		t.Errorf("cut off from the chain: %v", err)
	}

	fresh, err := runtime.New(context.Background(), runtime.Config{
		Genesis: n.Chain.Genesis, Role: wire.ROLE_GATEKEEPER, TEE: tee.SimulatedAs(enclavetest.Measurement(wire.ROLE_GATEKEEPER)), Now: n.Clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Certificate(key); err == nil || !strings.Contains(err.Error(), "attest first") {
		t.Errorf("without evidence: %v", err)
	}
}

func certificate(t *testing.T, rt *runtime.Runtime, key ed25519.PublicKey) *channel.Certificate {
	t.Helper()
	der, err := rt.Certificate(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := channel.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
