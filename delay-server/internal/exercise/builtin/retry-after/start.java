// Retries at once, whatever the header Retry-After says.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".retry-after." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/20?attempts=429,429,200&retry_after=1s";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN).build();

    public static void main(String[] args) throws Exception {
        for (int attempt = 0; attempt < 5; attempt++) {
            var response = CLIENT.send(REQUEST, BodyHandlers.ofString());
            System.out.println("attempt " + attempt + " got " + response.statusCode());
            if (response.statusCode() != 429) break;
            // Change this: wait as long as the server says.
        }
    }
}
