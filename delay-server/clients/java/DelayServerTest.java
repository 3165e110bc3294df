import static java.net.HttpURLConnection.HTTP_NOT_FOUND;
import static java.net.HttpURLConnection.HTTP_OK;
import static java.net.HttpURLConnection.HTTP_UNAVAILABLE;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.Collections.nCopies;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpServer;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Tests of DelayServer. A server at DELAY_SERVER_URL needs an ADMIN_TOKEN, in DELAY_SERVER_TOKEN. */
class DelayServerTest {
    static DelayServer server;
    static ExecutorService threads = Executors.newCachedThreadPool();
    static HttpClient client = HttpClient.newHttpClient();

    @BeforeAll
    static void start() {
        server = DelayServer.start();
    }

    @AfterAll
    static void stop() {
        server.close();
        threads.shutdown();
    }

    /** Returns the status of the answer. */
    static int get(URI uri) throws Exception {
        return client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.discarding()).statusCode();
    }

    /** Requests the URI in n threads. */
    static List<Future<Integer>> getAtOnce(int n, URI uri) {
        Callable<Integer> get = () -> get(uri);
        return nCopies(n, get).stream().map(threads::submit).toList();
    }

    static void assertProblem(String type, Executable call) {
        assertEquals(type, assertThrows(DelayServer.Problem.class, call).type());
    }

    static void assertMatches(String pattern, String got) {
        assertTrue(got.matches("(?s).*" + pattern + ".*"), got);
    }

    /** The client under test: it retries a 503 after a pause that doubles. */
    static int getWithRetries(URI uri, int tries, Duration pause) throws Exception {
        int status = get(uri);
        for (; status == HTTP_UNAVAILABLE && tries > 1; tries--) {
            Thread.sleep(pause.toMillis());
            status = get(uri);
            pause = pause.multipliedBy(2);
        }
        return status;
    }

    /** Prove that a client retries well. */
    @Nested
    class Checks {
        @Test
        void theClientBacksOff() throws Exception {
            var run = server.run();
            var uri = run.uri("/delay/1?attempts=503,503,200");
            assertEquals(HTTP_OK, getWithRetries(uri, 3, Duration.ofMillis(20)));
            run.check("statuses=503,503,200", "backoff=20ms,2", "within=5s");
        }

        @Test
        void aClientThatDoesNotBackOff() throws Exception {
            var run = server.run();
            getWithRetries(run.uri("/delay/1?attempts=503"), 3, Duration.ZERO);
            var error = assertThrows(AssertionError.class, () -> run.check("attempts=4", "backoff=1h,2"));
            assertMatches("^attempts: [^\n]*must[^\n]*\n  want 4\n  got  3\n"
                + "backoff: [^\n]*must wait [^\n]*or more\n  want", error.getMessage());
            assertMatches("\nGET /delay/1 [^\n]*503\n  < [^\n]*want 4", error.getMessage()); // the place is marked
        }

        @Test
        void manyRuns() throws Exception {
            String prefix = server.run().id();
            for (int i = 0; i < 3; i++) {
                get(server.run(prefix + "-" + i).delayUri(Duration.ZERO));
            }
            server.checkRuns(prefix, "attempts=1");
            var error = assertThrows(AssertionError.class, () -> server.checkRuns(prefix, "attempts=2"));
            assertMatches("^attempts: .*run " + prefix + "-0", error.getMessage());
        }

        @Test
        void aRunWithoutRequests() {
            var run = server.run();
            var error = assertThrows(AssertionError.class, () -> run.check("attempts=1"));
            assertMatches("^attempts: run \"\\S+\" not found: .*\n  want 1\n  got  no request\n", error.getMessage());
            error = assertThrows(AssertionError.class, () -> server.checkRuns(run.id(), "attempts=1"));
            assertMatches("^attempts: no run begins with \"", error.getMessage());
        }

        @Test
        void anInvalidCheck() throws Exception {
            var run = server.run();
            get(run.delayUri(Duration.ZERO));
            assertProblem("unknown-parameter", () -> run.check("attemps=4"));
            assertProblem("invalid-parameter", () -> run.check("attempts=four"));
            assertProblem("conflicting-parameters", () -> run.check("attempts=4", "statuses=200"));
            assertProblem("invalid-parameter", () -> run.check());
            var error = assertThrows(IllegalArgumentException.class, () -> run.check("attempts"));
            assertMatches("\"attempts\" is invalid", error.getMessage());
        }
    }

    /** Routes of a run and of the server. */
    @Nested
    class Scenarios {
        @Test
        void aRunHasItsOwnRoutes() throws Exception {
            var run = server.run();
            var other = server.run();
            run.scenario("routes: [{path: /prices, delay: 1ms, status: 503}]");
            assertEquals(HTTP_UNAVAILABLE, get(run.uri("/prices")));
            assertEquals(HTTP_NOT_FOUND, get(other.uri("/prices")));
            run.check("statuses=503");
        }

        @Test
        void theServerHasRoutes() throws Exception {
            server.scenario("routes: [{path: /prices, delay: 1ms, status: 418}]");
            assertEquals(418, get(URI.create(server.url() + "/prices")));
            server.reset();
            assertEquals(HTTP_NOT_FOUND, get(URI.create(server.url() + "/prices")));
        }

        @Test
        void anInvalidScenario() {
            String yaml = "routes:\n  - {path: /a, delay: soon}";
            assertProblem("invalid-scenario", () -> server.scenario(yaml));
            var problem = assertThrows(DelayServer.Problem.class, () -> server.run().scenario(yaml));
            assertEquals("invalid-scenario", problem.type());
            assertMatches(":2:.*soon", problem.detail());
        }
    }

    /** Decide when requests are answered, and see which of them ran at once. */
    @Nested
    class Server {
        @Test
        void aHoldKeepsRequestsUntilTheyAreReleased() throws Exception {
            var run = server.run();
            var hold = run.hold("prices");
            var replies = getAtOnce(3, hold.uri());
            hold.await(3);
            assertProblem("too-few-held", () -> hold.release("count=4"));
            assertProblem("hold-not-found", () -> server.run().hold("prices").release());
            assertEquals(1, hold.release("count=1"));
            assertEquals(2, hold.release());
            for (var reply : replies) {
                assertEquals(HTTP_OK, reply.get());
            }
            assertEquals(3, run.settled().getInt("peak_in_flight"));
        }

        @Test
        void aHoldReleasesByChoice() throws Exception {
            var run = server.run();
            var hold = run.hold("prices");
            var replies = new ArrayList<Future<Integer>>();
            for (int n = 1; n <= 5; n++) {
                replies.addAll(getAtOnce(1, hold.uri()));
                hold.await(n);
            }
            assertEquals(1, hold.release("order=newest"));
            assertEquals(HTTP_OK, replies.get(4).get());
            assertEquals(1, hold.release("nth=2"));
            assertEquals(HTTP_OK, replies.get(1).get());
            assertEquals(1, hold.release("attempt=3"));
            assertEquals(HTTP_OK, replies.get(2).get());
            assertEquals(2, hold.release("order=newest", "count=2"));
        }

        @Test
        void aHoldThatFailsAnswers503() throws Exception {
            var run = server.run();
            var replies = getAtOnce(1, run.hold("prices").uri());
            run.await(1);
            assertEquals(1, run.hold("prices").fail());
            assertEquals(HTTP_UNAVAILABLE, replies.get(0).get());
        }

        @Test
        void aHoldOfTheServer() throws Exception {
            var hold = server.hold(server.run().id());
            var replies = getAtOnce(2, hold.uri());
            hold.await(2);
            assertEquals(1, hold.release("count=1"));
            assertEquals(1, hold.fail());
            var statuses = List.of(replies.get(0).get(), replies.get(1).get());
            assertTrue(statuses.containsAll(List.of(HTTP_OK, HTTP_UNAVAILABLE)), statuses.toString());
        }

        @Test
        void aBarrierAnswersWhenAllHaveArrived() throws Exception {
            var run = server.run();
            for (var reply : getAtOnce(3, run.barrierUri("all", 3))) {
                assertEquals(HTTP_OK, reply.get());
            }
            for (var reply : getAtOnce(2, server.barrierUri(run.id(), 2))) {
                assertEquals(HTTP_OK, reply.get());
            }
            assertEquals(3, run.settled().getInt("requests"));
        }

        @Test
        void theClockOfTheServer() throws Exception {
            var run = server.run();
            var clock = server.clock();
            try {
                assertTrue(clock.freeze().getBoolean("frozen"));
                var replies = getAtOnce(1, run.delayUri(Duration.ofSeconds(90)));
                clock.await(1);
                assertEquals(Duration.ofSeconds(90), clock.state().getDuration("next_ms"));
                clock.advance(Duration.ofSeconds(90).minusNanos(1));
                assertEquals(1, run.await(1).getInt("waiting"));
                clock.advance(Duration.ofNanos(1));
                assertEquals(HTTP_OK, replies.get(0).get());
                var request = run.settled().getList("waits").get(0);
                assertEquals(Duration.ofSeconds(90), request.getDuration("waited_ms"));
                assertFalse(clock.unfreeze().getBoolean("frozen"));
                assertEquals(0.5, clock.scale(0.5).getDouble("scale"));
            } finally {
                assertEquals(1, clock.reset().getDouble("scale"));
            }
        }

        @Test
        void runsHaveClocksOfTheirOwn() throws Exception {
            var run = server.run();
            var other = server.run();
            assertProblem("run-clock-not-found", () -> run.clock().state());
            run.clock().freeze();
            other.clock().freeze();
            var reply = getAtOnce(1, run.delayUri(Duration.ofMinutes(1))).get(0);
            var later = getAtOnce(1, other.delayUri(Duration.ofMinutes(1))).get(0);
            run.clock().await(1);
            other.clock().await(1);
            run.clock().advance(Duration.ofMinutes(1));
            assertEquals(HTTP_OK, reply.get());
            assertEquals(1, other.clock().state().getInt("waiting"));
            assertFalse(server.clock().state().getBoolean("frozen"));
            other.clock().advance(Duration.ofMinutes(1));
            assertEquals(HTTP_OK, later.get());
        }

        @Test
        void aResetBringsTheServerBackToItsStart() throws Exception {
            var run = server.run();
            server.clock().freeze();
            var reply = getAtOnce(1, run.hold("prices").uri()).get(0);
            run.await(1);
            server.reset();
            assertEquals(HTTP_UNAVAILABLE, reply.get());
            assertFalse(server.clock().state().getBoolean("frozen"));
            assertProblem("run-not-found", run::settled);
        }

        @Test
        void requestsBelongToARunByUriOrHeader() throws Exception {
            var run = server.run();
            get(run.delayUri(Duration.ofNanos(1_500_000)));
            get(run.uri("/delay/1?status=503"));
            get(run.uri(server.url() + "/delay/1"));
            var named = HttpRequest.newBuilder(server.delayUri(Duration.ZERO)).header("X-Run-Id", run.id()).build();
            client.send(named, BodyHandlers.discarding());
            var asked = run.settled().getList("waits").stream().map(w -> w.getDuration("asked_ms").toNanos()).toList();
            assertEquals(List.of(1_500_000L, 1_000_000L, 1_000_000L, 0L), asked);
            assertMatches("/delay/0", run.waterfall());
            run.forget();
            server.forgetRuns();
            assertProblem("run-not-found", run::waterfall);
        }

        @Test
        void namesAreEscaped() throws Exception {
            String name = server.run().id() + "/?&=%2F+";
            var run = server.run(name);
            var hold = server.hold(name);
            var replies = getAtOnce(1, run.uri(hold.uri().toString()));
            hold.await(1);
            hold.release();
            assertEquals(HTTP_OK, replies.get(0).get());
            assertEquals(name, run.settled().getString("id"));
            for (String invalid : List.of("", ".", "..")) {
                var error = assertThrows(IllegalArgumentException.class, () -> server.hold(invalid));
                assertMatches("name \".*\" is invalid", error.getMessage());
            }
        }
    }

    /** What fails says why. */
    @Nested
    class Errors {
        @Test
        void aProblemNamesTheRequestTheTypeAndTheDetail() {
            var problem = assertThrows(DelayServer.Problem.class, () -> server.run("unknown").settled());
            assertEquals("run-not-found", problem.type());
            assertEquals(404, problem.status());
            assertEquals("Run not found", problem.title());
            assertMatches("run \"unknown\" not found", problem.detail());
            assertMatches("^GET http\\S+/admin/runs/unknown\\?\\S+: 404 run-not-found: run \"unknown\" not found",
                problem.getMessage());
        }

        @Test
        void aWaitEndsWithTheTime() {
            server.timeout(Duration.ofMillis(10));
            try {
                assertProblem("wait-timeout", () -> server.hold(server.run().id()).await(2));
            } finally {
                server.timeout(Duration.ofSeconds(10));
            }
        }

        @Test
        void aWrongToken() {
            assertProblem("token-required", () -> new DelayServer(server.url(), "wrong").clock().freeze());
        }

        @Test
        void aServerThatIsNotThere() throws Exception {
            String url;
            try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                url = "http://127.0.0.1:" + free.getLocalPort();
            }
            var error = assertThrows(UncheckedIOException.class, () -> new DelayServer(url, "").clock().state());
            assertMatches("^GET " + url + "/admin/clock: no delay-server answers: .*Connect", error.getMessage());
        }

        @Test
        void anotherServer() throws Exception {
            var other = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            other.createContext("/", exchange -> {
                exchange.getResponseHeaders().add("Content-Type", "text/html");
                exchange.sendResponseHeaders(200, -1);
            });
            other.createContext("/moved/", exchange -> {
                exchange.getResponseHeaders().add("Location", "http://192.0.2.1/"); // nothing answers there
                exchange.sendResponseHeaders(302, -1);
            });
            other.createContext("/problem/", exchange -> {
                exchange.getResponseHeaders().add("Content-Type", "application/problem+json");
                exchange.sendResponseHeaders(404, 2);
                exchange.getResponseBody().write("{}".getBytes(US_ASCII));
                exchange.close();
            });
            other.start();
            try {
                String url = "http://127.0.0.1:" + other.getAddress().getPort();
                for (var reply : Map.of("/moved", 302, "", 200).entrySet()) {
                    var clock = new DelayServer(url + reply.getKey(), "token").clock();
                    var error = assertThrows(UncheckedIOException.class, clock::state);
                    assertMatches("unexpected reply " + reply.getValue() + " .*\\(is this a delay-server",
                        error.getMessage());
                }
                assertProblem("about:blank", () -> new DelayServer(url + "/problem", "").clock().state());
            } finally {
                other.stop(0);
            }
        }

        @Test
        void anInvalidUrl() {
            for (String url : List.of("", "127.0.0.1:3000", "ftp://a", "http://", "http://a?b", "http://a#b",
                "http://user:secret@a")) {
                var error = assertThrows(IllegalArgumentException.class, () -> new DelayServer(url, ""), url);
                assertMatches("use http://HOST:PORT", error.getMessage());
            }
        }
    }

    /** DelayServer.start follows the environment. */
    @Nested
    class Start {
        final String binary = System.getenv().getOrDefault("DELAY_SERVER_BINARY", "");
        final String image = System.getenv().getOrDefault("DELAY_SERVER_IMAGE", "");

        String failure(Class<? extends Exception> type, Map<String, String> settings, Map<String, String> environment) {
            return assertThrows(type, () -> DelayServer.start(settings, environment)).getMessage();
        }

        @Test
        void aUrl() {
            var environment = Map.of("DELAY_SERVER_URL", "http://127.0.0.1:9/base/");
            try (var started = DelayServer.start(Map.of(), environment)) {
                assertEquals("http://127.0.0.1:9/base", started.url());
            }
            var settings = Map.of("MAX_DELAY", "1h");
            assertMatches("runs already: start it with .MAX_DELAY",
                failure(IllegalArgumentException.class, settings, environment));
        }

        @Test
        void aProgramRunsUntilItIsClosed() {
            assumeTrue(!binary.isEmpty(), "no DELAY_SERVER_BINARY");
            var environment = Map.of("DELAY_SERVER_BINARY", binary, "DELAY_SERVER_TOKEN", "t", "PORT", "x");
            var started = DelayServer.start(Map.of(), environment);
            new DelayServer(started.url(), "t").clock().state();
            started.close();
            assertThrows(UncheckedIOException.class, () -> started.clock().state());
            started.close();
        }

        @Test
        void aProgramEndsWithTheProcess() throws Exception {
            assumeTrue(!binary.isEmpty(), "no DELAY_SERVER_BINARY");
            var classes = Path.of(DelayServer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            var java = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp", classes.toString(), Starts.class.getName()).redirectError(ProcessBuilder.Redirect.INHERIT);
            java.environment().putAll(Map.of("DELAY_SERVER_URL", "", "DELAY_SERVER_BINARY", binary));
            Process process = java.start();
            String url = process.inputReader().readLine();
            assertEquals(0, process.waitFor());
            assertThrows(UncheckedIOException.class, () -> new DelayServer(url, "").clock().state());
        }

        @Test
        void aContainer() {
            assumeTrue(!image.isEmpty(), "no DELAY_SERVER_IMAGE");
            var environment = Map.of("DELAY_SERVER_IMAGE", image);
            var started = DelayServer.start(Map.of("TIME_SCALE", "0.5"), environment);
            assertEquals(0.5, started.clock().state().getDouble("scale"));
            started.close();
            assertThrows(UncheckedIOException.class, () -> started.clock().state());
            assertMatches("does not answer; its log: .*TIME_SCALE: \"fast\" is invalid",
                failure(IllegalStateException.class, Map.of("TIME_SCALE", "fast"), environment));
            assertMatches("docker run: .*NO-IMAGE",
                failure(IllegalStateException.class, Map.of(), Map.of("DELAY_SERVER_IMAGE", "NO-IMAGE")));
        }

        @Test
        void settings() {
            assumeTrue(!binary.isEmpty(), "no DELAY_SERVER_BINARY");
            var environment = Map.of("DELAY_SERVER_BINARY", binary);
            try (var started = DelayServer.start(Map.of("TIME_SCALE", "0.5"), environment)) {
                assertEquals(0.5, started.clock().state().getDouble("scale"));
            }
            assertMatches("did not start .exit status 2",
                failure(IllegalStateException.class, Map.of("TIME_SCALE", "fast"), environment));
        }

        @Test
        void aProgramInPath(@TempDir Path folder) throws Exception {
            assumeTrue(!binary.isEmpty(), "no DELAY_SERVER_BINARY");
            Files.copy(Path.of(binary), folder.resolve("delay-server"));
            folder.resolve("delay-server").toFile().setExecutable(true);
            try (var started = DelayServer.start(Map.of(), Map.of("PATH", folder.toString()))) {
                started.clock().state();
            }
        }

        @Test
        void noProgram(@TempDir Path folder) throws Exception {
            Files.createDirectory(folder.resolve("delay-server")); // no program
            for (String path : List.of("", folder.toString())) {
                assertMatches("set DELAY_SERVER_URL, DELAY_SERVER_BINARY or DELAY_SERVER_IMAGE",
                    failure(IllegalStateException.class, Map.of(), Map.of("PATH", path)));
            }
            assertMatches("/nowhere/delay-server", failure(UncheckedIOException.class, Map.of(),
                Map.of("DELAY_SERVER_BINARY", "/nowhere/delay-server")));
            String java = Path.of(System.getProperty("java.home"), "bin", "jps").toString(); // prints and ends
            assertMatches("is no delay-server, or did not start .exit status",
                failure(IllegalStateException.class, Map.of(), Map.of("DELAY_SERVER_BINARY", java)));
        }
    }

    /** A process that starts a server and does not close it. */
    static class Starts {
        public static void main(String[] args) {
            System.out.println(DelayServer.start().url());
        }
    }

    /** The JSON that the server sends, and what it never sends. */
    @Nested
    class Json {
        @Test
        void values() {
            var o = DelayServer.Reply.parse(" {\"a\":\"\\u00e4\\n\\\"\\\\\\/\u00df\" , \"b\": [ {\"c\":1.5}, { } ],"
                + "\"d\":-2e3,\"e\":true,\"f\":false,\"g\":[],\"h\":null,\"i\":0.000001}\n");
            assertEquals("\u00e4\n\"\\/\u00df", o.getString("a"));
            assertEquals(1.5, o.getList("b").get(0).getDouble("c"));
            assertFalse(o.getList("b").get(1).has("c"));
            assertEquals(-2000, o.getInt("d"));
            assertTrue(o.getBoolean("e"));
            assertFalse(o.getBoolean("f"));
            assertTrue(o.getList("g").isEmpty());
            assertTrue(o.has("h"));
            assertEquals(Duration.ofNanos(1), o.getDuration("i"));
            var absent = assertThrows(NoSuchElementException.class, () -> o.getInt("x"));
            assertMatches("no x in .*", absent.getMessage());
        }

        @Test
        void invalid() {
            for (String json : List.of("", "{", "{}x", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "[1",
                "{\"a\":\"", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}",
                "{\"a\":01}", "{\"a\":.5}", "{\"a\":tru}", "{\"a\":[1 2]}", "{\"a\":[1,]}", "{\"a\":\"\\")) {
                var error = assertThrows(IllegalArgumentException.class, () -> DelayServer.Reply.parse(json), json);
                assertMatches("JSON is invalid at character \\d+: ", error.getMessage());
            }
        }
    }
}
