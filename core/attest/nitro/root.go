package nitro

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// awsRootHash is the SHA-256 of the root's DER, as AWS publishes it in its documentation of Nitro Enclaves; it is what is trusted.
const awsRootHash = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"

// awsRoot is the certificate of that hash: CN aws.nitro-enclaves, P-384, valid from 2019-10-28 to 2049-10-28.
const awsRoot = `
MIICETCCAZagAwIBAgIRAPkxdWgbkK/hHUbMtOTn+FYwCgYIKoZIzj0EAwMwSTELMAkGA1UEBhMCVVMxDzANBgNVBAoMBkFtYXpvbjEMMAoGA1UECwwDQVdT
MRswGQYDVQQDDBJhd3Mubml0cm8tZW5jbGF2ZXMwHhcNMTkxMDI4MTMyODA1WhcNNDkxMDI4MTQyODA1WjBJMQswCQYDVQQGEwJVUzEPMA0GA1UECgwGQW1h
em9uMQwwCgYDVQQLDANBV1MxGzAZBgNVBAMMEmF3cy5uaXRyby1lbmNsYXZlczB2MBAGByqGSM49AgEGBSuBBAAiA2IABPwCVOumCMHzaHDimtqQvkY4MpJz
bolL//Zy2YlES1BR5TSksfbb48C8WBoyt7F2Bw7eEtaaP+ohG2bnUs990d0JX28TcPQXCEPZ3BABIeTPYwEoCWZEh8l5YoQwTcU/9KNCMEAwDwYDVR0TAQH/
BAUwAwEB/zAdBgNVHQ4EFgQUkCW1DdkFR+eWw5b6cp3PmanfS5YwDgYDVR0PAQH/BAQDAgGGMAoGCCqGSM49BAMDA2kAMGYCMQCjfy+Rocm9Xue4YnwWmNJV
A44fA0P5W2OpYow9OYCVRaEevL8uO1XYru5xtMPWrfMCMQCi85sWBbJwKKXdS6BptQFuZbT73o/gBh1qUxl/nNr12UO8Yfwr6wPLb+6NIwLz3/Y=`

// AWSRoot is the DER of the root of AWS Nitro, for enclaves and NitroTPM alike. Were the constant not of the pinned hash, it would be
// nil, which accepts nothing.
func AWSRoot() []byte {
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(awsRoot, "\n", ""))
	if h := sha256.Sum256(der); err != nil || hex.EncodeToString(h[:]) != awsRootHash {
		return nil
	}
	return der
}
