package emulator

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/certs"
	"github.com/callsemu/callsemu/emulator/fault"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/stunserver"
)

const (
	// drainWait is how long Close lets answers that are being written end.
	drainWait = 400 * time.Millisecond
	// selfTestWait bounds one self-test; selfTestPause is the pause before the next one.
	selfTestWait  = 5 * time.Second
	selfTestPause = time.Second
)

// Timeouts of the HTTP server. A request may wait up to 5 s for the transport and then 8.2 s for media (contract 2.2,
// 3.6), so answers get more than that; the read timeout counts from a request's first byte to its body's last.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
)

// Emulator is one emulated service: the API, the SFU and the STUN server. Make it with New, begin with Start, end it
// with Close.
type Emulator struct {
	// fixed after New
	cfg         Config
	listen      netip.AddrPort
	secure      *secure
	doors       *doors
	media       *sfu.SFU
	accounts    *account.Store
	registry    *session.Registry
	faults      *fault.Set
	stun        *stunserver.Server // nil when off
	credentials *stunserver.Credentials
	turnEntries []turnEntry // where STUN and TURN are reached; fixed after New
	demux       *demux
	server      *http.Server
	guests      guests          // of server
	ready       chan struct{}   // closed once the self-test has connected
	ctx         context.Context //nolint:containedctx // http.Server.BaseContext takes no other way; Close ends it
	cancel      context.CancelFunc
	wg          sync.WaitGroup

	closing  sync.Once
	closeErr error

	mu      sync.Mutex
	started bool
	closed  bool
	offers  []netip.AddrPort // what SDP offers in place of the own addresses

	addresses atomic.Pointer[map[netip.AddrPort]netip.AddrPort] // mediaAddresses, which change with offers
}

// New opens every socket and builds everything. Before Start, STUN and TURN alone are served. A value that cannot be used is a
// *ConfigError, which is returned before any port is tried if it is wrong in itself; ports that are taken are all named, by *ConfigErrors
// that errors.Join has joined. On an error nothing stays open.
func New(cfg Config) (*Emulator, error) {
	madeUp := map[account.Kind]bool{account.App: len(cfg.Apps) == 0, account.TURNKey: len(cfg.TURNKeys) == 0}
	cfg = cfg.withDefaults()
	want, err := cfg.addresses()
	if err != nil {
		return nil, err
	}
	given, err := givenCert(cfg)
	if err != nil {
		return nil, err
	}
	e, err := open(cfg, want, given, madeUp)
	if isBusy(err) {
		err = want.busy(err)
	}
	return e, err
}

func open(cfg Config, want addresses, given *certs.Source, madeUp map[account.Kind]bool) (*Emulator, error) {
	extra, err := openDoors(want, cfg.Logger)
	if err != nil {
		return nil, err
	}
	socks, err := newOpener(want, !cfg.deviates("DEV-5"), cfg.Logger).open()
	if err != nil {
		extra.close()
		return nil, err
	}
	stun, err := openSTUN(want, extra, cfg.Logger)
	if err != nil {
		extra.close()
		socks.closeTCP()
		return nil, errors.Join(err, socks.media.Close())
	}
	tls, err := openSecure(cfg, given) // last, since it may make a CA
	if err != nil {
		extra.close()
		socks.closeTCP()
		return nil, errors.Join(err, socks.media.Close(), closeSTUN(stun))
	}
	e := build(cfg, socks, stun, tls, extra, madeUp)
	if err := e.serveTURN(want); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func closeSTUN(server *stunserver.Server) error {
	if server == nil {
		return nil
	}
	return server.Close()
}

func build(cfg Config, socks *sockets, stun *stunserver.Server, tls *secure, extra *doors, madeUp map[account.Kind]bool) *Emulator {
	e := &Emulator{
		cfg:         cfg,
		listen:      socks.listen,
		secure:      tls,
		doors:       extra,
		media:       socks.media,
		faults:      fault.NewSet(),
		stun:        stun,
		credentials: stunserver.NewCredentials(turnClock{cfg.Clock}),
		ready:       make(chan struct{}),
		offers:      socks.advertise,
	}
	e.noteAddresses()
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.accounts = account.New(account.Config{
		Accounts: cfg.Accounts, Apps: cfg.Apps, TURNKeys: cfg.TURNKeys, Owner: e.owners(madeUp), AnyAccount: cfg.deviates("DEV-10"), Now: cfg.Clock.Now,
	})
	e.registry = session.NewRegistry(session.Config{
		Accounts: e.accounts, Mode: cfg.Mode, Contract: cfg.Contract, Rules: cfg.Rules, Clock: cfg.Clock, SFU: socks.media,
		Faults: faultRules{e.faults}, Adapters: newAdapterMaker(cfg), Logger: cfg.Logger,
	})
	e.demux = newDemux(socks.tcp[0].Addr(), cfg.Logger)
	e.demux.trust = tls.cure()
	e.serveDoors(socks.tcp)
	e.server = &http.Server{
		Handler:           e.guests.calls(newFront(e)),
		ConnState:         e.guests.noted,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		Protocols:         protocols(),
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return e.ctx },
	}
	return e
}

// owners: what was made up belongs to the one account that the start message shows; every other one begins empty.
func (e *Emulator) owners(madeUp map[account.Kind]bool) map[account.Kind]string {
	owners := map[account.Kind]string{}
	for kind, made := range madeUp {
		if made {
			owners[kind] = e.AccountID()
		}
	}
	return owners
}

// protocols: the real service speaks HTTP/1.1 and HTTP/2 (contract 9.4), the latter here without TLS as well.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Start begins to serve. It returns at once; Ready tells when media would flow. After Close it does nothing.
func (e *Emulator) Start() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started || e.closed {
		return
	}
	e.started = true
	e.demux.start()
	e.wg.Go(e.serve)
	e.wg.Go(e.selfTest)
}

func (e *Emulator) serve() {
	if err := e.server.Serve(e.demux.web); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		e.cfg.Logger.Error("http server ended", "error", err)
	}
}

// selfTest connects through the media sockets' own addresses, and tries again until it succeeds.
func (e *Emulator) selfTest() {
	for {
		ctx, cancel := context.WithTimeout(e.ctx, selfTestWait)
		err := e.media.SelfTest(ctx)
		cancel()
		if err == nil {
			close(e.ready)
			return
		}
		if e.ctx.Err() != nil {
			return
		}
		e.cfg.Logger.Warn("the media self-test did not connect; a firewall or a wrong --media keeps the machine from "+
			"reaching its own addresses", "error", err, "again_in", selfTestPause.String())
		if !e.pause(selfTestPause) {
			return
		}
	}
}

// pause waits and reports whether the emulator is still open.
func (e *Emulator) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// Close stops accepting, ends the requests that are waiting, closes every session and socket, and joins every
// goroutine, all within a second. Any number of calls, by anyone: each returns when it is done.
func (e *Emulator) Close() error {
	e.closing.Do(func() { e.closeErr = e.closeAll() })
	return e.closeErr
}

func (e *Emulator) closeAll() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.demux.close()
	errs := []error{e.closeHTTP(), e.registry.Close(), e.media.Close()}
	errs = append(errs, closeSTUN(e.stun))
	e.credentials.Close()
	e.guests.wait() // last, since by now nothing is left that a call could wait for
	e.wg.Wait()
	return errors.Join(errs...)
}

func (e *Emulator) closeHTTP() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainWait)
	defer cancel()
	err := e.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // a client that sends or reads too slowly
		return e.server.Close()
	}
	return err
}

// Ready is closed once the self-test has connected through the real sockets.
func (e *Emulator) Ready() <-chan struct{} { return e.ready }

// BaseURL is what stands in for https://rtc.live.cloudflare.com/v1, for example http://127.0.0.1:1473/v1. It ends
// without a slash.
func (e *Emulator) BaseURL() string { return "http://" + reachable(e.listen).String() + "/v1" }

// STUNURL is a URL for iceServers, for example stun:127.0.0.1:3478; empty when the STUN server is off.
func (e *Emulator) STUNURL() string {
	if e.stun == nil {
		return ""
	}
	udp, _ := e.stun.Addrs()
	return "stun:" + reachable(udp).String()
}

// AppID is a seeded app: the first one by id, or the one that was made up.
func (e *Emulator) AppID() string { return slices.Min(slices.Collect(maps.Keys(e.cfg.Apps))) }

// Secret is the bearer token of AppID.
func (e *Emulator) Secret() string { return e.cfg.Apps[e.AppID()] }

// AccountID is a seeded account: the first one by id, or the one that was made up.
func (e *Emulator) AccountID() string { return slices.Min(slices.Collect(maps.Keys(e.cfg.Accounts))) }

// AccountToken is the API token of AccountID.
func (e *Emulator) AccountToken() string { return e.cfg.Accounts[e.AccountID()] }

// TURNKeyID is a seeded TURN key: the first one by id, or the one that was made up.
func (e *Emulator) TURNKeyID() string { return slices.Min(slices.Collect(maps.Keys(e.cfg.TURNKeys))) }

// TURNKeyToken is the API token of TURNKeyID.
func (e *Emulator) TURNKeyToken() string { return e.cfg.TURNKeys[e.TURNKeyID()] }

// Candidates are the addresses that every SDP offers, in their order.
func (e *Emulator) Candidates() []sfu.Candidate { return e.media.Candidates() }

// reachable replaces a wildcard by the loopback address.
func reachable(addr netip.AddrPort) netip.AddrPort {
	if addr.Addr().IsUnspecified() {
		return netip.AddrPortFrom(loopback, addr.Port())
	}
	return addr
}
