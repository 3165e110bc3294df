package e2e

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// Each package and each exported name outside main has a comment. Constants and variables
// may share the comment of their group.
func TestExportedNamesAreDocumented(t *testing.T) {
	for module := range mayImport {
		for _, p := range list(t, module) {
			if p.Name == "main" {
				continue
			}
			for _, name := range undocumented(t, p) {
				t.Errorf("package %s: %s has no doc comment", shortName(p.ImportPath), name)
			}
		}
	}
}

func undocumented(t *testing.T, p pkg) []string {
	t.Helper()
	var files []*ast.File
	fset := token.NewFileSet()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	d, err := doc.NewFromFiles(fset, files, p.ImportPath)
	if err != nil {
		t.Fatal(err)
	}

	var names []string
	want := func(comment string, name ...string) {
		if comment == "" {
			names = append(names, name...)
		}
	}
	values := func(groups []*doc.Value) {
		for _, g := range groups {
			want(g.Doc, g.Names...)
		}
	}
	funcs := func(of string, fs []*doc.Func) {
		for _, f := range fs {
			want(f.Doc, of+f.Name)
		}
	}
	want(d.Doc, "package "+d.Name)
	values(d.Consts)
	values(d.Vars)
	funcs("", d.Funcs)
	for _, typ := range d.Types {
		want(typ.Doc, typ.Name)
		values(typ.Consts)
		values(typ.Vars)
		funcs("", typ.Funcs)
		funcs(typ.Name+".", typ.Methods)
	}
	return names
}
