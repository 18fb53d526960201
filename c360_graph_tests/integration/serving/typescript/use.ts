// What a front end does with the client that is generated from the OpenAPI document; the types are checked, too.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string>; exit(code: number): never };

const client = createClient<paths>({
  baseUrl: process.env.C360_URL,
  headers: { Authorization: `Bearer ${process.env.C360_KEY}` },
});

function told<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) {
    console.error(JSON.stringify(answer.error));
    process.exit(1);
  }
  return answer.data;
}

const found = told(await client.GET("/v1/customers", { params: { query: { email: process.env.C360_EMAIL } } }));
const view = found.customers[0];
if (view === undefined || view.key === null) process.exit(2);
const path = { path: { key: view.key } };
const around = told(await client.GET("/v1/customers/{key}/neighbourhood", { params: { ...path, query: { hops: 1 } } }));
const journey = told(await client.GET("/v1/customers/{key}/journey", { params: path }));
const plans: components["schemas"]["PlanNode"][] = told(await client.GET("/v1/Plan", {})).nodes;
const fees: (number | null | undefined)[] = plans.map((plan) => plan.properties.monthly_fee);
const missing = await client.GET("/v1/customers/{key}", { params: { path: { key: "nobody" } } });
const problem: components["schemas"]["ProblemDocument"] | undefined = missing.error;
console.log(
  JSON.stringify({
    email: view.properties.email,
    nodes: around.nodes.length,
    steps: journey.steps.length,
    fees: fees.length,
    missing: problem?.status,
  }),
);
