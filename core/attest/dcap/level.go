package dcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/phala-go/phala/core/attest/claims"
)

// rate finds the levels of platform, TDX module and quoting enclave, merges them, and makes the claims.
// Source: PCS API version 4, "Enclave Identity/TCB info verification"; Intel's quote verification library, whose convergence rules these are.
func (v *verification) rate(q *quote, pck *cert, p *platform, t *tcbInfo, i *qeIdentity) {
	level := v.platformLevel(q, p, t)
	mod, modOK := v.moduleLevel(q, t)
	var qe *svnLevel
	if i != nil {
		qe = v.qeLevel(q, i)
	}
	if level == nil || !modOK || qe == nil {
		return
	}
	out := &v.claims
	out.PlatformStatus, out.QEStatus = level.status, qe.status
	out.Status, out.TCBDate = level.status, level.date
	v.advise(level.rating)
	if mod != nil {
		out.ModuleStatus = mod.status
		out.Status = merge(out.Status, mod.status)
		v.advise(mod.rating)
	}
	out.Status = merge(out.Status, qe.status)
	v.advise(qe.rating)
	out.Versions = []claims.Version{{Name: "tcb-eval", Value: t.evaluation}, {Name: "qe-eval", Value: i.evaluation}}
	v.say(q, pck, p)
}

// merge is a rating when a part that everything rests on (TDX module, quoting enclave) has another: revoked beats all, and an outdated part
// makes the whole outdated, keeping whether configuration is needed.
func merge(whole, part claims.Status) claims.Status {
	switch {
	case whole == claims.Revoked || part == claims.Revoked:
		return claims.Revoked
	case part == claims.UpToDate:
		return whole
	}
	switch whole {
	case claims.UpToDate, claims.SWHardeningNeeded:
		return claims.OutOfDate
	case claims.ConfigurationNeeded, claims.ConfigurationAndSWHardeningNeeded:
		return claims.OutOfDateConfigurationNeeded
	default:
		return whole
	}
}

// platformLevel is the first level of the list, which Intel sorts from new to old, that the platform reaches.
func (v *verification) platformLevel(q *quote, p *platform, t *tcbInfo) *tcbLevel {
	for n := range t.levels {
		if l := &t.levels[n]; len(l.short(q, p)) == 0 {
			return l
		}
	}
	last := &t.levels[len(t.levels)-1]
	v.refuse("no-tcb-level", "TCB of the platform", strings.Join(texts(last.short(q, p)), ", "), "at least the lowest level that Intel lists, of "+last.date.Format("2006-01-02"),
		"update the parts named, or use another machine: Intel gives no rating for this one")
	return nil
}

// Short is a security version that is below what a level needs.
type Short struct {
	Name string // as Intel names it: "SGX TCB component 2", "PCESVN", "TDX TCB component 1"
	Have uint64
	Need uint64
	Part string // what raises it, in Intel's words ("BIOS: Early Microcode Update"); empty if Intel does not say
}

func (s Short) String() string {
	out := fmt.Sprintf("%s %d < %d", s.Name, s.Have, s.Need)
	if s.Part != "" {
		out += " (" + s.Part + ")"
	}
	return out
}

func texts(list []Short) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.String())
	}
	return out
}

// short is what the platform lacks for the level. For modules of TDX 1.5 and later (major version above 0) the module's own level is
// rated apart, and components 1 and 2 do not count here.
func (l *tcbLevel) short(q *quote, p *platform) []Short {
	var out []Short
	for i, need := range l.sgx {
		if p.svn[i] < need.svn {
			out = append(out, Short{fmt.Sprintf("SGX TCB component %d", i+1), uint64(p.svn[i]), uint64(need.svn), need.part()})
		}
	}
	if p.pceSVN < l.pceSVN {
		out = append(out, Short{"PCESVN", uint64(p.pceSVN), uint64(l.pceSVN), "SGX platform software"})
	}
	if !q.tdx {
		return out
	}
	have, from := tdReport(q.body).teeTCBSVN(), 0
	if have[1] > 0 {
		from = 2
	}
	for i := from; i < len(l.tdx); i++ {
		if need := l.tdx[i]; have[i] < need.svn {
			out = append(out, Short{fmt.Sprintf("TDX TCB component %d", i+1), uint64(have[i]), uint64(need.svn), need.part()})
		}
	}
	return out
}

func (c component) part() string {
	if c.category == "" || c.kind == "" {
		return c.category + c.kind
	}
	return c.category + ": " + c.kind
}

// moduleLevel checks who signed the TDX module and, from major version 1 on, finds its level. ok is false after a refusal; the level is nil
// for SGX and for modules without levels of their own.
func (v *verification) moduleLevel(q *quote, t *tcbInfo) (level *svnLevel, ok bool) {
	if !q.tdx {
		return nil, true
	}
	r := tdReport(q.body)
	svn, major := r.teeTCBSVN()[0], r.teeTCBSVN()[1]
	m := t.module
	if major > 0 {
		if m = t.moduleOf(major); m == nil {
			v.refuse("wrong-module", "TDX module", fmt.Sprintf("major version %d", major), "a module that Intel lists", "update the TDX module, or fetch the TCB info again")
			return nil, false
		}
	}
	if !bytes.Equal(r.mrSignerSeam(), m.mrSigner[:]) {
		v.refuse("wrong-module", "MRSIGNERSEAM", fmt.Sprintf("%x", r.mrSignerSeam()), fmt.Sprintf("%x", m.mrSigner), "the TDX module is not Intel's: use another machine")
		return nil, false
	}
	if got := masked(r.seamAttributes(), m.mask[:]); !bytes.Equal(got, m.attributes[:]) {
		v.refuse("wrong-module", "SEAMATTRIBUTES", fmt.Sprintf("%x", got), fmt.Sprintf("%x", m.attributes), "the TDX module is not in production mode: use another machine")
		return nil, false
	}
	if major == 0 {
		return nil, true
	}
	for n := range m.levels {
		if l := &m.levels[n]; uint16(svn) >= l.isvSVN {
			return l, true
		}
	}
	v.refuse("no-tcb-level", "TDX module SVN", fmt.Sprint(svn), "at least the lowest that Intel lists for "+m.id, "update the TDX module")
	return nil, false
}

// moduleOf is the identity of the modules of that major version: "TDX_" and two hexadecimal digits.
func (t *tcbInfo) moduleOf(major byte) *module {
	id := fmt.Sprintf("TDX_%02X", major)
	for i := range t.modules {
		if strings.ToUpper(t.modules[i].id) == id {
			return &t.modules[i]
		}
	}
	return nil
}

// qeLevel checks that the QE is the one that Intel describes, and finds its level.
func (v *verification) qeLevel(q *quote, i *qeIdentity) *svnLevel {
	const advice = "the quoting enclave is not Intel's: install Intel's"
	r := report(q.qeReport)
	before := len(v.errs)
	for _, f := range []struct {
		field     string
		got, want []byte
	}{
		{"QE MISCSELECT", masked(r.miscSelect(), i.miscMask[:]), i.miscSelect[:]},
		{"QE ATTRIBUTES", masked(r.attributes(), i.attrsMask[:]), i.attributes[:]},
		{"QE MRSIGNER", r.mrSigner(), i.mrSigner[:]},
		{"QE ISVPRODID", r.isvProdID(), binary.LittleEndian.AppendUint16(nil, i.isvProdID)},
	} {
		if !bytes.Equal(f.got, f.want) {
			v.refuse("wrong-qe", f.field, fmt.Sprintf("%x", f.got), fmt.Sprintf("%x", f.want), advice)
		}
	}
	if len(v.errs) != before {
		return nil
	}
	svn := binary.LittleEndian.Uint16(r.isvSVN())
	for n := range i.levels {
		if l := &i.levels[n]; svn >= l.isvSVN {
			return l
		}
	}
	v.refuse("no-tcb-level", "QE ISVSVN", fmt.Sprint(svn), fmt.Sprintf("at least %d", i.levels[len(i.levels)-1].isvSVN), "update the quoting enclave")
	return nil
}

// masked is value AND mask; both have the same length.
func masked(value, mask []byte) []byte {
	out := make([]byte, len(value))
	for i := range out {
		out[i] = value[i] & mask[i]
	}
	return out
}
