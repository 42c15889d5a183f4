package sevsnptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
)

// CA is one of the certificate authorities; their keys are fixed, public and prove nothing.
type CA int

// The authorities. Stranger has certified nothing and is trusted by nobody.
const (
	ARK CA = iota
	ASK
	ASVK
	Stranger
	largeARK
	largeASK
)

// ca is the authority that the machine's certificates are signed by in the place of c.
func (m Machine) ca(c CA) CA {
	if m.FullSize && c <= ASK {
		return largeARK + c
	}
	return c
}

// primes are the two factors of each CA's RSA key of 2048 bits, or 4096 for the large ones, in base64: making such keys is slow, and they have to be the same each time.
var primes = [...][2]string{
	{ // ARK
		"5k8P4lOMCebri5ZT9iJrILhgG4acLA21QNCrDqVoMqLBZQnUtbL44tBvQuJNsuUYXm8z+bU1vhAxdJVnNMJLDOUq4SZeuRbbI+9ilevYXFOI8Od/xbJNtU0aVR/pw+1RNF+MFJiTTflQWafAaSu60AQ6ri+xcZvkmIGqFKUkpxM=",
		"7DZzB2hlHMuTPqcopFOhhPQWh4wjW1ycw1YTr3ImydHReTJGIeUh+JR+maO6ubdbmsJPOYXdDSqoCv22yM7M8zhJ/rT80r3lrGwhpLFuGP/gnblVpsu09SG6l07xD7Y+Ca0QDLPi+SgGSywjc3uFZeHc4AsnEj7TlwwgnKYliNM=",
	},
	{ // ASK
		"3tIunibmfV1XHAQdY6rGm5G15xY8IVHys2Hr9lXuk0P1BOefKqyUjoGgQUWwjYYI0+4YUtuyHeJvTnsejDQrS1vmxosb0PQTifwyc3zf3JrpAV8OHmnXFd/OmRR9GikgC4+yxcwzTULgF6RmmiqcGJ7G2iT9cVjRv+bWgPgVys0=",
		"6AodebhELpU+jUdwit2tdOetCr59v0sxYfaI1e+qX5XOokKg98yplqyAPfs9o2RJJCjPC5hfP/kmP0+HG6Bvm9ym718ICrQvTlaOrKv0IO3mb+IhyEoqbFUpMUc8sJZeErsgWJncaHhtsc0ME8gHWPtI1XuKZHgFyMvHY0fHaqU=",
	},
	{ // ASVK
		"+bhR+YyD5Ld4qOkarQgvkw+3ekCbWRJk2br9Tb4B9TeRwdfDUh5aGMTVgmS8jeOiVc1RVJxQfKhAw052r1jPc05fOHjq1+32x3CE8jCyzXgxqcDa2lQ2VV/f/erFocQKafV7ApQZlU7EYuofqXgaRsJs80VzE6BF3PT5/jvE/Nk=",
		"2x7+ADJ/U8VKJ6WAkXyzbuVXADAFgEbxi5/U3psamhyYllFqozIqklPTapTUJZnrPnzpCrBc0MiVe/giQ39zmv6GRjKCmTGskLWDNwRLpHx5l1tzUgAW1uRk0X2FoTuYkF/mLrVGW9r8FjlfvU1xUTVLmBowznj50UHuQOto0yE=",
	},
	{ // stranger
		"0TlTFR84p7CxA3JJbg0JppCi3n8wHo2bSZTe9SSeCk3peswvhciMpYdcGXJepWZopkVhR+1aW42RtLsI9kbIqs3MmGrmR/Gysr2UZLYE6I5y/9jNDOjjtaEC8eDP+MklABFovGuFmg0VBpdLIbLfSa5EY+sy5C4KYqnUOZzbdIU=",
		"6p5KK9r7z6ReidUBDQ/eAMDTS/d+U4YfVzl1oMwrCyO9tMREhWEcvClIFUneZw6OfPYUM7syuu/ZesQkOe3fNuJZlaON73hjMseG/awZuy2GAeLesetWFXSKtDyZfLHkZMNo50TtBtek+I2U+a/t2cW2SsETkXClkUtt1nYzCec=",
	},
	{ // large ARK
		"ypOCdkmVyBwTaWVUlTiLG+a/7mXBITYccvBYh1iwmCDv6IBcE8M0ECDh+Rw84t1AoZF48moH6dwm8O9rGTnN3hUsjs+C2K5sgNw1i5i3kQlzOnu3S8P50bTJa33wI+pYHP1q++FfZ2mTQdDn47wI/3tnTIvTNsj+W0V+lmXTgFdjH6KIe/cDHQBqxY1s2TQ0iLV6El7bbSpLZp3dOUqKzF3hz3a+8bp+ygbzwBbtb7euETCUJaaCTWw+bARYoB+tM8FT5FgigOt/CQszsf+SjgmwWW6X8VS5isr2BW8bc/e0XoyXArWQfPv6pUcckgb/ox+K2NER2l09AZEbpkrGtQ==",
		"vHQ6711ujxJltV0kUoNFT2QgRirpePSqPIqAti+mUVk/2/1LV+SSjHAZPDMa/z5cvH3SwbYIsVXbgdzebNwi85RWDeotsmasGAlDE1UmSWmQwSDPlt8pyHzn0U4+UymDqgq1FmmWcC4YzuI5WeukqET193p+84fnjAQW/GZzajiXplLaxp4Yo87o7/wFwkrybWM2H+m56cX8pbbiPtO1O3Vbs5G6KaiMyqKlEeHsMQCzkfyTQk6YwTmiYi7ghvuIEhLMcorCem0n01UKRx5K0AiA25S/SEgMizg5jnjEdmCsSM9Q0hPyFOBnNL304xaOozpql9HuqmdXMIo/XbNLrQ==",
	},
	{ // large ASK
		"9eWD9CcfzJ6FL2/vHHTTkclG4liGt8gTWSqju8B1mARMhsst56pwzv29M69SX7BD/rFThVdL4xWzxMRASPRSZKMBZsLUat2N3oTccJ8tkxcYr5c570s2thPbkq67ztj/3an9DjwuN7+IZ+Gl/JUkHv+tmmdRbB9i3eIEV5K9tKFr7DeWevVsJRdnxWYAUp+NKKcCL/aUOr/WXnUgKIWBIOFqLzdHJLshREtg+TYBB7rzFZws5EXaROJDpgvdnpZWqTZP2MNkgYrD6PooWvHoE5QnJgCXcCB1yjm9lqvQ3mp3d9OjtffePREKkQC+3gTF0rdetlF8+WRjrV/S2jFQbQ==",
		"9djIszp3X7HbwbT9A9oylgIDUfeDC/T7IXtbtkI2WU193YpezGc3HqKbYWsQe/zkrpbXoTPoIvxVysTKMJzTNLDlF6ADRT/pdNRjpNNQds/shQXugcdg960ZSgGUF36TrpthUhVkC+SSOuvPGlhIzS9XqKdbC/i+439KE9DC/Tde6mq7/0VR5tPKrU0uuIEHhnnK65f1C5GD2C06L5MNLSVPNtXK2qaUZFImOb6GBOvmVZY+6HuxPPeanw09dN3HDweAC1ZXkSpMiMbLYxOaCubsLnav3f3m71s7P92Xt0wyCSKSQEeGgfXKEc4n9WzF6BeJ2W3UFburkKC0IqmbKQ==",
	},
}

// key is the CA's.
func (c CA) key() (*rsa.PrivateKey, error) {
	var f [2]*big.Int
	for i, s := range primes[c] {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("reading the key of CA %d: %w", c, err)
		}
		f[i] = new(big.Int).SetBytes(b)
	}
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(f[0], one), new(big.Int).Sub(f[1], one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(f[0], f[1]), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), phi),
		Primes:    f[:],
	}
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("reading the key of CA %d: %w", c, err)
	}
	k.Precompute()
	return k, nil
}

// leafKey is the VCEK or VLEK of that name.
func leafKey(name string) (*ecdsa.PrivateKey, error) {
	var d [48]byte
	_, _ = (&stream{seed: []byte("leaf " + name)}).Read(d[:])
	d[0] = 0 // below the order of the group
	return ecdsa.ParseRawPrivateKey(elliptic.P384(), d[:])
}

// stream is as many bytes as are wanted, the same for the same seed.
type stream struct {
	seed []byte
	n    uint64
	rest bytes.Buffer
}

// Read never ends.
func (s *stream) Read(p []byte) (int, error) {
	for s.rest.Len() < len(p) {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(bytes.Clone(s.seed), s.n))
		s.n++
		s.rest.Write(h[:])
	}
	return s.rest.Read(p)
}

// PrivateKey is the CA's, for tests that need an RSA key which is the same each time.
func (c CA) PrivateKey() (*rsa.PrivateKey, error) { return c.key() }
