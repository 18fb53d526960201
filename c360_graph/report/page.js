"use strict";
(() => {
  // The script, as a question may be called so too.
  const drawn = JSON.parse(document.querySelector("script#drawn").textContent);
  const COLOURS = ["#c92a2a", "#7b8794", "#d97706", "#2563eb", "#0d9488", "#7c3aed", "#be185d", "#4d7c0f"];
  const INK = "#17212b", SOFT = "#52606d", LINE = "#e1e6ec";
  const TYPE = { fontFamily: getComputedStyle(document.body).fontFamily, color: SOFT, fontSize: 12 };
  // Of a kind with more nodes than that, in a large picture, labels appear under the pointer.
  const MOST_LABELS = 12;
  const charts = [];

  function open(id) {
    const chart = echarts.init(document.getElementById(id), null, { renderer: "svg" });
    charts.push(chart);
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
      tooltip: { trigger: "axis", axisPointer: { type: chart.kind === "line" ? "line" : "shadow" } },
      xAxis: isBar ? values : labels,
      yAxis: isBar ? labels : values,
      series: [{
        type: chart.kind === "line" ? "line" : "bar", name: chart.value_name, data: chart.values,
        barMaxWidth: 28, itemStyle: { color: "#2563eb", borderRadius: isBar ? [0, 3, 3, 0] : [3, 3, 0, 0] },
        label: { show: isBar, position: "right", ...TYPE, color: INK },
      }],
    });
  }

  function drawPicture(picture) {
    const id = `picture-${picture.name}`;
    const nodes = new Map(picture.nodes.map((node) => [node.id, { ...node, neighbours: [] }]));
    for (const edge of picture.edges) {
      nodes.get(edge.source).neighbours.push([edge.kind, edge.target]);
      nodes.get(edge.target).neighbours.push([edge.kind, edge.source]);
    }
    const chart = open(`${id}-canvas`);
    const show = (node) => {
      showDetail(id, nodes, node, (other) => { show(other); select(other); });
    };
    const places = new Map(picture.nodes.map((node, place) => [node.id, place]));
    const select = (node) => chart.dispatchAction({ type: "select", seriesIndex: 0, dataIndex: places.get(node.id) });
    settle(chart, pictureOption(picture, nodes));
    chart.on("click", { dataType: "node" }, (event) => show(nodes.get(event.data.id)));
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

  function pictureOption(picture, nodes) {
    const colour = (kind) => COLOURS[picture.kinds.indexOf(kind) % COLOURS.length];
    const many = picture.nodes.length > 40;
    const count = (kind) => picture.nodes.filter((node) => node.kind === kind).length;
    const crowded = new Set(picture.kinds.filter((kind) => many && count(kind) > MOST_LABELS));
    return {
      animation: false,
      textStyle: TYPE,
      legend: { data: picture.kinds, top: 12, left: 12, icon: "circle", itemWidth: 10, itemGap: 16, textStyle: TYPE },
      series: [{
        type: "graph", layout: "force", draggable: true, roam: true, top: 64, bottom: 44, left: 80, right: 80,
        selectedMode: "single",
        force: { initLayout: "circular", repulsion: many ? 260 : 700, edgeLength: many ? 60 : 105, gravity: many ? 0.2 : 0.26, layoutAnimation: false },
        categories: picture.kinds.map((kind) => ({ name: kind, itemStyle: { color: colour(kind) } })),
        data: picture.nodes.map((node) => ({
          id: node.id, name: node.id, caption: node.caption, category: picture.kinds.indexOf(node.kind),
          label: { show: !crowded.has(node.kind) }, emphasis: { label: { show: true } },
          symbolSize: Math.min(46, 16 + 7 * Math.sqrt(nodes.get(node.id).neighbours.length)),
        })),
        links: picture.edges.map((edge) => ({ source: edge.source, target: edge.target, kind: edge.kind })),
        itemStyle: { borderColor: "#ffffff", borderWidth: 2 },
        lineStyle: { color: "#a9b4c0", width: 1.5, curveness: 0.04 },
        // A function, since a text with `$$` in it would lose one in ECharts' own template.
        label: { show: true, formatter: (node) => node.data.caption, position: "bottom", ...TYPE, color: INK, fontSize: 11, width: 150, overflow: "truncate" },
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

  drawn.charts.forEach(drawChart);
  drawn.pictures.forEach(drawPicture);
  const resize = () => charts.forEach((chart) => chart.resize());
  addEventListener("resize", resize);
  addEventListener("beforeprint", resize);
})();
