package azure

import (
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/phala-go/phala/core/attest/claims"
)

// attestationKey is the vTPM's AK in the runtime data: the one entry of "keys" (JSON Web Keys, RFC 7517) whose kid is HCLAkPub. Members
// that are not known may stand there, since Azure adds some with time; the report has been made over them like over the key.
func attestationKey(runtime []byte) (*rsa.PublicKey, error) {
	v, err := parseJSON(runtime)
	if err != nil {
		return nil, malformed("runtime data", err.Error(), "JSON whose names stand once in their object")
	}
	top, _ := v.(map[string]any)
	keys, ok := top["keys"].([]any)
	if !ok {
		return nil, malformed("runtime data", "without keys", "an object with an array keys")
	}
	var found map[string]any
	for _, k := range keys {
		k, _ := k.(map[string]any)
		if k["kid"] != "HCLAkPub" {
			continue
		}
		if found != nil {
			return nil, malformed("keys", "two of kid HCLAkPub", "one")
		}
		found = k
	}
	if found == nil {
		return nil, claims.Refuse("no-ak", "keys", "none of kid HCLAkPub", "one: the vTPM's attestation key", "this paravisor vouches for no vTPM")
	}
	return rsaKey(found)
}

// rsaKey reads an RSA key (RFC 7518, 6.3.1) that signs.
func rsaKey(k map[string]any) (*rsa.PublicKey, error) {
	if k["kty"] != "RSA" {
		return nil, malformed("kty of HCLAkPub", fmt.Sprint(k["kty"]), "RSA")
	}
	if ops, ok := k["key_ops"].([]any); !ok || len(ops) != 1 || ops[0] != "sign" {
		return nil, malformed("key_ops of HCLAkPub", fmt.Sprint(k["key_ops"]), `["sign"]`)
	}
	e, errE := number(k["e"])
	n, errN := number(k["n"])
	if errE != nil || errN != nil {
		return nil, malformed("HCLAkPub", "n or e that is no number", "base64url without padding or leading zeros")
	}
	if bits := n.BitLen(); e.Cmp(big.NewInt(65537)) != 0 || bits < 2048 || bits > 4096 || n.Bit(0) == 0 {
		return nil, claims.Refuse("ak-unsupported", "HCLAkPub", fmt.Sprintf("a modulus of %d bits, exponent of %d bits", bits, e.BitLen()), "2048 to 4096 bits, odd, 65537", "this paravisor makes keys that no verifier knows yet: take another image of Azure's, or a newer verifier")
	}
	return &rsa.PublicKey{N: n, E: 65537}, nil
}

// number reads a Base64urlUInt (RFC 7518, 2).
func number(v any) (*big.Int, error) {
	s, _ := v.(string)
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	n := new(big.Int).SetBytes(b)
	if len(b) == 0 || len(b) != (n.BitLen()+7)/8 || len(s) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return nil, malformed("number", s, "as many bytes as it takes")
	}
	return n, nil
}
