"""The result of a check from what it found."""

from collections.abc import Callable, Mapping, Sequence

import dagster as dg


def check_result(
    asset: str | Sequence[str],
    name: str,
    found: Sequence[str],
    severity: dg.AssetCheckSeverity,
    **facts: int,
) -> dg.AssetCheckResult:
    """Passed where nothing was found; otherwise all that was, a paragraph each."""
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=dg.AssetKey(asset),
        passed=not found,
        severity=severity,
        description="\n\n".join(found) or "No problem was found.",
        metadata=facts,
    )


def selected(
    context: dg.AssetCheckExecutionContext, checks: Mapping[str, Callable[[], dg.AssetCheckResult]]
) -> list[dg.AssetCheckResult]:
    """The results of those checks that the run is to execute; nothing is computed for the others."""
    names = {key.name for key in context.selected_asset_check_keys}
    return [check() for name, check in checks.items() if name in names]
