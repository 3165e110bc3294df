import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Map;
import java.util.Scanner;

/**
 * Clients that use java.net.http. Each line of the standard input is the name of a client
 * and a URL. The client sends its requests, and the URL is printed when they are over, with
 * the error that it did not expect.
 */
class Clients {
    interface Client {
        void send(URI url) throws Exception;
    }

    static final HttpClient SHARED = HttpClient.newHttpClient();

    static final Duration TIMEOUT = Duration.ofSeconds(2);

    static final Map<String, Client> CLIENTS = Map.of(
            "timeout", url -> {
                try {
                    get(SHARED, HttpRequest.newBuilder(url).timeout(TIMEOUT));
                } catch (HttpTimeoutException expected) {
                    // gave up
                }
            },
            // This bounds the time to connect, not the time to the response.
            "connect-timeout", url ->
                    get(HttpClient.newBuilder().connectTimeout(TIMEOUT).build(), HttpRequest.newBuilder(url)),
            "one-client", url -> {
                var client = HttpClient.newHttpClient();
                for (int i = 0; i < 4; i++) {
                    get(client, HttpRequest.newBuilder(url));
                }
            },
            "new-clients", url -> {
                for (int i = 0; i < 4; i++) {
                    get(HttpClient.newHttpClient(), HttpRequest.newBuilder(url));
                }
            });

    static void get(HttpClient client, HttpRequest.Builder request) throws Exception {
        client.send(request.build(), BodyHandlers.ofString());
    }

    public static void main(String[] args) {
        for (var lines = new Scanner(System.in); lines.hasNext();) {
            String name = lines.next(), url = lines.next();
            new Thread(() -> {
                String error = "";
                try {
                    CLIENTS.get(name).send(URI.create(url));
                } catch (Throwable e) {
                    error = e.toString();
                }
                System.out.println(url + " " + error);
            }).start();
        }
    }
}
