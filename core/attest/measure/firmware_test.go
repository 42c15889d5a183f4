package measure

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// built is a firmware of the test's making: size bytes, with a table at its end.
func built(size int, entries map[guid][]byte) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7)
	}
	var table []byte
	for id, body := range entries {
		table = append(table, body...)
		table = binary.LittleEndian.AppendUint16(table, uint16(len(body)+18))
		table = append(table, id.bytes()...)
	}
	table = binary.LittleEndian.AppendUint16(table, uint16(len(table)+18))
	table = append(table, guidTable.bytes()...)
	copy(b[size-tableFromEnd-len(table):], table)
	return b
}

func words(n ...uint32) (b []byte) {
	for _, v := range n {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func TestGUID(t *testing.T) {
	memory := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	g := guid("00112233-4455-6677-8899-aabbccddeeff")
	if readGUID(memory) != g || !bytes.Equal(g.bytes(), memory) {
		t.Errorf("%s, %x", readGUID(memory), g.bytes())
	}
}

// withSEV is a firmware of the given metadata: address, size, type.
func withSEV(t *testing.T, size int, reset, hashesAt uint32, pieces ...[3]uint32) *Firmware {
	t.Helper()
	const back = 1024
	b := built(size, map[guid][]byte{guidReset: words(reset), guidHashes: words(hashesAt, 0x400), guidSEV: words(back)})
	meta := append([]byte("ASEV"), words(uint32(16+12*len(pieces)), 1, uint32(len(pieces)))...)
	for _, p := range pieces {
		meta = append(meta, words(p[:]...)...)
	}
	copy(b[len(b)-back:], meta)
	f, err := ReadFirmware(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The metadata of OVMF's build for SEV, and of the usual one, both of May 2024, and the digests of their pages, as the vectors have them.
var (
	amdSev    = [][3]uint32{{0x800000, 0x9000, 1}, {0x80a000, 0x3000, 1}, {0x80d000, 0x1000, 2}, {0x80e000, 0x1000, 3}, {0x80f000, 0x1000, 4}, {0x810000, 0x1000, 0x10}, {0x811000, 0xf000, 1}}
	ovmfX64   = [][3]uint32{{0x800000, 0x9000, 1}, {0x80a000, 0x3000, 1}, {0x80d000, 0x1000, 2}, {0x80e000, 0x1000, 3}, {0x80f000, 0x1000, 4}, {0x810000, 0x10000, 1}}
	amdSevLD  = "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74"
	resetAddr = uint32(0x80b004)
	hashesAt  = uint32(0x810c00)
)

// Vectors of the public sev-snp-measure (tests/test_guest.py, release of 2024), which starts from the digest of the firmware's pages.
func TestLaunchDigestVectors(t *testing.T) {
	epyc := CPUSignature(23, 1, 2)
	empty := SNP{Kernel: []byte{}, CPUs: 1, Signature: epyc, Features: 0x21}
	with := func(f func(*SNP)) SNP { s := empty; f(&s); return s }
	for name, c := range map[string]struct {
		s    SNP
		want string
	}{
		"no command line":    {empty, "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198"},
		"SNP alone":          {with(func(s *SNP) { s.Features = 1 }), "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5"},
		"command line":       {with(func(s *SNP) { s.Cmdline = "console=ttyS0 loglevel=7" }), "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977"},
		"command line alone": {with(func(s *SNP) { s.Cmdline, s.Features = "console=ttyS0 loglevel=7", 1 }), "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa"},
		"four CPUs":          {with(func(s *SNP) { s.CPUs = 4 }), "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942"},
		"four CPUs, SNP":     {with(func(s *SNP) { s.CPUs, s.Features = 4, 1 }), "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5"},
		"no kernel":          {with(func(s *SNP) { s.Kernel = nil }), "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b"},
		"no kernel, SNP":     {with(func(s *SNP) { s.Kernel, s.Features = nil, 1 }), "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d"},
	} {
		f := withSEV(t, pageSize, resetAddr, hashesAt, amdSev...)
		seed, err := hex.DecodeString(amdSevLD)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.finish(launch(seed), c.s)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestLaunchDigestRefuses(t *testing.T) {
	s := SNP{Kernel: []byte("kernel"), CPUs: 1}
	if _, err := withSEV(t, pageSize, resetAddr, 0, ovmfX64...).LaunchDigest(s); !errors.Is(err, ErrNoKernelHashes) {
		t.Errorf("a kernel that nothing measures: %v", err)
	}
	for name, c := range map[string]struct {
		cpus int
		f    *Firmware
		want string
	}{
		"CPUs":         {0, withSEV(t, pageSize, resetAddr, hashesAt, amdSev...), "0 CPUs"},
		"many CPUs":    {4097, withSEV(t, pageSize, resetAddr, hashesAt, amdSev...), "4097 CPUs"},
		"type":         {1, withSEV(t, pageSize, resetAddr, hashesAt, [3]uint32{0x1000, 0x1000, 9}), "memory of type 9"},
		"odd address":  {1, withSEV(t, pageSize, resetAddr, hashesAt, [3]uint32{0x1001, 0x1000, 1}), "whole pages"},
		"odd size":     {1, withSEV(t, pageSize, resetAddr, hashesAt, [3]uint32{0x1000, 0x1001, 1}), "whole pages"},
		"huge":         {1, withSEV(t, pageSize, resetAddr, hashesAt, [3]uint32{0x1000, 0xfffff000, 1}), "at most"},
		"hashes apart": {1, withSEV(t, pageSize, resetAddr, hashesAt+0x1000, amdSev...), "kernel's hashes at"},
		"hashes late":  {1, withSEV(t, pageSize, resetAddr, hashesAt+0x3ff, amdSev...), "kernel's hashes at"},
	} {
		if _, err := c.f.LaunchDigest(SNP{Kernel: s.Kernel, CPUs: c.cpus}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCPUSignature(t *testing.T) {
	for _, c := range []struct{ family, model, stepping, want uint32 }{
		{23, 1, 2, 0x800f12}, {23, 49, 0, 0x830f10}, {25, 1, 1, 0xa00f11}, {25, 17, 0, 0xa10f10}, {26, 0, 0, 0xb00f00}, {6, 0xcf, 2, 0xc06f2},
	} {
		if got := CPUSignature(c.family, c.model, c.stepping); got != c.want {
			t.Errorf("family %d, model %d, stepping %d: %#x, want %#x", c.family, c.model, c.stepping, got, c.want)
		}
	}
}

// withTDX is a firmware of two pages: offset, size, address, memory, type, attributes.
func withTDX(t *testing.T, pieces ...[6]uint32) *Firmware {
	t.Helper()
	const back = 1024
	b := built(2*pageSize, map[guid][]byte{guidTDX: words(back)})
	meta := append([]byte("TDVF"), words(uint32(16+32*len(pieces)), 1, uint32(len(pieces)))...)
	for _, p := range pieces {
		meta = append(meta, words(p[0], p[1], p[2], 0, p[3], 0, p[4], p[5])...)
	}
	copy(b[len(b)-back:], meta)
	f, err := ReadFirmware(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Computed a second time, flatly; test/imagepeers compares with another implementation.
func TestMRTD(t *testing.T) {
	f := withTDX(t, [6]uint32{pageSize, pageSize, 0xfffff000, pageSize, tdxBFV, tdxExtend}, [6]uint32{0, pageSize, 0xffffe000, pageSize, tdxCFV, 0},
		[6]uint32{0, 0, 0x809000, 2 * pageSize, tdxHOB, 0})
	h := sha512.New384()
	block := func(name string, at uint64) {
		h.Write([]byte(name + strings.Repeat("\x00", 16-len(name))))
		h.Write(binary.LittleEndian.AppendUint64(nil, at))
		h.Write(make([]byte, 104))
	}
	block("MEM.PAGE.ADD", 0xfffff000)
	for i := range uint64(16) {
		block("MR.EXTEND", 0xfffff000+256*i)
		h.Write(f.bytes[pageSize+256*i:][:256])
	}
	block("MEM.PAGE.ADD", 0xffffe000)
	block("MEM.PAGE.ADD", 0x809000)
	block("MEM.PAGE.ADD", 0x80a000)
	if got, err := f.MRTD(); err != nil || !bytes.Equal(got, h.Sum(nil)) {
		t.Errorf("%x, %v; want %x", got, err, h.Sum(nil))
	}
}

func TestMRTDRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		piece [6]uint32
		want  string
	}{
		"type":            {[6]uint32{0, 0, 0, pageSize, 4, 0}, "memory of type 4"},
		"measured memory": {[6]uint32{0, 0, 0, pageSize, tdxHOB, tdxExtend}, "which is the host's"},
		"sizes":           {[6]uint32{0, pageSize, 0, 2 * pageSize, tdxBFV, 0}, "of memory"},
		"outside":         {[6]uint32{pageSize, 2 * pageSize, 0, 2 * pageSize, tdxBFV, 0}, "of memory"},
		"odd":             {[6]uint32{0, 0, 1, pageSize, tdxHOB, 0}, "whole pages"},
		"huge":            {[6]uint32{0, 0, 0, 0xfffff000, tdxHOB, 0}, "at most"},
	} {
		if _, err := withTDX(t, c.piece).MRTD(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestReadFirmwareRefuses(t *testing.T) {
	good := built(pageSize, map[guid][]byte{guidReset: words(1)})
	end := len(good) - tableFromEnd - 18 // of the entries
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":    {nil, "whole pages"},
		"odd":        {good[1:], "whole pages"},
		"no table":   {make([]byte, pageSize), "no table"},
		"long table": {changed(good, end, 0xff, 0xff), "no table"},
		"long entry": {changed(good, end-18, 0xff), "an entry of"},
		"no entry":   {changed(good, end, 18+10, 0), "no entry"},
		"short one":  {changed(good, end-18, 3), "an entry of 3"},
	} {
		if _, err := ReadFirmware(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	f, err := ReadFirmware(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.MRTD(); err == nil || !strings.Contains(err.Error(), "no metadata of TDX") {
		t.Errorf("MRTD without metadata: %v", err)
	}
	if _, err := f.LaunchDigest(SNP{CPUs: 1}); err == nil || !strings.Contains(err.Error(), "no metadata of SEV") {
		t.Errorf("launch digest without metadata: %v", err)
	}
}

func changed(b []byte, at int, to ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], to)
	return b
}

// Whatever a firmware says of itself, it is measured or refused.
func FuzzFirmware(f *testing.F) {
	f.Add(built(pageSize, map[guid][]byte{guidReset: words(1), guidSEV: words(1024), guidTDX: words(2048), guidHashes: words(hashesAt)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4*pageSize {
			return
		}
		fw, err := ReadFirmware(append(b, make([]byte, (pageSize-len(b)%pageSize)%pageSize)...))
		if err != nil {
			return
		}
		if m, err := fw.MRTD(); err == nil && len(m) != 48 {
			t.Error("an MRTD of another size")
		}
		if m, err := fw.LaunchDigest(SNP{Kernel: []byte("k"), CPUs: 2}); err == nil && len(m) != 48 {
			t.Error("a launch digest of another size")
		}
	})
}
