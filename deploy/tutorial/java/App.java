// The tutorial's app: the same slow calls, one after another and all at once.
//
//   java App.java    serves /get_data and /async_get_data at http://localhost:5001
//
// It needs a JDK and no library: with Java 21 or later, each call waits in a virtual
// thread; with Java 17, in a thread. DELAY_SERVER_URL sets the slow service, HOST and PORT
// the address.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public class App {
    static final String SLOW = setting("DELAY_SERVER_URL", "http://localhost:3000").replaceAll("/$", "");
    static final String DATABASE = setting("DATABASE_URL", "");
    static final ExecutorService THREADS = threads();
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    // Step 1: two endpoints, which differ in how they make their calls. Without calls, they answer ok.
    public static void main(String[] args) throws IOException {
        var address = new InetSocketAddress(setting("HOST", "localhost"), Integer.parseInt(setting("PORT", "5001")));
        var server = HttpServer.create(address, 1000);
        server.createContext("/get_data", exchange -> serve(exchange, App::sequential));
        server.createContext("/async_get_data", exchange -> serve(exchange, App::concurrent));
        server.setExecutor(THREADS);
        server.start();
        System.out.println("listening at http://localhost:" + server.getAddress().getPort());
    }

    // Step 2, one after another: each call returns before the next. The waits add up.
    static List<Integer> sequential(List<Callable<Integer>> calls)
            throws Exception {
        var statuses = new ArrayList<Integer>();
        for (var call : calls) {
            statuses.add(call.call());
        }
        return statuses;
    }

    // Step 2, all at once: each call runs in a thread, and invokeAll waits for all. The waits overlap.
    static List<Integer> concurrent(List<Callable<Integer>> calls)
            throws Exception {
        var statuses = new ArrayList<Integer>();
        for (var future : THREADS.invokeAll(calls)) {
            statuses.add(future.get());
        }
        return statuses;
    }

    static int call(int wait, String run) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(SLOW + "/delay/" + wait)).header("X-Run-Id", run).build();
        return CLIENT.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
    }

    // Step 3: any number of calls, r1, r2 and so on.
    static List<Callable<Integer>> readCalls(Map<String, List<String>> query, String run) {
        for (var name : query.keySet()) {
            if (!List.of("calls", "delay", "db").contains(name)) {
                throw new Rejected(400, "unknown parameter " + name + ": use calls, delay and db");
            }
        }
        int count = number(query, "calls", 2, 1000);
        int wait = number(query, "delay", 1000, 60_000);
        var calls = new ArrayList<Callable<Integer>>();
        for (int i = 0; i < count; i++) {
            calls.add(() -> call(wait, run));
        }
        if (query.containsKey("db")) {
            if (calls.isEmpty()) {
                throw new Rejected(400, "db and calls=0 conflict: db replaces the last call");
            }
            int queryWait = number(query, "db", 0, 60_000);
            requireDriver();
            calls.set(count - 1, () -> queryDatabase(queryWait));
        }
        return calls;
    }

    // Step 4: a query that takes a while, by JDBC. PostgreSQL's driver is a library.
    static int queryDatabase(int wait) throws SQLException {
        try (var database = DriverManager.getConnection(DATABASE);
                var query = database.prepareStatement("SELECT pg_sleep(?)")) {
            query.setDouble(1, wait / 1000.0);
            query.executeQuery();
        }
        return 200;
    }

    static void requireDriver() {
        try {
            DriverManager.getDriver(DATABASE);
        } catch (SQLException e) {
            throw new Rejected(501, "db needs a database driver: use DATABASE_URL=jdbc:postgresql://HOST/NAME "
                    + "java -cp DRIVER.jar App.java, or try the Python app or demo-api");
        }
    }

    interface Way {
        List<Integer> make(List<Callable<Integer>> calls) throws Exception;
    }

    static void serve(HttpExchange exchange, Way way) throws IOException {
        var given = exchange.getRequestHeaders().getFirst("X-Run-Id");
        var run = given == null ? "generated." + UUID.randomUUID() : given; // delay-server shows it as a waterfall
        int status = 200;
        var kind = "text/plain; charset=utf-8";
        String body;
        try {
            var path = exchange.getHttpContext().getPath();
            if (!exchange.getRequestURI().getPath().equals(path)) { // a context serves all that begins with its path
                throw new Rejected(404, "use /get_data or /async_get_data");
            }
            var query = query(exchange.getRequestURI());
            var statuses = way.make(readCalls(query, run));
            body = statuses.isEmpty() ? "ok" : json(statuses, query.containsKey("db"));
            kind = statuses.isEmpty() ? kind : "application/json";
        } catch (Rejected e) {
            status = e.status;
            body = e.getMessage();
        } catch (Exception e) {
            status = 502;
            var cause = e instanceof ExecutionException ? e.getCause() : e;
            body = (cause instanceof SQLException ? "the query" : "a call to " + SLOW) + " failed: " + cause;
        }
        exchange.getResponseHeaders().set("Content-Type", kind);
        exchange.getResponseHeaders().set("X-Run-Id", run);
        var bytes = (body + "\n").getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    static String json(List<Integer> statuses, boolean endsWithQuery) {
        var json = new StringJoiner(",", "{", "}");
        for (int i = 0; i < statuses.size(); i++) {
            var name = endsWithQuery && i == statuses.size() - 1 ? "db" : "r" + (i + 1);
            json.add("\"" + name + "\":" + statuses.get(i));
        }
        return json.toString();
    }

    static Map<String, List<String>> query(URI uri) {
        var query = new HashMap<String, List<String>>();
        if (uri.getRawQuery() == null) {
            return query;
        }
        for (var pair : uri.getRawQuery().split("&")) {
            var parts = pair.split("=", 2);
            var value = parts.length == 1 ? "" : URLDecoder.decode(parts[1], StandardCharsets.UTF_8);
            var name = URLDecoder.decode(parts[0], StandardCharsets.UTF_8);
            query.computeIfAbsent(name, key -> new ArrayList<>()).add(value);
        }
        return query;
    }

    static int number(Map<String, List<String>> query, String name, int initial, int limit) {
        var values = query.get(name);
        if (values == null) {
            return initial;
        }
        if (values.size() > 1 || !values.get(0).matches("[0-9]{1,5}") || Integer.parseInt(values.get(0)) > limit) {
            throw new Rejected(400, name + " is invalid: use one whole number from 0 to " + limit);
        }
        return Integer.parseInt(values.get(0));
    }

    static class Rejected extends RuntimeException {
        final int status;

        Rejected(int status, String sentence) {
            super(sentence);
            this.status = status;
        }
    }

    static String setting(String name, String initial) {
        var value = System.getenv(name);
        return value == null || value.isEmpty() ? initial : value;
    }

    /** Executors.newVirtualThreadPerTaskExecutor(), or before Java 21 a pool of threads without a limit. */
    static ExecutorService threads() {
        try {
            return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException e) {
            return Executors.newCachedThreadPool();
        }
    }
}
