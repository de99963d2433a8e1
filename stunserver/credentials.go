package stunserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/pion/turn/v3"
)

// Realm is the realm of the long-term credentials (contract 7.2, inferred).
const Realm = "turn.cloudflare.com"

// Clock is the time by which credentials expire.
type Clock interface {
	Now() time.Time
	// At fires once, at that moment; it is right though the clock is moved meanwhile. Whoever has received calls stop when what
	// was due has been done, and makes the next timer before that.
	At(moment time.Time) (fired <-chan time.Time, stop func())
}

// usernamePrefix begins every username, as recorded ones do; with the hex form of a ticket it makes 64 characters (contract
// 7.3).
const usernamePrefix = "g0"

// A ticket is what a username says: when it ends (milliseconds since 1970, 6 bytes), the TURN key that it was issued with (7
// bytes of its hash), 8 random bytes, and 10 bytes of an HMAC over the rest. So credentials that nobody uses cost no memory.
const (
	ticketExpiry = 6
	ticketKey    = 7
	ticketRandom = 8
	ticketMAC    = 10
	ticketSize   = ticketExpiry + ticketKey + ticketRandom + ticketMAC
)

// maxRevoked bounds the memory for what was revoked. Of more than that, some work again until they expire.
const maxRevoked = 100_000

type keyTag [ticketKey]byte

func tagOf(key string) keyTag {
	sum := sha256.Sum256([]byte(key))
	return keyTag(sum[:ticketKey])
}

// grant is a credential that was found good.
type grant struct {
	username string
	key      []byte // of MESSAGE-INTEGRITY
	expires  time.Time
	tag      keyTag
}

// Credentials issues the credentials of TURN, checks them, and ends the allocations of those that expire or are revoked. They
// do not outlive it: another run of the program issues others.
type Credentials struct {
	// fixed after construction
	clock  Clock
	secret [32]byte
	done   chan struct{}
	wake   chan struct{} // one slot: held or revoked has changed
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	revoked map[string]time.Time // usernames with the time at which they expire anyway
	keys    map[keyTag]struct{}  // TURN keys that were deleted
	held    map[*hold]struct{}
}

// hold is an allocation as Credentials sees it.
type hold struct {
	grant grant
	end   func(why error) // called once, from the goroutine of Credentials
}

// NewCredentials makes a Credentials; Close ends it.
func NewCredentials(clock Clock) *Credentials {
	c := &Credentials{
		clock: clock, done: make(chan struct{}), wake: make(chan struct{}, 1),
		revoked: map[string]time.Time{}, keys: map[keyTag]struct{}{}, held: map[*hold]struct{}{},
	}
	_, _ = rand.Read(c.secret[:]) // never fails
	c.wg.Go(c.run)
	return c
}

// Close ends the goroutine. Allocations stay; the Server that has them ends them. Any number of calls.
func (c *Credentials) Close() {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if !again {
		close(c.done)
	}
	c.wg.Wait()
}

// Issue makes a username and a credential of 64 characters each for the TURN key of that id, good for ttl.
func (c *Credentials) Issue(key string, ttl time.Duration) (username, credential string) {
	ticket := make([]byte, 8, ticketSize)
	binary.BigEndian.PutUint64(ticket, uint64(c.clock.Now().Add(ttl).UnixMilli())<<16)
	ticket = ticket[:ticketExpiry]
	tag := tagOf(key)
	ticket = append(ticket, tag[:]...)
	var random [ticketRandom]byte
	_, _ = rand.Read(random[:]) // never fails
	ticket = append(ticket, random[:]...)
	ticket = append(ticket, c.sign("ticket", ticket)[:ticketMAC]...)
	username = usernamePrefix + hex.EncodeToString(ticket)
	return username, c.password(username)
}

func (c *Credentials) password(username string) string {
	return hex.EncodeToString(c.sign("password", []byte(username)))
}

func (c *Credentials) sign(purpose string, data []byte) []byte {
	mac := hmac.New(sha256.New, c.secret[:])
	_, _ = mac.Write([]byte(purpose)) // never fails
	_, _ = mac.Write(data)
	return mac.Sum(nil)
}

// read tells whether a username was issued here, whatever has become of it since.
func (c *Credentials) read(username string) (grant, bool) {
	digits, found := strings.CutPrefix(username, usernamePrefix)
	ticket, err := hex.DecodeString(digits)
	if !found || err != nil || len(ticket) != ticketSize || digits != strings.ToLower(digits) {
		return grant{}, false
	}
	signed := ticket[:ticketSize-ticketMAC]
	if !hmac.Equal(ticket[len(signed):], c.sign("ticket", signed)[:ticketMAC]) {
		return grant{}, false
	}
	ms := binary.BigEndian.Uint64(append([]byte{0, 0}, ticket[:ticketExpiry]...))
	return grant{
		username: username,
		expires:  time.UnixMilli(int64(ms)),
		tag:      keyTag(ticket[ticketExpiry : ticketExpiry+ticketKey]),
	}, true
}

// check finds the grant of a username: ErrNotIssued, ErrExpired, ErrRevoked or none.
func (c *Credentials) check(username string) (grant, error) {
	g, issued := c.read(username)
	if !issued {
		return grant{}, ErrNotIssued
	}
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.overLocked(g, now); err != nil {
		return grant{}, err
	}
	g.key = turn.GenerateAuthKey(username, Realm, c.password(username))
	return g, nil
}

// overLocked says why a grant is good no longer. It needs Credentials.mu.
func (c *Credentials) overLocked(g grant, now time.Time) error {
	_, revoked := c.revoked[g.username]
	_, deleted := c.keys[g.tag]
	switch {
	case revoked || deleted:
		return ErrRevoked
	case !now.Before(g.expires):
		return ErrExpired
	}
	return nil
}

// Revoke ends a credential and its allocations. It reports whether there was one: issued here with that TURN key, and neither
// expired nor revoked.
func (c *Credentials) Revoke(key, username string) bool {
	g, issued := c.read(username)
	if !issued || g.tag != tagOf(key) {
		return false
	}
	now := c.clock.Now()
	c.mu.Lock()
	good := c.overLocked(g, now) == nil
	if good {
		c.makeRoomLocked(now)
		c.revoked[username] = g.expires
	}
	c.mu.Unlock()
	c.ring()
	return good
}

// makeRoomLocked forgets what is expired anyway, and where that is nothing, any one. It needs Credentials.mu.
func (c *Credentials) makeRoomLocked(now time.Time) {
	if len(c.revoked) < maxRevoked {
		return
	}
	for username, expires := range c.revoked {
		if !now.Before(expires) {
			delete(c.revoked, username)
		}
	}
	for username := range c.revoked {
		if len(c.revoked) < maxRevoked {
			return
		}
		delete(c.revoked, username)
	}
}

// RevokeKey ends every credential that was issued with a TURN key, now and later: the key was deleted.
func (c *Credentials) RevokeKey(key string) {
	c.mu.Lock()
	c.keys[tagOf(key)] = struct{}{}
	c.mu.Unlock()
	c.ring()
}

// add has h.end called when its grant expires or is revoked, unless drop comes first. It may be over already.
func (c *Credentials) add(h *hold) {
	c.mu.Lock()
	c.held[h] = struct{}{}
	c.mu.Unlock()
	c.ring()
}

func (c *Credentials) drop(h *hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, h)
}

// ring has the goroutine look again.
func (c *Credentials) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run ends what is over, when it is over.
func (c *Credentials) run() {
	stop := func() {}
	for {
		next, waits := c.endDue()
		var fired <-chan time.Time
		stopNext := func() {}
		if waits {
			fired, stopNext = c.clock.At(next)
		}
		stop() // after the next timer was made: an advance of the clock waits for this
		stop = stopNext
		select {
		case <-fired:
		case <-c.wake:
		case <-c.done:
			stop()
			return
		}
	}
}

// endDue ends the holds that are over, and tells when the next one will be.
func (c *Credentials) endDue() (next time.Time, waits bool) {
	now := c.clock.Now()
	due := map[*hold]error{}
	c.mu.Lock()
	for h := range c.held {
		if why := c.overLocked(h.grant, now); why != nil {
			due[h] = why
			delete(c.held, h)
			continue
		}
		if !waits || h.grant.expires.Before(next) {
			next, waits = h.grant.expires, true
		}
	}
	c.mu.Unlock()
	for h, why := range due {
		h.end(why)
	}
	return next, waits
}
