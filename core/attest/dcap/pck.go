package dcap

import (
	"bytes"
	"errors"
	"fmt"
)

// platform is what Intel certifies about a platform in its PCK certificate (extension 1.2.840.113741.1.13.1).
type platform struct {
	ppid    [16]byte // Platform Provisioning ID
	svn     [16]byte // SGX TCB components 1 to 16
	pceSVN  uint16
	pceID   [2]byte
	fmspc   [6]byte
	sgxType byte // 0 standard, 1 scalable, 2 scalable with integrity

	// Configuration, in certificates of the platform CA.
	dynamic, cachedKeys, smt bool
}

// oidSGX is 1.2.840.113741.1.13.1 in DER, without tag and length.
var oidSGX = []byte{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01}

// Tags of DER.
const (
	tagBool  = 0x01
	tagInt   = 0x02
	tagBytes = 0x04
	tagOID   = 0x06
	tagEnum  = 0x0a
	tagSeq   = 0x30
)

// der takes one element of DER with the tag off b; lengths must be minimal.
func der(b []byte, tag byte) (content, rest []byte, err error) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, fmt.Errorf("want an element with tag %#x", tag)
	}
	n, head := int(b[1]), 2
	switch {
	case n == 0x81 && len(b) > 2 && b[2] >= 0x80:
		n, head = int(b[2]), 3
	case n == 0x82 && len(b) > 3 && b[2] != 0:
		n, head = int(b[2])<<8|int(b[3]), 4
	case n >= 0x80:
		return nil, nil, errors.New("length is not minimal, or too large")
	}
	if n > len(b)-head {
		return nil, nil, fmt.Errorf("element of %d bytes with %d left", n, len(b)-head)
	}
	return b[head : head+n], b[head+n:], nil
}

// members hands each (OID, value) of a sequence of pairs to member, by the OID's numbers below oidSGX; each may stand once.
func members(b []byte, below []byte, member func(id byte, value []byte) error) (seen uint32, err error) {
	body, rest, err := der(b, tagSeq)
	if err != nil || len(rest) != 0 {
		return 0, fmt.Errorf("%x: not one sequence: %v", below, err)
	}
	for len(body) > 0 {
		var pair, oid, value []byte
		if pair, body, err = der(body, tagSeq); err != nil {
			return 0, err
		}
		if oid, value, err = der(pair, tagOID); err != nil {
			return 0, err
		}
		id, ok := bytes.CutPrefix(oid, oidSGX)
		if ok {
			id, ok = bytes.CutPrefix(id, below)
		}
		if !ok || len(id) != 1 || id[0] > 31 {
			return 0, fmt.Errorf("unexpected object identifier %x", oid)
		}
		if seen&(1<<id[0]) != 0 {
			return 0, fmt.Errorf("object identifier %x stands twice", oid)
		}
		seen |= 1 << id[0]
		if err := member(id[0], value); err != nil {
			return 0, fmt.Errorf("object identifier %x: %w", oid, err)
		}
	}
	return seen, nil
}

// exactly reads one element that fills b and has the size of dst.
func exactly(b []byte, tag byte, dst []byte) error {
	content, rest, err := der(b, tag)
	if err != nil {
		return err
	}
	if len(rest) != 0 || len(content) != len(dst) {
		return fmt.Errorf("%d bytes and %d after, want %d", len(content), len(rest), len(dst))
	}
	copy(dst, content)
	return nil
}

// number reads an INTEGER from 0 to max, which fills b.
func number(b []byte, max int) (int, error) {
	content, rest, err := der(b, tagInt)
	if err != nil {
		return 0, err
	}
	if len(rest) != 0 || len(content) == 0 || len(content) > 3 || content[0] >= 0x80 || (len(content) > 1 && content[0] == 0 && content[1] < 0x80) {
		return 0, fmt.Errorf("%x is no whole number in DER", content)
	}
	n := 0
	for _, c := range content {
		n = n<<8 | int(c)
	}
	if n > max {
		return 0, fmt.Errorf("%d, want at most %d", n, max)
	}
	return n, nil
}

func truth(b []byte) (bool, error) {
	var v [1]byte
	if err := exactly(b, tagBool, v[:]); err != nil {
		return false, err
	}
	if v[0] != 0 && v[0] != 0xff {
		return false, fmt.Errorf("%#x is no truth value in DER", v[0])
	}
	return v[0] != 0, nil
}

// Bits of members' result: which numbers must be there.
const (
	needPlatform = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5
	needTCB      = 1<<19 - 2 // 1 to 18
)

// parsePlatform reads the extension's value.
func parsePlatform(b []byte) (platform, error) {
	var p platform
	seen, err := members(b, nil, func(id byte, value []byte) error {
		switch id {
		case 1:
			return exactly(value, tagBytes, p.ppid[:])
		case 2:
			return p.tcb(value)
		case 3:
			return exactly(value, tagBytes, p.pceID[:])
		case 4:
			return exactly(value, tagBytes, p.fmspc[:])
		case 5:
			var kind [1]byte
			err := exactly(value, tagEnum, kind[:])
			p.sgxType = kind[0]
			return err
		case 6:
			var instance [16]byte
			return exactly(value, tagBytes, instance[:])
		case 7:
			return p.configuration(value)
		default:
			return errors.New("unknown")
		}
	})
	if err == nil && seen&needPlatform != needPlatform {
		err = errors.New("PPID, TCB, PCE id, FMSPC or SGX type is missing")
	}
	return p, err
}

func (p *platform) tcb(b []byte) error {
	seen, err := members(b, []byte{2}, func(id byte, value []byte) error {
		switch {
		case id >= 1 && id <= 16:
			n, err := number(value, 255)
			p.svn[id-1] = byte(n)
			return err
		case id == 17:
			n, err := number(value, 65535)
			p.pceSVN = uint16(n)
			return err
		case id == 18:
			var raw [16]byte // the components again, in the form of the hardware
			return exactly(value, tagBytes, raw[:])
		default:
			return errors.New("unknown")
		}
	})
	if err == nil && seen&needTCB != needTCB {
		err = errors.New("a TCB component, PCESVN or CPUSVN is missing")
	}
	return err
}

func (p *platform) configuration(b []byte) error {
	_, err := members(b, []byte{7}, func(id byte, value []byte) (err error) {
		switch id {
		case 1:
			p.dynamic, err = truth(value)
		case 2:
			p.cachedKeys, err = truth(value)
		case 3:
			p.smt, err = truth(value)
		default:
			err = errors.New("unknown")
		}
		return err
	})
	return err
}

// platform finds the extension in the PCK certificate.
func (v *verification) platform(pck *cert) *platform {
	advice := "use a PCK certificate of Intel's Provisioning Certification Service"
	var value []byte
	for _, e := range pck.Extensions {
		if e.Id.String() != "1.2.840.113741.1.13.1" {
			continue
		}
		value = e.Value
	}
	if value == nil {
		v.refuse("wrong-certificate", "PCK certificate", "no SGX extension", "extension 1.2.840.113741.1.13.1", advice)
		return nil
	}
	p, err := parsePlatform(value)
	if err != nil {
		v.refuse("malformed-certificate", "PCK certificate SGX extension", err.Error(), "the layout of Intel's profile", advice)
		return nil
	}
	return &p
}
