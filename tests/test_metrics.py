from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import METRICS, Metrics, Snapshot, together


def test_counts_reach_prometheus_with_their_labels() -> None:
    metrics = Metrics()
    metrics.count("leadgate_requests", "acme", "form")
    metrics.count("leadgate_requests", "acme", "form")
    metrics.stage("facts", 0.0)
    metrics.gauge("leadgate_in_flight", lambda: 3)
    families = {f.name: f for f in text_string_to_metric_families(metrics.exposition().decode())}
    sample = families["leadgate_requests"].samples[0]
    assert (sample.labels, sample.value) == ({"site": "acme", "route": "form"}, 2.0)
    assert families["leadgate_in_flight"].samples[0].value == 3
    assert {s.name for s in families["leadgate_stage_seconds"].samples} == {
        "leadgate_stage_seconds_count",
        "leadgate_stage_seconds_sum",
    }
    assert metrics.total("leadgate_requests") == 2


def test_every_metric_says_what_it_is() -> None:
    for name, spec in METRICS.items():
        assert name.startswith("leadgate_")
        assert spec.kind in ("counter", "gauge", "summary")
        assert spec.help.endswith(".")


def test_what_several_workers_counted_is_shown_as_one() -> None:
    first, second = Metrics(), Metrics()
    for metrics, connections, healthy, held in ((first, 3, 1, 7), (second, 4, 0, 7)):
        metrics.count("leadgate_requests", "acme", "form")
        metrics.count("leadgate_records_dropped")
        metrics.stage("facts", 0.0)
        metrics.gauge("leadgate_connections", lambda connections=connections: connections)
        metrics.gauge("leadgate_store_healthy", lambda healthy=healthy: healthy)
        metrics.gauge("leadgate_held_leads", lambda held=held: held)
    first.count("leadgate_requests", "acme", "other")
    first.others = lambda: [second.snapshot(), Snapshot({"leadgate_requests\x1facme\x1fform": 40})]
    shown = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(first.exposition().decode())
        for sample in family.samples
    }
    assert shown["leadgate_requests_total", "form", "acme"] == 42
    assert shown["leadgate_requests_total", "other", "acme"] == 1
    assert shown["leadgate_records_dropped_total",] == 2
    assert shown["leadgate_stage_seconds_count", "facts"] == 2
    assert shown["leadgate_connections",] == 7
    assert shown["leadgate_store_healthy",] == 0
    assert shown["leadgate_held_leads",] == 7


def test_advice_of_several_is_told_once() -> None:
    told = together([Metrics().snapshot(["mend it"]), Metrics().snapshot(["mend it", "look there"])])
    assert told.advice == ("mend it", "look there")


def test_a_gauge_of_a_newer_program_is_left_out() -> None:
    assert together([Snapshot(gauges={"leadgate_of_tomorrow": 1.0})]).gauges == {}
