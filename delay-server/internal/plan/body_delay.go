package plan

var _ = register(Parameter{
	Name: "body_delay", In: InQuery, Route: "body_delay",
	Usage:   "a [delay](/doc#delay)",
	Meaning: "A second wait, between the headers and the body.",
	Example: "500ms", Schema: `{ $ref: "#/components/schemas/Delay" }`,
	shapes: shapesResponse | shapesBody | needsBody,
	parse: func(in *input, o *options) (err error) {
		o.bodyDelay, err = in.parseDelay("body_delay", in.get("body_delay"))
		return err
	},
})
