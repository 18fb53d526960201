// Asks what standard input describes, and writes how long each answer took, as JSON.
//
// Each connection is an autocannon of its own. With a rate, each sends one request a second, and they begin
// evenly spaced. autocannon's own `overallRate` sends the requests of a second all at its beginning.
'use strict'

const autocannon = require('autocannon')
const { readFileSync } = require('node:fs')
const { performance } = require('node:perf_hooks')

const { url, paths, connections, isSteady, warmUpSeconds, seconds, graceSeconds } = JSON.parse(
  readFileSync(0, 'utf8')
)
const begun = performance.now()
const from = begun + warmUpSeconds * 1000
const until = from + seconds * 1000
const milliseconds = []
const statuses = {}

function pathsOf (number) {
  const own = paths.filter((_, at) => at % connections === number)
  return own.length > 0 ? own : [paths[number % paths.length]]
}

async function run (number) {
  const wait = isSteady ? (number * 1000) / connections : 0
  await new Promise((resolve) => setTimeout(resolve, wait))
  const instance = autocannon({
    url,
    connections: 1,
    bailout: 1,
    duration: warmUpSeconds + seconds + graceSeconds - wait / 1000,
    requests: pathsOf(number).map((path) => ({ path })),
    // Its histograms count whole milliseconds. They are not used, and neither is its correction of
    // latencies, which expects a request every millisecond whatever the rate is.
    ...(isSteady && { connectionRate: 1, ignoreCoordinatedOmission: true })
  })
  instance.on('response', (_client, status, _bytes, took) => {
    statuses[status] = (statuses[status] || 0) + 1
    const sent = performance.now() - took
    if (sent >= from && sent < until) milliseconds.push(took)
    // Whatever this connection sent before was answered.
    if (sent >= until) instance.stop()
  })
  const { errors, timeouts } = await instance
  return { errors, timeouts }
}

async function main () {
  const results = await Promise.all(Array.from({ length: connections }, (_, number) => run(number)))
  const total = (name) => results.reduce((sum, result) => sum + result[name], 0)
  const failed = { errors: total('errors'), timeouts: total('timeouts') }
  process.stdout.write(JSON.stringify({ ...failed, statuses, milliseconds }))
}

main()
