"""The result of a check from what it found."""

from collections.abc import Iterable, Iterator, Sequence

import dagster as dg


def outcome(
    asset: str, name: str, found: Sequence[str], severity: dg.AssetCheckSeverity, **facts: int
) -> dg.AssetCheckResult:
    """Passed where nothing was found; otherwise all that was, a paragraph each."""
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=dg.AssetKey(asset),
        passed=not found,
        severity=severity,
        description="\n\n".join(found) or "All as it should be.",
        metadata=facts,
    )


def selected(
    context: dg.AssetCheckExecutionContext, results: Iterable[dg.AssetCheckResult]
) -> Iterator[dg.AssetCheckResult]:
    """Those of the checks that the run is to execute."""
    names = {key.name for key in context.selected_asset_check_keys}
    return (result for result in results if result.check_name in names)
