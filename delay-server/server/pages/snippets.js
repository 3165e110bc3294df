'use strict';
// The code of a request in several languages. A request has a method, a URL that is
// percent-encoded, and headers, pairs of a name and a value in ASCII.

// shellQuote quotes text for a POSIX shell.
const shellQuote = (text) => (/^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

// A string of JSON is one of Python, JavaScript, Go and Java too.
const quote = JSON.stringify;

const lines = (...parts) => parts.flat().join('\n');

const snippets = {
  curl({ method, url, headers }) {
    const options = { GET: '-iN', HEAD: '-I' }[method] ?? `-iN -X ${method}`;
    const fields = headers.map(([name, value]) => // curl sends an empty field only with a semicolon
      `-H ${shellQuote(value ? `${name}: ${value}` : `${name};`)}`);
    return [`curl ${options}`, ...fields, shellQuote(url)].join(fields.length ? ' \\\n  ' : ' ');
  },

  python({ method, url, headers }) {
    const fields = headers.map(([name, value]) => `    (${quote(name)}, ${quote(value)}),`);
    return lines(
      'import httpx',
      '',
      fields.length ? ['headers = [', ...fields, ']'] : [],
      `url = ${quote(url)}`,
      `with httpx.stream(${quote(method)}, url, ${fields.length ? 'headers=headers, ' : ''}timeout=None) as response:`,
      '    print(response.status_code, response.headers.get("Server-Timing"))',
      '    for text in response.iter_text():',
      '        print(text, end="", flush=True)',
    );
  },

  javascript({ method, url, headers }) {
    const options = [
      method === 'GET' ? [] : `  method: ${quote(method)},`,
      headers.length === 0 ? [] : ['  headers: [',
        ...headers.map(([name, value]) => `    [${quote(name)}, ${quote(value)}],`), '  ],'],
    ].flat();
    return lines(
      `const url = ${quote(url)};`,
      options.length ? ['const response = await fetch(url, {', ...options, '});']
        : 'const response = await fetch(url);',
      'console.log(response.status, response.headers.get("Server-Timing"));',
      'for await (const part of response.body ?? []) {',
      '  process.stdout.write(part);',
      '}',
    );
  },

  go({ method, url, headers }) {
    const check = ['\tif err != nil {', '\t\tlog.Fatal(err)', '\t}'];
    return lines(
      'package main', '',
      'import (', ...['fmt', 'io', 'log', 'net/http', 'os'].map((name) => `\t"${name}"`), ')', '',
      'func main() {',
      `\turl := ${quote(url)}`,
      `\trequest, err := http.NewRequest(${quote(method)}, url, nil)`, check,
      headers.map(([name, value]) => `\trequest.Header.Add(${quote(name)}, ${quote(value)})`),
      '\tresponse, err := http.DefaultClient.Do(request)', check,
      '\tdefer response.Body.Close()',
      '\tfmt.Println(response.StatusCode, response.Header.Get("Server-Timing"))',
      '\tif _, err := io.Copy(os.Stdout, response.Body); err != nil {', '\t\tlog.Fatal(err)', '\t}',
      '}',
    );
  },

  java({ method, url, headers }) {
    return lines(
      'import java.net.URI;', 'import java.net.http.*;', '',
      'class Call {',
      '    public static void main(String[] args) throws Exception {',
      `        var url = URI.create(${quote(url)});`,
      '        var request = HttpRequest.newBuilder(url)',
      `            .method(${quote(method)}, HttpRequest.BodyPublishers.noBody())`,
      headers.map(([name, value]) => `            .header(${quote(name)}, ${quote(value)})`),
      '            .build();',
      '        var bodies = HttpResponse.BodyHandlers.ofInputStream();',
      '        var response = HttpClient.newHttpClient().send(request, bodies);',
      '        var timing = response.headers().firstValue("Server-Timing").orElse("");',
      '        System.out.println(response.statusCode() + " " + timing);',
      '        try (var body = response.body()) {', '            body.transferTo(System.out);', '        }',
      '    }',
      '}',
    );
  },
};

// How to run each snippet.
const howToRun = {
  curl: 'In a POSIX shell.',
  python: 'With httpx: pip install httpx',
  javascript: 'In Node 18 or later, as call.mjs: node call.mjs',
  go: 'As call.go: go run call.go',
  java: 'In Java 11 or later, as Call.java: java Call.java',
};

// showCode shows source with its strings marked.
const showCode = (element, source) => {
  element.replaceChildren(...source.split(/("(?:\\.|[^"\\])*"|'[^']*')/).map((part, i) => {
    if (i % 2 === 0) return part;
    const string = document.createElement('span');
    string.className = 'hl-s';
    string.textContent = part;
    return string;
  }));
};
