package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Long enough for any run, short enough that a key found later opens nothing.
const certificateLife = 7 * 24 * time.Hour

// identity is one user that the API server knows by its token.
type identity struct {
	name   string
	groups []string
	token  string
}

// identities of the components. Each is a user of its own, so that the audit log tells who asked.
type identities struct {
	admin, controllerManager, scheduler, kwok identity
}

func newIdentities() identities {
	return identities{
		admin:             identity{"govcloud-test-admin", []string{"system:masters"}, randomToken()},
		controllerManager: identity{"system:kube-controller-manager", nil, randomToken()},
		scheduler:         identity{"system:kube-scheduler", nil, randomToken()},
		// kwok plays every kubelet at once, which no shipped role covers.
		kwok: identity{"kwok", []string{"system:masters"}, randomToken()},
	}
}

func randomToken() string {
	var raw [24]byte
	// crypto/rand.Read never fails: it ends the program when there is no randomness.
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// tokenFile is what --token-auth-file reads: token,user,uid,"group,group".
func (i identities) tokenFile() string {
	var lines strings.Builder
	for _, id := range []identity{i.admin, i.controllerManager, i.scheduler, i.kwok} {
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", id.token, id.name, id.name, strings.Join(id.groups, ","))
	}
	return lines.String()
}

// writePKI makes DIR/pki: an authority, the API server's certificate and the key that signs the
// tokens of service accounts.
func writePKI(dir string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template("govcloud-test-ca")
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if err := writePair(dir, "ca", ca, caKey, ca, caKey); err != nil {
		return err
	}

	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := template("kube-apiserver")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	if err := writePair(dir, "apiserver", server, serverKey, ca, caKey); err != nil {
		return err
	}

	accountsKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "service-accounts.key"), accountsKey)
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		// A clock that was set back a little must not make the certificate "not yet valid".
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(certificateLife),
	}
}

func writePair(dir, name string, cert *x509.Certificate, key *ecdsa.PrivateKey, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		return fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, name+".key"), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
