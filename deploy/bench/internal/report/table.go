package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Table says what Markdown compares.
type Table struct {
	Targets  []Target
	NotEarly []string // the servers that must never be early
	Base     []string // the servers to compare with: the first that was measured counts
}

// Markdown writes the report.
func (r *Results) Markdown(w io.Writer, t Table) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# delay-server beside its peers\n\n%s: %d processors (%s), Linux %s, %s, commit %s. Client and "+
		"servers share the processors.\n", m.Date, m.Processors, m.Model, m.Kernel, m.Go, m.Commit)
	fmt.Fprintf(&b, "Rounds: %d. Each figure is the median over rounds (smallest–largest). Ratios are of one round, "+
		"then their median.\n\n", r.Rounds)
	for _, s := range r.Servers {
		fmt.Fprintf(&b, "- **%s**: %s", s.Name, s.About)
		if s.Missing != "" {
			fmt.Fprintf(&b, ": not measured: %s", s.Missing)
		}
		b.WriteString("\n")
	}
	r.writeTargets(&b, t)
	for i, l := range r.Loads {
		switch {
		case l.Of == "":
			r.writeLoad(&b, l, t.Base)
		case i == 0 || r.Loads[i-1].Of != l.Of:
			r.writeVariants(&b, l.Of)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Results) writeTargets(b *strings.Builder, t Table) {
	b.WriteString("\n## Targets\n\n| | target | measured | met |\n|---|---|---|---|\n")
	met := "not measured"
	var counts []string
	for _, server := range t.NotEarly {
		answers, early := r.early(server)
		if answers == 0 {
			continue
		}
		counts = append(counts, fmt.Sprintf("%s: %d of %d", server, early, answers))
		if early > 0 {
			met = "no"
		} else if met != "no" {
			met = "yes"
		}
	}
	fmt.Fprintf(b, "| early answers | none, in any load | %s | %s |\n", cmp.Or(strings.Join(counts, "; "), "–"), met)
	for _, target := range t.Targets {
		v := r.Judge(target)
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", v.Text, v.Want, v.write(), v.Met)
	}
}

// writeLoad writes a row for each server, with the ratio of its first metric to the base's.
func (r *Results) writeLoad(b *strings.Builder, l Load, bases []string) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n| |", l.Name, l.About)
	base := ""
	for _, name := range bases {
		if base == "" && len(r.Values(Source{l.Name, name, l.Metrics[0]})) > 0 {
			base = name
		}
	}
	for i, m := range l.Metrics {
		fmt.Fprintf(b, " %s |", m.Title())
		if i == 0 && base != "" {
			fmt.Fprintf(b, " ÷ %s |", base)
		}
	}
	b.WriteString(" early (worst) | errors |\n|---|")
	columns := len(l.Metrics) + 2
	if base != "" {
		columns++
	}
	b.WriteString(strings.Repeat("--:|", columns) + "\n")
	var notes []string
	for _, s := range r.Servers {
		samples := r.of(l.Name, s.Name)
		if len(samples) == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s |", s.Name)
		for i, m := range l.Metrics {
			of := Source{l.Name, s.Name, m}
			fmt.Fprintf(b, " %s |", SpreadOf(r.Values(of)).write(m.format))
			if i == 0 && base != "" {
				fmt.Fprintf(b, " %s |", SpreadOf(r.Ratios(of, Source{l.Name, base, m})).write(digits))
			}
		}
		sum, note := total(samples)
		early := fmt.Sprint(sum.Early)
		if sum.Early > 0 {
			early += fmt.Sprintf(" (%s ms)", digits(sum.WorstEarlyMS))
		}
		fmt.Fprintf(b, " %s | %d |\n", early, sum.Errors)
		notes = append(notes, note...)
	}
	writeNotes(b, notes)
}

// writeVariants writes a row for the load called base and for each variant: the first
// metric of each server, with its ratio to the same server's under base.
func (r *Results) writeVariants(b *strings.Builder, base string) {
	var rows []Load
	for _, l := range r.Loads {
		if l.Name == base || l.Of == base {
			rows = append(rows, l)
		}
	}
	metric := rows[0].Metrics[0]
	var servers []string
	head, rule := "| |", "|---|"
	for _, s := range r.Servers {
		if slices.ContainsFunc(rows, func(l Load) bool { return l.Of != "" && len(r.of(l.Name, s.Name)) > 0 }) {
			servers = append(servers, s.Name)
			head, rule = head+" "+s.Name+" | ÷ plain |", rule+"--:|--:|"
		}
	}
	fmt.Fprintf(b, "\n## %s, by request\n\n%s, for the same load with other requests.\n\n%s\n%s\n", base,
		metric.Title(), head, rule)
	var notes []string
	for _, l := range rows {
		fmt.Fprintf(b, "| %s |", l.Row)
		for _, server := range servers {
			of := Source{l.Name, server, metric}
			fmt.Fprintf(b, " %s |", SpreadOf(r.Values(of)).write(metric.format))
			ratios := r.Ratios(of, Source{base, server, metric})
			if l.Name == base {
				ratios = nil
			}
			fmt.Fprintf(b, " %s |", SpreadOf(ratios).write(digits))
			if samples := r.of(l.Name, server); l.Of != "" && len(samples) > 0 {
				sum, more := total(samples)
				if sum.Early > 0 {
					more = append(more,
						fmt.Sprintf("%s: %d early, by up to %s ms", server, sum.Early, digits(sum.WorstEarlyMS)))
				}
				for _, note := range more {
					notes = append(notes, l.Name+", "+note)
				}
			}
		}
		b.WriteString("\n")
	}
	writeNotes(b, notes)
}

func writeNotes(b *strings.Builder, notes []string) {
	for i, note := range notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "- %s\n", note)
	}
}

// of returns the samples of a server under a load.
func (r *Results) of(load, server string) []Sample {
	var samples []Sample
	for _, s := range r.Samples {
		if s.Load == load && s.Server == server {
			samples = append(samples, s)
		}
	}
	return samples
}

// total sums the counts of a server's samples, and says what went wrong.
func total(samples []Sample) (Sample, []string) {
	var sum Sample
	var notes []string
	for _, s := range samples {
		sum.Early += s.Early
		sum.WorstEarlyMS = max(sum.WorstEarlyMS, s.WorstEarlyMS)
		sum.Errors += s.Errors
		sum.Held += s.Held
		if sum.FirstError == "" {
			sum.FirstError = s.FirstError
		}
		if s.Failed != "" {
			notes = append(notes, fmt.Sprintf("%s, round %d: %s", s.Server, s.Round, s.Failed))
		}
	}
	name := samples[0].Server
	if sum.Errors > 0 {
		notes = append(notes, fmt.Sprintf("%s: the first of %d errors: %s", name, sum.Errors, sum.FirstError))
	}
	if sum.Held > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d requests were sent late, since answers were more than 200 ms late",
			name, sum.Held))
	}
	return sum, notes
}

// Line formats a sample in one line.
func (s Sample) Line(metrics []Metric) string {
	if s.Failed != "" {
		return fmt.Sprintf("%s, round %d, %s: %s", s.Load, s.Round, s.Server, s.Failed)
	}
	line := fmt.Sprintf("%s, round %d, %s:", s.Load, s.Round, s.Server)
	for _, m := range metrics {
		if v, ok := s.Values[m]; ok {
			line += fmt.Sprintf(" %s %s;", m.Title(), m.format(v))
		}
	}
	return line + fmt.Sprintf(" early %d; errors %d; client's CPU %.2f", s.Early, s.Errors, s.ClientCPU)
}
