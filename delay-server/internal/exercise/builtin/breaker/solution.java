// Calls ten times a second, but not for a second after three failures in a row.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".breaker." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/20?attempts=503,503,503,503,200";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN).build();

    public static void main(String[] args) throws Exception {
        int failures = 0; // in a row
        long openUntil = System.nanoTime();
        for (int i = 0; i < 30; i++) {
            if (System.nanoTime() < openUntil) {
                System.out.println("not called: the breaker is open");
            } else {
                int status = CLIENT.send(REQUEST, BodyHandlers.ofString()).statusCode();
                System.out.println("got " + status);
                failures = status >= 500 ? failures + 1 : 0;
                if (failures >= 3) openUntil = System.nanoTime() + 1_000_000_000L;
            }
            Thread.sleep(100);
        }
    }
}
