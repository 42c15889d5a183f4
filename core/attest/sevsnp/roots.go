package sevsnp

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// AMD is AMD's roots for Milan, Genoa and Turin.
func AMD() []Root {
	return []Root{
		{Line: Milan, Key: hash(milanKey), ARK: der(milanARK), ASK: der(milanASK), ASVK: der(milanASVK), Issued: [][32]byte{hash(milanASKHash), hash(milanASVKHash)}},
		{Line: Genoa, Key: hash(genoaKey), ARK: der(genoaARK), ASK: der(genoaASK), ASVK: der(genoaASVK), Issued: [][32]byte{hash(genoaASKHash), hash(genoaASVKHash)}},
		{Line: Turin, Key: hash(turinKey), ARK: der(turinARK), ASK: der(turinASK), ASVK: der(turinASVK), Issued: [][32]byte{hash(turinASKHash), hash(turinASVKHash)}},
	}
}

// der is a constant of this package; were one broken, it would be empty and nothing would be accepted, which a test would show.
func der(constant string) []byte {
	b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(constant, "\n", ""))
	if err != nil {
		return nil
	}
	return b
}

func hash(constant string) (out [32]byte) {
	if b, err := hex.DecodeString(constant); err == nil {
		copy(out[:], b)
	}
	return out
}
