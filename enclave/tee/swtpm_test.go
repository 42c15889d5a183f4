package tee

import (
	"bytes"
	"crypto/rsa"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/azure/azuretest"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

// softwareTPM is a connection to a TPM 2.0 of its own, which has no state and ends with the test.
func softwareTPM(t *testing.T) net.Conn {
	t.Helper()
	program, err := exec.LookPath("swtpm")
	if err != nil {
		t.Skip("swtpm is not installed: the commands are tried on fakes alone")
	}
	dir, err := os.MkdirTemp("", "tpm-") // short: paths of sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.CommandContext(t.Context(), program, "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+socket,
		"--ctrl", "type=unixio,path="+socket+".ctrl", "--flags", "not-need-init,startup-clear")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // killed with the test's context
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { c.Close() })
			return c
		}
		if time.Now().After(end) {
			t.Fatalf("swtpm does not listen: %v", err)
		}
	}
}

// Commands with which a TPM is made to look like Azure's.
const (
	ccEvictControl  = 0x120
	ccNVDefineSpace = 0x12a
	ccNVWrite       = 0x137
)

// asAzure puts an RSA key behind the handle and the report over it into the NV index where a paravisor does.
func asAzure(t *testing.T, dev net.Conn) azuretest.Evidence {
	t.Helper()
	be := binary.BigEndian
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	template := []byte{0, 1, 0, algSHA256} // RSA
	template = be.AppendUint32(template, akAttributes)
	for _, v := range []uint16{0, algNull, 0x0014, algSHA256, 2048, 0, 0, 0} { // no policy, no cipher, RSASSA, hash, bits, exponent (4 bytes), no modulus
		template = be.AppendUint16(template, v)
	}
	params := append(prefixed([]byte{0, 0, 0, 0}), prefixed(template)...)
	handle, r, err := command(dev, ccCreatePrimary, []uint32{rhEndorsement}, 1, append(params, 0, 0, 0, 0, 0, 0), true)
	must("making a key", err)
	public, err := tpm.ParsePublic(r.sized())
	must("reading it", err)
	_, _, err = command(dev, ccEvictControl, []uint32{rhOwner, handle}, 1, be.AppendUint32(nil, hclAK), false)
	must("keeping it", err)

	m := azuretest.New()
	m.SNP.SendMid = true
	report, e, err := m.Report(public.Key.(*rsa.PublicKey))
	must("making the report", err)
	report = bytes.TrimRight(report, "\x00") // Azure's index has more room than this TPM gives
	const ownerWrite, ownerRead, noDA = 1 << 1, 1 << 17, 1 << 25
	index := be.AppendUint32(nil, hclIndex)
	index = be.AppendUint16(index, algSHA256)
	index = be.AppendUint32(index, ownerWrite|ownerRead|noDA)
	index = be.AppendUint16(append(index, 0, 0), uint16(len(report)))
	_, _, err = command(dev, ccNVDefineSpace, []uint32{rhOwner}, 1, append([]byte{0, 0}, prefixed(index)...), false)
	must("making the index", err)
	for at := 0; at < len(report); at += nvBlock {
		block := prefixed(report[at:min(at+nvBlock, len(report))])
		_, _, err = command(dev, ccNVWrite, []uint32{rhOwner, hclIndex}, 1, be.AppendUint16(block, uint16(at)), false)
		must("writing the report", err)
	}
	return e
}

// The same commands on a TPM that others have written: a machine with a TPM of its own, and one that looks like Azure's.
func TestSoftwareTPM(t *testing.T) {
	dev := softwareTPM(t)
	if hasHCL(dev) {
		t.Error("it is taken for Azure's")
	}
	if _, err := newAzure(dev, testConfig()); err == nil {
		t.Error("a report that is not there was read")
	}
	own, err := newTPM(dev, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	id := testIdentity()
	ev, err := own.Evidence(attest.ReportData(id))
	if err != nil {
		t.Fatal(err)
	}
	_, register := attest.RuntimeRegister(wire.TEE_KIND_TPM, attest.RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
	verifies(t, ev, attest.ReportData(id), register)

	e := asAzure(t, dev)
	if !hasHCL(dev) {
		t.Error("it is not taken for Azure's")
	}
	x, err := newAzure(dev, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	if ev, err = x.Evidence(attest.ReportData(id)); err != nil {
		t.Fatal(err)
	}
	ev, n := vouched(ev, e)
	accepted(t, id, ev, n)
}
