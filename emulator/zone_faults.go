package emulator

import (
	"net/http"

	"github.com/callsemu/callsemu/emulator/fault"
	"github.com/callsemu/callsemu/emulator/session"
)

// faultRule is a rule in the zone's JSON; see fault.Rule for what the fields mean.
type faultRule struct {
	App         string     `json:"app,omitempty"`
	Session     string     `json:"session,omitempty"`
	Key         string     `json:"key,omitempty"`
	Account     string     `json:"account,omitempty"`
	Operation   string     `json:"operation,omitempty"`
	Nth         int        `json:"nth,omitempty"`
	Count       int        `json:"count,omitempty"`
	Probability float64    `json:"probability,omitempty"`
	Seed        uint64     `json:"seed,omitempty"`
	Code        string     `json:"code,omitempty"`
	Status      int        `json:"status,omitempty"`
	Subcode     string     `json:"subcode,omitempty"`
	Item        *int       `json:"item,omitempty"`
	When        fault.When `json:"when,omitempty"`
	Delay       span       `json:"delay,omitempty"`
	Silent      span       `json:"silent,omitempty"`
	Track       string     `json:"track,omitempty"`
}

// faultStatus is a rule that is in force, with its defaults and what has become of it.
type faultStatus struct {
	ID string `json:"id"`
	faultRule
	Matched int `json:"matched"`
	Hit     int `json:"hit"`
}

// faultList is the answer of GET faults.
type faultList struct {
	Faults []faultStatus `json:"faults"`
}

// removedAnswer says how many rules are gone.
type removedAnswer struct {
	Removed int `json:"removed"`
}

func (f faultRule) rule() fault.Rule {
	return fault.Rule{
		App: f.App, Session: f.Session, Key: f.Key, Account: f.Account, Operation: f.Operation,
		Nth: f.Nth, Count: f.Count, Probability: f.Probability, Seed: f.Seed,
		Code: f.Code, Status: f.Status, Subcode: f.Subcode, Item: f.Item, When: f.When,
		Delay: f.Delay.duration(), Silent: f.Silent.duration(), Track: f.Track,
	}
}

func statusOf(s fault.Status) faultStatus {
	r := s.Rule
	return faultStatus{ID: s.ID, Matched: s.Matched, Hit: s.Hit, faultRule: faultRule{
		App: r.App, Session: r.Session, Key: r.Key, Account: r.Account, Operation: r.Operation,
		Nth: r.Nth, Count: r.Count, Probability: r.Probability, Seed: r.Seed,
		Code: r.Code, Status: r.Status, Subcode: r.Subcode, Item: r.Item, When: r.When,
		Delay: span(r.Delay), Silent: span(r.Silent), Track: r.Track,
	}}
}

func (z *zone) getFaults(*http.Request) (any, error) {
	list := faultList{Faults: []faultStatus{}}
	for _, s := range z.faults.List() {
		list.Faults = append(list.Faults, statusOf(s))
	}
	return list, nil
}

func (z *zone) addFault(r *http.Request) (any, error) {
	var in faultRule
	if err := decodeControl(r, &in, false); err != nil {
		return nil, err
	}
	added, err := z.faults.Add(in.rule())
	if err != nil {
		return nil, refuseControl("%v", err)
	}
	z.log.Info("fault rule added", "id", added.ID, "seed", added.Rule.Seed)
	if done, still := z.faults.Now(added.ID, func(silence fault.Silence) int {
		return z.registry.Silence(in.App, in.Session, session.Silence(silence))
	}); still {
		added = done
	}
	return statusOf(added), nil
}

func (z *zone) clearFaults(*http.Request) (any, error) {
	return removedAnswer{z.faults.Clear()}, nil
}

func (z *zone) removeFault(r *http.Request) (any, error) {
	if !z.faults.Remove(pathID(r)) {
		return nil, zoneError{http.StatusNotFound, "there is no fault rule of this id; GET /_emu/faults lists them"}
	}
	return removedAnswer{1}, nil
}
