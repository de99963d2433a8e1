package sfu

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs gives pion's packages a logger: what they warn of is a debugging matter here, for an endpoint that vanishes in
// the middle of a handshake is normal.
type pionLogs struct{ log *slog.Logger }

func (f pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{f.log.With("pion", scope)}
}

type pionLog struct{ log *slog.Logger }

func (l pionLog) Trace(string)                  {}
func (l pionLog) Tracef(string, ...any)         {}
func (l pionLog) Debug(string)                  {}
func (l pionLog) Debugf(string, ...any)         {}
func (l pionLog) Info(string)                   {}
func (l pionLog) Infof(string, ...any)          {}
func (l pionLog) Warn(msg string)               { l.log.Debug(msg) }
func (l pionLog) Warnf(format string, a ...any) { l.log.Debug(fmt.Sprintf(format, a...)) }
func (l pionLog) Error(msg string)              { l.log.Debug(msg) }
func (l pionLog) Errorf(format string, a ...any) {
	l.log.Debug(fmt.Sprintf(format, a...))
}
