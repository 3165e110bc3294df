from test_delayserver import get


def test_the_fixture_has_a_server(delay_server):
    run = delay_server.run()
    assert get(run.delay_url(0.001)) == 200
    assert run.settled()["requests"] == 1
