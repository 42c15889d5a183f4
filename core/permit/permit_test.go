package permit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cosmos/btcutil/bech32"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/phala-go/phala/core/wire"
)

func testKey() *secp256k1.PrivateKey {
	sum := sha256.Sum256([]byte("permit test key"))
	return secp256k1.PrivKeyFromBytes(sum[:])
}

func contract(t *testing.T, b byte) string {
	t.Helper()
	words, err := bech32.ConvertBits(bytes.Repeat([]byte{b}, 32), 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bech32.Encode("pha", words)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var expires = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// Signatures are deterministic (RFC 6979), so the whole permit is a vector.
func TestVector(t *testing.T) {
	b := Body{ChainID: "phala-dev-1", Cluster: 1, Contracts: []string{contract(t, 7)}, Expires: expires}
	p, err := Sign(testKey(), b)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := Address(p.PubKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ name, got, want string }{
		{"signer", signer, vectorSigner},
		{"body", string(p.Body), vectorBody},
		{"sign document", string(SignDoc(signer, p.Body)), vectorDoc},
		{"signature", hex.EncodeToString(p.Signature), vectorSignature},
	} {
		if v.got != v.want {
			t.Errorf("%s:\n got %s\nwant %s", v.name, v.got, v.want)
		}
	}
}

// verify judges a permit for one query.
func verify(p *wire.Permit, now time.Time, chainID string, cluster uint64, contract string) (string, error) {
	r, err := Judge(p, chainID, cluster)
	if err != nil {
		return "", err
	}
	if err := r.Covers(now, contract); err != nil {
		return "", err
	}
	return r.Signer, nil
}

func TestVerify(t *testing.T) {
	one, two := contract(t, 1), contract(t, 2)
	scoped := Body{ChainID: "c", Cluster: 1, Contracts: []string{one}, Expires: expires}
	all := Body{ChainID: "c", Cluster: 1, Expires: expires}
	before := expires.Add(-time.Second)
	for _, tc := range []struct {
		name     string
		body     Body
		change   func(*wire.Permit)
		now      time.Time
		chain    string
		cluster  uint64
		contract string
		code     string
	}{
		{"in scope", scoped, nil, before, "c", 1, one, ""},
		{"whole cluster", all, nil, before, "c", 1, two, ""},
		{"other contract", scoped, nil, before, "c", 1, two, CodeScope},
		{"other cluster", all, nil, before, "c", 2, one, CodeScope},
		{"other chain", all, nil, before, "d", 1, one, CodeScope},
		{"at its end", all, nil, expires, "c", 1, one, CodeExpired},
		{"body changed", all, func(p *wire.Permit) { p.Body = bytes.Replace(p.Body, []byte("2026"), []byte("2036"), 1) }, before, "c", 1, one, CodeInvalid},
		{"signature cut", all, func(p *wire.Permit) { p.Signature = p.Signature[:63] }, before, "c", 1, one, CodeInvalid},
		{"high s", all, func(p *wire.Permit) {
			s := new(big.Int).Sub(secp256k1.S256().N, new(big.Int).SetBytes(p.Signature[32:]))
			s.FillBytes(p.Signature[32:])
		}, before, "c", 1, one, CodeInvalid},
		{"another's key", all, func(p *wire.Permit) {
			p.PubKey = secp256k1.PrivKeyFromBytes([]byte{9}).PubKey().SerializeCompressed()
		}, before, "c", 1, one, CodeInvalid},
		{"uncompressed key", all, func(p *wire.Permit) { p.PubKey = testKey().PubKey().SerializeUncompressed() }, before, "c", 1, one, CodeInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Sign(testKey(), tc.body)
			if err != nil {
				t.Fatal(err)
			}
			if tc.change != nil {
				tc.change(p)
			}
			signer, err := verify(p, tc.now, tc.chain, tc.cluster, tc.contract)
			var e *Error
			switch {
			case tc.code == "" && (err != nil || signer != vectorSigner):
				t.Fatalf("got %q, %v", signer, err)
			case tc.code != "" && (!errors.As(err, &e) || e.Code != tc.code || e.Next == "" || signer != ""):
				t.Fatalf("got %q, %v, want %s", signer, err, tc.code)
			}
		})
	}
	var e *Error
	if _, err := verify(nil, before, "c", 1, one); !errors.As(err, &e) || e.Code != CodeMissing {
		t.Fatalf("no permit: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := `{"chain_id":"c","cluster":1,"expires":"2026-01-02T15:04:05Z"}`
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"space":          `{"chain_id":"c", "cluster":1,"expires":"2026-01-02T15:04:05Z"}`,
		"order":          `{"cluster":1,"chain_id":"c","expires":"2026-01-02T15:04:05Z"}`,
		"unknown key":    `{"chain_id":"c","cluster":1,"expires":"2026-01-02T15:04:05Z","x":1}`,
		"repeated key":   `{"chain_id":"d","chain_id":"c","cluster":1,"expires":"2026-01-02T15:04:05Z"}`,
		"other case":     `{"Chain_id":"c","cluster":1,"expires":"2026-01-02T15:04:05Z"}`,
		"empty list":     `{"chain_id":"c","cluster":1,"contracts":[],"expires":"2026-01-02T15:04:05Z"}`,
		"no contract":    `{"chain_id":"c","cluster":1,"contracts":["pha1x"],"expires":"2026-01-02T15:04:05Z"}`,
		"fraction":       `{"chain_id":"c","cluster":1,"expires":"2026-01-02T15:04:05.5Z"}`,
		"zone":           `{"chain_id":"c","cluster":1,"expires":"2026-01-02T15:04:05+01:00"}`,
		"no cluster":     `{"chain_id":"c","cluster":0,"expires":"2026-01-02T15:04:05Z"}`,
		"float":          `{"chain_id":"c","cluster":1.0,"expires":"2026-01-02T15:04:05Z"}`,
		"trailing":       good + "\n",
		"too long":       `{"chain_id":"` + strings.Repeat("c", maxBody) + `","cluster":1,"expires":"2026-01-02T15:04:05Z"}`,
		"null":           `null`,
		"null contracts": `{"chain_id":"c","cluster":1,"contracts":null,"expires":"2026-01-02T15:04:05Z"}`,
	} {
		if b, err := Parse([]byte(s)); err == nil {
			t.Errorf("%s: taken as %+v", name, b)
		}
	}
}
