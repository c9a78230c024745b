package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrAddress is wrapped by every error of ParseAddress.
var ErrAddress = errors.New("not a node address")

// addressForm is the right form, shown by every error.
const addressForm = "want NODEID@HOST:PORT, such as 02<64 hex digits>@" +
	"127.0.0.1:9735 or 02<64 hex digits>@[::1]:9735"

// Address says which node to reach and where.
type Address struct {
	// ID is the key that the node has to prove.
	ID NodeID

	// HostPort is HOST:PORT as net.Dial takes it, IPv6 in brackets.
	HostPort string
}

// String returns NODEID@HOST:PORT.
func (a Address) String() string {
	return a.ID.String() + "@" + a.HostPort
}

// ParseAddress reads NODEID@HOST:PORT. HOST is a name, an IPv4 address or an
// IPv6 address in brackets; PORT is 1 to 65535. The error wraps ErrAddress,
// fits on one line, says what is wrong and shows the right form.
func ParseAddress(s string) (Address, error) {
	if s == "" {
		return Address{}, addressError("it is empty")
	}
	left, hostPort, found := strings.Cut(s, "@")
	if !found {
		return Address{}, addressError("%q has no @", s)
	}
	id, err := ParseNodeID(left)
	if err != nil {
		return Address{}, addressError("before the @: %w", err)
	}
	if err := checkHostPort(hostPort); err != nil {
		return Address{}, err
	}

	return Address{ID: id, HostPort: hostPort}, nil
}

// checkHostPort accepts what ParseAddress describes after the @.
func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return hostPortError(s)
	}
	if host == "" {
		return addressError("%q has no host", s)
	}
	if strings.HasPrefix(s, "[") {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() {
			return addressError("%q in brackets is not an IPv6 "+
				"address", host)
		}
	} else if strings.ContainsAny(host, " \t\r\n/@") {
		return addressError("the host %q holds a character that no "+
			"host has", host)
	}
	if port == "" {
		return addressError("%q has no port", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return addressError("the port %q is not a number from 1 to "+
			"65535", port)
	}

	return nil
}

// hostPortError says why net.SplitHostPort refused s.
func hostPortError(s string) error {
	switch {
	case s == "":
		return addressError("nothing follows the @")

	case !strings.HasPrefix(s, "[") && strings.Count(s, ":") > 1:
		return addressError("the IPv6 address in %q needs brackets", s)

	case !strings.Contains(s, ":"), strings.HasSuffix(s, "]"):
		return addressError("%q has no port", s)

	default:
		return addressError("%q is not HOST:PORT", s)
	}
}

// addressError adds the right form to what is wrong.
func addressError(format string, args ...any) error {
	return fmt.Errorf("%w: %w; %s", ErrAddress,
		fmt.Errorf(format, args...), addressForm)
}
