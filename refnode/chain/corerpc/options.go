package corerpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/chain"
)

// What the zero values of Options stand for.
const (
	// DefaultTimeout bounds one call.
	DefaultTimeout = 30 * time.Second
	// DefaultPoll is the time between two looks for changes.
	DefaultPoll = time.Second
	// DefaultMaxAnswer bounds an answer, in bytes. A full block in hex has 8 MB; the ids of a full mempool can have more.
	DefaultMaxAnswer = 64 << 20
)

// Options say where the node is and how to talk to it.
type Options struct {
	// Address is "host:port" or "http://host:port". The host must be on loopback: the dialect knows no encryption.
	Address string
	// User and Password log in. Leave them empty when CookieFile is set.
	User, Password string
	// CookieFile is where the node writes "user:password" when it starts. It is read again when the node refuses the old one.
	CookieFile string
	// CertificateFile holds the node's own TLS certificate, in PEM: calls are encrypted, and no other certificate is trusted. Empty means
	// no encryption: Bitcoin Core knows none, btcd does.
	CertificateFile string
	// Params are those of the expected chain. nil accepts any chain.
	Params *chaincfg.Params
	// Birthday is the lowest block in which transactions and spends are searched when the node has no index of its own. Nothing the
	// caller asks for should be confirmed below it. The search keeps about 60 bytes per input and transaction since then.
	Birthday chain.Height
	// Timeout bounds one call; 0 means DefaultTimeout.
	Timeout time.Duration
	// Poll is the time between two looks for changes; 0 means DefaultPoll.
	Poll time.Duration
	// Ticks replaces the timer of Poll: each value received is a look for changes. For tests.
	Ticks <-chan time.Time
	// MaxAnswer bounds an answer, in bytes; 0 means DefaultMaxAnswer.
	MaxAnswer int64
}

// endpoint checks the options and returns the address as a URL.
func (o *Options) endpoint() (string, error) {
	address := o.Address
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%w: address cannot be read", ErrOptions) // the cause would print a password in it
	}
	switch {
	case parsed.Scheme != "http":
		return "", fmt.Errorf("%w: address has scheme %q, want http", ErrOptions, parsed.Scheme)
	case parsed.User != nil:
		return "", fmt.Errorf("%w: user and password do not belong into the address", ErrOptions)
	case strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "":
		return "", fmt.Errorf("%w: address has more than host and port", ErrOptions)
	case parsed.Port() == "":
		return "", fmt.Errorf("%w: address has no port", ErrOptions)
	}
	host := parsed.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("%w: host %q is not on loopback", ErrOptions, host)
	}
	if o.Timeout < 0 || o.Poll < 0 || o.MaxAnswer < 0 {
		return "", fmt.Errorf("%w: negative timeout, poll or size", ErrOptions)
	}
	if (o.CookieFile == "") == (o.User == "" && o.Password == "") {
		return "", fmt.Errorf("%w: want either a cookie file, or user and password", ErrOptions)
	}
	scheme := "http://"
	if o.CertificateFile != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, parsed.Port()) + "/", nil
}

// encryption trusts the certificate of the options and no other; nil without one.
func (o *Options) encryption() (*tls.Config, error) {
	if o.CertificateFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(o.CertificateFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the node: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s holds no certificate", ErrOptions, o.CertificateFile)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// login is what the node knows us by.
type login struct{ user, password string }

// String keeps the password out of logs.
func (login) String() string { return "login" }

// credentials reads the cookie file if there is one.
func (o *Options) credentials() (login, error) {
	if o.CookieFile == "" {
		return login{o.User, o.Password}, nil
	}
	raw, err := os.ReadFile(o.CookieFile)
	if err != nil {
		return login{}, fmt.Errorf("read the cookie of the node: %w", err)
	}
	user, password, found := strings.Cut(strings.TrimSpace(string(raw)), ":")
	if !found || user == "" || password == "" {
		return login{}, errors.New("read the cookie of the node: want user:password")
	}
	return login{user, password}, nil
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
