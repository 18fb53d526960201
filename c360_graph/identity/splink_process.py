"""Splink in a process of its own: told what to compare, answering how many pairs it has scored.

It reads one line, a task as JSON, and writes one. The scored pairs go into a file. Nothing that it logs leaves
the process, as values of customers may be part of it. The model is Splink's: what agreement is worth is estimated
from random pairs and by expectation maximisation, always with the same result, as one thread sums up in one order.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from threading import Thread
from typing import TYPE_CHECKING, Any

from c360_graph.sql_quoting import sql_literal

if TYPE_CHECKING:
    from splink.internals.comparison_creator import ComparisonCreator

SEED = 1
RANDOM_PAIRS, TRAINING_PAIRS = 2_000_000, 1_000_000
"""Of which a model is estimated, at most."""


def score_pairs(task: dict[str, Any]) -> dict[str, Any]:
    """Score the pairs of a task; how many were compared, and the weights of the model.

    Args:
        task: see `similar.find_similar`.
    """
    import duckdb
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    columns = [kind["column"] for kind in task["kinds"]]
    config = {"memory_limit": task["memory"], "threads": 1, "temp_directory": task["folder"]}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT record AS unique_id, * EXCLUDE (record)"
            f" FROM read_parquet({sql_literal(task['records'])}) ORDER BY unique_id"
        )
        api = DuckDBAPI(connection=connection)
        linker = Linker(
            api.register("people"),
            SettingsCreator(
                link_type="dedupe_only",
                comparisons=[
                    _comparison(kind["column"], kind["comparison"]) for kind in task["kinds"]
                ],
                blocking_rules_to_generate_predictions=[_of_two(block) for block in task["blocks"]],
                probability_two_random_records_match=task["prior"],
                retain_matching_columns=False,
            ),
        )
        linker.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=SEED)
        for block in task["training"]:
            linker.training.estimate_parameters_using_expectation_maximisation(
                block_on(*block), max_pairs=TRAINING_PAIRS
            )
        scored = linker.inference.predict(
            threshold_match_probability=task["least_score"], warning_mode="never"
        )
        connection.execute(
            "COPY (SELECT unique_id_l AS record_l, unique_id_r AS record_r, match_probability AS score"
            f" FROM {scored.physical_name} ORDER BY ALL) TO {sql_literal(task['pairs'])} (FORMAT parquet)"
        )
        return {"weights": [*_weights(linker.misc.save_model_to_json(), columns)]}


def _of_two(columns: list[str]) -> Any:
    """The condition of a block, between records of two entities."""
    return " AND ".join((*(f"l.{c} = r.{c}" for c in columns), "l.id <> r.id"))


def _comparison(column: str, comparison: str) -> ComparisonCreator:
    from splink import comparison_library as library

    match comparison:
        case "name":
            return library.NameComparison(column)
        case "date":
            return library.DateOfBirthComparison(column, input_is_string=False)
        case "code":
            near = library.DamerauLevenshteinAtThresholds(column, [1, 2])
            return near.configure(term_frequency_adjustments=True)
        case _:
            return library.ExactMatch(column).configure(term_frequency_adjustments=True)


def _weights(model: dict[str, Any], columns: list[str]) -> Any:
    """(column, level, weight) of all levels that were estimated."""
    from math import log2

    for column, comparison in zip(columns, model["comparisons"], strict=True):
        for level in comparison["comparison_levels"]:
            m, u = level.get("m_probability"), level.get("u_probability")
            if m and u:
                yield column, level["label_for_charts"], log2(m / u)


def _serve() -> None:
    # An interruption is for the run, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    logging.disable(logging.CRITICAL)
    # What others print is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = json.loads(sys.stdin.readline())
    Thread(target=_end_with_the_run, daemon=True).start()
    try:
        answer = score_pairs(task)
    except Exception as error:  # noqa: BLE001
        # The reason may quote a value; the kind of error does not.
        answer = {"error": type(error).__name__}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _end_with_the_run() -> None:
    """End this process with the one that told it, whatever is being computed."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve()
