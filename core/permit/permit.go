// Package permit is the right to query, signed with a wallet (ADR-036): a body in JSON that says for which contracts and until
// when, and a signature over the amino sign document of one sign/MsgSignData around it. The enclave judges, the client signs.
// It must never read a clock: the time that counts is an argument, in the enclave the newest verified header's.
package permit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cosmos/btcutil/bech32"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // what Cosmos addresses are made of

	"github.com/phala-go/phala/core/wire"
)

// Codes of an Error, which are also the gateway's.
const (
	CodeMissing = "permit-missing"
	CodeInvalid = "permit-invalid"
	CodeExpired = "permit-expired"
	CodeScope   = "permit-scope"
)

// Error says why a permit gives no right.
type Error struct {
	Code    string // one of the constants
	Message string
	Next    string // what the asker can do
}

// Error names the code and the reason.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Failure is the form in which the error travels.
func (e *Error) Failure() *wire.Failure {
	return &wire.Failure{Code: e.Code, Message: e.Message, Next: e.Next}
}

const (
	hrp         = "pha"
	timeLayout  = "2006-01-02T15:04:05Z"
	maxBody     = 8 << 10
	contractLen = 32
)

// Body is what the wallet shows and signs.
type Body struct {
	ChainID   string
	Cluster   uint64
	Contracts []string  // bech32; empty: all of the cluster
	Expires   time.Time // whole seconds
}

type bodyJSON struct {
	ChainID   string   `json:"chain_id"`
	Cluster   uint64   `json:"cluster"`
	Contracts []string `json:"contracts,omitempty"`
	Expires   string   `json:"expires"`
}

// Marshal gives the one encoding of b.
func (b Body) Marshal() ([]byte, error) {
	if b.ChainID == "" || b.Cluster == 0 || b.Expires.IsZero() {
		return nil, fmt.Errorf("encoding a permit: chain id, cluster and expiry are needed")
	}
	for _, c := range b.Contracts {
		if err := checkContract(c); err != nil {
			return nil, fmt.Errorf("encoding a permit: %w", err)
		}
	}
	return encode(bodyJSON{b.ChainID, b.Cluster, b.Contracts, b.Expires.UTC().Format(timeLayout)})
}

// encode leaves <, > and & as they are, like the browser's JSON.stringify.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding a permit: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Parse reads a body and refuses every form but the one that Marshal gives: unknown or repeated keys, another order, spaces,
// an empty list of contracts, a time with a fraction or another zone.
func Parse(data []byte) (Body, error) {
	if len(data) > maxBody {
		return Body{}, fmt.Errorf("reading a permit: %d bytes, at most %d", len(data), maxBody)
	}
	var j bodyJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Body{}, fmt.Errorf("reading a permit: %w", err)
	}
	expires, err := time.Parse(timeLayout, j.Expires)
	if err != nil {
		return Body{}, fmt.Errorf("reading a permit: expires %q: want a time like 2026-01-02T15:04:05Z", j.Expires)
	}
	b := Body{j.ChainID, j.Cluster, j.Contracts, expires}
	again, err := b.Marshal()
	if err != nil {
		return Body{}, fmt.Errorf("reading a permit: %w", err)
	}
	if !bytes.Equal(again, data) {
		return Body{}, fmt.Errorf("reading a permit: not in its one form: want %s", again)
	}
	return b, nil
}

// SignDoc is what the wallet of signer signs for data: ADR-036's document in canonical JSON.
func SignDoc(signer string, data []byte) []byte {
	// Every value is free of characters that JSON escapes: base64 and bech32.
	return []byte(`{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"","msgs":[{"type":"sign/MsgSignData","value":{"data":"` +
		base64.StdEncoding.EncodeToString(data) + `","signer":"` + signer + `"}}],"sequence":"0"}`)
}

// Address is the account of a compressed secp256k1 public key.
func Address(pubKey []byte) (string, error) {
	sum := sha256.Sum256(pubKey)
	h := ripemd160.New()
	h.Write(sum[:])
	words, err := bech32.ConvertBits(h.Sum(nil), 8, 5, true)
	if err != nil {
		return "", fmt.Errorf("encoding an address: %w", err)
	}
	return bech32.Encode(hrp, words)
}

// Sign gives the holder of b's permit the rights of key's account.
func Sign(key *secp256k1.PrivateKey, b Body) (*wire.Permit, error) {
	body, err := b.Marshal()
	if err != nil {
		return nil, err
	}
	pub := key.PubKey().SerializeCompressed()
	signer, err := Address(pub)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(SignDoc(signer, body))
	sig := ecdsa.SignCompact(key, digest[:], true) // low s; the first byte only serves recovery
	return &wire.Permit{PubKey: pub, Body: body, Signature: sig[1:]}, nil
}

// renew is what whose permit does not reach can do.
const renew = "sign a new permit for this network, cluster and contract"

// Right is what a permit gives, its signature, chain and cluster judged.
type Right struct {
	Signer string // the account
	body   Body
}

// Missing is the refusal of who has no permit where one is needed.
func Missing() error {
	return &Error{CodeMissing, "this contract answers only to a permit", "send one: `phala contract query --from NAME` signs it"}
}

// Judge is what is the same for all queries under a permit; whether it reaches one of them is for Covers to say. Every error is an *Error.
func Judge(p *wire.Permit, chainID string, cluster uint64) (*Right, error) {
	if p == nil {
		return nil, Missing()
	}
	signer, err := verifySignature(p)
	if err != nil {
		return nil, &Error{CodeInvalid, err.Error(), "sign the body as it is with a wallet's ADR-036 signature"}
	}
	b, err := Parse(p.Body)
	switch {
	case err != nil:
		return nil, &Error{CodeInvalid, err.Error(), renew}
	case b.ChainID != chainID:
		return nil, &Error{CodeScope, fmt.Sprintf("the permit is for chain %q, this is %q", b.ChainID, chainID), renew}
	case b.Cluster != cluster:
		return nil, &Error{CodeScope, fmt.Sprintf("the permit is for cluster %d, not %d", b.Cluster, cluster), renew}
	}
	return &Right{signer, b}, nil
}

// Covers is nil if the permit reaches a query of contract at now. Every error is an *Error.
func (r *Right) Covers(now time.Time, contract string) error {
	switch {
	case len(r.body.Contracts) > 0 && !slices.Contains(r.body.Contracts, contract):
		return &Error{CodeScope, "the permit does not name contract " + contract, renew}
	case !now.Before(r.body.Expires):
		return &Error{CodeExpired, fmt.Sprintf("the permit ended at %s, the network's time is %s", r.body.Expires.Format(timeLayout), now.UTC().Format(timeLayout)), renew}
	}
	return nil
}

func verifySignature(p *wire.Permit) (string, error) {
	if len(p.PubKey) != secp256k1.PubKeyBytesLenCompressed {
		return "", fmt.Errorf("public key of %d bytes, want %d", len(p.PubKey), secp256k1.PubKeyBytesLenCompressed)
	}
	pub, err := secp256k1.ParsePubKey(p.PubKey)
	if err != nil {
		return "", fmt.Errorf("parsing the public key: %w", err)
	}
	if len(p.Body) > maxBody {
		return "", fmt.Errorf("body of %d bytes, at most %d", len(p.Body), maxBody)
	}
	if len(p.Signature) != 64 {
		return "", fmt.Errorf("signature of %d bytes, want 64", len(p.Signature))
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(p.Signature[:32]) || s.SetByteSlice(p.Signature[32:]) || r.IsZero() || s.IsZero() {
		return "", fmt.Errorf("signature out of range")
	}
	if s.IsOverHalfOrder() {
		return "", fmt.Errorf("signature with high s: another form of the same one")
	}
	signer, err := Address(p.PubKey)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(SignDoc(signer, p.Body))
	if !ecdsa.NewSignature(&r, &s).Verify(digest[:], pub) {
		return "", fmt.Errorf("signature is not by %s over this body", signer)
	}
	return signer, nil
}

func checkContract(s string) error {
	got, words, err := bech32.Decode(s, 90)
	if err != nil {
		return fmt.Errorf("contract %q: %w", s, err)
	}
	b, err := bech32.ConvertBits(words, 5, 8, false)
	if err != nil || got != hrp || len(b) != contractLen {
		return fmt.Errorf("contract %q is no contract's address", s)
	}
	return nil
}
