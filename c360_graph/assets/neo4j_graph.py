"""The asset `neo4j_graph`: the script loaded into the target."""

import dagster as dg
from pydantic import Field

from c360_graph.assets.cypher_script import GROUP
from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.assets.facts import graph_facts
from c360_graph.assets.failures import failing_clearly
from c360_graph.phases.loading import load_registered_script
from c360_graph.phases.scripting import script_to_load
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.run_log import RunLog
from c360_graph.settings import load_settings

KEY = "neo4j_graph"


class Neo4jGraphConfig(dg.Config):
    """Config of `neo4j_graph`."""

    clear_database: bool = Field(
        default=True,
        description="Empty the graph first, in bounded batches. False refuses one that is not empty.",
    )
    lock_wait_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="How long to wait for another load of the same target; 0 fails at once.",
    )


def neo4j_graph_asset() -> dg.AssetsDefinition:
    """The asset that loads what `cypher_script` wrote."""

    @dg.asset(
        key=KEY,
        deps=[SCRIPT_KEY],
        group_name=GROUP,
        kinds={"neo4j"},
        description="The graph in Neo4j, built from the newest script; one load at a time.",
    )
    def neo4j_graph(
        context: dg.AssetExecutionContext,
        config: Neo4jGraphConfig,
        postgres: PostgresResource,
        neo4j: Neo4jResource,
    ) -> dg.MaterializeResult[None]:
        with failing_clearly(), neo4j.graph() as graph:
            control = postgres.control_database()
            log_id = RunLog(control).open_run(context.run.run_id)
            path = script_to_load(RunLog(control), log_id=log_id)
            context.log.info(f"Loading {path.name} into {graph.place}")
            loaded = load_registered_script(
                path=path,
                graph=graph,
                control=control,
                clear=config.clear_database,
                sessions=load_settings().c360_load_sessions,
                lock_wait_seconds=config.lock_wait_seconds,
                report=lambda progress: context.log.info(str(progress)),
                warn=context.log.warning,
            )
        return dg.MaterializeResult(metadata=graph_facts(loaded, log_id=log_id))

    return neo4j_graph
