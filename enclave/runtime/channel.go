package runtime

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/channel"
)

// Certificate vouches for the key of an attested channel: the identity signs it together with the boot's newest evidence, for an hour
// of the chain's clock. An error means that there is nothing to vouch with yet.
func (r *Runtime) Certificate(key ed25519.PublicKey) ([]byte, error) {
	if r.evidence == nil {
		return nil, errors.New("vouching for a channel: the enclave has not been told its name: attest first")
	}
	if err := r.light.Fresh(); err != nil {
		return nil, fmt.Errorf("vouching for a channel: %w", err)
	}
	from := r.light.Newest().Time.UTC().Truncate(time.Second)
	return channel.Issue(r.identity, channel.Certificate{Key: key, Evidence: r.evidence, NotBefore: from, NotAfter: from.Add(channel.MaxLife)})
}
