// Package settings reads a program's settings from its environment into a
// struct, reports all errors at once, and prints the table of settings.
//
// A setting is a struct field with the tags `env:"NAME"`, `envDefault:"value"`
// and `help:"what it does"`. The tag `renamed:"OLD_NAME"` keeps a former name
// working, with a warning.
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

// Load sets the fields of the struct that into points to from environ, which has
// the form of os.Environ. The error joins one error for each invalid value and
// for each variable whose name is a probable misspelling of a setting. A warning
// names a variable that resembles a setting less: it begins with one of prefixes,
// such as MAX_, or differs from a setting in case.
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

// Read returns the settings of type C in environ, as Load sets them. Its error also
// has what Validate returns. A setting that cannot be parsed has its default, so that
// it is reported once.
func Read[C interface{ Validate() error }](environ []string, prefixes ...string) (c C, warnings []string, err error) {
	c = Default[C]()
	warnings, err = Load(environ, &c, prefixes...)
	return c, warnings, errors.Join(err, c.Validate())
}

// Default returns the settings of an empty environment. It panics if a tag of C has an
// invalid default.
func Default[C any]() (c C) {
	if _, err := Load(nil, &c); err != nil {
		panic(err)
	}
	return c
}

// rename moves the values of old names in vars to the current names.
func rename(vars map[string]string, into any) (warnings []string, errs []error) {
	for _, f := range fields(into) {
		name, old := f.Tag.Get("env"), f.Tag.Get("renamed")
		value, isOld := vars[old]
		if old == "" || !isOld {
			continue
		}
		delete(vars, old)
		if _, isNew := vars[name]; isNew {
			errs = append(errs, fmt.Errorf("%s and %s conflict: %s is the old name of %s", old, name, old, name))
			continue
		}
		vars[name] = value
		warnings = append(warnings, fmt.Sprintf("%s: renamed to %s; the old name still works", old, name))
	}
	return warnings, errs
}

// parse sets the fields of into from vars. Its errors name the setting.
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
		errs = append(errs, fmt.Errorf("%s: %q is invalid: use %s", name, vars[name], validForm(field.Type)))
	}
	return errs
}

// unknown returns an error if name is a misspelt setting, and a warning if it may
// be one.
func unknown(name string, known, prefixes []string) (warning string, err error) {
	if slices.Contains(known, name) || foreign.MatchString(name) {
		return "", nil
	}
	if s := spelling.Suggest(name, known); s != "" {
		return "", fmt.Errorf("%s: unknown setting; did you mean %s?", name, s)
	}
	if upper := strings.ToUpper(name); slices.Contains(known, upper) {
		return fmt.Sprintf("%s: unknown setting; did you mean %s?", name, upper), nil
	}
	if of, isFile := strings.CutSuffix(name, "_FILE"); isFile && slices.Contains(known, of) {
		return fmt.Sprintf("%s: unknown setting; %s is not read from a file", name, of), nil
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) && !strings.HasSuffix(name, "_PORT") { // _PORT is usual in compose files
			return fmt.Sprintf("%s: unknown setting; settings with prefix %s: %s", name, p, withPrefix(known, p)), nil
		}
	}
	return "", nil
}

// isServiceURL reports whether Kubernetes, or docker --link, sets the variable
// for a service. Its name can equal a setting's: a service called tls gives
// TLS_PORT.
func isServiceURL(name, value string) bool {
	return strings.HasSuffix(name, "_PORT") && serviceURL.MatchString(value)
}

var serviceURL = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// foreign matches variables of other programs that resemble a setting: of
// Kubernetes (for each service), Marathon (ports), systemd (journal) and C builds.
var foreign = regexp.MustCompile(
	`_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)|^(PORTS|PORT\d+|JOURNAL_STREAM|CHOST|SED)$`)

// withPrefix returns the names that begin with prefix, joined by commas.
func withPrefix(names []string, prefix string) string {
	with := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, prefix) })
	return strings.Join(with, ", ")
}

func names(of any) []string {
	var names []string
	for _, f := range fields(of) {
		names = append(names, f.Tag.Get("env"))
	}
	return names
}

// fields returns the settings of a struct or a pointer to one, in order.
func fields(of any) []reflect.StructField {
	all := reflect.VisibleFields(reflect.Indirect(reflect.ValueOf(of)).Type())
	return slices.DeleteFunc(all, func(f reflect.StructField) bool { return f.Tag.Get("env") == "" })
}

// validForm describes the values of a setting of type t.
func validForm(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.String() {
	case "time.Duration":
		return "a Go duration such as 500ms, 10s or 2m"
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

// Setting describes one setting.
type Setting struct {
	Name    string // environment variable
	Default string // "" for none
	Help    string
}

// List returns the settings of a struct or a pointer to one, in order.
func List(of any) []Setting {
	var list []Setting
	for _, f := range fields(of) {
		list = append(list, Setting{f.Tag.Get("env"), f.Tag.Get("envDefault"), f.Tag.Get("help")})
	}
	return list
}

// Table writes a table of the settings that List returns: name, default, help.
func Table(w io.Writer, of any) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SETTING\tDEFAULT\tDESCRIPTION")
	for _, s := range List(of) {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", s.Name, cmp.Or(s.Default, "(none)"), s.Help)
	}
	return tw.Flush()
}
