"""Asset checks."""

import dagster as dg

from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.mapping.model import GraphMapping


def control_rows_check(
    *, mapping: GraphMapping, warnings: tuple[str, ...]
) -> dg.AssetChecksDefinition:
    """Fails when a control row cannot be honoured; names each and why."""

    @dg.asset_check(
        asset=SCRIPT_KEY,
        name="control_rows_are_honoured",
        description="Every active control row is part of the graph.",
    )
    def control_rows_are_honoured() -> dg.AssetCheckResult:
        lines = [*(str(refusal) for refusal in mapping.refusals), *warnings]
        return dg.AssetCheckResult(
            passed=not lines,
            severity=dg.AssetCheckSeverity.ERROR,
            description="\n".join(lines) or "All rows are honoured.",
            metadata={"refused_rows": len(mapping.refusals)},
        )

    return control_rows_are_honoured
