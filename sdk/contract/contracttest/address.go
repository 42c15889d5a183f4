package contracttest

import (
	"crypto/sha256"
	"errors"
	"strings"
)

const (
	prefix  = "pha"
	charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// Address makes a valid account address of a name, for tests.
func Address(name string) string {
	sum := sha256.Sum256([]byte(name))
	var five []byte
	for bit := 0; bit < 160; bit += 5 {
		word := uint16(sum[bit/8])<<8 | uint16(sum[bit/8+1])
		five = append(five, byte(word>>(11-bit%8))&31)
	}
	check := polymod(append(expanded(), append(five, make([]byte, 6)...)...)) ^ 1
	for i := range 6 {
		five = append(five, byte(check>>(5*(5-i)))&31)
	}
	var out strings.Builder
	out.WriteString(prefix + "1")
	for _, v := range five {
		out.WriteByte(charset[v])
	}
	return out.String()
}

// checkAddress wants bech32 of 20 or 32 bytes.
func checkAddress(s string) error {
	body, ok := strings.CutPrefix(s, prefix+"1")
	if !ok || len(body) != 32+6 && len(body) != 52+6 {
		return errors.New("invalid address: not " + prefix + "1… of 20 or 32 bytes")
	}
	values := expanded()
	for i := range len(body) {
		v := strings.IndexByte(charset, body[i])
		if v < 0 {
			return errors.New("invalid address: not in bech32's alphabet")
		}
		values = append(values, byte(v))
	}
	if polymod(values) != 1 {
		return errors.New("invalid address: wrong checksum")
	}
	return nil
}

// expanded is the prefix as the checksum takes it in.
func expanded() (out []byte) {
	for i := range len(prefix) {
		out = append(out, prefix[i]>>5)
	}
	out = append(out, 0)
	for i := range len(prefix) {
		out = append(out, prefix[i]&31)
	}
	return out
}

func polymod(values []byte) uint32 {
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}
