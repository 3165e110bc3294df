// Makes three calls at once.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".concurrent." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/1000";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN).build();

    public static void main(String[] args) throws Exception {
        var calls = new ArrayList<CompletableFuture<HttpResponse<String>>>();
        for (int number = 0; number < 3; number++) {
            calls.add(CLIENT.sendAsync(REQUEST, BodyHandlers.ofString()));
        }
        for (var call : calls) {
            System.out.println("got " + call.join().statusCode());
        }
    }
}
