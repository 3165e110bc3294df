// Sends a second request after a second, takes the first answer, and cancels
// the other request.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".hedge." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/100?attempts=200@6s,200";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN).build();

    public static void main(String[] args) throws Exception {
        var first = CLIENT.sendAsync(REQUEST, BodyHandlers.ofString());
        try {
            System.out.println("got " + first.get(1, TimeUnit.SECONDS).statusCode());
        } catch (TimeoutException e) {
            var second = CLIENT.sendAsync(REQUEST, BodyHandlers.ofString());
            var winner = (HttpResponse<?>) CompletableFuture.anyOf(first, second).get();
            first.cancel(true); // closes the connection, if it still waits
            second.cancel(true);
            System.out.println("got " + winner.statusCode());
        }
    }
}
