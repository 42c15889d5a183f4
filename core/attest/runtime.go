package attest

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// RuntimeConfig is what an enclave's hardware records before the first key exists, so that one that was started for another
// chain or role is told apart by measurement: domain || len(chain id), 4 bytes big endian || chain id || genesis hash, 32 bytes ||
// role, 4 bytes big endian, with the domain "phala/runtime-config/v1".
func RuntimeConfig(chainID string, genesisHash []byte, role wire.Role) []byte {
	b := []byte("phala/runtime-config/v1")
	b = binary.BigEndian.AppendUint32(b, uint32(len(chainID)))
	b = append(b, chainID...)
	b = append(b, genesisHash...)
	return binary.BigEndian.AppendUint32(b, uint32(role))
}

// RuntimeRegister is where hardware of a kind records the configuration, and the register's value afterwards: one extension of
// zeros by the configuration's hash. Kinds without such a register have no name; their report data binds the configuration.
func RuntimeRegister(kind wire.TeeKind, config []byte) (name string, value []byte) {
	switch kind {
	case wire.TEE_KIND_TDX:
		return "RTMR3", extended(sha512.New384, config)
	case wire.TEE_KIND_NITRO:
		return "PCR16", extended(sha512.New384, config)
	case wire.TEE_KIND_TPM, wire.TEE_KIND_NITRO_TPM, wire.TEE_KIND_AZURE_SEV_SNP:
		if kind == wire.TEE_KIND_NITRO_TPM {
			return "PCR15", extended(sha512.New384, config)
		}
		return "PCR15", extended(sha256.New, config)
	}
	return "", nil
}

func extended(hash func() hash.Hash, config []byte) []byte {
	d := hash()
	d.Write(config)
	h := hash()
	h.Write(make([]byte, h.Size()))
	h.Write(d.Sum(nil))
	return h.Sum(nil)
}

func checkRuntime(kind wire.TeeKind, c *claims.Claims, id *wire.WorkerIdentity, no *denials) {
	name, want := RuntimeRegister(kind, RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
	if name == "" {
		return
	}
	if got := c.Register(name); !bytes.Equal(got, want) {
		no.add("runtime-config", name, fmt.Sprintf("%x", got), fmt.Sprintf("%x: one extension by this chain, genesis and role", want),
			"start the machine anew with this chain's genesis and this role")
	}
}
