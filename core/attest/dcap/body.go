package dcap

// report is an SGX enclave report (reportSize bytes). Source: sgx_report_body_t of the SGX SDK.
type report []byte

func (r report) miscSelect() []byte { return r[16:20] }
func (r report) attributes() []byte { return r[48:64] }
func (r report) mrEnclave() []byte  { return r[64:96] }
func (r report) mrSigner() []byte   { return r[128:160] }
func (r report) isvProdID() []byte  { return r[256:258] }
func (r report) isvSVN() []byte     { return r[258:260] }
func (r report) reportData() []byte { return r[320:384] }

// tdReport is the body of a TDX quote (td10Size or td15Size bytes). Source: sgx_report2_body_t and its version 1.5.
type tdReport []byte

func (r tdReport) teeTCBSVN() []byte      { return r[0:16] }
func (r tdReport) mrSeam() []byte         { return r[16:64] }
func (r tdReport) mrSignerSeam() []byte   { return r[64:112] }
func (r tdReport) seamAttributes() []byte { return r[112:120] }
func (r tdReport) tdAttributes() []byte   { return r[120:128] }
func (r tdReport) xfam() []byte           { return r[128:136] }
func (r tdReport) mrTD() []byte           { return r[136:184] }
func (r tdReport) mrConfigID() []byte     { return r[184:232] }
func (r tdReport) mrOwner() []byte        { return r[232:280] }
func (r tdReport) mrOwnerConfig() []byte  { return r[280:328] }
func (r tdReport) rtmr(i int) []byte      { return r[328+48*i : 376+48*i] }
func (r tdReport) reportData() []byte     { return r[520:584] }
func (r tdReport) is15() bool             { return len(r) == td15Size }
func (r tdReport) teeTCBSVN2() []byte     { return r[584:600] } // 1.5 only
func (r tdReport) mrServiceTD() []byte    { return r[600:648] } // 1.5 only
