package pionlog

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// Factory gives each of pion's packages a logger on top of Log.
type Factory struct{ Log *slog.Logger }

var _ logging.LoggerFactory = Factory{}

// NewLogger implements logging.LoggerFactory; the scope is the key "pion".
func (f Factory) NewLogger(scope string) logging.LeveledLogger {
	return leveled{f.Log.With("pion", scope)}
}

type leveled struct{ log *slog.Logger }

func (l leveled) Trace(string)                   {}
func (l leveled) Tracef(string, ...any)          {}
func (l leveled) Debug(string)                   {}
func (l leveled) Debugf(string, ...any)          {}
func (l leveled) Info(string)                    {}
func (l leveled) Infof(string, ...any)           {}
func (l leveled) Warn(msg string)                { l.log.Debug(msg) }
func (l leveled) Warnf(format string, a ...any)  { l.log.Debug(fmt.Sprintf(format, a...)) }
func (l leveled) Error(msg string)               { l.log.Debug(msg) }
func (l leveled) Errorf(format string, a ...any) { l.log.Debug(fmt.Sprintf(format, a...)) }
