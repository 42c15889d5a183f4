package sevsnp

// Missed are the floors of AMD's bulletins that a report of that VCEK or VLEK does not reach, oldest first. It checks no signature: it
// explains the status of a report that Verify has accepted.
func Missed(report, certificate []byte) ([]Floor, error) {
	r, err := Parse(report)
	if err != nil {
		return nil, err
	}
	k, err := parseLeaf(certificate)
	if err != nil {
		return nil, err
	}
	t, err := r.tcbs(k.line)
	if err != nil {
		return nil, err
	}
	var out []Floor
	for _, b := range bulletins() {
		for _, f := range b.floors {
			if f.short(k.line, r.CPU.Die(), t.reported) {
				f.Advisory = b.id
				out = append(out, f)
			}
		}
	}
	return out, nil
}
