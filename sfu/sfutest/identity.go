package sfutest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"

	"github.com/pion/webrtc/v4"
)

// identityOf is the identity that cfg names, or a new one.
func identityOf(cfg Config) (*Identity, error) {
	if cfg.Identity != nil {
		return cfg.Identity, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("sfutest: key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("sfutest: certificate: %w", err)
	}
	return &Identity{ufrag: rand.Text()[:8], pwd: rand.Text()[:26], certificate: *certificate}, nil
}
