package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/emulator/session"
)

// Names of settings that are not rules.
const (
	settingAdvertise = "advertise" // addresses to offer in place of the own ones; none means those
	settingEstimates = "estimates" // session id: bits a second towards its endpoint, instead of what is measured; 0 ends that
)

// change is a setting that was checked and is to be applied.
type change func() error

// getSettings lists everything that may change at run time with its present value.
func (z *zone) getSettings(*http.Request) (any, error) {
	out := map[string]any{
		settingAdvertise: z.emulator.advertised(),
		settingEstimates: z.registry.Estimates(),
	}
	rules := z.registry.Rules()
	for _, rule := range session.RuleTable() {
		out[rule.Name] = ruleValue(rules, rule.Name)
	}
	return out, nil
}

// ruleValue reads a rule by its name: fields are called as rules are, without the dashes.
func ruleValue(rules session.Rules, name string) any {
	value := reflect.ValueOf(rules)
	plain := strings.ReplaceAll(name, "-", "")
	field := value.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, plain) })
	if d, ok := field.Interface().(fmt.Stringer); ok { // a time.Duration
		return d.String()
	}
	return field.Int()
}

// putSettings changes what the body names and nothing else: all of it, or nothing where a value is wrong. The answer is
// that of getSettings.
func (z *zone) putSettings(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControl))
	if err != nil {
		return nil, refuseControl("the body ended early: %v", err)
	}
	fields, err := objectOf(body)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, f := range fields {
		c, err := z.change(f)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	for _, apply := range changes {
		if err := apply(); err != nil {
			return nil, refuseControl("%v", err)
		}
	}
	return z.getSettings(r)
}

// change checks one setting.
func (z *zone) change(f field) (change, error) {
	switch {
	case f.name == settingAdvertise:
		return z.changeAdvertise(f)
	case f.name == settingEstimates:
		return z.changeEstimates(f)
	case !slices.ContainsFunc(session.RuleTable(), func(rule session.RuleInfo) bool { return rule.Name == f.name }):
		return nil, refuseControl("there is no setting %q; the settings are %s", f.name, strings.Join(settingNames(), ", "))
	}
	value := string(f.value)
	var text string
	if json.Unmarshal(f.value, &text) == nil {
		value = text
	}
	tried := z.registry.Rules()
	if err := tried.Set(f.name, value); err != nil {
		return nil, refuseControl("%v", err)
	}
	return func() error { return z.registry.SetRule(f.name, value) }, nil
}

func settingNames() []string {
	var names []string
	for _, rule := range session.RuleTable() {
		names = append(names, rule.Name)
	}
	return append(names, settingAdvertise, settingEstimates)
}

func (z *zone) changeAdvertise(f field) (change, error) {
	var list []string
	if err := json.Unmarshal(f.value, &list); err != nil {
		return nil, refuseControl(`%s: %s is not a list such as ["192.0.2.7:1473"], or [] for the own addresses`, f.name, f.value)
	}
	addrs, err := parseAddresses(settingAdvertise, list, maxAdvertise)
	if err != nil {
		return nil, refuseControl("%v", err)
	}
	return func() error { z.emulator.advertise(addrs); return nil }, nil
}

func (z *zone) changeEstimates(f field) (change, error) {
	var list map[string]uint64
	if err := json.Unmarshal(f.value, &list); err != nil || list == nil {
		return nil, refuseControl(`%s: %s is not an object such as {"SESSION ID": 300000}, in bits a second, 0 for the measured one`,
			f.name, f.value)
	}
	known := map[string]bool{}
	for _, app := range z.registry.Snapshot().Apps {
		for _, s := range app.Sessions {
			known[s.ID] = true
		}
	}
	for id := range list {
		if !known[id] {
			return nil, refuseControl("%s: there is no session %q", f.name, id)
		}
	}
	return func() error {
		for id, bitrate := range list {
			if err := z.registry.FixEstimate(id, bitrate); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// advertised are the addresses set from outside, none where the own ones are offered.
func (e *Emulator) advertised() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []string{}
	for _, a := range e.offers {
		list = append(list, showAddress(a))
	}
	return list
}

// advertise changes what SDP offers from now on.
func (e *Emulator) advertise(addrs []netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.offers = addrs
	e.media.SetAdvertise(addrs)
	e.noteAddresses()
}

func (e *Emulator) noteAddresses() {
	list := mediaAddresses(e.media)
	e.addresses.Store(&list)
}

// showAddress is the inverse of parseAddress.
func showAddress(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}
