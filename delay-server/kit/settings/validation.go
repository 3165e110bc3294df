package settings

import (
	"errors"
	"fmt"
)

// Validation collects errors in settings. The zero Validation is ready to use.
type Validation struct{ errs []error }

// Check adds an error, formatted as by fmt.Errorf, unless ok.
func (v *Validation) Check(ok bool, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf(format, args...))
	}
}

// Add adds err if it is not nil.
func (v *Validation) Add(err error) { v.errs = append(v.errs, err) }

// Err returns all errors, joined; nil if there are none.
func (v *Validation) Err() error { return errors.Join(v.errs...) }
