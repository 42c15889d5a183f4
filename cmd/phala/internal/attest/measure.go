package attest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/wire"
)

// measureFlags say what is to be compared.
type measureFlags struct {
	source, binary, image string
	rules                 ruleFlags
}

func measureCmd(e Env) *cobra.Command {
	var m measureFlags
	cmd := &cobra.Command{
		Use: "measure", Short: "Source, binary, image and what governance approved, in one table", Args: cobra.NoArgs,
		Long: `Follows a program from its source to its measurement: the commit that a checkout is at, the SHA-256 of the binary, the measurements that
the build of the image has printed, and which of them governance has approved (--policy FILE, or --chain).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := m.rows(cmd.Context(), e)
			if err != nil {
				return err
			}
			return e.Print(rows, func(w io.Writer) { writeMeasures(newPage(e, w), rows) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.source, "source", "", "folder of a git checkout, or a commit in hexadecimal")
	f.StringVar(&m.binary, "binary", "", "the enclave program, as bin/pruntime")
	f.StringVar(&m.image, "image", "", "file with the JSON that the build of the measured image has printed")
	m.rules.flags(cmd)
	return cmd
}

// measured is one row: a step from source to measurement, and whether governance knows it.
type measured struct {
	Step     string `json:"step"` // source, binary, image, approved
	Name     string `json:"name"`
	Value    string `json:"value"`
	Approved bool   `json:"approved"`
	Note     string `json:"note"`
}

func (m *measureFlags) rows(ctx context.Context, e Env) ([]measured, error) {
	r, err := m.rules.load(ctx, e, nil)
	if err != nil {
		return nil, err
	}
	if m.source == "" && m.binary == "" && m.image == "" && r == nil {
		return nil, e.Usage("nothing to measure: want --source, --binary, --image, --policy or --chain")
	}
	rows := []measured{}
	for _, step := range []func(*rules) ([]measured, error){m.sourceRow, m.binaryRow, m.imageRows} {
		more, err := step(r)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return append(rows, approvedRows(r, rows)...), nil
}

func (m *measureFlags) sourceRow(r *rules) ([]measured, error) {
	if m.source == "" {
		return nil, nil
	}
	commit, note := strings.ToLower(m.source), ""
	if i, err := os.Stat(m.source); err == nil && i.IsDir() {
		var err error
		if commit, err = git(m.source, "rev-parse", "HEAD"); err != nil {
			return nil, err
		}
		changed, err := git(m.source, "status", "--porcelain", "--untracked-files=no")
		if err != nil {
			return nil, err
		}
		if changed != "" {
			note = "the checkout differs from it"
		}
	} else if b, err := hex.DecodeString(commit); err != nil || len(b) < 20 {
		return nil, fmt.Errorf("reading the source %q: neither a folder nor a commit of 40 hexadecimal digits", m.source)
	}
	row := measured{Step: "source", Name: "commit", Value: commit, Note: note}
	if r != nil {
		for _, a := range r.policy.Measurements {
			row.Approved = row.Approved || note == "" && strings.EqualFold(a.GetSourceCommit(), commit)
		}
	}
	return []measured{row}, nil
}

func git(dir string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("asking git about %s: %w", dir, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (m *measureFlags) binaryRow(r *rules) ([]measured, error) {
	if m.binary == "" {
		return nil, nil
	}
	f, err := os.Open(m.binary)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return []measured{r.row("binary", "SHA-256", h.Sum(nil))}, nil
}

// imageRows are all digests in what the build of the image prints, by their names.
func (m *measureFlags) imageRows(r *rules) ([]measured, error) {
	if m.image == "" {
		return nil, nil
	}
	b, err := readFile(Env{}, m.image)
	if err != nil {
		return nil, err
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("reading %s: %w: want the JSON that the build of the image prints", m.image, err)
	}
	rows := digests(r, "", v)
	if len(rows) == 0 {
		return nil, fmt.Errorf("reading %s: no measurement in it: want the JSON that the build of the image prints", m.image)
	}
	slices.SortFunc(rows, func(a, b measured) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}

func digests(r *rules, name string, v any) (out []measured) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			out = append(out, digests(r, strings.TrimPrefix(name+"."+k, "."), x)...)
		}
	case []any:
		for i, x := range v {
			out = append(out, digests(r, fmt.Sprintf("%s.%d", name, i), x)...)
		}
	case string:
		if b, err := hex.DecodeString(v); err == nil && len(b) >= 32 && len(b) <= 64 {
			out = append(out, r.row("image", name, b))
		}
	}
	return out
}

// row says whether governance has approved a digest.
func (r *rules) row(step, name string, digest []byte) measured {
	row := measured{Step: step, Name: name, Value: hexOf(digest)}
	if a := r.approved(digest); a != nil {
		row.Approved, row.Note = true, life(a, r.height)
	}
	return row
}

func (r *rules) approved(digest []byte) *wire.Measurement {
	if r == nil {
		return nil
	}
	for _, a := range r.policy.Measurements {
		if bytes.Equal(a.GetDigest(), digest) {
			return a
		}
	}
	return nil
}

func life(a *wire.Measurement, height uint64) string {
	out := fmt.Sprintf("from height %d", a.ActivationHeight)
	if height != 0 && a.ActivationHeight > height {
		out += fmt.Sprintf(", which is %d blocks away", a.ActivationHeight-height)
	}
	if a.RetireHeight != 0 {
		out += fmt.Sprintf(" to %d", a.RetireHeight)
	}
	return out
}

// approvedRows are what governance approved and nothing above matches.
func approvedRows(r *rules, above []measured) (out []measured) {
	if r == nil {
		return nil
	}
	for _, a := range r.policy.Measurements {
		digest := hexOf(a.GetDigest())
		if slices.ContainsFunc(above, func(m measured) bool { return m.Value == digest }) {
			continue
		}
		note := life(a, r.height)
		if a.SourceCommit != "" {
			note += ", source " + a.SourceCommit
		}
		out = append(out, measured{Step: "approved", Name: strings.ToLower(strings.TrimPrefix(r.policy.Role.String(), "ROLE_")), Value: digest, Approved: true, Note: note})
	}
	return out
}

func writeMeasures(p *page, rows []measured) {
	table := [][]string{{"step", "what", "value", "governance", ""}}
	for _, r := range rows {
		word := "-"
		if r.Approved {
			word = "approved"
		}
		table = append(table, []string{r.Step, r.Name, r.Value, word, r.Note})
	}
	p.cells(table)
}
