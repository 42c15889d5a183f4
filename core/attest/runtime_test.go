package attest

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// The encoding is a standard for guests: it must never change. Computed with Python's hashlib.
func TestRuntimeConfigVector(t *testing.T) {
	config := RuntimeConfig("phala-test", bytes.Repeat([]byte{7}, 32), wire.ROLE_EXECUTOR)
	const want = "7068616c612f72756e74696d652d636f6e6669672f7631" + "0000000a" + "7068616c612d74657374" +
		"0707070707070707070707070707070707070707070707070707070707070707" + "00000001"
	if got := hex.EncodeToString(config); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for kind, want := range map[wire.TeeKind]string{
		wire.TEE_KIND_TDX:           "RTMR3 1174c62bf98c12437ae374b3dfb9761bdbc3e817ab634364ed4b568b0fc012baa7f216523e626da64d3dde50f8e3b05d",
		wire.TEE_KIND_NITRO:         "PCR16 1174c62bf98c12437ae374b3dfb9761bdbc3e817ab634364ed4b568b0fc012baa7f216523e626da64d3dde50f8e3b05d",
		wire.TEE_KIND_NITRO_TPM:     "PCR15 1174c62bf98c12437ae374b3dfb9761bdbc3e817ab634364ed4b568b0fc012baa7f216523e626da64d3dde50f8e3b05d",
		wire.TEE_KIND_TPM:           "PCR15 42b69bfedd362b845044b235441c4c86891da26a9eb17fe8f202c6ae3c43bc98",
		wire.TEE_KIND_AZURE_SEV_SNP: "PCR15 42b69bfedd362b845044b235441c4c86891da26a9eb17fe8f202c6ae3c43bc98",
		wire.TEE_KIND_SEV_SNP:       " ",
		wire.TEE_KIND_SGX:           " ",
		wire.TEE_KIND_SIMULATED:     " ",
	} {
		name, value := RuntimeRegister(kind, config)
		if got := name + " " + hex.EncodeToString(value); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

// A program that was started for another chain, genesis or role than it says is refused by what the hardware recorded.
func TestRuntimeRegister(t *testing.T) {
	id := valid().Evidence.Identity
	_, value := RuntimeRegister(wire.TEE_KIND_TDX, RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
	good := &claims.Claims{Registers: []claims.Register{{Name: "RTMR3", Value: value}}}
	for name, c := range map[string]struct {
		claims *claims.Claims
		kind   wire.TeeKind
		change func(*wire.WorkerIdentity)
		codes  string
	}{
		"the same":          {good, wire.TEE_KIND_TDX, func(*wire.WorkerIdentity) {}, ""},
		"another chain":     {good, wire.TEE_KIND_TDX, func(i *wire.WorkerIdentity) { i.ChainId = "x" }, "runtime-config"},
		"another genesis":   {good, wire.TEE_KIND_TDX, func(i *wire.WorkerIdentity) { i.GenesisHash = digest("x") }, "runtime-config"},
		"another role":      {good, wire.TEE_KIND_TDX, func(i *wire.WorkerIdentity) { i.Role = wire.ROLE_GATEKEEPER }, "runtime-config"},
		"not extended":      {&claims.Claims{Registers: []claims.Register{{Name: "RTMR3", Value: make([]byte, 48)}}}, wire.TEE_KIND_TDX, func(*wire.WorkerIdentity) {}, "runtime-config"},
		"no such register":  {&claims.Claims{}, wire.TEE_KIND_TDX, func(*wire.WorkerIdentity) {}, "runtime-config"},
		"a kind without it": {&claims.Claims{}, wire.TEE_KIND_SEV_SNP, func(*wire.WorkerIdentity) {}, ""},
		"shifted between them": {good, wire.TEE_KIND_TDX, func(i *wire.WorkerIdentity) {
			i.ChainId += string(i.GenesisHash[:1])
			i.GenesisHash = i.GenesisHash[1:]
		}, "runtime-config"},
	} {
		id := valid().Evidence.Identity
		c.change(id)
		var no denials
		checkRuntime(c.kind, c.claims, id, &no)
		if reasonCodes(no) != c.codes {
			t.Errorf("%s: %v", name, no)
		}
	}
}
