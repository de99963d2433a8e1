package conformance_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
)

// targetOfEnvironment is what the variables of callsemu conformance name; it has no base URL where they name none.
func targetOfEnvironment() (conformance.Target, error) {
	target := conformance.Target{
		BaseURL: os.Getenv("CALLS_BASE_URL"), AppID: os.Getenv("CALLS_APP_ID"), Secret: os.Getenv("CALLS_APP_SECRET"),
		TURNKeyID: os.Getenv("CALLS_TURN_KEY_ID"), TURNKeyToken: os.Getenv("CALLS_TURN_KEY_TOKEN"),
		AccountURL: os.Getenv("CALLS_ACCOUNT_URL"), AccountID: os.Getenv("CALLS_ACCOUNT_ID"), AccountToken: os.Getenv("CALLS_ACCOUNT_TOKEN"),
		OtherAccountToken: os.Getenv("CALLS_OTHER_ACCOUNT_TOKEN"),
		Endpoint:          conformance.Endpoint{URL: os.Getenv("CALLS_ENDPOINT_URL"), Listen: os.Getenv("CALLS_ENDPOINT_LISTEN")},
	}
	switch file := os.Getenv("CALLS_CA_FILE"); {
	case target.BaseURL == "":
	case target.AppID == "" || target.Secret == "":
		return target, errors.New("CALLS_BASE_URL needs CALLS_APP_ID and CALLS_APP_SECRET; without it the cases run against emulators of the test's own")
	case file != "":
		pem, err := os.ReadFile(file)
		if err != nil {
			return target, fmt.Errorf("CALLS_CA_FILE: %w", err)
		}
		target.TLSRoots = x509.NewCertPool()
		if !target.TLSRoots.AppendCertsFromPEM(pem) {
			return target, fmt.Errorf("CALLS_CA_FILE %s: no certificate in it", file)
		}
	}
	return target, nil
}

// TestTheEnvironmentIsReadAsTheCommandReadsIt: whoever forgets a variable has not tested the service, and is to be told so.
func TestTheEnvironmentIsReadAsTheCommandReadsIt(t *testing.T) {
	given := []string{"CALLS_BASE_URL", "CALLS_APP_ID", "CALLS_APP_SECRET", "CALLS_OTHER_ACCOUNT_TOKEN"}
	for _, name := range append(given, "CALLS_CA_FILE") {
		t.Setenv(name, "")
	}
	if target, err := targetOfEnvironment(); err != nil || target.BaseURL != "" {
		t.Errorf("nothing gives %+v, %v", target, err)
	}
	for _, name := range given {
		t.Setenv(name, "of "+name)
	}
	if target, err := targetOfEnvironment(); err != nil || target.BaseURL != "of CALLS_BASE_URL" || target.OtherAccountToken != "of CALLS_OTHER_ACCOUNT_TOKEN" {
		t.Errorf("all gives %+v, %v", target, err)
	}
	t.Setenv("CALLS_CA_FILE", "conformance_test.go")
	if _, err := targetOfEnvironment(); err == nil || !strings.Contains(err.Error(), "no certificate in it") {
		t.Errorf("a file without a CA gives %v", err)
	}
	t.Setenv("CALLS_APP_SECRET", "")
	if _, err := targetOfEnvironment(); err == nil || !strings.Contains(err.Error(), "needs CALLS_APP_ID and CALLS_APP_SECRET") {
		t.Errorf("no secret gives %v", err)
	}
}
