package server

import (
	"slices"
	"strings"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/plan"
)

// endpointParameter is a parameter of one endpoint, or of all if Endpoint is "".
type endpointParameter struct {
	plan.Parameter
	Endpoint string // its pattern
}

func of(p plan.Parameter, endpoint string) endpointParameter { return endpointParameter{p, endpoint} }

// values returns the values of a parameter that has only a few, or nil.
func values(p plan.Parameter) []string {
	var schema struct {
		Enum []string `yaml:"enum"`
	}
	decode(p.Schema, &schema)
	return schema.Enum
}

// distributions returns the ways to write a random delay, without recordings.
func distributions() []delay.Form {
	return slices.DeleteFunc(slices.Clone(delay.Forms), func(f delay.Form) bool {
		d, err := delay.Parse(f.Example)
		if err == nil {
			d, err = d.With(nil)
		}
		_, fixed := d.Fixed()
		return err != nil || fixed
	})
}

// formName returns the name of a way to write a delay, such as "uniform".
func formName(f delay.Form) string {
	name, _, _ := strings.Cut(f.Usage, ":")
	return name
}
