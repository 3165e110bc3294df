// Makes a hundred calls at once, each in a thread.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

class Main {
    static final String SERVER = "http://localhost:3000";
    static final String NAME = "your-name";
    // A new one for each try.
    static final String RUN = NAME + ".bounded." + System.currentTimeMillis();

    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).build();
    static final String URL = SERVER + "/delay/200";
    static final HttpRequest REQUEST = HttpRequest.newBuilder(URI.create(URL))
            .header("X-Run-Id", RUN).build();

    static void call(int number) {
        try {
            int status = CLIENT.send(REQUEST, BodyHandlers.ofString()).statusCode();
            System.out.println("call " + number + " got " + status);
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    public static void main(String[] args) throws Exception {
        // Change this: make all hundred calls, but never more than ten at the same time.
        var pool = Executors.newFixedThreadPool(100);
        for (int i = 0; i < 100; i++) {
            int number = i;
            pool.submit(() -> call(number));
        }
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.MINUTES);
    }
}
