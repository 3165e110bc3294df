// Waits for a single request, also if it is a slow one.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

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
        // Change this: after a second without an answer, send a second request. Take the
        // first answer, and cancel the other: cancel(true) of the future that sendAsync
        // returned closes its connection.
        var call = CLIENT.sendAsync(REQUEST, BodyHandlers.ofString());
        System.out.println("got " + call.get().statusCode());
    }
}
