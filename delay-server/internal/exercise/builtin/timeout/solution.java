// Waits up to two seconds for the answer, then closes the connection.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.time.Duration;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".timeout." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/5000";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN)
            .timeout(Duration.ofSeconds(2)).build();

    public static void main(String[] args) throws Exception {
        try {
            int status = CLIENT.send(REQUEST, BodyHandlers.ofString()).statusCode();
            System.out.println("got " + status);
        } catch (HttpTimeoutException e) {
            System.out.println("gave up");
        }
    }
}
