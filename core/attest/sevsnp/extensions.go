package sevsnp

import (
	"encoding/asn1"
	"fmt"
	"slices"
)

// amdExtensions are a certificate's extensions below AMD's arc. Each may be taken once; the first thing wrong is kept.
type amdExtensions struct {
	by  map[string][]byte
	err error
}

func (e *amdExtensions) take(id string) []byte {
	v, ok := e.by[id]
	if !ok && e.err == nil {
		e.err = malformed("leaf certificate", "without extension 1.3.6.1.4.1.3704.1."+id, "AMD's profile (57230)")
	}
	delete(e.by, id)
	return v
}

// number is an INTEGER of 0 to 255.
func (e *amdExtensions) number(id string) uint8 {
	v, n := e.take(id), 0
	if e.err == nil && (!decodes(v, &n) || n < 0 || n > 255) {
		e.err = malformed("extension "+id, fmt.Sprintf("%x", v), "an INTEGER of 0 to 255")
	}
	return uint8(n)
}

// text is an IA5String of 1 to 128 characters.
func (e *amdExtensions) text(id string) string {
	v, s := e.take(id), asn1.RawValue{}
	if e.err == nil && (!decodes(v, &s) || s.Class != asn1.ClassUniversal || s.Tag != asn1.TagIA5String || len(s.Bytes) == 0 || len(s.Bytes) > 128 ||
		slices.ContainsFunc(s.Bytes, func(c byte) bool { return c < ' ' || c > '~' })) {
		e.err = malformed("extension "+id, fmt.Sprintf("%x", v), "an IA5String of 1 to 128 characters")
	}
	return string(s.Bytes)
}

// raw is size bytes: bare, as AMD's service has always written them, or as the OCTET STRING that newer certificates have.
func (e *amdExtensions) raw(id string, size int) []byte {
	v := e.take(id)
	var tagged []byte
	if len(v) != size && decodes(v, &tagged) {
		v = tagged
	}
	if e.err == nil && len(v) != size {
		e.err = malformed("extension "+id, fmt.Sprintf("%d bytes", len(v)), fmt.Sprint(size))
	}
	return v
}

// done is the first error, or that something is left which nobody has asked for.
func (e *amdExtensions) done() error {
	for id := range e.by {
		if e.err == nil {
			e.err = malformed("leaf certificate", "extension 1.3.6.1.4.1.3704.1."+id, "AMD's profile (57230) for this line and key")
		}
	}
	return e.err
}

func decodes(der []byte, to any) bool {
	rest, err := asn1.Unmarshal(der, to)
	return err == nil && len(rest) == 0
}
