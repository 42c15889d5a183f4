package dcap

import (
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// dated is what TCB info and QE identity have in common.
type dated struct {
	id         string
	version    uint64
	issue      time.Time
	next       time.Time
	evaluation uint64 // TCB evaluation data number
}

// rating is how Intel rates one level.
type rating struct {
	status     claims.Status
	date       time.Time
	advisories []string
}

// component is one security version, and what it is of where Intel says so.
type component struct {
	svn            byte
	category, kind string
}

// tcbLevel is one level of the platform. Source: PCS API version 4, Get TCB Info.
type tcbLevel struct {
	rating
	sgx, tdx [16]component
	pceSVN   uint16
	hasTDX   bool
}

// svnLevel is one level of a TDX module or of a quoting enclave.
type svnLevel struct {
	rating
	isvSVN uint16
}

// module is what a TDX module must be.
type module struct {
	id         string // "TDX_01", …; empty for the module of TDX 1.0
	mrSigner   [48]byte
	attributes [8]byte
	mask       [8]byte
	levels     []svnLevel
}

// tcbInfo is what Intel says about all platforms of one family.
type tcbInfo struct {
	dated
	fmspc   [6]byte
	pceID   [2]byte
	module  *module // nil in SGX's
	modules []module
	levels  []tcbLevel
}

var tcbInfoMembers = []string{"id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType", "tcbEvaluationDataNumber", "tcbLevels"}

// parseTCBInfo reads TCB info of version 3 for "SGX" or "TDX".
func parseTCBInfo(b []byte) (*tcbInfo, error) {
	c := &cursor{data: b}
	t := &tcbInfo{}
	err := c.object(tcbInfoMembers, func(name []byte) error {
		switch string(name) {
		case "fmspc":
			return c.hex(t.fmspc[:])
		case "pceId":
			return c.hex(t.pceID[:])
		case "tcbType":
			if _, err := c.uint(0); err != nil {
				return fmt.Errorf("only type 0 is known: %w", err)
			}
			return nil
		case "tdxModule":
			t.module = &module{}
			return c.module(t.module, []string{"mrsigner", "attributes", "attributesMask"})
		case "tdxModuleIdentities":
			return c.array(func(int) error {
				t.modules = append(t.modules, module{})
				return c.module(&t.modules[len(t.modules)-1], []string{"id", "mrsigner", "attributes", "attributesMask", "tcbLevels"})
			})
		case "tcbLevels":
			return c.array(func(int) error {
				t.levels = append(t.levels, tcbLevel{})
				return c.tcbLevel(&t.levels[len(t.levels)-1])
			})
		default:
			return c.dated(name, &t.dated)
		}
	})
	if err == nil {
		err = c.end()
	}
	if err == nil {
		err = t.complete()
	}
	return t, err
}

func (t *tcbInfo) complete() error {
	switch {
	case t.version != 3:
		return fmt.Errorf("version %d, want 3", t.version)
	case t.id != "SGX" && t.id != "TDX":
		return fmt.Errorf("id %q, want SGX or TDX", t.id)
	case t.id == "TDX" && t.module == nil:
		return errors.New("TDX without tdxModule")
	case len(t.levels) == 0:
		return errors.New("no TCB levels")
	}
	for i := range t.levels {
		if t.levels[i].hasTDX != (t.id == "TDX") {
			return fmt.Errorf("level %d of %s has no TDX components, or has them without need", i, t.id)
		}
	}
	for i, m := range t.modules {
		for _, other := range t.modules[:i] {
			if m.id == other.id {
				return fmt.Errorf("module %s stands twice", m.id)
			}
		}
	}
	return nil
}

// dated reads a member that both files have, and ignores what it does not know.
func (c *cursor) dated(name []byte, d *dated) (err error) {
	switch string(name) {
	case "id":
		d.id, err = c.str()
	case "version":
		d.version, err = c.uint(1000)
	case "issueDate":
		d.issue, err = c.date()
	case "nextUpdate":
		d.next, err = c.date()
	case "tcbEvaluationDataNumber":
		d.evaluation, err = c.uint(1 << 31)
	default:
		err = c.skip()
	}
	return err
}

func (c *cursor) module(m *module, required []string) error {
	return c.object(required, func(name []byte) (err error) {
		switch string(name) {
		case "id":
			m.id, err = c.str()
		case "mrsigner":
			err = c.hex(m.mrSigner[:])
		case "attributes":
			err = c.hex(m.attributes[:])
		case "attributesMask":
			err = c.hex(m.mask[:])
		case "tcbLevels":
			m.levels, err = c.svnLevels()
		default:
			err = c.skip()
		}
		return err
	})
}

var levelMembers = []string{"tcb", "tcbDate", "tcbStatus"}

func (c *cursor) svnLevels() (levels []svnLevel, err error) {
	err = c.array(func(int) error {
		var l svnLevel
		err := c.object(levelMembers, func(name []byte) error {
			if string(name) != "tcb" {
				return c.rating(name, &l.rating)
			}
			return c.object([]string{"isvsvn"}, func(name []byte) error {
				if string(name) != "isvsvn" {
					return c.skip()
				}
				n, err := c.uint(65535)
				l.isvSVN = uint16(n)
				return err
			})
		})
		levels = append(levels, l)
		return err
	})
	return levels, err
}

func (c *cursor) tcbLevel(l *tcbLevel) error {
	return c.object(levelMembers, func(name []byte) error {
		if string(name) != "tcb" {
			return c.rating(name, &l.rating)
		}
		return c.object([]string{"sgxtcbcomponents", "pcesvn"}, func(name []byte) error {
			switch string(name) {
			case "sgxtcbcomponents":
				return c.components(&l.sgx)
			case "tdxtcbcomponents":
				l.hasTDX = true
				return c.components(&l.tdx)
			case "pcesvn":
				n, err := c.uint(65535)
				l.pceSVN = uint16(n)
				return err
			default:
				return c.skip()
			}
		})
	})
}

func (c *cursor) rating(name []byte, r *rating) (err error) {
	switch string(name) {
	case "tcbDate":
		r.date, err = c.date()
	case "tcbStatus":
		var word []byte
		if word, err = c.text(); err == nil {
			if r.status = claims.ParseStatus(string(word)); r.status == claims.Unknown {
				err = c.fail("unknown status %q", word)
			}
		}
	case "advisoryIDs":
		err = c.array(func(int) error {
			id, err := c.str()
			r.advisories = append(r.advisories, id)
			return err
		})
	default:
		err = c.skip()
	}
	return err
}

func (c *cursor) components(to *[16]component) error {
	count := 0
	err := c.array(func(i int) error {
		if i >= len(to) {
			return c.fail("more than %d components", len(to))
		}
		count++
		return c.object([]string{"svn"}, func(name []byte) (err error) {
			switch string(name) {
			case "svn":
				var n uint64
				n, err = c.uint(255)
				to[i].svn = byte(n)
			case "category":
				to[i].category, err = c.str()
			case "type":
				to[i].kind, err = c.str()
			default:
				err = c.skip()
			}
			return err
		})
	})
	if err == nil && count != len(to) {
		err = c.fail("%d components, want %d", count, len(to))
	}
	return err
}
