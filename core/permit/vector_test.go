package permit

const (
	vectorSigner    = "pha12lplr3yfx3e49hafehzgdqlevl8qrun2k2tw38"
	vectorBody      = `{"chain_id":"phala-dev-1","cluster":1,"contracts":["pha1qurswpc8qurswpc8qurswpc8qurswpc8qurswpc8qurswpc8qursuyvy34"],"expires":"2026-01-02T15:04:05Z"}`
	vectorDoc       = `{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"","msgs":[{"type":"sign/MsgSignData","value":{"data":"eyJjaGFpbl9pZCI6InBoYWxhLWRldi0xIiwiY2x1c3RlciI6MSwiY29udHJhY3RzIjpbInBoYTFxdXJzd3BjOHF1cnN3cGM4cXVyc3dwYzhxdXJzd3BjOHF1cnN3cGM4cXVyc3dwYzhxdXJzdXl2eTM0Il0sImV4cGlyZXMiOiIyMDI2LTAxLTAyVDE1OjA0OjA1WiJ9","signer":"pha12lplr3yfx3e49hafehzgdqlevl8qrun2k2tw38"}}],"sequence":"0"}`
	vectorSignature = "fa6dc4041fca1db789dba3c0799f4e3e0ec2a1d8f45505521ada17c13106ec4312c14da3bd5a930a7d586b187a6f480c67b6fa2470c4d3b562c36a105bedc858"
)
