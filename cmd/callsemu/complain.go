package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/callsemu/callsemu/emulator"
)

// usage is the words in which a command line that cannot be read is refused: kong's, where these are plain, and what to type to see
// more.
func usage(err error) string {
	text := err.Error()
	var wrong *kong.ParseError
	if !errors.As(err, &wrong) || wrong.Context == nil {
		return text
	}
	if found := misplaced.FindStringSubmatch(text); found != nil {
		return beforeCommand(wrong.Context, found[1], found[2])
	}
	if found := noValue.FindStringSubmatch(text); found != nil {
		text = "--" + found[1] + " needs a value" + example(wrong.Context, found[1])
	}
	if found := noCommand.FindStringSubmatch(text); found != nil {
		text = unknownCommand(wrong.Context, found[1], text)
	}
	return origin(wrong.Context, text) + "; callsemu " + spoken(wrong.Context) + "--help lists the settings"
}

var (
	misplaced = regexp.MustCompile(`^flag --([a-z-]+) applies to the default command "[a-z]+", not "([a-z]+)"$`)
	noValue   = regexp.MustCompile(`^--([a-z-]+): (?:expected \w+ value but got|missing value)`)
	noCommand = regexp.MustCompile(`^unexpected argument (\S*)$`)
	named     = regexp.MustCompile(`^--([a-z-]+)`)
)

// beforeCommand is for a setting that stands before a sub-command: kong takes it for one of the default command.
func beforeCommand(c *kong.Context, name, command string) string {
	whole := "callsemu " + spoken(c) + command
	parent := c.Selected()
	if parent == nil {
		parent = c.Model.Node
	}
	var own, required string
	for _, child := range parent.Children {
		for _, flag := range child.Flags {
			switch {
			case child.Name == command && flag.Name == name:
				own = shown(flag)
			case child.Name == command && flag.Required:
				required += shown(flag)
			}
		}
	}
	if own == "" {
		return "--" + name + " is no setting of " + command + "; " + whole + " --help lists the settings"
	}
	return "flag --" + name + " stands before " + command + ", and settings come behind it; write it like " + whole + own + required
}

// shown is a flag with a value, after a space.
func shown(flag *kong.Flag) string {
	return " --" + flag.Name + " " + strings.Trim(strings.TrimSuffix(flag.FormatPlaceHolder(), ",..."), `"`)
}

// example shows a flag with a value.
func example(c *kong.Context, name string) string {
	if flag := flagOf(c, name); flag != nil {
		return "; write it like" + shown(flag)
	}
	return ""
}

// unknownCommand names the sub-command that was meant, as far as that can be seen. An argument of a command that was named is none.
func unknownCommand(c *kong.Context, word, otherwise string) string {
	node := c.Selected()
	if node == nil || node.Parent == nil || node.Parent.DefaultCmd != node || slices.Contains(c.Args, node.Name) {
		return otherwise
	}
	var names []string
	for _, child := range node.Parent.Children {
		names = append(names, child.Name)
	}
	text := "there is no sub-command " + word
	if meant := nearest(word, names); meant != "" {
		text += ", did you mean " + meant + "?"
	}
	return text
}

// spoken is the sub-command with a space after it, empty where it is the default one: the words before --help that lead to its help.
func spoken(c *kong.Context) string {
	var words strings.Builder
	for _, p := range c.Path {
		if p.Command != nil && p.Command.Parent.DefaultCmd != p.Command {
			words.WriteString(p.Command.Name + " ")
		}
	}
	return words.String()
}

// origin adds where the value comes from that a text begins with, if that is not the command line.
func origin(c *kong.Context, text string) string {
	found := named.FindStringSubmatch(text)
	if found == nil {
		return text
	}
	flag := flagOf(c, found[1])
	if flag == nil || slices.ContainsFunc(c.Path, func(p *kong.Path) bool { return p.Flag == flag }) {
		return text
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return text + "; --" + flag.Name + " comes from " + name
		}
	}
	return text
}

// flagOf finds a flag of the command that was chosen.
func flagOf(c *kong.Context, name string) *kong.Flag {
	node := c.Selected()
	if node == nil {
		node = c.Model.Node
	}
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if flag.Name == name {
				return flag
			}
		}
	}
	return nil
}

// durations reads durations, and refuses what is none in plain words.
var durations = kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration; write it like 30s or 500ms", text)
	}
	target.SetInt(int64(d))
	return nil
}))

// oneLine is an error of a command that could be read.
func oneLine(c *kong.Context, err error) string {
	text := err.Error()
	var wrong *emulator.ConfigError
	if errors.As(err, &wrong) {
		text = "--" + wrong.Error()
	}
	return origin(c, text)
}
