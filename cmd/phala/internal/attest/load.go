package attest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/evidencefile"
	"github.com/phala-go/phala/core/wire"
)

// source is where evidence comes from, and what is given beside it.
type source struct {
	at, log, worker string
	collateral      []string
	channel         string // of verify alone
}

func (s *source) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.at, "at", "", "judge at this time: RFC 3339, a date, Unix seconds, or now (default: the time that the file states, else now)")
	f.StringArrayVar(&s.collateral, "collateral", nil, "file with the maker's collateral: Intel's in JSON, a recorded case, AMD's certificates or list; repeat for more")
	f.StringVar(&s.log, "log", "", "file with the event log that the evidence's registers must follow from")
	f.StringVar(&s.worker, "worker", "", "OPERATOR/SLOT: the evidence of a worker on the chain, instead of a file")
}

// loaded is evidence with the time at which it is to be judged.
type loaded struct {
	*evidencefile.File
	name  string
	time  time.Time
	dated string // whose time it is
	kept  func(hash []byte) []byte
}

func (s *source) load(ctx context.Context, e Env, args []string) (*loaded, error) {
	l := &loaded{}
	if err := s.evidence(ctx, e, args, l); err != nil {
		return nil, err
	}
	if l.Evidence != nil {
		if err := s.beside(l); err != nil {
			return nil, err
		}
	}
	if s.log != "" {
		b, err := readFile(e, s.log)
		if err != nil {
			return nil, err
		}
		f, err := evidencefile.Read(b)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.log, err)
		}
		if f.Log == nil {
			return nil, fmt.Errorf("reading %s: a %s, want an event log", s.log, f.Format)
		}
		l.Log, l.LogKind = f.Log, f.LogKind
	}
	return l, s.when(e, l)
}

func (s *source) evidence(ctx context.Context, e Env, args []string, l *loaded) error {
	if (len(args) == 1) == (s.worker != "") {
		return e.Usage("want one file of evidence (- for standard input), or --worker OPERATOR/SLOT")
	}
	if s.worker != "" {
		return fromChain(ctx, e, s.worker, l)
	}
	l.name = args[0]
	b, err := readFile(e, l.name)
	if err != nil {
		return err
	}
	if l.File, err = evidencefile.Read(b); err != nil {
		return fmt.Errorf("reading %s: %w", l.name, err)
	}
	return nil
}

// beside takes in collateral: the files that were named, or for an SNP report without any a certificate of the same name.
func (s *source) beside(l *loaded) error {
	names := s.collateral
	if len(names) == 0 && l.Evidence.Kind == wire.TEE_KIND_SEV_SNP && len(l.Evidence.Collateral) == 0 {
		names = besides(l.name)
	}
	for _, n := range names {
		b, err := readFile(Env{}, n)
		if err == nil {
			err = l.AddCollateral(b)
		}
		if err != nil {
			return fmt.Errorf("taking collateral from %s: %w", n, err)
		}
	}
	return nil
}

// besides are the files with certificates and lists that stand beside a report: x.cert.der beside x.report.bin, and so on.
func besides(report string) (found []string) {
	base := report
	for _, ending := range []string{".bin", ".dat", ".report"} {
		base = strings.TrimSuffix(base, ending)
	}
	for _, ending := range []string{".cert.der", ".cert.pem", ".vcek.der", ".vcek.pem", ".vlek.der", ".vlek.pem", ".crl", ".crl.der"} {
		if i, err := os.Stat(base + ending); err == nil && i.Mode().IsRegular() {
			found = append(found, base+ending)
		}
	}
	return found
}

func (s *source) when(e Env, l *loaded) (err error) {
	switch {
	case s.at == "now" || s.at == "" && l.At.IsZero():
		l.time, l.dated = e.Now().UTC(), "now"
	case s.at == "":
		l.time, l.dated = l.At, "the time that the file states"
	default:
		l.time, err = parseTime(s.at)
		l.dated = "--at"
		if err != nil {
			return e.Usage("--at %q: want a time as 2026-01-31T12:00:00Z, a date, Unix seconds, or now", s.at)
		}
	}
	return nil
}

func parseTime(s string) (time.Time, error) {
	if n, err := strconv.ParseUint(s, 10, 40); err == nil {
		return time.Unix(int64(n), 0).UTC(), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err
}

// readFile reads a regular file, or standard input, and no more than evidence can have.
func readFile(e Env, name string) ([]byte, error) {
	in := e.In
	if name != "-" || in == nil {
		i, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if !i.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, evidencefile.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > evidencefile.MaxSize {
		return nil, fmt.Errorf("reading %s: more than %d bytes, which no evidence has", name, evidencefile.MaxSize)
	}
	return b, nil
}

// unlogged are registers that hold something and that the log has no event of; explained are the others.
func unlogged(l *eventlog.Log, kind eventlog.Kind, registers []register) (explained []register, without []string) {
	logged := map[string]bool{}
	for _, ev := range l.Events {
		logged[kind.Name(ev.Register)] = true
	}
	for _, r := range registers {
		if kind == eventlog.PCR && !logged[r.Name] && strings.HasPrefix(r.Name, "PCR") && !blank(r.Value) {
			without = append(without, r.Name)
			continue
		}
		explained = append(explained, r)
	}
	return explained, without
}

func blank(b []byte) bool {
	for _, x := range b {
		if x != 0 && x != 0xff {
			return false
		}
	}
	return true
}
