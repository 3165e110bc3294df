package plan

var _ = register(Parameter{
	Name: "size", In: InQuery, Route: "size",
	Usage:   "0 to `MAX_BODY_SIZE`",
	Meaning: "Size of the body in bytes. The body is lines of 64 characters.",
	Example: "1000", Schema: `{ type: integer, minimum: 0 }`,
	shapes:   shapesResponse | shapesBody,
	excludes: []exclusion{{"body", oneBody}, {"json", oneBody}},
	parse: func(in *input, o *options) (err error) {
		o.size, err = in.parseInt("size", 0, in.limits.MaxBody)
		return err
	},
})
