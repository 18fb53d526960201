"""What makes Dagster rebuild the script and the graph."""

from __future__ import annotations

import dagster as dg

from c360_graph.assets.step_policy import when_a_run_updates


def test_what_was_followed_rebuilds_nothing_and_a_run_of_a_table_does() -> None:
    @dg.asset
    def table() -> None: ...

    @dg.asset(deps=[table], automation_condition=when_a_run_updates())
    def script() -> None: ...

    definitions = dg.Definitions(assets=[table, script])
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([table, script], instance=instance).success
        first = dg.evaluate_automation_conditions(defs=definitions, instance=instance)
        instance.report_runless_asset_event(dg.AssetMaterialization("table"))
        followed = dg.evaluate_automation_conditions(
            defs=definitions, instance=instance, cursor=first.cursor
        )
        assert followed.total_requested == 0
        assert dg.materialize([table], instance=instance).success
        read = dg.evaluate_automation_conditions(
            defs=definitions, instance=instance, cursor=followed.cursor
        )
        assert read.get_num_requested(dg.AssetKey("script")) == 1
