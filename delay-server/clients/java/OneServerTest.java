import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store.CloseableResource;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** One server for all test classes, passed to each test that has a parameter for it. */
class OneServer implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == DelayServer.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getRoot().getStore(Namespace.create(OneServer.class))
            .getOrComputeIfAbsent("server", key -> new Resource(DelayServer.start()), Resource.class).server();
    }

    private record Resource(DelayServer server) implements CloseableResource {
        @Override
        public void close() {
            server.close();
        }
    }
}

@ExtendWith(OneServer.class)
class OneServerTest {
    static DelayServer first;

    @Test
    void one(DelayServer server) {
        assertIsTheFirst(server);
    }

    @Test
    void theSame(DelayServer server) {
        assertIsTheFirst(server);
    }

    private static void assertIsTheFirst(DelayServer server) {
        server.clock().state();
        assertSame(first == null ? server : first, server);
        first = server;
    }
}
