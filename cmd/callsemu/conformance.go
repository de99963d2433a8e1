package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/report"
	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/openapi"
)

// conformanceCommand tests a target against the contract. Its variables are the ones that `go test ./conformance` reads.
type conformanceCommand struct {
	BaseURL   string `name:"base-url" env:"CALLS_BASE_URL" placeholder:"URL" group:"Target" help:"The target, such as https://rtc.live.cloudflare.com/v1. Without it, an emulator that is started for the run."`
	AppID     string `name:"app-id" env:"CALLS_APP_ID" placeholder:"ID" group:"Target" help:"The app that is used there."`
	AppSecret string `name:"app-secret" env:"CALLS_APP_SECRET" placeholder:"SECRET" group:"Target" help:"Its secret. Better given by the variable, since others see a process's flags."`

	TURNKeyID    string `name:"turn-key-id" env:"CALLS_TURN_KEY_ID" placeholder:"ID" group:"Target" help:"A TURN key; without it the cases about TURN are left out."`
	TURNKeyToken string `name:"turn-key-token" env:"CALLS_TURN_KEY_TOKEN" placeholder:"TOKEN" group:"Target" help:"Its API token."`

	AccountURL        string `name:"account-url" env:"CALLS_ACCOUNT_URL" placeholder:"URL" group:"Target" help:"The account API, such as https://api.cloudflare.com/client/v4; without it, that of an emulator at --base-url."`
	AccountID         string `name:"account-id" env:"CALLS_ACCOUNT_ID" placeholder:"ID" group:"Target" help:"The account in which apps and TURN keys are made and deleted; without it those cases are left out."`
	AccountToken      string `name:"account-token" env:"CALLS_ACCOUNT_TOKEN" placeholder:"TOKEN" group:"Target" help:"An API token of it."`
	OtherAccountToken string `name:"other-account-token" env:"CALLS_OTHER_ACCOUNT_TOKEN" placeholder:"TOKEN" group:"Target" help:"An API token of another account, for the case that it is refused."`

	EndpointURL    string `name:"endpoint-url" env:"CALLS_ENDPOINT_URL" placeholder:"URL" group:"Target" help:"A public wss:// URL that leads to --endpoint-listen, for WebSocket adapters; a target on this machine needs none."`
	EndpointListen string `name:"endpoint-listen" env:"CALLS_ENDPOINT_LISTEN" placeholder:"IP:PORT" group:"Target" help:"Where the suite's own WebSocket server listens."`
	CAFile         string `name:"ca-file" env:"CALLS_CA_FILE" placeholder:"FILE" group:"Target" help:"CAs in PEM to trust for HTTPS and TURN over TLS, instead of the system's."`

	Mode  string `placeholder:"MODE" group:"Target" help:"The mode of the emulator that is started without --base-url: dev, real or strict; dev if it is not given."`
	HTTPS bool   `name:"https" group:"Target" help:"Call that emulator over HTTPS."`

	Route string `default:"any" enum:"any,tcp,turn" help:"The way of the media: any that ICE finds, tcp for ICE over TCP alone, turn for a relay of the target's TURN server alone. Cases that are about another way may fail then."`

	Only     string        `name:"run" placeholder:"PATTERN" help:"Run only cases whose id (area/name) this regular expression matches somewhere."`
	Parallel int           `default:"12" placeholder:"N" help:"How many cases run beside each other, 12 if it is not given. As many more wait for timeouts of the service."`
	Timeout  time.Duration `default:"30m" help:"When to end the run; what is not finished then counts neither as passed nor as failed."`
	Report   []string      `placeholder:"FILE" help:"Write a report: .html for people, .json for programs, .xml (JUnit) for CI, .md for a table of all behaviours. Repeatable."`
}

// errNotPassed makes the exit status 1 after all has been said.
var errNotPassed = errors.New("not every case passed")

// run runs the cases and writes the reports; progress goes to stderr.
func (c *conformanceCommand) run(ctx context.Context, out streams) (result conformance.Report, err error) {
	suite, err := c.suite()
	if err != nil {
		return result, err
	}
	files, err := c.reports()
	if err != nil {
		return result, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	end, err := c.aim(ctx, &suite)
	if err != nil {
		return result, err
	}
	defer end()
	tell := progressTo(out.stderr)
	tell.announce(suite)
	if err := conformance.ProbeMedia(ctx, suite.Target); err != nil && ctx.Err() == nil { // a run that is over says so itself
		tell.line(err.Error())
	}
	result = suite.Run(ctx, tell.event)
	tell.end()
	if result.Count(conformance.Unfinished) > 0 {
		_, _ = fmt.Fprintln(out.stderr, c.endedBy(ctx))
	}
	for _, file := range files {
		if err := file.write(func(w io.Writer) error { return file.format(w, result) }); err != nil {
			return result, fmt.Errorf("--report %w", err)
		}
		_, _ = fmt.Fprintf(out.stderr, "report: %s\n", file.output)
	}
	return result, nil
}

// endedBy says what ended the run before its cases did.
func (c *conformanceCommand) endedBy(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("the run was ended by --timeout %s, before all cases were finished; give it more, or choose fewer with --run", c.Timeout)
	}
	return "the run was interrupted before all cases were finished"
}

// summary writes the summary to stdout; its error is errNotPassed unless every case passed, and there was one.
func summary(out streams, result conformance.Report) error {
	if err := report.Text(out.stdout, result); err != nil {
		return err
	}
	switch {
	case result.Count(conformance.Failed)+result.Count(conformance.Unfinished) > 0:
		return errNotPassed
	case result.Count(conformance.NotApplicable) == len(result.Outcomes):
		_, _ = fmt.Fprintln(out.stderr, "nothing was tested: no case of this run applies to the target")
		return errNotPassed
	}
	return nil
}

// suite is what the settings say, without a target.
func (c *conformanceCommand) suite() (suite conformance.Suite, err error) {
	suite.Parallel = c.Parallel
	switch {
	case c.Parallel < 1:
		return suite, fmt.Errorf("--parallel %d: not above zero; write it like 12", c.Parallel)
	case c.Timeout <= 0:
		return suite, fmt.Errorf("--timeout %s: not above zero; write it like 30m", c.Timeout)
	case c.BaseURL != "" && (c.Mode != "" || c.HTTPS):
		return suite, errors.New("--mode and --https are about the emulator that is started without --base-url; start the one at --base-url " +
			"so, and give its https:// URL")
	case (c.EndpointURL == "") != (c.EndpointListen == ""):
		return suite, errors.New("--endpoint-url and --endpoint-listen: one needs the other; give both, or none for a target on this machine")
	}
	for _, pair := range []struct{ id, secret, idFlag, secretFlag string }{
		{c.TURNKeyID, c.TURNKeyToken, "--turn-key-id", "--turn-key-token"},
		{c.AccountID, c.AccountToken, "--account-id", "--account-token"},
	} {
		if (pair.id == "") != (pair.secret == "") {
			return suite, fmt.Errorf("%s and %s: one needs the other; give both, or none to leave their cases out", pair.idFlag, pair.secretFlag)
		}
	}
	for _, given := range []struct{ flag, url string }{{"base-url", c.BaseURL}, {"account-url", c.AccountURL}} {
		if at, err := url.Parse(given.url); given.url != "" && (err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "") {
			_, rest, found := strings.Cut(given.url, "://")
			if !found {
				rest = given.url
			}
			return suite, fmt.Errorf("--%s %s: not an HTTP URL; write it like http://%s", given.flag, given.url, rest)
		}
	}
	if c.Mode != "" {
		if _, err := session.ParseMode(c.Mode); err != nil {
			return suite, fmt.Errorf("--%w", err)
		}
	}
	if suite.Pattern, err = regexp.Compile(c.Only); err != nil {
		return suite, fmt.Errorf("--run %s: %w; write it like 'push/' or 'turn|adapters'", c.Only, err)
	}
	if len(suite.Plan()) == 0 {
		return suite, fmt.Errorf("--run %s: no case has such an id; write it like 'push/' or 'turn|adapters'", c.Only)
	}
	return suite, nil
}

// aim gives the suite its target: the one of the settings, or an emulator that end closes.
func (c *conformanceCommand) aim(ctx context.Context, suite *conformance.Suite) (end func(), err error) {
	var target conformance.Target
	if end = func() {}; c.BaseURL == "" {
		target, end, err = c.own(ctx)
		suite.Own = c.own
	} else {
		target, err = c.given()
	}
	if err != nil {
		return end, err
	}
	if c.Route != "any" {
		target.Route = conformance.Route(c.Route)
	}
	if suite.Target, err = conformance.Probe(ctx, target); err != nil {
		err = fmt.Errorf("--base-url %s: %w", target.BaseURL, err)
	} else {
		suite.Target.Schema, err = openapi.Load()
	}
	if err != nil {
		end()
	}
	return end, err
}

// given is the target of the settings.
func (c *conformanceCommand) given() (conformance.Target, error) {
	target := conformance.Target{
		BaseURL: c.BaseURL, AppID: c.AppID, Secret: c.AppSecret, TURNKeyID: c.TURNKeyID, TURNKeyToken: c.TURNKeyToken,
		AccountURL: c.AccountURL, AccountID: c.AccountID, AccountToken: c.AccountToken, OtherAccountToken: c.OtherAccountToken,
		Endpoint: conformance.Endpoint{URL: c.EndpointURL, Listen: c.EndpointListen},
	}
	if c.AppID == "" || c.AppSecret == "" {
		return target, errors.New("--base-url needs --app-id and --app-secret, or CALLS_APP_ID and CALLS_APP_SECRET")
	}
	if c.CAFile == "" {
		return target, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return target, fmt.Errorf("--ca-file %w", cannotRead(c.CAFile, err))
	}
	target.TLSRoots = x509.NewCertPool()
	if !target.TLSRoots.AppendCertsFromPEM(pem) {
		return target, fmt.Errorf("--ca-file %s: no certificate in it; callsemu ca prints one", c.CAFile)
	}
	return target, nil
}

// ownReady is how long an emulator of the run may take to be ready.
const ownReady = 10 * time.Second

// own starts an emulator on free ports.
func (c *conformanceCommand) own(ctx context.Context) (conformance.Target, func(), error) {
	mode, err := session.ParseMode(cmp.Or(c.Mode, "dev"))
	if err != nil {
		return conformance.Target{}, nil, err // not so: suite has refused it
	}
	e, err := emulator.New(emulator.Config{Listen: "127.0.0.1:0", Media: []string{"127.0.0.1"}, STUN: "127.0.0.1:0", Mode: mode})
	if err != nil {
		return conformance.Target{}, nil, err
	}
	end := func() { _ = e.Close() } // nothing that it would say is about the API
	e.Start()
	timer := time.NewTimer(ownReady)
	defer timer.Stop()
	select {
	case <-e.Ready():
	case <-timer.C:
		err = fmt.Errorf("the emulator was not ready within %s", ownReady)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		end()
		return conformance.Target{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA())
	baseURL := e.BaseURL()
	if c.HTTPS {
		baseURL = e.HTTPSURLs()[0]
	}
	return conformance.Target{BaseURL: baseURL, AppID: e.AppID(), Secret: e.Secret(), TURNKeyID: e.TURNKeyID(), TURNKeyToken: e.TURNKeyToken(),
		AccountID: e.AccountID(), AccountToken: e.AccountToken(), TLSRoots: roots}, end, nil
}

// reportFile is a report to be written.
type reportFile struct {
	output
	format func(io.Writer, conformance.Report) error
}

// reports are those of the settings. That they can be written is found out here, so that a run does not end in vain.
func (c *conformanceCommand) reports() (files []reportFile, err error) {
	for _, name := range c.Report {
		format, err := report.ForFile(name)
		if err == nil {
			err = output(name).check()
		}
		if err != nil {
			return nil, fmt.Errorf("--report %w", err)
		}
		files = append(files, reportFile{output(name), format})
	}
	return files, nil
}
