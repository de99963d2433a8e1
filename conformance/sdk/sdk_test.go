// Package sdk_test drives the account API with Cloudflare's own Go SDK. It is a module of its own, so that the SDK is no
// dependency of callsemu. Of the SDK it uses the two services of package calls, as the SDK's client holds them: the client
// itself holds every other service of Cloudflare's too, which takes minutes to compile.
package sdk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/calls"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/emulator"
)

// patience bounds a test's calls.
const patience = 20 * time.Second

// realMode is session.ModeReal, in which accounts and apps are checked.
const realMode = 1

const accountID, apiToken = "0123456789abcdef0123456789abcdef", "the-token-of-the-account"

// start runs an emulator with one account, and returns a context for the calls of the test.
func start(t *testing.T) (*emulator.Emulator, context.Context) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	e := emulator.RunT(t, func(c *emulator.Config) {
		c.Mode = realMode
		c.Accounts = map[string]string{accountID: apiToken, "other": "the-token-of-another"}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return e, ctx
}

// options are what the SDK's client gives to its services, with a transport that leaves nothing behind.
func options(t *testing.T, e *emulator.Emulator, more ...option.RequestOption) []option.RequestOption {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return append([]option.RequestOption{
		option.WithBaseURL(strings.TrimSuffix(e.BaseURL(), "/v1") + "/client/v4/"),
		option.WithHTTPClient(&http.Client{Transport: transport}),
		option.WithMaxRetries(0),
	}, more...)
}

// params makes the parameters of a call: the account, and a name where one is given. The type of their fields has no name
// outside the SDK's root package.
func params[P any](name ...string) P {
	var p P
	set := func(field, value string) {
		f := reflect.ValueOf(&p).Elem().FieldByName(field)
		f.FieldByName("Value").SetString(value)
		f.FieldByName("Present").SetBool(true)
	}
	set("AccountID", accountID)
	for _, n := range name {
		set("Name", n)
	}
	return p
}

func TestAppsThroughTheSDK(t *testing.T) {
	e, ctx := start(t)
	apps := calls.NewSFUService(options(t, e, option.WithAPIToken(apiToken))...)

	made, err := apps.New(ctx, params[calls.SFUNewParams]("first"))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.UID) != 32 || len(made.Secret) != 64 || made.Name != "first" || time.Since(made.Created) > patience || made.Modified.IsZero() {
		t.Errorf("made %+v", made)
	}
	if status := newSession(ctx, t, e, made.UID, made.Secret); status != http.StatusCreated {
		t.Errorf("a session of the new app: status %d", status)
	}
	renamed, err := apps.Update(ctx, made.UID, params[calls.SFUUpdateParams]("second"))
	if err != nil || renamed.Name != "second" || renamed.UID != made.UID {
		t.Errorf("renamed %+v, %v", renamed, err)
	}
	read, err := apps.Get(ctx, made.UID, params[calls.SFUGetParams]())
	if err != nil || read.Name != "second" || !read.Created.Equal(made.Created) {
		t.Errorf("read %+v, %v", read, err)
	}
	var listed []string
	pages := apps.ListAutoPaging(ctx, params[calls.SFUListParams]())
	for pages.Next() {
		listed = append(listed, pages.Current().UID)
	}
	if err := pages.Err(); err != nil || len(listed) != 2 || listed[1] != made.UID { // the emulator's own app is the first
		t.Errorf("listed %q, %v", listed, err)
	}
	gone, err := apps.Delete(ctx, made.UID, params[calls.SFUDeleteParams]())
	if err != nil || gone.UID != made.UID {
		t.Errorf("deleted %+v, %v", gone, err)
	}
	if status := newSession(ctx, t, e, made.UID, made.Secret); status != http.StatusNotFound {
		t.Errorf("a session of the deleted app: status %d", status)
	}
	_, err = apps.Get(ctx, made.UID, params[calls.SFUGetParams]())
	wantError(t, err, http.StatusNotFound, 20007)
}

func TestTURNKeysThroughTheSDK(t *testing.T) {
	e, ctx := start(t)
	keys := calls.NewTURNService(options(t, e, option.WithAPIToken(apiToken))...)

	made, err := keys.New(ctx, params[calls.TURNNewParams]("first"))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.UID) != 32 || len(made.Key) != 64 || made.Name != "first" || made.Created.IsZero() {
		t.Errorf("made %+v", made)
	}
	renamed, err := keys.Update(ctx, made.UID, params[calls.TURNUpdateParams]("second"))
	if err != nil || renamed.Name != "second" {
		t.Errorf("renamed %+v, %v", renamed, err)
	}
	read, err := keys.Get(ctx, made.UID, params[calls.TURNGetParams]())
	if err != nil || read.Name != "second" {
		t.Errorf("read %+v, %v", read, err)
	}
	list, err := keys.List(ctx, params[calls.TURNListParams]())
	if err != nil || len(list.Result) != 2 || list.Result[1].UID != made.UID { // the emulator's own key is the first
		t.Errorf("listed %+v, %v", list, err)
	}
	if _, err = keys.Delete(ctx, made.UID, params[calls.TURNDeleteParams]()); err != nil {
		t.Error(err)
	}
	_, err = keys.Delete(ctx, made.UID, params[calls.TURNDeleteParams]())
	wantError(t, err, http.StatusNotFound, 20008)
}

func TestRefusalsAreErrorsOfTheSDK(t *testing.T) {
	e, ctx := start(t)
	for _, c := range []struct {
		name    string
		options []option.RequestOption
		status  int
		code    int64
	}{
		{"wrong token", []option.RequestOption{option.WithAPIToken("wrong")}, http.StatusUnauthorized, 10000},
		{"another account's token", []option.RequestOption{option.WithAPIToken("the-token-of-another")}, http.StatusForbidden, 10002},
		{"wrong key", []option.RequestOption{option.WithAPIKey("wrong"), option.WithAPIEmail("me@example.com")}, http.StatusUnauthorized, 10000},
	} {
		_, err := calls.NewSFUService(options(t, e, c.options...)...).List(ctx, params[calls.SFUListParams]())
		t.Log(c.name)
		wantError(t, err, c.status, c.code)
	}
}

func TestOlderCredentialsThroughTheSDK(t *testing.T) {
	e, ctx := start(t)
	apps := calls.NewSFUService(options(t, e, option.WithAPIKey(apiToken), option.WithAPIEmail("me@example.com"))...)
	if _, err := apps.List(ctx, params[calls.SFUListParams]()); err != nil {
		t.Error(err)
	}
}

// TestSDKUnderTheNameOfTheService changes nothing but where the name leads and whom the client trusts.
func TestSDKUnderTheNameOfTheService(t *testing.T) {
	e, ctx := start(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA())
	addr := strings.TrimSuffix(strings.TrimPrefix(e.BaseURL(), "http://"), "/v1")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
	t.Cleanup(transport.CloseIdleConnections)
	apps := calls.NewSFUService(option.WithEnvironmentProduction(), option.WithAPIToken(apiToken),
		option.WithHTTPClient(&http.Client{Transport: transport}), option.WithMaxRetries(0))
	var response *http.Response
	_, err := apps.List(ctx, params[calls.SFUListParams](), option.WithResponseInto(&response))
	if err != nil || response.Request.URL.Host != "api.cloudflare.com" || response.Proto != "HTTP/2.0" {
		t.Errorf("%v, %v", response, err)
	}
}

func wantError(t *testing.T, err error, status int, code int64) {
	t.Helper()
	var refused *calls.Error
	if !errors.As(err, &refused) || refused.StatusCode != status || len(refused.Errors) != 1 || refused.Errors[0].Code != code {
		t.Errorf("got %v, want %d with code %d", err, status, code)
	}
}

// newSession asks the SFU for a session and returns the status.
func newSession(ctx context.Context, t *testing.T, e *emulator.Emulator, app, secret string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.BaseURL()+"/apps/"+app+"/sessions/new", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
