// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keys are the files by which the parts of a cluster know each other.
type keys struct{ ca, server, serverKey, client, clientKey, accounts string }

// makeKeys writes an authority, a certificate for servers, one for clients that
// may do everything, and the key that signs tokens of accounts.
func makeKeys(t *testing.T, dir string) keys {
	t.Helper()
	k := keys{dir + "/ca.pem", dir + "/server.pem", dir + "/server.key", dir + "/client.pem", dir + "/client.key", dir + "/accounts.key"}
	template := func(serial int64, name pkix.Name) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: name, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		}
	}
	authority := template(1, pkix.Name{CommonName: "authority"})
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	signer := makeKey(t, filepath.Join(dir, "ca.key"))
	certify(t, k.ca, authority, authority, signer, signer)

	server := template(2, pkix.Name{CommonName: "server"})
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses, server.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(nodeIP)}, []string{"localhost"}
	certify(t, k.server, server, authority, makeKey(t, k.serverKey), signer)

	client := template(3, pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	certify(t, k.client, client, authority, makeKey(t, k.clientKey), signer)
	makeKey(t, k.accounts)
	return k
}

func makeKey(t *testing.T, file string) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return key
}

func certify(t *testing.T, file string, cert, by *x509.Certificate, key, signer crypto.Signer) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, by, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}
