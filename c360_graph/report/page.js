"use strict";
(() => {
  // The script, as a question may be called so too.
  const drawn = JSON.parse(document.querySelector("script#drawn").textContent);
  // Told apart by people who see colours differently too; behind the last of them the shapes differ.
  const COLOURS = ["#c92a2a", "#2563eb", "#b45309", "#0d9488", "#7c3aed", "#64748b", "#be185d", "#4d7c0f", "#0891b2", "#854d0e"];
  const SHAPES = ["circle", "rect", "diamond", "triangle", "roundRect", "pin"];
  const colourOf = (place) => COLOURS[place % COLOURS.length];
  const shapeOf = (place) => SHAPES[Math.floor(place / COLOURS.length) % SHAPES.length];
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  let INK, SOFT, LINE, PAPER, EDGE, BAR, TYPE;
  function readColours() {
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    [INK, SOFT, LINE, PAPER, EDGE, BAR] = ["ink", "soft", "line", "paper", "edge", "bar"].map(colour);
    TYPE = { fontFamily: style.fontFamily, color: SOFT, fontSize: 12 };
  }
  // Of a kind with more nodes than that, in a large picture, labels appear under the pointer.
  const MOST_LABELS = 12;
  // On a narrow screen the nodes with most neighbours alone have labels.
  const NARROW = 520, MOST_NARROW_LABELS = 8;
  const ZOOM_STEP = 1.4;
  const charts = new Map();

  function open(id) {
    charts.get(id)?.dispose();
    const chart = echarts.init(document.getElementById(id), null, { renderer: "svg" });
    charts.set(id, chart);
    return chart;
  }

  function drawChart(chart) {
    const isBar = chart.kind === "bar";
    const labels = {
      type: "category", data: chart.labels, inverse: isBar, axisTick: { show: false },
      axisLine: { lineStyle: { color: LINE } },
      axisLabel: { ...TYPE, width: isBar ? 110 : undefined, overflow: "truncate" },
    };
    // A bar has its value beside it, so that it needs no axis.
    const values = {
      type: "value", splitNumber: 4,
      axisLabel: { ...TYPE, show: !isBar }, splitLine: { show: !isBar, lineStyle: { color: LINE } },
    };
    open(`chart-${chart.name}`).setOption({
      animation: false,
      textStyle: TYPE,
      grid: { left: 8, right: isBar ? 56 : 12, top: 16, bottom: 4, containLabel: true },
      tooltip: { trigger: "axis", backgroundColor: PAPER, borderColor: LINE, textStyle: { ...TYPE, color: INK }, axisPointer: { type: chart.kind === "line" ? "line" : "shadow" } },
      xAxis: isBar ? values : labels,
      yAxis: isBar ? labels : values,
      series: [{
        type: chart.kind === "line" ? "line" : "bar", name: chart.value_name, data: chart.values,
        barMaxWidth: 28, itemStyle: { color: BAR, borderRadius: isBar ? [0, 3, 3, 0] : [3, 3, 0, 0] },
        label: { show: isBar, position: "right", ...TYPE, color: INK },
      }],
    });
  }

  function drawPicture(picture, drawn) {
    const id = `picture-${picture.name}`;
    const part = (name) => document.getElementById(`${id}-${name}`);
    const edges = picture.edges.slice(0, drawn);
    const met = new Set(edges.flatMap((edge) => [edge.source, edge.target]));
    const shown = picture.nodes.filter((node) => met.has(node.id) || drawn >= picture.edges.length);
    const nodes = new Map(shown.map((node) => [node.id, { ...node, neighbours: [] }]));
    for (const edge of edges) {
      nodes.get(edge.source).neighbours.push([edge.kind, edge.target]);
      nodes.get(edge.target).neighbours.push([edge.kind, edge.source]);
    }
    const canvas = part("canvas");
    const chart = open(`${id}-canvas`);
    const places = new Map(shown.map((node, place) => [node.id, place]));
    const show = (node) => {
      showDetail(id, nodes, node, (other) => { show(other); select(other); });
    };
    const select = (node) => chart.dispatchAction({ type: "select", seriesIndex: 0, dataIndex: places.get(node.id) });
    settle(chart, pictureOption(picture, shown, edges, nodes, canvas.clientWidth < NARROW));
    chart.on("click", { dataType: "node" }, (event) => show(nodes.get(event.data.id)));
    const hidden = drawLegend(chart, picture, shown, part("legend"));
    canvas.onkeydown = (event) => {
      const there = shown.filter((node) => !hidden.has(node.kind));
      const now = there.findIndex((node) => node.id === document.getElementById(`${id}-detail`).dataset.nodeId);
      const next = {
        ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now < 0 ? -1 : now - 1, ArrowUp: now < 0 ? -1 : now - 1,
        Home: 0, End: -1,
      }[event.key];
      const factor = { "+": ZOOM_STEP, "-": 1 / ZOOM_STEP }[event.key];
      if (factor) zoom(chart, factor);
      if (next === undefined || !there.length) return;
      event.preventDefault();
      const node = nodes.get(there[(next + there.length) % there.length].id);
      show(node);
      select(node);
    };
    part("closer").onclick = () => zoom(chart, ZOOM_STEP);
    part("farther").onclick = () => zoom(chart, 1 / ZOOM_STEP);
    part("whole").onclick = () => drawPicture(picture, drawn);
    const rest = part("rest");
    if (rest && drawn >= picture.edges.length) rest.remove();
    else if (rest) rest.onclick = () => drawPicture(picture, picture.edges.length);
    picture.drawn = drawn;
  }

  function zoom(chart, factor) {
    chart.dispatchAction({
      type: "graphRoam", seriesIndex: 0, zoom: factor, originX: chart.getWidth() / 2, originY: chart.getHeight() / 2,
    });
  }

  // Buttons, as the legend of the library cannot be reached by keyboard.
  function drawLegend(chart, picture, shown, legend) {
    const hidden = new Set();
    legend.replaceChildren(...picture.kinds.filter((kind) => shown.some((node) => node.kind === kind)).map((kind) => {
      const place = picture.kinds.indexOf(kind);
      const button = element("button", kind);
      button.type = "button";
      button.ariaPressed = "true";
      button.dataset.shape = shapeOf(place);
      button.style.setProperty("--kind", colourOf(place));
      button.addEventListener("click", () => {
        if (!hidden.delete(kind)) hidden.add(kind);
        button.ariaPressed = String(!hidden.has(kind));
        chart.dispatchAction({ type: "legendToggleSelect", name: kind });
      });
      return button;
    }));
    return hidden;
  }

  // Where the forces put the nodes they stay: a node that is dragged would spring back otherwise.
  function settle(chart, option) {
    chart.setOption(option);
    const laid = chart.getModel().getSeriesByIndex(0).getData();
    const data = option.series[0].data.map((node, place) => {
      const [x, y] = laid.getItemLayout(place);
      return { ...node, x, y };
    });
    chart.setOption({ series: [{ layout: "none", preserveAspect: "contain", data }] });
  }

  function labelled(picture, shown, nodes, narrow) {
    const degree = (node) => nodes.get(node.id).neighbours.length;
    if (narrow && shown.length > MOST_NARROW_LABELS) {
      const most = [...shown].sort((one, other) => degree(other) - degree(one)).slice(0, MOST_NARROW_LABELS);
      return new Set(most.map((node) => node.id));
    }
    const many = shown.length > 40;
    const count = (kind) => shown.filter((node) => node.kind === kind).length;
    const crowded = new Set(picture.kinds.filter((kind) => many && count(kind) > MOST_LABELS));
    return new Set(shown.filter((node) => !crowded.has(node.kind)).map((node) => node.id));
  }

  function pictureOption(picture, shown, edges, nodes, narrow) {
    const many = shown.length > 40;
    const named = labelled(picture, shown, nodes, narrow);
    const side = narrow ? 24 : 80;
    const sizeOf = (count) => many || narrow ? Math.min(30, (many ? 8 : 14) + 4 * Math.sqrt(count)) : Math.min(46, 16 + 7 * Math.sqrt(count));
    return {
      animation: false,
      textStyle: TYPE,
      // Not seen: the buttons beside the picture switch it.
      legend: { data: picture.kinds, show: false },
      series: [{
        type: "graph", layout: "force", draggable: true, roam: narrow ? "move" : true, top: 24, bottom: narrow ? 28 : 44, left: side, right: side,
        selectedMode: "single",
        force: { initLayout: "circular", repulsion: many ? 260 : 700, edgeLength: many ? 60 : 105, gravity: many ? 0.2 : 0.26, layoutAnimation: false },
        categories: picture.kinds.map((kind, place) => ({ name: kind, symbol: shapeOf(place), itemStyle: { color: colourOf(place) } })),
        data: shown.map((node) => ({
          id: node.id, name: node.id, caption: node.caption, category: picture.kinds.indexOf(node.kind),
          label: { show: named.has(node.id) }, emphasis: { label: { show: true } }, select: { label: { show: true } },
          symbolSize: sizeOf(nodes.get(node.id).neighbours.length),
        })),
        links: edges.map((edge) => ({ source: edge.source, target: edge.target, kind: edge.kind })),
        itemStyle: { borderColor: PAPER, borderWidth: 2 },
        lineStyle: { color: EDGE, width: 1.5, curveness: 0.04 },
        // A function, since a text with `$$` in it would lose one in ECharts' own template.
        label: { show: true, formatter: (node) => node.data.caption, position: "bottom", ...TYPE, color: INK, fontSize: 11, textBorderColor: PAPER, textBorderWidth: 2, width: narrow ? 90 : 150, overflow: "truncate" },
        labelLayout: { hideOverlap: narrow || many },
        edgeLabel: { show: false, formatter: (edge) => edge.data.kind, ...TYPE, fontSize: 11, color: SOFT },
        emphasis: { focus: "adjacency", lineStyle: { width: 3 }, edgeLabel: { show: true } },
        select: { itemStyle: { borderColor: INK, borderWidth: 3 } },
      }],
    };
  }

  // Values of the data reach the page as text nodes only.
  function showDetail(id, nodes, node, go) {
    const part = (name) => document.getElementById(`${id}-detail${name}`);
    part("").dataset.nodeId = node.id;
    part("-kind").textContent = node.kind;
    part("-caption").textContent = node.caption;
    part("-properties").replaceChildren(...node.details.flatMap(([name, value]) => [
      element("dt", name.replaceAll("_", " ")), element("dd", value),
    ]));
    part("-neighbours").replaceChildren(...node.neighbours.map(([kind, other]) => {
      const item = element("li", `${kind} `);
      const button = element("button", nodes.get(other).caption);
      button.type = "button";
      button.addEventListener("click", () => go(nodes.get(other)));
      item.append(button);
      return item;
    }));
  }

  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  function drawAll() {
    readColours();
    drawn.charts.forEach(drawChart);
    drawn.pictures.forEach((picture) => drawPicture(picture, picture.drawn));
  }

  drawAll();
  isDark.addEventListener("change", drawAll);
  const resize = () => charts.forEach((chart) => chart.resize());
  let wide = innerWidth >= NARROW;
  addEventListener("resize", () => {
    if (wide !== innerWidth >= NARROW) drawAll();
    wide = innerWidth >= NARROW;
    resize();
  });
  addEventListener("beforeprint", resize);
})();
