package account

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"
)

// Kind is one of the things that an account holds.
type Kind int

// The kinds of contract 8.
const (
	App     Kind = iota // an app of the SFU; its secret is the token of the API
	TURNKey             // its secret issues TURN credentials
	kinds
)

// String is the kind as people write it.
func (k Kind) String() string { return [...]string{"app", "TURN key"}[k] }

// Bounds of a Store. The real ones are not known.
const (
	MaxItems = 10_000 // of one kind, in all accounts
	MaxName  = 1024   // characters of a name
	// maxDeleted is how many deleted ids of one kind are remembered. In dev mode a forgotten one works again, as any id does.
	maxDeleted = 10_000
)

var (
	// ErrToken means that the token belongs to no account.
	ErrToken = errors.New("not the token of an account")
	// ErrOtherAccount means that the token is right, but not for this account.
	ErrOtherAccount = errors.New("the token of another account")
	// ErrFull means that there are MaxItems already.
	ErrFull = errors.New("too many")
)

// Item is an app or a TURN key as the account API shows it, which is without its secret.
type Item struct {
	ID       string // 32 lower-case hex digits, or what a user seeded
	Name     string
	Created  time.Time
	Modified time.Time
}

// Config is what a Store begins with.
type Config struct {
	Accounts map[string]string // API tokens by account id; checked always
	Apps     map[string]string // secrets by app id
	TURNKeys map[string]string // tokens by key id
	// Owner is the account that Apps or TURNKeys belong to, by kind; without one they belong to every account.
	Owner map[Kind]string
	// AnyAccount lets an account that is not in Accounts be used with any token (the dev mode).
	AnyAccount bool
	// Now is the clock of created and modified, which are kept in microseconds. Nil means time.Now.
	Now func() time.Time
}

// Store is safe for concurrent use.
type Store struct {
	// fixed after construction
	accounts   map[string]string
	anyAccount bool
	now        func() time.Time

	mu      sync.Mutex
	lists   [kinds]list
	secrets map[string]int // how many accounts and items have it
}

// list is all of one kind.
type list struct {
	items   map[string]*item
	order   []string // ids of items, oldest first
	deleted map[string]bool
	graves  []string // the ids of deleted, oldest first
}

type item struct {
	Item
	account string // empty: every account's
	secret  string
}

// New makes a Store with the seeded items.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{accounts: cfg.Accounts, anyAccount: cfg.AnyAccount, secrets: map[string]int{}}
	for id, token := range cfg.Accounts {
		s.countSecret(id, token, 1)
	}
	s.now = func() time.Time { return cfg.Now().UTC().Truncate(time.Microsecond) }
	for kind, seeds := range map[Kind]map[string]string{App: cfg.Apps, TURNKey: cfg.TURNKeys} {
		l := &s.lists[kind]
		l.items, l.deleted = make(map[string]*item, len(seeds)), map[string]bool{}
		for id, secret := range seeds {
			now := s.now()
			l.items[id] = &item{Item: Item{ID: id, Created: now, Modified: now}, account: cfg.Owner[kind], secret: secret}
			l.order = append(l.order, id)
			s.countSecret(id, secret, 1)
		}
		slices.Sort(l.order)
	}
	return s
}

// Authorize says whether an API token may manage an account: nil, ErrToken or ErrOtherAccount.
func (s *Store) Authorize(account, token string) error {
	if want, known := s.accounts[account]; known && equal(want, token) {
		return nil
	} else if !known && s.anyAccount {
		return nil
	}
	for _, other := range s.accounts {
		if equal(other, token) {
			return ErrOtherAccount
		}
	}
	return ErrToken
}

// Standing is what the Store knows of an id with a token.
type Standing int

// What Check answers.
const (
	Unknown Standing = iota // no item has this id
	Right                   // the token is the item's secret
	Wrong                   // it is not
	Deleted                 // the item was deleted
)

// Check compares a token with an item's secret, whatever the account.
func (s *Store) Check(kind Kind, id, token string) Standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lists[kind]
	switch found := l.items[id]; {
	case found != nil && equal(found.secret, token):
		return Right
	case found != nil:
		return Wrong
	case l.deleted[id]:
		return Deleted
	}
	return Unknown
}

// countSecret notes that one more, or one less, has a secret. What is its owner's id as well is none. Needs Store.mu.
func (s *Store) countSecret(id, secret string, n int) {
	if secret == id {
		return
	}
	if s.secrets[secret] += n; s.secrets[secret] == 0 {
		delete(s.secrets, secret)
	}
}

// IsSecret says whether a word is the secret of an item or the token of an account, so that it can be kept out of logs wherever a
// client puts it. Its time tells more than that of Check: it is not for authorization.
func (s *Store) IsSecret(word string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[word] > 0
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// IDs lists every item of a kind, whatever the account, in the order of List.
func (s *Store) IDs(kind Kind) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lists[kind].order)
}

// List returns an account's items, seeded ones first, then by age.
func (s *Store) List(kind Kind, account string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []Item{}
	for _, id := range s.lists[kind].order {
		if found := s.lists[kind].of(account, id); found != nil {
			items = append(items, found.Item)
		}
	}
	return items
}

// of finds an account's item, nil if it has none of this id. Needs Store.mu.
func (l *list) of(account, id string) *item {
	found := l.items[id]
	if found == nil || found.account != "" && found.account != account {
		return nil
	}
	return found
}

// Create makes an item. Its secret, 64 characters, is given out here and never again.
func (s *Store) Create(kind Kind, account, name string) (made Item, secret string, err error) {
	now := s.now()
	made = Item{ID: randomHex(16), Name: name, Created: now, Modified: now}
	secret = randomHex(32)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lists[kind]
	if len(l.items) >= MaxItems {
		return Item{}, "", ErrFull
	}
	l.items[made.ID] = &item{Item: made, account: account, secret: secret}
	l.order = append(l.order, made.ID)
	s.countSecret(made.ID, secret, 1)
	return made, secret, nil
}

// Get finds an account's item.
func (s *Store) Get(kind Kind, account, id string) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.lists[kind].of(account, id)
	if found == nil {
		return Item{}, false
	}
	return found.Item, true
}

// Rename changes an item's name; nil leaves it. Both count as a modification.
func (s *Store) Rename(kind Kind, account, id string, name *string) (Item, bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.lists[kind].of(account, id)
	if found == nil {
		return Item{}, false
	}
	if name != nil {
		found.Name = *name
	}
	found.Modified = now
	return found.Item, true
}

// Delete removes an item for good: its id is not given to another one, and not accepted again in dev mode.
func (s *Store) Delete(kind Kind, account, id string) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lists[kind]
	found := l.of(account, id)
	if found == nil {
		return Item{}, false
	}
	delete(l.items, id)
	s.countSecret(id, found.secret, -1)
	l.order = slices.DeleteFunc(l.order, func(other string) bool { return other == id })
	l.deleted[found.ID] = true
	l.graves = append(l.graves, found.ID)
	if len(l.graves) > maxDeleted {
		delete(l.deleted, l.graves[0])
		l.graves = l.graves[1:]
	}
	return found.Item, true
}

// randomHex returns 2n hexadecimal digits; ids and secrets have 32 and 64 (contract 8).
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
