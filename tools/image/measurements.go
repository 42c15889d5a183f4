package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/measure"
)

const measurementsFile = "measurements.json"

// measurements are what hardware will report; every digest in hexadecimal.
type measurements struct {
	Version string            `json:"version"`
	Go      string            `json:"go"`     // another version of Go makes another program, and another image
	Kernel  string            `json:"kernel"` // release
	Files   map[string]string `json:"files"`  // SHA-256
	TPM     tpmBanks          `json:"tpm"`
	TDX     *tdxValues        `json:"tdx,omitempty"`
	SNP     *snpValues        `json:"sev_snp,omitempty"`
}

// tpmBanks are PCRs by their number.
type tpmBanks struct {
	SHA256 map[string]string `json:"sha256"`
	SHA384 map[string]string `json:"sha384"`
	// Measurement is what a policy approves of a machine that boots the disk.
	Measurement string `json:"measurement"`
}

type tdxValues struct {
	Firmware string `json:"firmware"`
	MRTD     string `json:"mrtd"`
	RTMR0    string `json:"rtmr0,omitempty"` // as it was given
	RTMR1    string `json:"rtmr1"`
	RTMR2    string `json:"rtmr2"`
	// Measurement is what a policy approves; only with RTMR0.
	Measurement string `json:"measurement,omitempty"`
}

// snpValues are launch digests by model and number of CPUs.
type snpValues struct {
	Firmware string                       `json:"firmware"`
	Digest   map[string]map[string]string `json:"launch_digest"`
}

// snpModels are QEMU's names of the CPUs that run SEV-SNP. Source: QEMU, target/i386/cpu.c.
var snpModels = map[string]uint32{
	"EPYC-v4": measure.CPUSignature(23, 1, 2), "EPYC-Milan": measure.CPUSignature(25, 1, 1),
	"EPYC-Genoa": measure.CPUSignature(25, 17, 0), "EPYC-Turin": measure.CPUSignature(26, 0, 0),
}

func (o *options) measure(p *Parts, files map[string][]byte) (*measurements, error) {
	m := &measurements{Version: o.version, Go: runtime.Version(), Kernel: p.Release, Files: map[string]string{}}
	for name, b := range files {
		sum := sha256.Sum256(b)
		m.Files[name] = hex.EncodeToString(sum[:])
	}
	image, err := measure.ReadImage(p.UKI, files["disk.img"])
	if err != nil {
		return nil, fmt.Errorf("measuring the image: %w", err)
	}
	m.TPM = tpmBanks{named(image.PCRs(crypto.SHA256)), named(image.PCRs(crypto.SHA384)), hex.EncodeToString(measure.TPM(image.PCRs(crypto.SHA256)))}
	if fw := files[firmwareTDX]; fw != nil {
		if m.TDX, err = o.tdx(image, fw); err != nil {
			return nil, fmt.Errorf("measuring TDX guests: %w", err)
		}
	}
	if fw := files[firmwareSNP]; fw != nil {
		if m.SNP, err = o.snp(p.UKI, fw); err != nil {
			return nil, fmt.Errorf("measuring SEV-SNP guests: %w", err)
		}
	}
	return m, nil
}

func named(pcrs map[int][]byte) map[string]string {
	out := map[string]string{}
	for i, v := range pcrs {
		out[fmt.Sprintf("PCR%d", i)] = hex.EncodeToString(v)
	}
	return out
}

func (o *options) tdx(image *measure.Image, firmware []byte) (*tdxValues, error) {
	f, err := measure.ReadFirmware(firmware)
	if err != nil {
		return nil, err
	}
	mrtd, err := f.MRTD()
	if err != nil {
		return nil, err
	}
	one, two, err := image.RTMRs()
	if err != nil {
		return nil, err
	}
	out := &tdxValues{Firmware: firmwareTDX, MRTD: hex.EncodeToString(mrtd), RTMR1: hex.EncodeToString(one), RTMR2: hex.EncodeToString(two)}
	if o.rtmr0 == "" {
		return out, nil
	}
	zero, err := parseRTMR0(o.rtmr0)
	if err != nil {
		return nil, err
	}
	out.RTMR0, out.Measurement = hex.EncodeToString(zero), hex.EncodeToString(dcap.TDMeasurement(mrtd, zero, one, two))
	return out, nil
}

func parseRTMR0(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha512.Size384 {
		return nil, fmt.Errorf("-rtmr0 %q: want %d hexadecimal digits", s, 2*sha512.Size384)
	}
	return b, nil
}

// snp is for guests that get the unified kernel image as their kernel, since a launch digest covers no disk.
func (o *options) snp(uki, firmware []byte) (*snpValues, error) {
	f, err := measure.ReadFirmware(firmware)
	if err != nil {
		return nil, err
	}
	out := &snpValues{Firmware: firmwareSNP, Digest: map[string]map[string]string{}}
	for model, signature := range snpModels {
		out.Digest[model] = map[string]string{}
		for _, n := range strings.Split(o.cpus, ",") {
			cpus, err := strconv.Atoi(n)
			if err != nil {
				return nil, fmt.Errorf("-cpus %q: want numbers with commas between them", o.cpus)
			}
			d, err := f.LaunchDigest(measure.SNP{Kernel: uki, CPUs: cpus, Signature: signature, Features: 1})
			if err != nil {
				return nil, err
			}
			out.Digest[model][n] = hex.EncodeToString(d)
		}
	}
	return out, nil
}

func (m *measurements) json() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("writing the measurements: %w", err)
	}
	return b.Bytes(), nil
}

// table is for people: what is measured, its value, and what it stands for.
func (m *measurements) table(w io.Writer) {
	row := func(what, value, note string) { fmt.Fprintf(w, "%-30s %s  %s\n", what, value, note) }
	fmt.Fprintf(w, "image %s, kernel %s, built with %s\n", m.Version, m.Kernel, m.Go)
	for _, n := range slices.Sorted(maps.Keys(m.Files)) {
		row("file "+n, m.Files[n], "")
	}
	for _, p := range pcrNotes {
		row("TPM "+p.name+" SHA-256", m.TPM.SHA256[p.name], p.note)
	}
	row("TPM measurement", m.TPM.Measurement, "what a policy approves of a machine that boots the disk")
	if t := m.TDX; t != nil {
		row("TDX MRTD", t.MRTD, "firmware "+t.Firmware)
		row("TDX RTMR1", t.RTMR1, "programs and partition table, as PCR4 and PCR5")
		row("TDX RTMR2", t.RTMR2, "command line and initramfs, as PCR9")
		if t.Measurement != "" {
			row("TDX measurement", t.Measurement, "what a policy approves, with RTMR0 "+t.RTMR0)
		}
	}
	if s := m.SNP; s != nil {
		for _, model := range slices.Sorted(maps.Keys(s.Digest)) {
			for _, n := range slices.Sorted(maps.Keys(s.Digest[model])) {
				row(fmt.Sprintf("SEV-SNP %s, %s CPUs", model, n), s.Digest[model][n], "firmware "+s.Firmware+" and uki.efi as the kernel")
			}
		}
	}
}

var pcrNotes = []struct{ name, note string }{
	{"PCR4", "programs that firmware loads: the unified kernel image, its kernel"},
	{"PCR5", "the disk's partition table"},
	{"PCR8", "nothing"},
	{"PCR9", "command line and initramfs"},
	{"PCR11", "sections of the unified kernel image"},
	{"PCR12", "nothing: what a host adds to the command line would stand here"},
	{"PCR13", "nothing: extensions of a system would stand here"},
	{"PCR14", "nothing"},
}
