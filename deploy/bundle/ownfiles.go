package main

import (
	"bytes"
	"context"
	"embed"
	"path"
	"strings"
	"text/template"
)

// ownFiles are the files that a bundle has and the repository has not.
//
//go:embed files
var ownFiles embed.FS

// writeOwnFiles writes the start scripts and the instructions.
func (b *build) writeOwnFiles(context.Context) error {
	entries, err := ownFiles.ReadDir("files")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		data, err := ownFiles.ReadFile(path.Join("files", entry.Name()))
		if err != nil {
			return err
		}
		if name, ok := strings.CutSuffix(entry.Name(), ".tmpl"); ok {
			if data, err = b.fill(entry.Name(), string(data)); err != nil {
				return err
			}
			if err := b.write(name, data, false); err != nil {
				return err
			}
			continue
		}
		if err := b.write(entry.Name(), data, strings.HasSuffix(entry.Name(), ".sh")); err != nil {
			return err
		}
	}
	return nil
}

// fill fills in a template of the instructions.
func (b *build) fill(name, text string) ([]byte, error) {
	t, err := template.New(name).Parse(text)
	if err != nil {
		return nil, err
	}
	view := struct {
		Version, Commit, Date string
		Modules               bool
	}{b.version, b.commit[:min(len(b.commit), 12)], b.time.Format("2006-01-02"), b.modules}
	var filled bytes.Buffer
	err = t.Execute(&filled, view)
	return filled.Bytes(), err
}
