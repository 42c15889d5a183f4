package dcap

import (
	"errors"
	"fmt"
)

// qeIdentity is what a quoting enclave must be. Source: PCS API version 4, Get Quoting Enclave Identity.
type qeIdentity struct {
	dated
	miscSelect, miscMask  [4]byte
	attributes, attrsMask [16]byte
	mrSigner              [32]byte
	isvProdID             uint16
	levels                []svnLevel
}

var qeIdentityMembers = []string{
	"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask", "attributes",
	"attributesMask", "mrsigner", "isvprodid", "tcbLevels",
}

// parseQEIdentity reads an enclave identity of version 2 for "QE" or "TD_QE".
func parseQEIdentity(b []byte) (*qeIdentity, error) {
	c := &cursor{data: b}
	q := &qeIdentity{}
	err := c.object(qeIdentityMembers, func(name []byte) (err error) {
		switch string(name) {
		case "miscselect":
			err = c.hex(q.miscSelect[:])
		case "miscselectMask":
			err = c.hex(q.miscMask[:])
		case "attributes":
			err = c.hex(q.attributes[:])
		case "attributesMask":
			err = c.hex(q.attrsMask[:])
		case "mrsigner":
			err = c.hex(q.mrSigner[:])
		case "isvprodid":
			var n uint64
			n, err = c.uint(65535)
			q.isvProdID = uint16(n)
		case "tcbLevels":
			q.levels, err = c.svnLevels()
		default:
			err = c.dated(name, &q.dated)
		}
		return err
	})
	if err == nil {
		err = c.end()
	}
	switch {
	case err != nil:
	case q.version != 2:
		err = fmt.Errorf("version %d, want 2", q.version)
	case q.id != "QE" && q.id != "TD_QE":
		err = fmt.Errorf("id %q, want QE or TD_QE", q.id)
	case len(q.levels) == 0:
		err = errors.New("no TCB levels")
	}
	return q, err
}
