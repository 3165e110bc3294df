// Retries a failed call at once.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".retry." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/20?attempts=503,503,503,200";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN).build();

    public static void main(String[] args) throws Exception {
        for (int attempt = 0; attempt < 5; attempt++) {
            int status = CLIENT.send(REQUEST, BodyHandlers.ofString()).statusCode();
            System.out.println("attempt " + attempt + " got " + status);
            if (status < 500) break;
            // Change this: wait about 200 ms, then twice as long each time, and
            // multiply each wait by a random number from 0.5 to 1.5.
        }
    }
}
