package attest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/nitro"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

func showCmd(e Env) *cobra.Command {
	var s source
	cmd := &cobra.Command{
		Use: "show FILE", Short: "Show what is in evidence, and explain its event log", Args: cobra.MaximumNArgs(1),
		Long: `Shows what evidence says, whether or not it would be accepted: registers, versions, collateral with its dates, the identity that it is
bound to, and the events that the registers follow from. What the maker does not vouch for is marked as unverified.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.load(cmd.Context(), e, args)
			if err != nil {
				return err
			}
			d, err := l.describe()
			if err != nil {
				return err
			}
			return e.Print(d, func(w io.Writer) { d.write(newPage(e, w), l) })
		},
	}
	s.flags(cmd)
	return cmd
}

// named is a value with its name.
type named struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// description is what evidence says.
type description struct {
	Format     string    `json:"format"`
	Kind       string    `json:"kind"`
	Bytes      int       `json:"bytes"`
	At         time.Time `json:"at"`
	Identity   []named   `json:"identity,omitempty"`
	Platform   []named   `json:"platform,omitempty"` // under what the maker publishes its collateral, as the evidence says of itself
	Verified   bool      `json:"verified"`           // the maker vouches for what follows
	Verdict    *verdict  `json:"verdict,omitempty"`
	Registers  []named   `json:"registers"`
	Versions   []named   `json:"versions,omitempty"`
	Warnings   []string  `json:"warnings,omitempty"`
	Collateral []piece   `json:"collateral"`
	Log        *logView  `json:"log,omitempty"`
}

func (l *loaded) describe() (*description, error) {
	d := &description{Format: l.Format, Kind: kindName(l.Evidence.GetKind()), Bytes: len(l.Evidence.GetQuote()), At: l.time, Registers: []named{}, Collateral: []piece{}}
	if l.Log != nil {
		d.Log = viewLog(l.Log, l.LogKind)
	}
	if l.Evidence == nil {
		return d, nil
	}
	var err error
	if d.Collateral, err = l.pieces(); err != nil {
		return nil, err
	}
	d.Identity, d.Platform = identity(l.Worker.GetIdentity()), platform(l.Evidence)
	d.Verdict = l.judge(judgement{})
	d.Verified = d.Verdict.Measurement != ""
	registers := d.Verdict.claims.Registers
	if !d.Verified {
		registers = peek(l.Evidence)
	}
	for _, r := range registers {
		d.Registers = append(d.Registers, named{r.Name, hex.EncodeToString(r.Value)})
	}
	for _, v := range d.Verdict.claims.Versions {
		d.Versions = append(d.Versions, named{v.Name, fmt.Sprint(v.Value)})
	}
	d.Warnings = d.Verdict.warnings()
	return d, nil
}

// platform is under what the makers publish collateral: Intel by the platform's FMSPC, AMD by the chip and its reported security versions.
func platform(ev *wire.Evidence) (out []named) {
	switch ev.Kind {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX:
		p, err := dcap.PlatformOf(ev.Quote, pckChain(ev))
		if err != nil {
			return nil
		}
		return []named{{"FMSPC", hexOf(p.FMSPC[:])}, {"PCK CA", p.CA}}
	case wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP:
		r, err := sevsnp.Parse(snpReport(ev))
		if err != nil {
			return nil
		}
		line, err := r.CPU.Line()
		name := string(line)
		if err != nil { // version 2 does not say, and only these two make it
			line, name = sevsnp.Milan, "Milan or Genoa"
		}
		v, err := r.ReportedTCB.SVNs(line, "REPORTED_TCB")
		if err != nil {
			return nil
		}
		out = []named{{"line", name}, {"key", r.SigningKey.String()}, {"chip", hexOf(r.ChipID[:])}}
		if line == sevsnp.Turin {
			out = append(out, named{"fmcSPL", fmt.Sprint(v.FMC)})
		}
		return append(out, named{"blSPL", fmt.Sprint(v.Bootloader)}, named{"teeSPL", fmt.Sprint(v.TEE)}, named{"snpSPL", fmt.Sprint(v.SNP)}, named{"ucodeSPL", fmt.Sprint(v.Microcode)})
	}
	return nil
}

// pckChain is the one beside a quote, if there is any.
func pckChain(ev *wire.Evidence) []byte {
	items, err := attest.ParseCollateral(ev.Collateral)
	if err != nil {
		return nil
	}
	for _, i := range items {
		if i.Kind == wire.COLLATERAL_KIND_PCK_CHAIN {
			return i.Data
		}
	}
	return nil
}

func identity(id *wire.WorkerIdentity) []named {
	if id == nil {
		return nil
	}
	return []named{
		{"worker", fmt.Sprintf("%s/%d", id.Worker.GetOperator(), id.Worker.GetSlot())}, {"role", id.Role.String()}, {"chain", id.ChainId},
		{"genesis", hexOf(id.GenesisHash)}, {"identity key", hexOf(id.IdentityKey)}, {"software", id.SoftwareVersion},
		{"nonce", fmt.Sprintf("block %d, %x", id.NonceHeight, id.NonceHash)},
	}
}

// peek reads what unverified evidence claims, as far as it can be read; it is for people alone.
func peek(ev *wire.Evidence) (out []register) {
	q := ev.Quote
	switch ev.Kind {
	case wire.TEE_KIND_SGX:
		if len(q) >= 48+384 {
			b := q[48:]
			out = []register{{Name: "MRENCLAVE", Value: b[64:96]}, {Name: "MRSIGNER", Value: b[128:160]}, {Name: "REPORTDATA", Value: b[320:384]}}
		}
	case wire.TEE_KIND_TDX:
		body := 48
		if len(q) >= 2 && binary.LittleEndian.Uint16(q) == 5 {
			body += 6 // type and size of the body
		}
		if len(q) >= body+584 {
			b := q[body:]
			out = []register{{Name: "MRSEAM", Value: b[16:64]}, {Name: "TDATTRIBUTES", Value: b[120:128]}, {Name: "MRTD", Value: b[136:184]}}
			for i := range 4 {
				out = append(out, register{Name: fmt.Sprintf("RTMR%d", i), Value: b[328+48*i : 376+48*i]})
			}
			out = append(out, register{Name: "REPORTDATA", Value: b[520:584]})
		}
	case wire.TEE_KIND_SEV_SNP:
		if r, err := sevsnp.Parse(q); err == nil {
			out = []register{{Name: "MEASUREMENT", Value: r.Measurement[:]}, {Name: "HOST_DATA", Value: r.HostData[:]},
				{Name: "REPORT_DATA", Value: r.ReportData[:]}, {Name: "CHIP_ID", Value: r.ChipID[:]}}
		}
	case wire.TEE_KIND_TPM:
		out = peekTPM(q)
	case wire.TEE_KIND_NITRO, wire.TEE_KIND_NITRO_TPM:
		if d, err := nitro.Parse(q); err == nil {
			for i, v := range d.PCRs {
				if v != nil {
					out = append(out, register{Name: fmt.Sprintf("PCR%d", i), Value: v})
				}
			}
			out = append(out, register{Name: "user data", Value: d.UserData}, register{Name: "nonce", Value: d.Nonce})
		}
	}
	return out
}

func peekTPM(quote []byte) (out []register) {
	var t wire.TpmQuote
	if wire.Unmarshal(quote, &t) != nil {
		return nil
	}
	if q, err := tpm.ParseQuote(t.Attest); err == nil {
		out = append(out, register{Name: "nonce", Value: q.ExtraData}, register{Name: "PCR digest", Value: q.PCRDigest})
	}
	for _, p := range t.Pcrs {
		out = append(out, register{Name: fmt.Sprintf("PCR%d", p.GetIndex()), Value: p.GetValue()})
	}
	return out
}

func (d *description) write(p *page, l *loaded) {
	p.line("%s, at %s (%s)", clean(d.Format), moment(l.time), l.dated)
	section(p, "identity that it is bound to", d.Identity)
	if d.Verdict != nil {
		d.Verdict.facts(p)
		if d.Verified {
			section(p, "registers", d.Registers)
			section(p, "versions", d.Versions)
		} else {
			section(p, "registers (UNVERIFIED: what the evidence says of itself)", d.Registers)
		}
		writeReasons(p, d.Verdict.Reasons)
		section(p, "its collateral is published under", d.Platform)
	}
	if len(d.Collateral) > 0 {
		p.line("collateral")
		rows := [][]string{{"piece", "bytes", "from", "until"}}
		for _, c := range d.Collateral {
			rows = append(rows, []string{c.Name, fmt.Sprint(c.Bytes), day(c.From), day(c.Until)})
		}
		p.cells(rows)
	}
	if d.Log != nil {
		d.Log.write(p)
	}
}

func section(p *page, title string, rows []named) {
	if len(rows) == 0 {
		return
	}
	p.line("%s", title)
	table := [][]string{}
	for _, r := range rows {
		table = append(table, []string{r.Name, r.Value})
	}
	p.cells(table)
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
