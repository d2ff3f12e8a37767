"""Figures of the server in the text format of Prometheus."""

import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from threading import Lock

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of seconds."""


class Metrics:
    """Counts of answers by status and part of the address, and of seconds by verb."""

    def __init__(self) -> None:
        self.started = time.time()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.buckets: Counter[tuple[str, float]] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.asked: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.lock = Lock()

    def answered(self, path: str, status: int) -> None:
        part = path.strip("/").split("/")[0]
        known = part if part in ("api", "static", "health", "metrics", "docs", "") else "other"
        with self.lock:
            self.answers[known or "page", status] += 1

    def took(self, verb: str, seconds: float, rows: int) -> None:
        with self.lock:
            self.asked[verb] += 1
            self.rows[verb] += rows
            self.seconds[verb] += seconds
            for bound in BUCKETS:
                self.buckets[verb, bound] += seconds <= bound

    def text(self, waiting: Mapping[str, int], passes: int) -> str:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        with self.lock:
            lines = ["# TYPE reparam_responses_total counter"]
            lines += [
                f'reparam_responses_total{{part="{part}",status="{status}"}} {n}'
                for (part, status), n in sorted(self.answers.items())
            ]
            lines.append("# TYPE reparam_rows_total counter")
            lines += [f'reparam_rows_total{{verb="{verb}"}} {n}' for verb, n in sorted(self.rows.items())]
            lines.append("# TYPE reparam_request_seconds histogram")
            name = "reparam_request_seconds"
            for verb, n in sorted(self.asked.items()):
                counts = [(f"{bound:g}", self.buckets[verb, bound]) for bound in BUCKETS] + [("+Inf", n)]
                lines += [f'{name}_bucket{{verb="{verb}",le="{bound}"}} {count}' for bound, count in counts]
                lines.append(f'{name}_sum{{verb="{verb}"}} {self.seconds[verb]:.6f}')
                lines.append(f'{name}_count{{verb="{verb}"}} {n}')
        lines.append("# TYPE reparam_waiting gauge")
        lines += [f'reparam_waiting{{worker="{worker}"}} {n}' for worker, n in waiting.items()]
        lines += ["# TYPE reparam_passes_total counter", f"reparam_passes_total {passes}"]
        lines += [
            "# TYPE process_resident_memory_peak_bytes gauge",
            f"process_resident_memory_peak_bytes {peak}",
        ]
        lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {self.started:.3f}"]
        return "\n".join(lines) + "\n"
