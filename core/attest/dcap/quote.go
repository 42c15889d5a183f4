package dcap

import (
	"encoding/binary"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// TEE types of a quote's header.
const (
	teeSGX = 0x00000000
	teeTDX = 0x00000081
)

// Sizes in bytes of a quote's parts.
const (
	headerSize   = 48
	reportSize   = 384 // SGX enclave report
	td10Size     = 584 // TD report of TDX 1.0
	td15Size     = 648 // TD report of TDX 1.5
	pairSize     = 64  // ECDSA P-256: a signature r || s, a public key x || y
	certDataHead = 6   // type (2), size (4)
)

// Types of a version 5 quote's body, and of certification data.
const (
	bodyTD10 = 2
	bodyTD15 = 3

	certPPID        = 1 // PPID in the clear, CPUSVN, PCESVN, PCE id
	certPPIDRSA2048 = 2 // PPID encrypted, CPUSVN, PCESVN, PCE id
	certPPIDRSA3072 = 3
	certPCKChain    = 5 // PEM: PCK certificate, PCK CA, root
	certQEReport    = 6 // QE report, its signature, authentication data, and certification data again
)

// qeVendor is Intel's quoting enclave.
var qeVendor = [16]byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07}

// quote is a parsed quote. Its slices share memory with the input.
type quote struct {
	version uint16
	tdx     bool
	signed  []byte // header and body: what the attestation key signed
	body    []byte // reportSize, td10Size or td15Size bytes

	signature   []byte // of signed, by the attestation key
	key         []byte // attestation key
	qeReport    []byte // reportSize bytes
	qeSignature []byte // of qeReport, by the PCK
	qeAuth      []byte // authentication data of the quoting enclave
	certType    uint16
	certData    []byte
}

// reader takes a byte string apart. After the first error it gives empty slices only.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) bytes(n int, what string) []byte {
	if r.err == nil && (n < 0 || n > len(r.rest)) {
		r.err = malformed(what, fmt.Sprintf("%d bytes left", len(r.rest)), fmt.Sprintf("%d", n))
	}
	if r.err != nil {
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u16(what string) uint16 {
	if b := r.bytes(2, what); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32(what string) int {
	b := r.bytes(4, what)
	if b == nil {
		return 0
	}
	n := binary.LittleEndian.Uint32(b)
	if n > MaxQuote {
		r.err = malformed(what, fmt.Sprintf("%d bytes", n), fmt.Sprintf("at most %d", MaxQuote))
		return 0
	}
	return int(n)
}

func (r *reader) end(what string) {
	if r.err == nil && len(r.rest) != 0 {
		r.err = malformed(what, fmt.Sprintf("%d bytes too long", len(r.rest)), "nothing after its last field")
	}
}

func malformed(field, got, want string) error {
	return claims.Refuse("malformed-quote", field, got, want, "hand in the quote as the machine gave it")
}

func unsupported(field, got, want string) error {
	return claims.Refuse("unsupported-quote", field, got, want, "use an SGX quote of version 3 or a TDX quote of version 4 or 5")
}

// parseQuote takes a quote apart and refuses whatever it does not understand wholly. Zeros may follow, since guests hand quotes out
// in buffers of a fixed size (a real one has 4,935 bytes and 3,065 zeros); nothing else may.
func parseQuote(b []byte) (*quote, error) {
	if len(b) > MaxQuote {
		return nil, malformed("quote", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at most %d", MaxQuote))
	}
	r := &reader{rest: b}
	q := &quote{}
	r.header(q)
	r.quoteBody(q, b)
	data := &reader{rest: r.bytes(r.u32("signature data length"), "signature data"), err: r.err}
	if data.signatureData(q); data.err != nil {
		return nil, data.err
	}
	for _, p := range r.rest {
		if p != 0 {
			return nil, malformed("quote", fmt.Sprintf("%d bytes after the signature data", len(r.rest)), "none, or zeros")
		}
	}
	return q, nil
}

func (r *reader) header(q *quote) {
	q.version = r.u16("version")
	keyType := r.u16("attestation key type")
	tee := r.bytes(4, "TEE type")
	r.bytes(4, "header") // version 3: SVNs of QE and PCE, which nothing relies on; later: reserved
	vendor := r.bytes(len(qeVendor), "QE vendor id")
	r.bytes(20, "user data")
	if r.err != nil {
		return
	}
	kind := binary.LittleEndian.Uint32(tee)
	q.tdx = kind == teeTDX
	switch {
	case q.version == 3 && kind == teeSGX, (q.version == 4 || q.version == 5) && kind == teeTDX:
	default:
		r.err = unsupported("version and TEE type", fmt.Sprintf("%d and %#x", q.version, kind), "3 and 0x0, or 4 or 5 and 0x81")
		return
	}
	if keyType != 2 {
		r.err = unsupported("attestation key type", fmt.Sprint(keyType), "2 (ECDSA P-256)")
	} else if [16]byte(vendor) != qeVendor {
		r.err = unsupported("QE vendor id", fmt.Sprintf("%x", vendor), fmt.Sprintf("%x (Intel)", qeVendor))
	}
}

func (r *reader) quoteBody(q *quote, whole []byte) {
	size := reportSize
	switch q.version {
	case 4:
		size = td10Size
	case 5:
		kind, said := r.u16("body type"), r.u32("body size")
		sizes := map[uint16]int{bodyTD10: td10Size, bodyTD15: td15Size}
		if r.err == nil && sizes[kind] == 0 {
			r.err = unsupported("body type", fmt.Sprint(kind), "2 (TDX 1.0) or 3 (TDX 1.5)")
		} else if r.err == nil && sizes[kind] != said {
			r.err = malformed("body size", fmt.Sprint(said), fmt.Sprint(sizes[kind]))
		}
		size = sizes[kind]
	}
	q.body = r.bytes(size, "quote body")
	if r.err == nil {
		q.signed = whole[:len(whole)-len(r.rest)]
	}
}

// signatureData reads the part after the body. From version 4 on the QE's report is itself certification data, of type 6.
func (r *reader) signatureData(q *quote) {
	q.signature = r.bytes(pairSize, "quote signature")
	q.key = r.bytes(pairSize, "attestation key")
	if q.version >= 4 {
		kind := r.u16("certification data type")
		if r.err == nil && kind != certQEReport {
			r.err = unsupported("certification data type", fmt.Sprint(kind), "6 (QE report)")
		}
		inner := r.bytes(r.u32("certification data size"), "certification data")
		r.end("signature data")
		r.rest = inner
	}
	q.qeReport = r.bytes(reportSize, "QE report")
	q.qeSignature = r.bytes(pairSize, "QE report signature")
	q.qeAuth = r.bytes(int(r.u16("QE authentication data size")), "QE authentication data")
	q.certType = r.u16("PCK certification data type")
	q.certData = r.bytes(r.u32("PCK certification data size"), "PCK certification data")
	r.end("PCK certification data")
	if r.err != nil {
		return
	}
	sizes := map[uint16]int{certPPID: 36, certPPIDRSA2048: 276, certPPIDRSA3072: 404}
	switch want, ok := sizes[q.certType], q.certType == certPCKChain; {
	case ok:
	case want == 0:
		r.err = unsupported("PCK certification data type", fmt.Sprint(q.certType), "5 (PCK chain) or 1 to 3 (platform id)")
	case want != len(q.certData):
		r.err = malformed("PCK certification data", fmt.Sprintf("%d bytes of type %d", len(q.certData), q.certType), fmt.Sprint(want))
	}
}
