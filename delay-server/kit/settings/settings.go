// Package settings reads a program's settings from its environment into a
// struct, reports all that is wrong with them at once, and prints their table.
//
// A setting is a struct field with the tags `env:"NAME"`, `envDefault:"value"`
// and `help:"what it does"`; and `renamed:"OLD_NAME"` where it had another name,
// which still works, with a warning.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/caarlos0/env/v11"

	"flash.test/delay-server/kit/spelling"
)

// Load fills the struct that into points to from environ, which has the form
// of os.Environ. The error joins one error for each setting that cannot be read
// and for each variable whose name is one slip away from a setting's. A warning
// names a variable that only resembles a setting: it begins with one of prefixes
// ("MAX_"), or it is a setting in other letters.
func Load(environ []string, into any, prefixes ...string) (warnings []string, err error) {
	vars := make(map[string]string, len(environ))
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && !isServiceURL(name, value) {
			vars[name] = value
		}
	}
	warnings, errs := rename(vars, into)
	known := names(into)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		warning, err := unknown(name, known, prefixes)
		if err != nil {
			errs = append(errs, err)
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings, errors.Join(append(errs, parse(vars, into)...)...)
}

// rename gives the settings in vars that have their old names the new ones.
func rename(vars map[string]string, into any) (warnings []string, errs []error) {
	for _, f := range fields(into) {
		name, old := f.Tag.Get("env"), f.Tag.Get("renamed")
		value, isOld := vars[old]
		if old == "" || !isOld {
			continue
		}
		delete(vars, old)
		if _, isNew := vars[name]; isNew {
			errs = append(errs, fmt.Errorf("%s: it is the old name of %s, which is set too: want %s alone", old, name, name))
			continue
		}
		vars[name] = value
		warnings = append(warnings, fmt.Sprintf("%s: it is now called %s; the old name still works", old, name))
	}
	return warnings, errs
}

// parse lets env read the struct and words its errors by the setting's name.
func parse(vars map[string]string, into any) []error {
	err := env.ParseWithOptions(into, env.Options{Environment: vars})
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	errs := make([]error, 0, len(all.Errors))
	for _, e := range all.Errors {
		var p env.ParseError
		if !errors.As(e, &p) {
			errs = append(errs, e)
			continue
		}
		field, _ := reflect.TypeOf(into).Elem().FieldByName(p.Name)
		name := field.Tag.Get("env")
		errs = append(errs, fmt.Errorf("%s: %q is not accepted: want %s", name, vars[name], wanted(field.Type)))
	}
	return errs
}

// unknown returns an error where name is a misspelt setting, and a warning where
// it may be one.
func unknown(name string, known, prefixes []string) (warning string, err error) {
	if slices.Contains(known, name) || others.MatchString(name) {
		return "", nil
	}
	if s := spelling.Suggest(name, known); s != "" {
		return "", fmt.Errorf("%s: no such setting: did you mean %s?", name, s)
	}
	if upper := strings.ToUpper(name); slices.Contains(known, upper) {
		return fmt.Sprintf("%s: no such setting: did you mean %s?", name, upper), nil
	}
	if of, isFile := strings.CutSuffix(name, "_FILE"); isFile && slices.Contains(known, of) {
		return fmt.Sprintf("%s: no such setting: %s is not read from a file", name, of), nil
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) && !strings.HasSuffix(name, "_PORT") { // those are mostly of a compose file
			return fmt.Sprintf("%s: no such setting: those that begin with %s are %s", name, p, strings.Join(withPrefix(known, p), ", ")), nil
		}
	}
	return "", nil
}

// isServiceURL reports whether Kubernetes, or docker --link, sets the variable
// for a service: nobody wrote it, and it can have the name of a setting, as that
// of a service called tls has.
func isServiceURL(name, value string) bool {
	return strings.HasSuffix(name, "_PORT") && serviceURL.MatchString(value)
}

var serviceURL = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// others are variables of other programs, which no setting is meant by though
// they resemble one: what Kubernetes sets for each service beside its URL,
// Marathon's ports, systemd's journal, and what a build of C sets.
var others = regexp.MustCompile(`_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)|^(PORTS|PORT\d+|JOURNAL_STREAM|CHOST|SED)$`)

func withPrefix(names []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, prefix) })
}

func names(of any) []string {
	var names []string
	for _, f := range fields(of) {
		names = append(names, f.Tag.Get("env"))
	}
	return names
}

// fields returns the settings of the struct that of is or points to, in order.
func fields(of any) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.Indirect(reflect.ValueOf(of)).Type()), func(f reflect.StructField) bool {
		return f.Tag.Get("env") == ""
	})
}

// wanted says in words what a setting of type t is written like.
func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.String() {
	case "time.Duration":
		return "a Go duration, such as 500ms, 10s or 2m"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "a whole number"
	case "uint64":
		return "a whole number, 0 or more"
	case "float64":
		return "a number"
	case "slog.Level":
		return "debug, info, warn or error"
	default:
		return "a " + t.String()
	}
}

// Setting is one setting, for a table in a manual.
type Setting struct {
	Name    string // of the environment variable
	Default string // as it is written there; "" for none
	Help    string
}

// List returns the settings of the struct that of is or points to, in order.
func List(of any) []Setting {
	var list []Setting
	for _, f := range fields(of) {
		list = append(list, Setting{f.Tag.Get("env"), f.Tag.Get("envDefault"), f.Tag.Get("help")})
	}
	return list
}

// Table writes a table of the settings of the struct that of is or points to:
// name, default, help.
func Table(w io.Writer, of any) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SETTING\tDEFAULT\t")
	for _, s := range List(of) {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", s.Name, cmp.Or(s.Default, "(none)"), s.Help)
	}
	return tw.Flush()
}
