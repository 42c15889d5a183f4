package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

// patience is for one boot on a machine that does other things too; a boot takes about ten seconds of one CPU.
const patience = 4 * time.Minute

// machine is an emulated x86-64 with OVMF and a TPM.
type machine struct {
	disk, kernel, config, cmdline string
	firmware                      string // default: what the build has pinned for machines with a disk
	table                         string // of hashes, to be put into memory at tableAt
	tableAt                       uint32
	dir                           string
	done                          chan error
}

// firmware is the one that the build has pinned, else the distribution's.
func firmware(t *testing.T, built string) string {
	t.Helper()
	for _, p := range []string{filepath.Join(built, "OVMF.tdx.fd"), "/usr/share/ovmf/OVMF.fd"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatal("no firmware: neither has the build got the one that is pinned, nor is Debian's ovmf installed")
	return ""
}

// start starts a machine with what stands in m.
func start(t *testing.T, built string, m machine) *machine {
	t.Helper()
	var err error
	if m.dir, err = os.MkdirTemp("", "phala-vm-"); err != nil { // short: paths of sockets are
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	if m.firmware == "" {
		m.firmware = firmware(t, built)
	}
	vars, err := os.ReadFile(m.firmware)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.file("firmware"), vars, 0o600); err != nil { // with its variables, which it writes
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	m.background(t, ctx, "swtpm", "socket", "--tpm2", "--tpmstate", "dir="+m.dir, "--ctrl", "type=unixio,path="+m.file("tpm"))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(m.file("tpm")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("swtpm does not start")
		}
	}
	args := []string{"-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot",
		"-drive", "if=pflash,format=raw,unit=0,readonly=" + m.readonly() + ",file=" + m.file("firmware"),
		"-chardev", "socket,id=tpm,path=" + m.file("tpm"), "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0",
		"-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
		"-chardev", "file,id=log,path=" + m.file("eventlog"), "-device", "virtserialport,chardev=log,name=phala.eventlog",
		"-chardev", "socket,id=enclave,path=" + m.file("enclave.sock") + ",server=on,wait=off", "-device", "virtserialport,chardev=enclave,name=phala.enclave",
		"-serial", "file:" + m.file("console")}
	if m.disk != "" {
		args = append(args, "-drive", "if=none,id=boot,format=raw,readonly=on,file="+m.disk, "-device", "virtio-blk-pci,drive=boot,bootindex=0")
	} else {
		args = append(args, "-kernel", m.kernel)
	}
	if m.table != "" {
		args = append(args, "-device", fmt.Sprintf("loader,file=%s,addr=0x%x,force-raw=on", m.table, m.tableAt))
	}
	if m.cmdline != "" {
		args = append(args, "-append", m.cmdline)
	}
	if m.config != "" {
		args = append(args, "-drive", "if=none,id=config,format=raw,readonly=on,file="+m.config, "-device", "virtio-blk-pci,drive=config")
	}
	m.done = m.background(t, ctx, "qemu-system-x86_64", args...)
	return &m
}

// readonly is on for firmware that keeps no variables.
func (m *machine) readonly() string {
	if m.table != "" {
		return "on"
	}
	return "off"
}

func (m *machine) file(name string) string { return filepath.Join(m.dir, name) }

// background runs a program until the test ends.
func (m *machine) background(t *testing.T, ctx context.Context, program string, args ...string) chan error {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done, over := make(chan error, 1), make(chan struct{})
	go func() {
		done <- cmd.Wait()
		close(over)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-over
		if t.Failed() && out.Len() > 0 {
			t.Logf("%s: %s", program, out.String())
		}
	})
	return done
}

// dial opens the host's end of the endpoint once the machine is up: until then OVMF takes what comes there for keys that are pressed.
func (m *machine) dial(t *testing.T) net.Conn {
	t.Helper()
	const up = "the machine is up"
	for deadline := time.Now().Add(patience); contains(m.file("console"), up) != nil; time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-m.done:
			t.Fatalf("the machine has ended: %v: %v", err, contains(m.file("console"), up))
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal(contains(m.file("console"), up))
		}
	}
	c, err := net.Dial("unix", m.file("enclave.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// ask sends an In and gives its Outs but Done.
func (m *machine) ask(t *testing.T, c net.Conn, in *wire.In) (outs []*wire.Out) {
	t.Helper()
	body := wire.Marshal(in)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
		t.Fatal(err)
	}
	for {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			console, _ := os.ReadFile(m.file("console"))
			t.Fatalf("the enclave does not answer: %v\n%s", err, console)
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		var o wire.Out
		if err := wire.Unmarshal(b, &o); err != nil {
			t.Fatal(err)
		}
		if o.GetDone() != nil {
			return outs
		}
		outs = append(outs, &o)
	}
}

// quote asks the enclave for its evidence and gives the registers that it vouches for, by name.
func (m *machine) quote(t *testing.T, genesis string) map[string][]byte {
	t.Helper()
	began := time.Now()
	c := m.dial(t)
	defer c.Close()
	hello := m.ask(t, c, &wire.In{Id: 1, Body: &wire.In_Hello{Hello: &wire.Hello{}}})
	t.Logf("up and answered after %s", time.Since(began).Round(100*time.Millisecond))
	if len(hello) != 1 || hello[0].GetIdentity().GetKind() != wire.TEE_KIND_TPM || hello[0].GetIdentity().GetRole() != wire.ROLE_EXECUTOR {
		t.Fatalf("hello: %v", hello)
	}
	nonce := bytes.Repeat([]byte{7}, 32)
	outs := m.ask(t, c, &wire.In{Id: 2, Body: &wire.In_Attest{Attest: &wire.Attest{
		Worker: &wire.WorkerRef{Operator: "phala1operator", Slot: 1}, NonceHeight: 5, NonceHash: nonce,
	}}})
	if len(outs) != 1 || outs[0].GetEvidence() == nil {
		t.Fatalf("attest: %v", outs)
	}
	ev := outs[0].GetEvidence()
	if ev.Identity.ChainId != chain || !bytes.Equal(ev.Identity.NonceHash, nonce) || ev.Evidence.Kind != wire.TEE_KIND_TPM {
		t.Fatalf("evidence of %v by %s", ev.Identity, ev.Evidence.Kind)
	}
	var q wire.TpmQuote
	if err := wire.Unmarshal(ev.Evidence.Quote, &q); err != nil {
		t.Fatal(err)
	}
	ak, err := tpm.ParsePublic(q.AkPublic)
	if err != nil {
		t.Fatal(err)
	}
	// As a development network judges it whose genesis names this TPM's key.
	said, err := attest.Check(ev.Evidence, attest.Verifier{Time: time.Now(), Roots: attest.Roots{AKs: [][]byte{ak.Name()}}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(said.ReportData, attest.ReportData(ev.Identity)) {
		t.Fatalf("report data %x is not of the identity", said.ReportData)
	}
	out := map[string][]byte{"measurement": said.Measurement}
	for _, r := range said.Registers {
		out[r.Name] = r.Value
	}
	name, want := runtimePCR(t, genesis)
	if !bytes.Equal(out[name], want) {
		t.Errorf("%s: the TPM vouches for %x, this chain and role give %x", name, out[name], want)
	}
	return out
}

// reconnect says that the enclave takes one conversation after the other, and that it stays the same enclave.
func (m *machine) reconnect(t *testing.T) {
	t.Helper()
	var keys [][]byte
	for range 3 {
		time.Sleep(100 * time.Millisecond) // as offchaind waits: a port does not tell that a host is back at once
		c := m.dial(t)
		outs := m.ask(t, c, &wire.In{Id: 3, Body: &wire.In_Hello{Hello: &wire.Hello{}}})
		c.Close()
		keys = append(keys, outs[0].GetIdentity().GetIdentityKey())
	}
	for _, k := range keys {
		if len(k) == 0 || !bytes.Equal(k, keys[0]) {
			t.Errorf("one machine, several identities: %x", keys)
		}
	}
}

// eventLog is what the machine has told of its firmware's log.
func (m *machine) eventLog(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(m.file("eventlog"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ends says that the machine switches itself off, and why.
func (m *machine) ends(t *testing.T, why string) {
	t.Helper()
	select {
	case err := <-m.done:
		if err != nil {
			t.Errorf("the machine ended otherwise than by switching itself off: %v", err)
		}
	case <-time.After(patience):
		t.Error("the machine does not end")
	}
	if err := contains(m.file("console"), why); err != nil {
		t.Error(err)
	}
}
