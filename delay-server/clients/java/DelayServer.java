import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Tests a client with delay-server: slow answers, faults and retries, without a stopwatch.
 *
 * <p>Copy this file into your project and add its package. It needs Java 17 or later and nothing
 * else. With JUnit 5:
 *
 * <pre>{@code
 * static DelayServer server;
 *
 * @BeforeAll static void start() { server = DelayServer.start(); }
 * @AfterAll static void stop() { server.close(); }
 *
 * @Test void clientRetries() throws Exception {
 *     var run = server.run(); // groups the requests of this test
 *     fetchWithRetries(run.uri("/delay/1?attempts=503,503,200"));
 *     run.check("attempts=3", "backoff=100ms,2"); // or an AssertionError that draws the run
 * }
 * }</pre>
 *
 * <p>{@link #start()} connects to DELAY_SERVER_URL, or starts the program or a container.
 *
 * <p>A method that fails throws {@link Problem}, which has the server's reason, or
 * {@link UncheckedIOException} if no server answers. Methods that wait end after
 * {@link #timeout(Duration)} of real time. All objects may be used from several threads.
 */
public final class DelayServer implements AutoCloseable {
    /** How long a program or a container may take to start. */
    private static final Duration START = Duration.ofSeconds(30);

    // Follows no redirects and uses no proxy: no other server should see the token.
    private static final HttpClient HTTP = HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1)
        .proxy(HttpClient.Builder.NO_PROXY)
        .build();

    private final String url;
    private final String token;
    private Thread stop; // null if closed, or if start did not start the server
    private volatile Duration timeout = Duration.ofSeconds(10);

    /** The server at {@code url}, which runs already. {@code token} is its ADMIN_TOKEN, or "". */
    public DelayServer(String url, String token) {
        this(url, token, null);
    }

    private DelayServer(String url, String token, Runnable stop) {
        if (!url.matches("https?://[^/?#@]+(/[^?#]*)?")) {
            throw new IllegalArgumentException("URL of delay-server \"" + url
                + "\" is invalid: use http://HOST:PORT or https://HOST:PORT");
        }
        this.url = url.replaceAll("/+$", "");
        this.token = token;
        this.stop = stop == null ? null : new Thread(stop);
        if (stop != null) {
            Runtime.getRuntime().addShutdownHook(this.stop);
        }
    }

    /** Returns a server for tests, with default settings. See {@link #start(Map)}. */
    public static DelayServer start() {
        return start(Map.of());
    }

    /**
     * Returns a server for tests, by the first of these that is there:
     *
     * <ul>
     * <li>the environment variable DELAY_SERVER_URL: a server that runs, and keeps running;
     *     DELAY_SERVER_TOKEN is its ADMIN_TOKEN, if it has one
     * <li>DELAY_SERVER_BINARY: the path of the program, which is started at a free port
     * <li>DELAY_SERVER_IMAGE: an image, which {@code docker run} starts at a free port
     * <li>the program delay-server in PATH
     * </ul>
     *
     * <p>A server that start started ends with {@link #close}, or when this process exits.
     * {@code settings} are its settings, such as {@code Map.of("MAX_DELAY", "1h")}; the
     * environment does not change them.
     */
    public static DelayServer start(Map<String, String> settings) {
        return start(settings, System.getenv());
    }

    static DelayServer start(Map<String, String> settings, Map<String, String> environment) {
        String url = environment.getOrDefault("DELAY_SERVER_URL", "");
        String token = environment.getOrDefault("DELAY_SERVER_TOKEN", "");
        if (!url.isEmpty()) {
            if (!settings.isEmpty()) {
                throw new IllegalArgumentException(
                    "the server at DELAY_SERVER_URL runs already: start it with " + settings.keySet());
            }
            return new DelayServer(url, token);
        }
        if (token.isEmpty()) {
            token = UUID.randomUUID().toString();
        }
        var all = new LinkedHashMap<String, String>();
        all.putAll(Map.of("ADMIN_TOKEN", token, "SHUTDOWN_TIMEOUT", "0s", "LOG_LEVEL", "warn"));
        all.putAll(settings);
        String binary = environment.getOrDefault("DELAY_SERVER_BINARY", "");
        String image = environment.getOrDefault("DELAY_SERVER_IMAGE", "");
        try {
            if (!image.isEmpty() && binary.isEmpty()) {
                return startContainer(image, token, all);
            }
            return startBinary(binary.isEmpty() ? inPath(environment) : binary, token, all);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String inPath(Map<String, String> environment) {
        for (String folder : environment.getOrDefault("PATH", "").split(File.pathSeparator)) {
            for (String name : List.of("delay-server", "delay-server.exe")) {
                Path file = Path.of(folder, name);
                if (!folder.isEmpty() && Files.isRegularFile(file) && Files.isExecutable(file)) {
                    return file.toString();
                }
            }
        }
        throw new IllegalStateException("no delay-server: set DELAY_SERVER_URL, DELAY_SERVER_BINARY or "
            + "DELAY_SERVER_IMAGE, or put it into PATH");
    }

    private static DelayServer startBinary(String binary, String token, Map<String, String> settings)
        throws IOException {
        var builder = new ProcessBuilder(binary).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().clear();
        builder.environment().putAll(settings);
        builder.environment().putAll(Map.of("HOST", "127.0.0.1", "PORT", "0"));
        Process process = builder.start();
        process.getOutputStream().close();
        Runnable stop = () -> {
            process.destroy();
            process.onExit().join();
        };
        var silent = CompletableFuture.runAsync(process::destroyForcibly,
            CompletableFuture.delayedExecutor(START.toMillis(), TimeUnit.MILLISECONDS));
        // The address is in the first line; the little that follows fits into the pipe.
        BufferedReader reader = process.inputReader(UTF_8);
        String line = String.valueOf(reader.readLine());
        silent.cancel(false);
        Matcher found = Pattern.compile("open http://\\S+:(\\d+)/").matcher(line);
        if (!found.find()) {
            stop.run();
            throw new IllegalStateException(binary + " is no delay-server, or did not start (exit status "
                + process.exitValue() + "): " + line);
        }
        return new DelayServer("http://127.0.0.1:" + found.group(1), token, stop);
    }

    private static DelayServer startContainer(String image, String token, Map<String, String> settings)
        throws IOException {
        var command = new ArrayList<>(List.of("run", "--detach", "--publish", "127.0.0.1::3000"));
        for (String name : settings.keySet()) {
            command.addAll(List.of("--env", name)); // the value is in docker's environment: ps does not show the token
        }
        command.add(image);
        String container = docker(settings, command.toArray(String[]::new));
        Runnable stop = () -> docker(Map.of(), "rm", "--force", "--volumes", container);
        try {
            for (long deadline = System.nanoTime() + START.toNanos();; Thread.sleep(50)) {
                String port = docker(Map.of(), "port", container, "3000/tcp").replaceAll("(?s).*:", "");
                if (port.isEmpty()) {
                    throw new IllegalStateException("the container has ended");
                }
                var server = new DelayServer("http://127.0.0.1:" + port, token);
                try {
                    server.clock().state();
                    return new DelayServer(server.url, token, stop);
                } catch (UncheckedIOException e) {
                    if (System.nanoTime() > deadline) {
                        throw e;
                    }
                }
            }
        } catch (RuntimeException | InterruptedException e) {
            String log = docker(Map.of(), "logs", container);
            stop.run();
            throw new IllegalStateException("container of " + image + " does not answer; its log: " + log, e);
        }
    }

    private static String docker(Map<String, String> environment, String... args) {
        var command = new ArrayList<>(List.of("docker"));
        command.addAll(List.of(args));
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        try {
            Process process = builder.start();
            String out = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
            int status = process.onExit().join().exitValue();
            if (status != 0) {
                throw new IllegalStateException("docker " + args[0] + ": " + out);
            }
            return out;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Stops the server, if start started it. Requests that wait are answered 503. */
    @Override
    public synchronized void close() {
        if (stop != null) {
            Runtime.getRuntime().removeShutdownHook(stop);
            stop.run();
            stop = null;
        }
    }

    /** Returns the base URL, such as http://127.0.0.1:41234, without trailing slash. */
    public String url() {
        return url;
    }

    /** Sets how long each method waits, of real time; 10 s by default. */
    public void timeout(Duration timeout) {
        this.timeout = timeout;
    }

    /** Returns a URI that is answered after {@code delay} on the server's clock. */
    public URI delayUri(Duration delay) {
        return URI.create(url + "/delay/" + milliseconds(delay));
    }

    /**
     * Returns a URI that is answered once {@code parties} requests have arrived. If they have not
     * after 10 s on the server's clock, it is answered 504.
     */
    public URI barrierUri(String name, int parties) {
        return URI.create(url + "/barrier/" + segment(name) + "?parties=" + parties);
    }

    /** Returns the hold of this name, which all tests of the server share. See {@link Run#hold}. */
    public Hold hold(String name) {
        return new Hold(name, URI.create(url + "/hold/" + segment(name)), List.of());
    }

    /** Returns a run with a unique ID. */
    public Run run() {
        return run("run-" + UUID.randomUUID());
    }

    /** Returns the run of this ID, 1 to 200 visible ASCII characters. */
    public Run run(String id) {
        return new Run(id);
    }

    /** Returns the clock of the server's delays, timeouts and runs. It does not affect the code under test. */
    public Clock clock() {
        return new Clock("/clock");
    }

    /**
     * Replaces the routes of the server's scenario, which take precedence over its endpoints.
     * Throws Problem invalid-scenario, whose detail has each error with its line.
     */
    public void scenario(String yaml) {
        send("PUT", "/scenario", yaml, "");
    }

    /**
     * Throws AssertionError unless all runs whose IDs begin with {@code prefix} meet the checks. See
     * {@link Run#check}. A back-off with jitter is judged by the distribution of all their waits.
     */
    public void checkRuns(String prefix, String... checks) {
        judge("/check", plus(List.of("run_prefix=" + prefix), checks));
    }

    private void judge(String path, List<String> checks) {
        Reply verdict = awaits(path, checks);
        if (verdict.getBoolean("ok")) {
            return;
        }
        var message = new StringBuilder();
        for (Reply c : verdict.getList("checks")) {
            if (!c.getBoolean("ok")) {
                message.append(String.format("%s: %s%n  want %s%n  got  %s%n",
                    c.getString("check"), c.getString("detail"), c.getString("want"), c.getString("got")));
            }
        }
        throw new AssertionError(message + verdict.getString("waterfall"));
    }

    /** Forgets all runs, as {@link Run#forget} does. */
    public void forgetRuns() {
        send("DELETE", "/runs", "", "");
    }

    /**
     * Resets all state of the server, for example between two tests. Runs are forgotten, requests in
     * holds and at barriers are answered 503, the scenario is the file of SCENARIO again, and the
     * clock runs by TIME_SCALE.
     */
    public void reset() {
        send("POST", "/reset", "", "");
    }

    /**
     * Keeps requests to its URI waiting until the test releases them. A request that is not
     * released is answered 504 after MAX_DELAY on the server's clock.
     */
    public final class Hold {
        private final URI uri;
        private final String path;
        private final List<String> query; // names the run, if the hold belongs to one

        private Hold(String name, URI uri, List<String> query) {
            this.uri = uri;
            this.path = "/holds/" + segment(name);
            this.query = query;
        }

        /** Returns where requests wait. */
        public URI uri() {
            return uri;
        }

        /** Returns once at least {@code n} requests are held. */
        public void await(int n) {
            awaits(path, plus(query, "waiting=" + n));
        }

        /**
         * Answers held requests, and returns their number: all, or by choice
         *
         * <ul>
         * <li>count=2: that many, the oldest first, or with order=newest the newest
         * <li>nth=2: only this one, in order of arrival, from 1
         * <li>attempt=2: only those with this attempt number
         * </ul>
         *
         * <p>Throws Problem hold-not-found if no request is held: call {@link #await} before. Throws
         * Problem too-few-held, and answers none, if the hold lacks the chosen requests.
         */
        public int release(String... choice) {
            return json("POST", target(path + "/release", plus(query, choice)), "").getInt("released");
        }

        /** Answers all held requests with 503, and returns their number. */
        public int fail() {
            return json("DELETE", target(path, query), "").getInt("failed");
        }
    }

    /** A group of requests, made with its URIs or its header X-Run-Id. */
    public final class Run {
        private final String id;
        private final String path;

        private Run(String id) {
            this.id = id;
            this.path = "/runs/" + segment(id);
        }

        /** Returns the ID, for the header X-Run-Id. */
        public String id() {
            return id;
        }

        /** Returns a URL of the server, or a path such as /delay/100?status=503, with the run added to its query. */
        public URI uri(String target) {
            String base = target.startsWith("/") ? url : "";
            return URI.create(base + target + (target.contains("?") ? "&" : "?") + "run=" + escape(id));
        }

        /** Returns {@link DelayServer#delayUri} with the run added. */
        public URI delayUri(Duration delay) {
            return uri(DelayServer.this.delayUri(delay).toString());
        }

        /** Returns a URI as {@link DelayServer#barrierUri} does, at a barrier for this run alone. */
        public URI barrierUri(String name, int parties) {
            return uri(DelayServer.this.barrierUri("run:" + name, parties).toString());
        }

        /** Returns a hold for this run alone. Forgetting the run answers its requests 503. */
        public Hold hold(String name) {
            URI shared = DelayServer.this.hold("run:" + name).uri();
            return new Hold("run:" + name, uri(shared.toString()), List.of("run=" + id));
        }

        /**
         * Returns a clock for this run alone, so that parallel tests can share a server. freeze,
         * unfreeze, scale and reset create it. Call one before the run's first request. Forgetting
         * the run removes it.
         */
        public Clock clock() {
            return new Clock(path + "/clock");
        }

        /** Returns the run, as {@link #settled} does, once at least {@code n} of its requests wait. */
        public Reply await(int n) {
            return awaits(path, List.of("waiting=" + n));
        }

        /**
         * Returns the run once all its requests have ended: requests, peak_in_flight, waits and
         * more; /openapi.yaml has all keys, at Run. Throws Problem run-not-found if the run has no
         * requests.
         */
        public Reply settled() {
            return awaits(path, List.of("settled=true"));
        }

        /**
         * Waits until all requests have ended, and throws AssertionError unless all checks hold. The
         * server's page /doc#checks lists the checks:
         *
         * <pre>{@code run.check("statuses=503,503,200", "backoff=100ms,2", "within=50ms");}</pre>
         *
         * <p>The error says what is wrong, and draws the run. All checks fail if the run has no
         * requests, or if some still wait at the end of the timeout. Throws Problem
         * unknown-parameter, invalid-parameter or conflicting-parameters if a check is wrong.
         */
        public void check(String... checks) {
            judge(path + "/check", List.of(checks));
        }

        /**
         * Lays routes over the server's, for requests of this run alone, until it is forgotten. The
         * run need not have started. Throws Problem invalid-scenario, whose detail has each error
         * with its line.
         */
        public void scenario(String yaml) {
            send("PUT", path + "/scenario", yaml, "");
        }

        /** Returns the run drawn as text, with a bar for each request. */
        public String waterfall() {
            return send("GET", path + "/waterfall.txt", "", "text/plain");
        }

        /**
         * Removes the run from the server, with its clock and its scenario. Requests in its holds are
         * answered 503.
         */
        public void forget() {
            send("DELETE", path, "", "");
        }
    }

    /**
     * Controls the time of the server's delays. Methods return the clock: scale, frozen, waiting,
     * elapsed_ms and, if requests wait, next_ms.
     */
    public final class Clock {
        private final String path;

        private Clock(String path) {
            this.path = path;
        }

        /** Returns the clock as it is now. */
        public Reply state() {
            return json("GET", path, "");
        }

        /** Returns once at least {@code n} requests wait for a time on the clock. */
        public Reply await(int n) {
            return awaits(path, List.of("waiting=" + n));
        }

        /** Stops the clock. Time then passes only by {@link #advance}. */
        public Reply freeze() {
            return json("POST", path, "{\"freeze\":true}");
        }

        /** Lets the clock continue from its current time. */
        public Reply unfreeze() {
            return json("POST", path, "{\"freeze\":false}");
        }

        /**
         * Moves a frozen clock forward, and returns once all requests due by then have been
         * answered. Call {@link #await} before, so that the requests have arrived.
         */
        public Reply advance(Duration time) {
            return json("POST", path, "{\"advance\":\"" + milliseconds(time) + "ms\"}");
        }

        /** Multiplies each wait: 0.1 is ten times as fast. */
        public Reply scale(double factor) {
            return json("POST", path, "{\"scale\":" + BigDecimal.valueOf(factor).toPlainString() + "}");
        }

        /** Unfreezes the clock and sets its scale to the server's TIME_SCALE. */
        public Reply reset() {
            return json("POST", path, "{\"reset\":true}");
        }
    }

    /** An error reply of the server, from its problem document (RFC 9457). */
    @SuppressWarnings("serial") // no test writes it to a stream
    public static final class Problem extends RuntimeException {
        private final String type;
        private final String title;
        private final int status;
        private final String detail;

        private Problem(String request, int status, Reply document) {
            this(request, status, document.getString("type", "about:blank").replaceAll(".*/", ""),
                document.getString("title", ""), document.getString("detail", ""));
        }

        private Problem(String request, int status, String type, String title, String detail) {
            super(request + ": " + status + " " + type + ": " + detail);
            this.type = type;
            this.title = title;
            this.status = status;
            this.detail = detail;
        }

        /** Returns a name such as run-not-found; the server's page /problems/NAME explains it. */
        public String type() {
            return type;
        }

        /** Returns a text that is the same for all problems of a type. */
        public String title() {
            return title;
        }

        /** Returns the HTTP status code. */
        public int status() {
            return status;
        }

        /** Returns what was wrong and what is valid. Compare the type, not this: texts change. */
        public String detail() {
            return detail;
        }
    }

    /** Sends a request that waits until a condition holds. */
    private Reply awaits(String path, List<String> condition) {
        return json("GET", target(path, plus(condition, "timeout=" + milliseconds(timeout) + "ms")), "");
    }

    private Reply json(String method, String path, String body) {
        return Reply.parse(send(method, path, body, "application/json"));
    }

    /** Returns the body of the reply, which must have this media type; none if it has no body. */
    private String send(String method, String path, String body, String mediaType) {
        String request = method + " " + url + "/admin" + path;
        var builder = HttpRequest.newBuilder(URI.create(url + "/admin" + path))
            .timeout(timeout.plusSeconds(10)) // the server ends a wait first, with a Problem that says why
            .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (!token.isEmpty()) {
            builder.header("Authorization", "Bearer " + token);
        }
        HttpResponse<String> reply;
        try {
            reply = HTTP.send(builder.build(), BodyHandlers.ofString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(request + ": interrupted", new InterruptedIOException());
        } catch (IOException e) {
            throw new UncheckedIOException(request + ": no delay-server answers: " + e, e);
        }
        int status = reply.statusCode();
        String text = reply.body();
        String got = reply.headers().firstValue("Content-Type").orElse("").replaceAll(";.*", "");
        if (got.equals("application/problem+json")) {
            throw new Problem(request, status, Reply.parse(text));
        }
        boolean ok = status == (mediaType.isEmpty() ? 204 : 200) || status == 422; // 422 is a verdict
        if (!ok || !got.equals(mediaType)) {
            throw new UncheckedIOException(new IOException(request + ": unexpected reply " + status + " " + got
                + " (is this a delay-server?): " + text.substring(0, Math.min(200, text.length()))));
        }
        return text;
    }

    /** Returns a decimal number, exact to the nanosecond: 1000, 0.25. */
    private static String milliseconds(Duration d) {
        return BigDecimal.valueOf(d.toNanos(), 6).stripTrailingZeros().toPlainString();
    }

    private static List<String> plus(List<String> list, String... more) {
        return Stream.concat(list.stream(), Stream.of(more)).toList();
    }

    /** Returns the path with a query of parameters, such as attempts=4. */
    private static String target(String path, List<String> parameters) {
        return parameters.stream().map(DelayServer::escapeParameter)
            .collect(Collectors.joining("&", path + (parameters.isEmpty() ? "" : "?"), ""));
    }

    private static String escapeParameter(String text) {
        int i = text.indexOf('=');
        if (i < 0) {
            throw new IllegalArgumentException("\"" + text
                + "\" is invalid (it has no value): use NAME=VALUE, such as attempts=4");
        }
        return escape(text.substring(0, i)) + "=" + escape(text.substring(i + 1));
    }

    private static String escape(String s) {
        return URLEncoder.encode(s, UTF_8).replace("+", "%20");
    }

    private static String segment(String name) {
        if (name.isEmpty() || name.equals(".") || name.equals("..")) {
            throw new IllegalArgumentException(
                "name \"" + name + "\" is invalid: it would change the path of the request");
        }
        return escape(name);
    }

    /**
     * An object of the server's JSON, such as a run. Its keys are in /openapi.yaml. A get method
     * throws NoSuchElementException if the key is absent, ClassCastException if the value is of
     * another type.
     */
    public static final class Reply {
        private final Map<String, Object> values;

        private Reply(Map<String, Object> values) {
            this.values = values;
        }

        /** Returns the object in {@code json}. */
        static Reply parse(String json) {
            return (Reply) new Parser(json).document();
        }

        /** Reports whether the object has the key. */
        public boolean has(String key) {
            return values.containsKey(key);
        }

        private Object get(String key) {
            if (!has(key)) {
                throw new NoSuchElementException("no " + key + " in " + values);
            }
            return values.get(key);
        }

        /** Returns a text. */
        public String getString(String key) {
            return (String) get(key);
        }

        private String getString(String key, String absent) {
            return has(key) ? getString(key) : absent;
        }

        /** Returns an integer. */
        public int getInt(String key) {
            return ((BigDecimal) get(key)).intValueExact();
        }

        /** Returns a number. */
        public double getDouble(String key) {
            return ((BigDecimal) get(key)).doubleValue();
        }

        /** Returns true or false. */
        public boolean getBoolean(String key) {
            return (Boolean) get(key);
        }

        /** Returns the time at a key that ends in _ms. */
        public Duration getDuration(String key) {
            return Duration.ofNanos(((BigDecimal) get(key)).movePointRight(6).longValueExact());
        }

        /** Returns a list of objects, such as the waits of a run. */
        public List<Reply> getList(String key) {
            return ((List<?>) get(key)).stream().map(Reply.class::cast).toList();
        }

        /** Returns the object as Java prints maps. */
        @Override
        public String toString() {
            return values.toString();
        }
    }

    /**
     * Reads JSON (RFC 8259), since Java has no reader of its own. Objects become Reply, numbers
     * BigDecimal. An invalid document is an IllegalArgumentException.
     */
    private static final class Parser {
        private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?");
        private final String text;
        private int at;

        Parser(String text) {
            this.text = text;
        }

        Object document() {
            Object value = value();
            skipSpace();
            if (at < text.length()) {
                throw invalid();
            }
            return value;
        }

        private Object value() {
            skipSpace();
            return switch (peek()) {
                case '{' -> object();
                case '[' -> list();
                case '"' -> string();
                default -> scalar();
            };
        }

        private Object scalar() {
            for (String word : List.of("true", "false", "null")) {
                if (text.startsWith(word, at)) {
                    at += word.length();
                    return word.equals("null") ? null : Boolean.valueOf(word);
                }
            }
            Matcher m = NUMBER.matcher(text).region(at, text.length());
            if (!m.lookingAt()) {
                throw invalid();
            }
            at = m.end();
            return new BigDecimal(m.group());
        }

        private Reply object() {
            var values = new LinkedHashMap<String, Object>();
            for (boolean more = !isEmpty('}'); more; more = another('}')) {
                skipSpace();
                String key = string();
                skipSpace();
                expect(':');
                values.put(key, value());
            }
            return new Reply(values);
        }

        private List<Object> list() {
            var values = new ArrayList<Object>();
            for (boolean more = !isEmpty(']'); more; more = another(']')) {
                values.add(value());
            }
            return values;
        }

        /** Reads an opening bracket, and the closing one if it follows. */
        private boolean isEmpty(char close) {
            at++;
            skipSpace();
            if (peek() != close) {
                return false;
            }
            at++;
            return true;
        }

        /** Reads a comma, or the closing bracket. */
        private boolean another(char close) {
            skipSpace();
            if (peek() == ',') {
                at++;
                return true;
            }
            expect(close);
            return false;
        }

        private String string() {
            expect('"');
            var s = new StringBuilder();
            while (peek() != '"') {
                char c = text.charAt(at++);
                if (c < ' ') {
                    throw invalid();
                }
                s.append(c == '\\' ? escaped() : c);
            }
            at++;
            return s.toString();
        }

        private char escaped() {
            char c = peek();
            at++;
            if (c == 'u' && at + 4 <= text.length() && text.substring(at, at + 4).matches("[0-9a-fA-F]{4}")) {
                at += 4;
                return (char) Integer.parseInt(text, at - 4, at, 16);
            }
            int i = "\"\\/bfnrt".indexOf(c);
            if (i < 0) {
                throw invalid();
            }
            return "\"\\/\b\f\n\r\t".charAt(i);
        }

        private char peek() {
            if (at >= text.length()) {
                throw invalid();
            }
            return text.charAt(at);
        }

        private void expect(char c) {
            if (peek() != c) {
                throw invalid();
            }
            at++;
        }

        private void skipSpace() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private IllegalArgumentException invalid() {
            return new IllegalArgumentException("JSON is invalid at character " + at + ": "
                + text.substring(0, Math.min(200, text.length())));
        }
    }
}
