package emulator

import (
	"encoding/json"
	"net/http"

	"github.com/callsemu/callsemu/sfu"
)

// Readiness is the body of /readyz.
type Readiness struct {
	Ready      bool                 `json:"ready"`
	Mode       string               `json:"mode"`       // dev, real or strict
	Candidates []CandidateReadiness `json:"candidates"` // what every SDP offers, in its order
}

// CandidateReadiness is one advertised candidate.
type CandidateReadiness struct {
	Protocol string `json:"protocol"` // udp or tcp
	Address  string `json:"address"`  // IP:PORT
}

// healthz answers as soon as the process serves.
func healthz(w http.ResponseWriter, _ *http.Request) {
	answerProbe(w, http.StatusOK, map[string]bool{"healthy": true})
}

// readyz answers 503 until the self-test has connected through the real sockets.
func (e *Emulator) readyz(w http.ResponseWriter, _ *http.Request) {
	body := Readiness{Mode: e.cfg.Mode.String(), Candidates: describe(e.media.Candidates())}
	status := http.StatusServiceUnavailable
	select {
	case <-e.ready:
		body.Ready, status = true, http.StatusOK
	default:
	}
	answerProbe(w, status, body)
}

func describe(candidates []sfu.Candidate) []CandidateReadiness {
	list := make([]CandidateReadiness, 0, len(candidates))
	for _, c := range candidates {
		protocol := "udp"
		if c.TCP {
			protocol = "tcp"
		}
		list = append(list, CandidateReadiness{Protocol: protocol, Address: c.Addr.String()})
	}
	return list
}

func answerProbe(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a prober that is gone needs no answer
}
