package emulator

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/internal/porttest"
)

// quiet is a configuration that needs no fixed port.
func quiet(edit func(*Config)) Config {
	cfg := Config{Listen: "127.0.0.1:0", Media: []string{"127.0.0.1"}, STUN: STUNOff}
	edit(&cfg)
	return cfg
}

func TestWrongValueNamesTheSettingAndTheCure(t *testing.T) {
	defer goleak.VerifyNone(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken, takenUDP := busy.Addr().String(), porttest.ReserveTCP(t).LocalAddr().String()
	_, portUDP, _ := net.SplitHostPort(takenUDP)
	elsewhere := "0.0.0.0:" + portUDP

	for _, c := range []struct {
		name    string
		edit    func(*Config)
		setting string
		part    string
	}{
		{"listen without port", func(c *Config) { c.Listen = "127.0.0.1" }, "listen", "write it like"},
		{"listen on a name", func(c *Config) { c.Listen = "example.com:80" }, "listen", "write it like"},
		{"listen port too high", func(c *Config) { c.Listen = "127.0.0.1:65536" }, "listen", "write it like"},
		{"listen port taken", func(c *Config) { c.Listen = taken }, "listen", "in use"},
		{"listen UDP port taken", func(c *Config) { c.Listen = takenUDP }, "listen", "in use"},
		{"media's port of the API taken", func(c *Config) { c.Listen, c.Media = elsewhere, []string{"127.0.0.1"} }, "listen", "listen " + elsewhere + ": port " + portUDP + " is in use by another program at 127.0.0.1"},
		{"media port taken", func(c *Config) { c.Media = []string{takenUDP} }, "media", "in use"},
		{"listen elsewhere", func(c *Config) { c.Listen = "203.0.113.9:0" }, "listen", "not an address of this machine"},
		{"media elsewhere", func(c *Config) { c.Media = []string{"203.0.113.9"} }, "media", "not an address of this machine"},
		{"media garbage", func(c *Config) { c.Media = []string{"127.0.0.1", "x"} }, "media", "not an IP address"},
		{"media auto and more", func(c *Config) { c.Media = []string{"127.0.0.1", " auto"} }, "media", "stands alone"},
		{"media wildcard", func(c *Config) { c.Media = []string{"0.0.0.0"} }, "media", "wildcard"},
		{"media twice", func(c *Config) { c.Media = []string{"127.0.0.1", "127.0.0.1:0"} }, "media", "twice"},
		{"media six", func(c *Config) { c.Media = strings.Fields(strings.Repeat("127.0.0.1 ", 6)) }, "media", "more than 5"},
		{"advertise garbage", func(c *Config) { c.Advertise = []string{"my.host"} }, "advertise", "not an IP address"},
		{"advertise four", func(c *Config) { c.Advertise = strings.Fields(strings.Repeat("192.0.2.1 ", 4)) }, "advertise", "more than 3"},
		{"stun garbage", func(c *Config) { c.STUN = "on" }, "stun", "write it like"},
		{"stun taken", func(c *Config) { c.STUN = taken }, "stun", "--stun off"},
		{"stun elsewhere", func(c *Config) { c.STUN = "203.0.113.9:0" }, "stun", "not an address of this machine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(quiet(c.edit))
			if err == nil {
				e.Close()
				t.Fatal("accepted")
			}
			var wrong *ConfigError
			if !errors.As(err, &wrong) {
				t.Fatalf("not a ConfigError: %v", err)
			}
			if wrong.Setting != c.setting || !strings.Contains(wrong.Error(), c.part) || wrong.Cure == "" {
				t.Errorf("got %v, want setting %s and %q", wrong, c.setting, c.part)
			}
			if strings.Contains(wrong.Error(), "\n") {
				t.Errorf("more than one line: %q", wrong.Error())
			}
		})
	}
}

// TestWrongInItselfIsSaidBeforeAnyPortIsTried: the port of the API is taken, and something else is wrong besides.
func TestWrongInItselfIsSaidBeforeAnyPortIsTried(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for setting, edit := range map[string]func(*Config){
		"tls-cert": func(c *Config) { c.TLSCert, c.TLSKey = "none", "none" },
		"tls-name": func(c *Config) { c.TLSNames = []string{"*.calls.test"} },
		"media":    func(c *Config) { c.Media = []string{"203.0.113.9"} },
		"http":     func(c *Config) { c.HTTP = []string{"203.0.113.9:80"} },
		"stun":     func(c *Config) { c.STUN = "203.0.113.9:3478" },
		"turn-tls": func(c *Config) { c.TURNTLS = "203.0.113.9:5349" },
	} {
		e, err := New(quiet(func(c *Config) { c.Listen = busy.Addr().String(); edit(c) }))
		var wrong *ConfigError
		if !errors.As(err, &wrong) || wrong.Setting != setting {
			t.Errorf("%s: got %v", setting, err)
		}
		if e != nil {
			_ = e.Close()
		}
	}
}

// TestAllPortsThatAreTakenAreNamed, each by the setting that moves it, and only these.
func TestAllPortsThatAreTakenAreNamed(t *testing.T) {
	defer goleak.VerifyNone(t)
	first := startQuiet(t, func(c *Config) { c.STUN, c.HTTP = "127.0.0.1:0", []string{"127.0.0.1:0"} })
	udp, tcp := first.stun.Addrs()
	for _, c := range []struct {
		edit func(*Config)
		want []string
	}{
		{func(c *Config) {
			c.Listen, c.STUN, c.TURNTLS = first.listen.String(), tcp.String(), first.stun.TLSAddr().String()
		}, []string{"listen", "stun", "turn-tls"}},
		{func(c *Config) { c.STUN, c.TURNTLS, c.Media = udp.String(), STUNOff, []string{first.listen.String()} }, []string{"stun", "media"}},
		{func(c *Config) {
			c.Listen, c.HTTP = first.listen.String(), []string{"127.0.0.1:0", first.doors.http.addrs[0].String()}
		},
			[]string{"listen", "http"}},
	} {
		e, err := New(quiet(c.edit))
		if e != nil {
			_ = e.Close()
		}
		var got []string
		if joined, is := err.(interface{ Unwrap() []error }); is {
			for _, err := range joined.Unwrap() {
				var taken *ConfigError
				if !errors.As(err, &taken) || !strings.Contains(taken.Problem, "in use") {
					t.Errorf("got %v", err)
					continue
				}
				got = append(got, taken.Setting)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q: %v", got, c.want, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
}

// startQuiet opens an emulator, which the test closes.
func startQuiet(t *testing.T, edit func(*Config)) *Emulator {
	t.Helper()
	e, err := New(quiet(edit))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEmptyValuesMeanDefaults(t *testing.T) {
	cfg := Config{Listen: " ", Media: []string{""}, Advertise: []string{" "}}.withDefaults()
	want, err := cfg.addresses()
	if err != nil {
		t.Fatal(err)
	}
	if want.listen.String() != DefaultListen || want.stun.String() != DefaultSTUN || want.media != nil || want.advertise != nil {
		t.Errorf("got %+v", want)
	}
	if cfg.Clock == nil || cfg.Logger == nil || len(cfg.Apps) != 1 {
		t.Errorf("incomplete: %+v", cfg)
	}
	for id, secret := range cfg.Apps {
		if len(id) != 32 || len(secret) != 64 {
			t.Errorf("made-up app has id of %d and secret of %d digits", len(id), len(secret))
		}
	}
}

func TestListenTakesNamesForLoopbackAndWildcard(t *testing.T) {
	for in, want := range map[string]string{"localhost:80": "127.0.0.1:80", ":80": "[::]:80", "[::1]:0": "[::1]:0"} {
		got, err := parseListen("listen", in, "")
		if err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: got %v, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseApp(t *testing.T) {
	if id, secret, err := ParseApp("shop:a:b"); id != "shop" || secret != "a:b" || err != nil {
		t.Errorf("got %q, %q, %v", id, secret, err)
	}
	for _, in := range []string{"", "shop", "shop:", ":s", "a/b:s", "a b:s"} {
		if _, _, err := ParseApp(in); err == nil {
			t.Errorf("%q accepted", in)
		}
	}
}

func TestTwoSettingsForOnePortAreBothNamed(t *testing.T) {
	for _, tc := range []struct {
		edit          func(*Config)
		first, second string // neither: they do not meet
	}{
		{func(c *Config) { c.HTTPS = []string{"127.0.0.1:1473"} }, "listen", "https"},
		{func(c *Config) { c.HTTPS = []string{"0.0.0.0:1473"} }, "listen", "https"},
		{func(c *Config) { c.HTTP, c.HTTPS = []string{"127.0.0.1:81"}, []string{"127.0.0.1:81"} }, "https", "http"},
		{func(c *Config) { c.HTTPS, c.STUN = []string{"127.0.0.1:81"}, "127.0.0.1:81" }, "https", "stun"},
		{func(c *Config) { c.HTTPS = []string{"127.0.0.1:5349"} }, "https", "turn-tls"},
		{func(c *Config) { c.Media, c.STUN = []string{"127.0.0.1:81"}, "127.0.0.1:81" }, "stun", "media"},
		{func(c *Config) { c.Media, c.STUN = []string{"127.0.0.1:81"}, "0.0.0.0:81" }, "stun", "media"},
		{func(c *Config) { c.Listen, c.Media, c.STUN = "127.0.0.2:81", []string{"127.0.0.1"}, "127.0.0.1:81" }, "stun", "media"},
		{func(c *Config) { c.Media, c.STUN = []string{"127.0.0.1:5349"}, "127.0.0.1:81" }, "", ""},
		{func(c *Config) { c.HTTPS = []string{"127.0.0.1:443", "127.0.0.1:443"} }, "https", "https"},
		{func(c *Config) { c.HTTPS = append(onIPv6(t, "443"), "127.0.0.1:443", "127.0.0.2:443") }, "", ""},
		{func(c *Config) {
			c.Listen, c.STUN, c.HTTPS = "127.0.0.1:0", "127.0.0.1:0", []string{"127.0.0.1:0", "127.0.0.1:0"}
		}, "", ""},
		{func(c *Config) { c.STUN, c.TURNTLS, c.HTTPS = STUNOff, STUNOff, []string{"127.0.0.1:5349"} }, "", ""},
	} {
		c := Config{}
		tc.edit(&c)
		_, err := c.withDefaults().addresses()
		var wrong *ConfigError
		switch {
		case tc.first == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case tc.first != "" && (!errors.As(err, &wrong) || wrong.Setting != tc.second || !strings.Contains(wrong.Problem, "--"+tc.first+" ")):
			t.Errorf("%s and %s: %v", tc.first, tc.second, err)
		}
	}
}
