package engine

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/cosmos/btcutil/bech32"
)

// addressPrefix is the human part of every address on this network.
const addressPrefix = "pha"

const maxHuman, maxCanonical = 256, 64

// canonical decodes an address: 20 bytes of an account, 32 of a contract or a
// module account.
func canonical(address string) ([]byte, error) {
	switch {
	case address == "":
		return nil, errors.New("Input is empty") //nolint:staticcheck // the words contracts know
	case !utf8.ValidString(address):
		return nil, errors.New("Input is not valid UTF-8") //nolint:staticcheck // likewise
	}
	prefix, raw, err := bech32.Decode(address, 90)
	if err != nil {
		return nil, fmt.Errorf("invalid address: %w", err)
	}
	if prefix != addressPrefix {
		return nil, fmt.Errorf("invalid address: it starts with %q, not with %q", prefix, addressPrefix)
	}
	out, err := bech32.ConvertBits(raw, 5, 8, false)
	if err != nil {
		return nil, fmt.Errorf("invalid address: %w", err)
	}
	if len(out) != 20 && len(out) != 32 {
		return nil, fmt.Errorf("invalid address: %d bytes", len(out))
	}
	return out, nil
}

// human encodes an address.
func human(account []byte) (string, error) {
	if len(account) == 0 {
		return "", errors.New("Input is empty") //nolint:staticcheck // the words contracts know
	}
	if len(account) != 20 && len(account) != 32 {
		return "", fmt.Errorf("invalid canonical address: %d bytes", len(account))
	}
	raw, err := bech32.ConvertBits(account, 8, 5, true)
	if err != nil {
		return "", fmt.Errorf("invalid canonical address: %w", err)
	}
	return bech32.Encode(addressPrefix, raw)
}

// The three below answer 0 or, for what is the user's mistake and not the
// contract's, a region with the reason.

func addrValidate(f *frame, a args) (uint64, error) {
	in, err := f.read(a.ptr(0), maxHuman)
	if err != nil {
		return 0, err
	}
	raw, err := canonical(string(in))
	if err != nil {
		return f.give([]byte(err.Error()))
	}
	if again, err := human(raw); err != nil || again != string(in) {
		return f.give([]byte("invalid address: not in lower case"))
	}
	return 0, nil
}

func addrCanonicalize(f *frame, a args) (uint64, error) {
	in, err := f.read(a.ptr(0), maxHuman)
	if err != nil {
		return 0, err
	}
	raw, err := canonical(string(in))
	if err != nil {
		return f.give([]byte(err.Error()))
	}
	return 0, f.fill(a.ptr(1), raw)
}

func addrHumanize(f *frame, a args) (uint64, error) {
	in, err := f.read(a.ptr(0), maxCanonical)
	if err != nil {
		return 0, err
	}
	out, err := human(in)
	if err != nil {
		return f.give([]byte(err.Error()))
	}
	return 0, f.fill(a.ptr(1), []byte(out))
}
