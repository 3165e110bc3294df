import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ReadmeTest {
    /** The code under test: it retries a 503, first after 100 ms, then after 200 ms. */
    static String fetch(URI uri) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(uri).build();
        for (int tries = 3, pause = 100; ; pause *= 2) {
            var reply = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
            if (reply.statusCode() == 200) {
                return reply.body();
            }
            if (reply.statusCode() != 503 || --tries == 0) {
                throw new IOException(uri + ": " + reply.statusCode());
            }
            Thread.sleep(pause);
        }
    }

    static CompletableFuture<String> fetchAsync(URI uri) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return fetch(uri);
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }, task -> new Thread(task).start());
    }

    static DelayServer server;

    @BeforeAll
    static void start() {
        server = DelayServer.start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @Test
    void backsOff() throws Exception {
        var run = server.run();
        fetch(run.uri("/delay/10?attempts=503,503,200"));
        // within forgives waits up to 5 s too long, for a busy machine; none may be too short.
        run.check("attempts=3", "backoff=100ms,2", "within=5s");
    }

    @Test
    void fetchesAllAtOnce() {
        var run = server.run();
        var hold = run.hold("prices");
        var fetched = Stream.generate(() -> fetchAsync(hold.uri())).limit(3).toList();
        hold.await(3); // all three wait at the same time
        hold.release(); // and are answered
        fetched.forEach(CompletableFuture::join);
        run.check("peak=3");
    }

    @Test
    void aSlowAnswerIsAnAnswer() {
        var run = server.run();
        run.clock().freeze();
        var fetched = fetchAsync(run.delayUri(Duration.ofMinutes(1)));
        run.clock().await(1); // the request has come
        run.clock().advance(Duration.ofMinutes(1)); // a minute passes at once
        fetched.join();
    }

    @Test
    void routesOfTheShop() throws Exception {
        var run = server.run();
        run.scenario("""
            routes:
              - path: /prices/{id}
                delay: 5ms
                json: {price: 12}
            """);
        assertEquals("{\"price\":12}", fetch(run.uri("/prices/7")));
    }
}
