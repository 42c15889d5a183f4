package dcap

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"slices"

	"github.com/phala-go/phala/core/attest/claims"
)

// Names of versions in the claims: component n of SGX is in the PCK certificate, component n of TDX in the TD's report.
var (
	sgxNames = [16]string{
		"sgx-tcb-01", "sgx-tcb-02", "sgx-tcb-03", "sgx-tcb-04", "sgx-tcb-05", "sgx-tcb-06", "sgx-tcb-07", "sgx-tcb-08",
		"sgx-tcb-09", "sgx-tcb-10", "sgx-tcb-11", "sgx-tcb-12", "sgx-tcb-13", "sgx-tcb-14", "sgx-tcb-15", "sgx-tcb-16",
	}
	tdxNames = [16]string{
		"tdx-tcb-01", "tdx-tcb-02", "tdx-tcb-03", "tdx-tcb-04", "tdx-tcb-05", "tdx-tcb-06", "tdx-tcb-07", "tdx-tcb-08",
		"tdx-tcb-09", "tdx-tcb-10", "tdx-tcb-11", "tdx-tcb-12", "tdx-tcb-13", "tdx-tcb-14", "tdx-tcb-15", "tdx-tcb-16",
	}
)

// advise adds a level's advisories, and its date if it is the oldest.
func (v *verification) advise(r rating) {
	v.claims.Advisories = append(v.claims.Advisories, r.advisories...)
	if r.date.Before(v.claims.TCBDate) {
		v.claims.TCBDate = r.date
	}
}

// say fills in what the quote and the PCK certificate say.
func (v *verification) say(q *quote, pck *cert, p *platform) {
	c := &v.claims
	slices.Sort(c.Advisories)
	c.Advisories = slices.Compact(c.Advisories)
	c.ChipID = bytes.Clone(p.ppid[:])
	if p.ppid == [16]byte{} {
		sum := sha256.Sum256(pck.RawSubjectPublicKeyInfo)
		c.ChipID = sum[:]
	}
	version := func(name string, value uint64) {
		c.Versions = append(c.Versions, claims.Version{Name: name, Value: value})
	}
	version("pcesvn", uint64(p.pceSVN))
	version("qe-isvsvn", uint64(binary.LittleEndian.Uint16(report(q.qeReport).isvSVN())))
	for i, n := range sgxNames {
		version(n, uint64(p.svn[i]))
	}
	for _, w := range []struct {
		name string
		is   bool
	}{{"smt", p.smt}, {"dynamic-platform", p.dynamic}, {"cached-keys", p.cachedKeys}} {
		if w.is {
			c.Warnings = append(c.Warnings, w.name)
		}
	}
	contents(q, c)
	if q.tdx {
		for i, n := range tdxNames {
			version(n, uint64(tdReport(q.body).teeTCBSVN()[i]))
		}
		version("tdx-module-svn", uint64(tdReport(q.body).teeTCBSVN()[0]))
		version("tdx-module-major", uint64(tdReport(q.body).teeTCBSVN()[1]))
	} else {
		version("isvsvn", uint64(binary.LittleEndian.Uint16(report(q.body).isvSVN())))
	}
	slices.Sort(c.Warnings)
}

// Inspect gives what a quote says of itself: registers, measurement, report data, debug, warnings. NOTHING of it is verified; it is for
// showing people what they hold.
func Inspect(b []byte) (claims.Claims, error) {
	q, err := parseQuote(b)
	if err != nil {
		return claims.Claims{}, err
	}
	var c claims.Claims
	contents(q, &c)
	slices.Sort(c.Warnings)
	return c, nil
}

// contents fills in what stands in the quote's body.
func contents(q *quote, c *claims.Claims) {
	body := bytes.Clone(q.body)
	if q.tdx {
		tdContents(tdReport(body), c)
	} else {
		sgxContents(report(body), c)
	}
}

func sgxContents(r report, c *claims.Claims) {
	c.Measurement, c.ReportData = r.mrEnclave(), r.reportData()
	c.Registers = []claims.Register{
		{Name: "MISCSELECT", Value: r.miscSelect()}, {Name: "ATTRIBUTES", Value: r.attributes()}, {Name: "MRENCLAVE", Value: r.mrEnclave()},
		{Name: "MRSIGNER", Value: r.mrSigner()}, {Name: "ISVPRODID", Value: r.isvProdID()}, {Name: "ISVSVN", Value: r.isvSVN()},
	}
	flags := binary.LittleEndian.Uint64(r.attributes())
	c.Debug = flags&(1<<1) != 0
	warn(c, flags, sgxWarnings, 1<<0|1<<1|1<<2|1<<6|1<<7|1<<10) // INIT, DEBUG, MODE64BIT, CET, KSS, AEXNOTIFY
}

// TDMeasurement is the measurement of a TD with these registers, 48 bytes each; see Verify.
func TDMeasurement(mrtd, rtmr0, rtmr1, rtmr2 []byte) []byte {
	h := sha512.New384()
	h.Write([]byte("phala/tdx-measurement/v1"))
	for _, part := range [][]byte{mrtd, rtmr0, rtmr1, rtmr2} {
		h.Write(part)
	}
	return h.Sum(nil)
}

func tdContents(r tdReport, c *claims.Claims) {
	c.Measurement, c.ReportData = TDMeasurement(r.mrTD(), r.rtmr(0), r.rtmr(1), r.rtmr(2)), r.reportData()
	c.Registers = []claims.Register{
		{Name: "TEETCBSVN", Value: r.teeTCBSVN()}, {Name: "MRSEAM", Value: r.mrSeam()}, {Name: "MRSIGNERSEAM", Value: r.mrSignerSeam()},
		{Name: "SEAMATTRIBUTES", Value: r.seamAttributes()}, {Name: "TDATTRIBUTES", Value: r.tdAttributes()}, {Name: "XFAM", Value: r.xfam()},
		{Name: "MRTD", Value: r.mrTD()}, {Name: "MRCONFIGID", Value: r.mrConfigID()}, {Name: "MROWNER", Value: r.mrOwner()},
		{Name: "MROWNERCONFIG", Value: r.mrOwnerConfig()}, {Name: "RTMR0", Value: r.rtmr(0)}, {Name: "RTMR1", Value: r.rtmr(1)},
		{Name: "RTMR2", Value: r.rtmr(2)}, {Name: "RTMR3", Value: r.rtmr(3)},
	}
	flags := binary.LittleEndian.Uint64(r.tdAttributes())
	c.Debug = flags&0xff != 0                    // TUD, "TD under debug": any bit of it makes the TD untrusted
	warn(c, flags, tdWarnings, 0xff|1<<27|1<<28) // TUD, LASS, SEPT_VE_DISABLE
	if flags&(1<<28) == 0 {
		c.Warnings = append(c.Warnings, "sept-ve-disable-off") // the host may inject #VE by unmapping pages
	}
	if binary.LittleEndian.Uint64(r.xfam())&^0x6dbe7 != 0 {
		c.Warnings = append(c.Warnings, "reserved-xfam")
	}
	if !r.is15() {
		return
	}
	c.Registers = append(c.Registers, claims.Register{Name: "TEETCBSVN2", Value: r.teeTCBSVN2()}, claims.Register{Name: "MRSERVICETD", Value: r.mrServiceTD()})
	if !bytes.Equal(r.mrServiceTD(), make([]byte, 48)) {
		c.Warnings = append(c.Warnings, "service-td") // another TD, such as one for migration, has power over this one
	}
	if !bytes.Equal(r.teeTCBSVN(), r.teeTCBSVN2()) {
		c.Warnings = append(c.Warnings, "module-updated") // since the TD was launched; what is rated is what launched it
	}
}

// warning is an attribute bit that a policy may refuse.
type warning struct {
	bit  uint
	name string
}

// Sources: Intel SDM volume 3D, ATTRIBUTES; Intel TDX Module ABI, TD_ATTRIBUTES.
var (
	sgxWarnings = []warning{{4, "provision-key"}, {5, "einittoken-key"}}
	tdWarnings  = []warning{{29, "migratable"}, {30, "pks"}, {31, "kl"}, {62, "tpa"}, {63, "perfmon"}}
)

// warn names the bits of flags that list has, and says once that there are others outside harmless.
func warn(c *claims.Claims, flags uint64, list []warning, harmless uint64) {
	flags &^= harmless
	for _, w := range list {
		if flags&(1<<w.bit) != 0 {
			c.Warnings = append(c.Warnings, w.name)
			flags &^= 1 << w.bit
		}
	}
	if flags != 0 {
		c.Warnings = append(c.Warnings, "reserved-attributes")
	}
}
