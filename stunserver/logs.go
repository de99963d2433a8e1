package stunserver

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs gives pion/turn a logger. What it calls an error is a client that went away or sent nonsense, so all of it is for
// debugging; what it has for each packet is left out. It never sees a username or a credential that is wrong.
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
