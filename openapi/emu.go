package openapi

import _ "embed"

// EmuYAML is emu.yaml as it was built in: the control zone /_emu/, which the emulated service does not have.
//
//go:embed emu.yaml
var EmuYAML []byte

// LoadEmu is Load for EmuYAML. Its paths have no prefix.
func LoadEmu() (*Document, error) { return load(EmuYAML) }
