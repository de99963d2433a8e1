package emulator

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// zoneHosts are names under which the zone is reached besides addresses, localhost and names without a dot: Docker's
// name for the machine, and the service's own names where they are made to point here.
var zoneHosts = []string{"host.docker.internal", "rtc.live.cloudflare.com", "turn.cloudflare.com", "stun.cloudflare.com",
	"api.cloudflare.com"}

// guard keeps web pages out of the zone. A page of another origin that makes its own name point here (DNS rebinding)
// is found out by its Host, every other one by its Origin; there is no CORS, so none can read an answer either.
func (z *zone) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !z.acceptsHost(r.Host):
			answerZone(w, nil, zoneError{http.StatusMisdirectedRequest, "the zone is not reached under this Host; " +
				"use an address or localhost, or start with --host NAME"})
		case !ownOrigin(r):
			answerZone(w, nil, zoneError{http.StatusForbidden, "web pages of another origin may not use the zone; " +
				"call it from a program, or from the page's own server"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (z *zone) acceptsHost(hostPort string) bool {
	host := hostOf(hostPort)
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	switch {
	case host == "":
		return false
	case !strings.Contains(host, "."), strings.HasSuffix(host, ".localhost"):
		return true
	}
	return slices.Contains(zoneHosts, host) || slices.Contains(z.hosts, host)
}

// ownOrigin reports whether a request comes from no page, or from a page of the zone itself. A proxy may speak HTTPS in
// front of it. Browsers that send no Origin along tell by Sec-Fetch-Site; following a link is no harm.
func ownOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		site := r.Header.Get("Sec-Fetch-Site")
		foreign := site == "cross-site" || site == "same-site"
		return !foreign || r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Method == http.MethodGet
	}
	host := strings.ToLower(r.Host)
	for _, origin := range origins {
		if origin = strings.ToLower(origin); origin != "http://"+host && origin != "https://"+host {
			return false
		}
	}
	return true
}

// hostOf is the name in a Host header: without a port, in lower case, without the dot of the DNS root.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		header = host
	}
	return strings.TrimSuffix(strings.ToLower(header), ".")
}
