from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import METRICS, Metrics


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
