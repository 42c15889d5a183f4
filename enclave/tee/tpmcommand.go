package tee

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What of TPM 2.0 is spoken. Source: TCG, Trusted Platform Module Library, part 2 (structures) and part 3 (commands), 1.59.
const (
	stNoSessions = 0x8001
	stSessions   = 0x8002
	stAttest     = 0x8018

	ccCreatePrimary = 0x131
	ccNVRead        = 0x14e
	ccQuote         = 0x158
	ccNVReadPublic  = 0x169
	ccPCRRead       = 0x17e
	ccPCRExtend     = 0x182

	rhOwner       = 0x40000001
	rhEndorsement = 0x4000000b
	rsPassword    = 0x40000009

	algSHA256 = 0x000b
	algNull   = 0x0010
	algECDSA  = 0x0018
	algECC    = 0x0023
	curveP256 = 0x0003

	// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign
	akAttributes = 1<<1 | 1<<4 | 1<<5 | 1<<6 | 1<<10 | 1<<16 | 1<<18

	maxResponse = 4096
)

// tpmReader takes big-endian fields from the front of b; after the first error it gives zeros.
type tpmReader struct {
	b     []byte
	short bool
}

func (r *tpmReader) take(n int) []byte {
	if r.short || n > len(r.b) {
		r.short, r.b = true, nil
		return make([]byte, min(n, 8))
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *tpmReader) u16() uint16   { return binary.BigEndian.Uint16(r.take(2)) }
func (r *tpmReader) u32() uint32   { return binary.BigEndian.Uint32(r.take(4)) }
func (r *tpmReader) sized() []byte { return r.take(int(r.u16())) }

// prefixed is b with its length in two bytes before it, a TPM2B.
func prefixed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// command sends one command with an empty password for each of auths handles, and gives the answer's handle (if it has one) and
// parameters.
func command(dev io.ReadWriter, code uint32, handles []uint32, auths int, params []byte, answerHandle bool) (handle uint32, out *tpmReader, err error) {
	be := binary.BigEndian
	var body []byte
	for _, h := range handles {
		body = be.AppendUint32(body, h)
	}
	tag := uint16(stNoSessions)
	if auths > 0 {
		tag = stSessions
		var area []byte
		for range auths {
			area = be.AppendUint32(area, rsPassword)
			area = append(area, 0, 0, 0, 0, 0) // no nonce, no attributes, an empty password
		}
		body = append(be.AppendUint32(body, uint32(len(area))), area...)
	}
	body = append(body, params...)
	cmd := be.AppendUint16(nil, tag)
	cmd = be.AppendUint32(cmd, uint32(10+len(body)))
	cmd = append(be.AppendUint32(cmd, code), body...)
	if _, err := dev.Write(cmd); err != nil {
		return 0, nil, fmt.Errorf("writing to the TPM: %w", err)
	}
	buf := make([]byte, maxResponse)
	n, err := dev.Read(buf)
	if err != nil {
		return 0, nil, fmt.Errorf("reading from the TPM: %w", err)
	}
	return answer(buf[:n], tag, answerHandle)
}

func answer(b []byte, tag uint16, answerHandle bool) (handle uint32, out *tpmReader, err error) {
	r := &tpmReader{b: b}
	gotTag, size, rc := r.u16(), r.u32(), r.u32()
	if r.short || int(size) != len(b) {
		return 0, nil, fmt.Errorf("an answer of %d bytes that says it has %d", len(b), size)
	}
	if rc != 0 {
		return 0, nil, fmt.Errorf("the TPM refuses with code 0x%03x (TCG TPM 2.0 part 2, 6.6)", rc)
	}
	if gotTag != tag {
		return 0, nil, fmt.Errorf("an answer with tag 0x%04x, want 0x%04x", gotTag, tag)
	}
	if answerHandle {
		handle = r.u32()
	}
	if tag == stSessions {
		r = &tpmReader{b: r.take(int(r.u32())), short: r.short}
	}
	if r.short {
		return 0, nil, errCutOff
	}
	return handle, r, nil
}

var errCutOff = errors.New("an answer that is cut off")

// createAK makes a restricted signing key, ECDSA on P-256 with SHA-256, from the endorsement seed, and gives its TPMT_PUBLIC.
func createAK(dev io.ReadWriter) (handle uint32, public []byte, err error) {
	be := binary.BigEndian
	template := be.AppendUint16(nil, algECC)
	template = be.AppendUint16(template, algSHA256)
	template = be.AppendUint32(template, akAttributes)
	for _, v := range []uint16{0, algNull, algECDSA, algSHA256, curveP256, algNull, 0, 0} { // no policy, no cipher, scheme, curve, no KDF, x, y
		template = be.AppendUint16(template, v)
	}
	params := prefixed([]byte{0, 0, 0, 0}) // an empty password, no data
	params = append(params, prefixed(template)...)
	params = append(params, 0, 0, 0, 0, 0, 0) // no outside info, no PCRs
	handle, r, err := command(dev, ccCreatePrimary, []uint32{rhEndorsement}, 1, params, true)
	if err != nil {
		return 0, nil, err
	}
	public = r.sized()
	if r.short {
		return 0, nil, errCutOff
	}
	return handle, public, nil
}

// selection is a TPML_PCR_SELECTION of the first n PCRs of the SHA-256 bank from first on.
func selection(first, n int) []byte {
	bits := uint32(1<<n-1) << first
	b := []byte{0, 0, 0, 1, algSHA256 >> 8, algSHA256, 3}
	return append(b, byte(bits), byte(bits>>8), byte(bits>>16))
}

// quote gives a TPMS_ATTEST over the first n PCRs and the TPMT_SIGNATURE of it.
func quote(dev io.ReadWriter, ak uint32, nonce []byte, n int) (attest, signature []byte, err error) {
	params := append(prefixed(nonce), algNull>>8, algNull) // the key's own scheme
	_, r, err := command(dev, ccQuote, []uint32{ak}, 1, append(params, selection(0, n)...), false)
	if err != nil {
		return nil, nil, err
	}
	if attest = r.sized(); r.short || len(attest) < 6 || binary.BigEndian.Uint16(attest[4:]) != stAttest {
		return nil, nil, errCutOff
	}
	return attest, r.b, nil
}

// readPCR gives one PCR. A TPM without a SHA-256 bank gives none.
func readPCR(dev io.ReadWriter, index int) ([]byte, error) {
	_, r, err := command(dev, ccPCRRead, nil, 0, selection(index, 1), false)
	if err != nil {
		return nil, err
	}
	r.u32()                           // the counter of updates
	if banks := r.u32(); banks == 1 { // what was read
		r.u16()
		r.take(int(r.take(1)[0]))
	}
	digests := r.u32()
	value := r.sized()
	if r.short || digests != 1 || len(value) != 32 || len(r.b) != 0 {
		return nil, fmt.Errorf("PCR %d: the TPM has no SHA-256 bank. Switch it on in the firmware", index)
	}
	return value, nil
}

func readPCRs(dev io.ReadWriter, n int) (out [][]byte, err error) {
	for i := range n {
		v, err := readPCR(dev, i)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// extendPCR extends the SHA-256 bank; other banks of the register stay as they are.
func extendPCR(dev io.ReadWriter, index int, digest []byte) error {
	params := append([]byte{0, 0, 0, 1, algSHA256 >> 8, algSHA256}, digest...)
	_, _, err := command(dev, ccPCRExtend, []uint32{uint32(index)}, 1, params, false)
	return err
}

// nvBlock is what every TPM gives of an NV index in one answer, in bytes. Source: TCG, PC Client Platform TPM Profile, TPM_PT_NV_BUFFER_MAX.
const nvBlock = 512

// readNV gives an NV index whole, with the owner's authorization, which is empty. One of more than limit bytes is an error.
func readNV(dev io.ReadWriter, index uint32, limit int) (out []byte, err error) {
	size, err := sizeNV(dev, index)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("the NV index 0x%08x has %d bytes: at most %d", index, size, limit)
	}
	for len(out) < size {
		n := min(nvBlock, size-len(out))
		params := binary.BigEndian.AppendUint16(nil, uint16(n))
		params = binary.BigEndian.AppendUint16(params, uint16(len(out)))
		_, r, err := command(dev, ccNVRead, []uint32{rhOwner, index}, 1, params, false)
		if err != nil {
			return nil, err
		}
		block := r.sized()
		if r.short || len(block) != n || len(r.b) != 0 {
			return nil, errCutOff
		}
		out = append(out, block...)
	}
	return out, nil
}

// sizeNV is how many bytes an NV index has. An error of the TPM means that there is none.
func sizeNV(dev io.ReadWriter, index uint32) (int, error) {
	_, r, err := command(dev, ccNVReadPublic, []uint32{index}, 0, nil, false)
	if err != nil {
		return 0, err
	}
	public := tpmReader{b: r.sized()}
	is := public.u32()
	public.u16()   // of its name
	public.u32()   // attributes
	public.sized() // policy
	size := public.u16()
	if r.short || public.short || is != index || len(public.b) != 0 {
		return 0, errCutOff
	}
	return int(size), nil
}
