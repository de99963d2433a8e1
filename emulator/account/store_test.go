package account

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestWhoMayManageAnAccount(t *testing.T) {
	accounts := map[string]string{"a": "token-a", "b": "token-b"}
	for _, c := range []struct {
		name, account, token string
		any                  bool
		want                 error
	}{
		{name: "its token", account: "a", token: "token-a"},
		{name: "no token", account: "a", want: ErrToken},
		{name: "a wrong token", account: "a", token: "token-c", want: ErrToken},
		{name: "another account's", account: "a", token: "token-b", want: ErrOtherAccount},
		{name: "an unknown account", account: "c", token: "token-c", want: ErrToken},
		{name: "an unknown account with a known token", account: "c", token: "token-a", want: ErrOtherAccount},
		{name: "dev: an unknown account", account: "c", token: "anything", any: true},
		{name: "dev: a seeded account is checked", account: "a", token: "anything", any: true, want: ErrToken},
		{name: "dev: a seeded account with its token", account: "a", token: "token-a", any: true},
	} {
		s := New(Config{Accounts: accounts, AnyAccount: c.any})
		if err := s.Authorize(c.account, c.token); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestWhatIsASecret(t *testing.T) {
	s := New(Config{Accounts: map[string]string{"a": "token-a", "b": "b"}, Apps: map[string]string{"one": "shared", "two": "two"},
		TURNKeys: map[string]string{"key": "shared"}})
	is := func(want bool, words ...string) {
		t.Helper()
		for _, w := range words {
			if s.IsSecret(w) != want {
				t.Errorf("%q is a secret: %t", w, !want)
			}
		}
	}
	is(true, "token-a", "shared")
	is(false, "a", "b", "one", "two", "key") // ids, though some are their own secrets
	s.Delete(App, "a", "one")
	is(true, "shared")
	s.Delete(TURNKey, "a", "key")
	s.Delete(App, "a", "two")
	is(false, "shared", "two")
}

func TestLifeOfAnItem(t *testing.T) {
	for _, kind := range []Kind{App, TURNKey} {
		now := time.Date(2026, 11, 1, 2, 3, 4, 5999, time.FixedZone("", 3600))
		s := New(Config{Now: func() time.Time { return now }})
		made, secret, err := s.Create(kind, "a", "first")
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(made.ID) || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(secret) {
			t.Errorf("%s: id %q, secret %q", kind, made.ID, secret)
		}
		if made.Created != micros(now) || made.Modified != micros(now) || made.Name != "first" {
			t.Errorf("%s: made %+v", kind, made)
		}
		if s.Check(kind, made.ID, secret) != Right || s.Check(kind, made.ID, secret[1:]) != Wrong || s.Check(1-kind, made.ID, secret) != Unknown {
			t.Errorf("%s: the secret is not checked", kind)
		}
		if _, ok := s.Get(kind, "b", made.ID); ok || len(s.List(kind, "b")) != 0 {
			t.Errorf("%s: another account sees it", kind)
		}

		now = now.Add(time.Minute)
		name := "second"
		renamed, ok := s.Rename(kind, "a", made.ID, &name)
		if !ok || renamed.Name != "second" || renamed.Created != made.Created || renamed.Modified != micros(now) {
			t.Errorf("%s: renamed %+v", kind, renamed)
		}
		if kept, _ := s.Rename(kind, "a", made.ID, nil); kept.Name != "second" {
			t.Errorf("%s: no name took the name away: %+v", kind, kept)
		}
		if got, ok := s.Get(kind, "a", made.ID); !ok || got != renamed {
			t.Errorf("%s: got %+v, want %+v", kind, got, renamed)
		}

		if _, ok := s.Delete(kind, "b", made.ID); ok {
			t.Errorf("%s: another account deleted it", kind)
		}
		if gone, ok := s.Delete(kind, "a", made.ID); !ok || gone != renamed {
			t.Errorf("%s: deleted %+v", kind, gone)
		}
		if _, ok := s.Delete(kind, "a", made.ID); ok || s.Check(kind, made.ID, secret) != Deleted || len(s.IDs(kind)) != 0 {
			t.Errorf("%s: it is still there", kind)
		}
		if _, ok := s.Rename(kind, "a", made.ID, &name); ok {
			t.Errorf("%s: renamed after its end", kind)
		}
	}
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func TestSeededItemsBelongToEveryAccount(t *testing.T) {
	s := New(Config{Apps: map[string]string{"shop": "open", "cafe": "sesame"}, TURNKeys: map[string]string{"key": "token"}})
	made, _, err := s.Create(App, "a", "")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, item := range s.List(App, "a") {
		ids = append(ids, item.ID)
	}
	if !slices.Equal(ids, []string{"cafe", "shop", made.ID}) || len(s.List(App, "b")) != 2 || len(s.List(TURNKey, "b")) != 1 {
		t.Errorf("lists: %q, %v, %v", ids, s.List(App, "b"), s.List(TURNKey, "b"))
	}
	if s.Check(App, "shop", "open") != Right || s.Check(TURNKey, "key", "token") != Right || s.Check(TURNKey, "shop", "open") != Unknown {
		t.Error("seeded secrets are not checked")
	}
	if _, ok := s.Delete(App, "b", "shop"); !ok || s.Check(App, "shop", "open") != Deleted {
		t.Error("a seeded app cannot be deleted")
	}
}

func TestStoreIsBounded(t *testing.T) {
	s := New(Config{})
	var first Item
	for i := range MaxItems {
		made, _, err := s.Create(App, strconv.Itoa(i%3), "")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = made
		}
	}
	if _, _, err := s.Create(App, "0", ""); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := s.Create(TURNKey, "0", ""); err != nil {
		t.Errorf("the other kind is full too: %v", err)
	}
	s.Delete(App, "0", first.ID)
	for range maxDeleted {
		made, _, err := s.Create(App, "0", "")
		if err != nil {
			t.Fatal(err)
		}
		if s.Check(App, first.ID, "x") != Deleted {
			t.Fatal("forgotten too early")
		}
		s.Delete(App, "0", made.ID)
	}
	if l := s.lists[App]; s.Check(App, first.ID, "x") != Unknown || len(l.deleted) != maxDeleted || len(l.graves) != maxDeleted {
		t.Errorf("%d deleted ids in %d places", len(l.deleted), len(l.graves))
	}
}

func TestStoreIsSafeForConcurrentUse(t *testing.T) {
	s := New(Config{Apps: map[string]string{"shop": "open"}})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				made, secret, err := s.Create(App, "a", "")
				if err != nil || s.Check(App, made.ID, secret) != Right {
					t.Errorf("made %v, %v", made, err)
				}
				s.List(App, "a")
				s.Rename(App, "a", made.ID, nil)
				s.Delete(App, "a", made.ID)
			}
		})
	}
	all.Wait()
	if len(s.List(App, "a")) != 1 {
		t.Errorf("left: %v", s.List(App, "a"))
	}
}
