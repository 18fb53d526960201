"""A small mapping, and graphs that a load of it, or of an older one, left behind."""

from __future__ import annotations

from c360_graph.cypher import schema
from c360_graph.cypher.schema import GraphSchema
from c360_graph.extract_joins.graph_input import kept_from_refused
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.plan.diff import plan_load
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import Plan, Way
from c360_graph_tests.unit.mapping.given import Case, table

SERVER = "bolt://somewhere:7687/neo4j"
EDGES = "BOUGHT\tCustomer\tPurchase"


def shop() -> Case:
    """Customers and their purchases, in two sources."""
    return (
        Case()
        .source("crm_db", table("customers", "id int; email text; born date?", key="id"))
        .source(
            "shop_db", table("purchases", "no int; customer_id int?; paid numeric(8,2)", key="no")
        )
        .label("customers", "Customer", source_id=1)
        .label("purchases", "Purchase", source_id=2)
        .joining("Customer", "BOUGHT", "Purchase", "customer.id = purchase.customer_id")
    )


def intention(case: Case, *, way: Way = "clear") -> Intention:
    """What a load of a case is about to write."""
    mapping = case.resolve()
    return Intention(
        way=way,
        rows=case.rows,
        mapping=mapping,
        kept=kept_from_refused(case.rows, mapping.refusals),
        unasked=frozenset(source.source_id for source in case.sources) - case.catalogs.keys(),
    )


def loaded(case: Case) -> GraphState:
    """The graph after a load of a case: three customers, five purchases."""
    meant = intention(case)
    desired: GraphManifest = meant.desired
    tables, relationships = meant.mapping.node_tables, meant.mapping.relationships
    return GraphState(
        manifest=desired,
        all_nodes=8,
        nodes={"Customer": 3, "Purchase": 5},
        relationships={"BOUGHT": 4},
        edges={EDGES: 4},
        types={
            label: {name: meant.types_of(label, name) for name in names}
            for label, names in desired.labels.items()
        },
        schema=GraphSchema(
            constraints={schema.constraint_name(key): key for key in schema.keys(tables)},
            indexes={schema.index_name(i): i for i in schema.indexes(tables, relationships)},
        ),
    )


def planned(case: Case, holding: GraphState | None, *, way: Way = "clear") -> Plan:
    """What a load of a case would do to a graph."""
    return plan_load(intention(case, way=way), server=SERVER, holding=holding)
