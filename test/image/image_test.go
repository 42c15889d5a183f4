// Package image builds the measured image twice, boots it in an emulated machine with an emulated TPM, and compares what the TPM vouches
// for with what the build has printed. Nothing here is fast or a TEE: it is about the measurements.
package image

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/measure"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
)

const root = "../.."

// asked skips a test that nobody asked for; without what it needs it skips too, unless PHALA_IMAGE is must.
func asked(t *testing.T, programs ...string) {
	t.Helper()
	want := os.Getenv("PHALA_IMAGE")
	if want == "" {
		t.Skip("PHALA_IMAGE is not set: `make test-image` runs this")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil && want == "must" {
			t.Fatalf("no %s: install Debian's qemu-system-x86 and swtpm: %v", p, err)
		} else if err != nil {
			t.Skipf("NOT BOOTED: no %s here, which is in Debian's qemu-system-x86 or swtpm", p)
		}
	}
}

// build makes the image from the sources in src, without the workspace around them.
func build(t *testing.T, src, out, version string) {
	t.Helper()
	cache, err := filepath.Abs(filepath.Join(root, "dist", "packages")) // as make image's
	if err != nil {
		t.Fatal(err)
	}
	run := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		if args[0] == "build" {
			cmd.Env = append(cmd.Env, "GOOS=linux", "GOARCH=amd64")
		}
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, b)
		}
	}
	program := filepath.Join(out, "pruntime")
	run(src, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+version, "-o", program, "./cmd/pruntime")
	run(filepath.Join(src, "tools", "image"), "run", "-trimpath", ".", "-pruntime", program, "-out", out, "-cache", cache, "-version", version)
}

// copied is what the image is built from, in a folder of another name.
func copied(t *testing.T) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "elsewhere, with another name")
	for _, p := range []string{"core", "enclave", "cmd/pruntime", "tools/image"} {
		if err := os.CopyFS(filepath.Join(dst, p), os.DirFS(filepath.Join(root, p))); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dst, p), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dst
}

func absolute(t *testing.T, p string) string {
	t.Helper()
	abs, err := filepath.Abs(p)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// Built twice, from two folders into two folders, every file is the same; booted, the machine's TPM reports what the build has printed.
func TestImage(t *testing.T) {
	asked(t, "qemu-system-x86_64", "swtpm")
	one, two := t.TempDir(), t.TempDir()
	began := time.Now()
	build(t, absolute(t, root), one, "test")
	t.Logf("built in %s", time.Since(began).Round(100*time.Millisecond))
	build(t, copied(t), two, "test")
	same(t, one, two)

	genesis := genesisFile(t)
	config := filepath.Join(one, "config.img")
	said, err := exec.Command(filepath.Join(one, "pruntime"), "--role", "executor", "--genesis", genesis, "--write-config", config).CombinedOutput()
	if err != nil {
		t.Fatalf("writing the configuration's disk: %v\n%s", err, said)
	}
	if name, value := runtimePCR(t, genesis); !strings.Contains(string(said), fmt.Sprintf("TEE_KIND_TPM %s %x\n", name, value)) {
		t.Errorf("the registers that the configuration leads to: %s", said)
	}
	disk, uki := filepath.Join(one, "disk.img"), filepath.Join(one, "uki.efi")
	t.Run("machines", func(t *testing.T) {
		t.Run("no configuration", func(t *testing.T) {
			t.Parallel()
			m := start(t, one, machine{disk: disk})
			m.ends(t, "the host gave the machine no disk that holds the configuration")
		})
		t.Run("from the disk", func(t *testing.T) {
			t.Parallel()
			m := start(t, one, machine{disk: disk, config: config})
			quoted := m.quote(t, genesis)
			expect(t, one, quoted, "PCR4", "PCR5", "PCR8", "PCR9", "PCR11", "PCR12", "PCR13", "PCR14", "measurement")
			replay(t, m.eventLog(t), quoted)
			m.reconnect(t)
		})
		t.Run("as the kernel", func(t *testing.T) { // the firmware starts it before it says so, and there is no disk: other PCR4 and PCR5
			t.Parallel()
			m := start(t, one, machine{kernel: uki, config: config})
			expect(t, one, m.quote(t, genesis), "PCR8", "PCR9", "PCR11", "PCR12", "PCR13", "PCR14")
		})
		t.Run("by SEV-SNP's firmware", func(t *testing.T) {
			t.Parallel()
			m := start(t, one, hashed(t, one, uki, config))
			expect(t, one, m.quote(t, genesis), "PCR8", "PCR9", "PCR11", "PCR12", "PCR13", "PCR14")
		})
		t.Run("another command line", func(t *testing.T) {
			t.Parallel()
			m := start(t, one, machine{kernel: uki, config: config, cmdline: "console=ttyS0 lockdown=none"})
			m.ends(t, "start the image's disk as it is")
		})
	})
	told(t, one)
}

// hashed is a machine with OVMF's build for SEV, which starts no kernel but one whose hash stands in its memory. A host with SEV-SNP puts
// the table there and it is measured; here it is put there by hand. The table, and where it belongs, are what the launch digest is
// computed with.
func hashed(t *testing.T, built, uki, config string) machine {
	t.Helper()
	m := machine{kernel: uki, config: config, firmware: filepath.Join(built, "OVMF.snp.fd"), table: filepath.Join(t.TempDir(), "table")}
	b, err := os.ReadFile(m.firmware)
	if err != nil {
		t.Skip("NOT BOOTED BY SEV-SNP's FIRMWARE: the build could not get it: ", err)
	}
	f, err := measure.ReadFirmware(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.tableAt, err = f.HashTableAddress(); err != nil {
		t.Fatal(err)
	}
	kernel, err := os.ReadFile(uki)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.table, measure.SNP{Kernel: kernel}.HashTable(), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// same compares two folders byte for byte.
func same(t *testing.T, one, two string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(one, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		a, errA := os.ReadFile(p)
		b, errB := os.ReadFile(filepath.Join(two, d.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds (%v, %v)", d.Name(), errA, errB)
		}
		return nil
	})
	if err != nil || n < 4 {
		t.Fatalf("%d files were compared: %v", n, err)
	}
}

const chain = "phala-image-1"

// genesisFile is the least that an enclave starts with.
func genesisFile(t *testing.T) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "genesis.json")
	body := `{"chain_id":"` + chain + `","genesis_time":"2026-01-01T00:00:00Z","initial_height":1,"consensus":{"validators":[{"pub_key":` +
		`{"type":"tendermint/PubKeyEd25519","value":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},"power":"1"}]}}`
	if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// printed is what the build says of the image.
type printed struct {
	TPM struct {
		SHA256      map[string]string `json:"sha256"`
		Measurement string            `json:"measurement"`
	} `json:"tpm"`
}

// expect compares quoted registers with those that the build has printed.
func expect(t *testing.T, built string, quoted map[string][]byte, names ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(built, "measurements.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p printed
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.TPM.SHA256) != 8 {
		t.Errorf("the build prints %d PCRs", len(p.TPM.SHA256))
	}
	p.TPM.SHA256["measurement"] = p.TPM.Measurement
	for _, n := range names {
		if got, want := hex.EncodeToString(quoted[n]), p.TPM.SHA256[n]; got != want || want == "" {
			t.Errorf("%s: the TPM vouches for %s, the build printed %s", n, got, want)
		}
	}
}

// runtimePCR is the register that pruntime extends by what it was started for.
func runtimePCR(t *testing.T, genesis string) (name string, value []byte) {
	t.Helper()
	b, err := os.ReadFile(genesis)
	if err != nil {
		t.Fatal(err)
	}
	g, err := light.ParseGenesis(b)
	if err != nil {
		t.Fatal(err)
	}
	return attest.RuntimeRegister(wire.TEE_KIND_TPM, attest.RuntimeConfig(chain, g.Hash, wire.ROLE_EXECUTOR))
}

// replay compares quoted registers with what the firmware's log leads to. Linux's own log of integrity extends PCR10, and pruntime PCR15,
// after that log has ended.
func replay(t *testing.T, log []byte, quoted map[string][]byte) {
	t.Helper()
	l, err := eventlog.Parse(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the firmware has logged %d events", len(l.Events))
	for i := range uint32(15) {
		if i == 10 {
			continue
		}
		name := eventlog.PCR.Name(i)
		got, n, err := l.Replay(eventlog.PCR, crypto.SHA256, i)
		if err != nil || !bytes.Equal(got, quoted[name]) {
			t.Errorf("%s: %d events lead to %x, the TPM vouches for %x (%v)", name, n, got, quoted[name], err)
		}
	}
}

// told is `phala attest measure` of what the build has printed.
func told(t *testing.T, built string) {
	t.Helper()
	cmd := exec.Command("go", "run", "-trimpath", "./cmd/phala", "attest", "measure", "--binary", filepath.Join(built, "pruntime"),
		"--image", filepath.Join(built, "measurements.json"), "-o", "json")
	cmd.Dir = root
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("phala attest measure: %v\n%s", err, errs.String())
	}
	var rows []struct{ Step, Name, Value string }
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, r := range rows {
		values[r.Step+" "+r.Name] = r.Value
	}
	if values["binary SHA-256"] == "" || values["binary SHA-256"] != values["image files.pruntime"] {
		t.Errorf("the program is %s, the image says %s", values["binary SHA-256"], values["image files.pruntime"])
	}
	if values["image tpm.sha256.PCR11"] == "" {
		t.Errorf("no PCR11 among %d rows", len(rows))
	}
}

func contains(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), text) {
		return fmt.Errorf("the console does not say %q:\n%s", text, b)
	}
	return nil
}
