
"use strict";
/* Charts of a feeder or a vehicle that the reader chooses, drawn from the numbers in the
   page. Without this script the page says the same of the worst feeders. */
(function () {
  const SPACE = "http://www.w3.org/2000/svg"; // a name, nothing is loaded from there
  const WIDTH = 900, RIGHT = 14, TOP = 34, PLOT = 250, AXIS = 46, ROW = 22;
  const COLUMNS = 2;
  const LETTER = 7.5; // about the width of a digit, so that no text is cut

  /* Round numbers from low to high, about so many. */
  function niceTicks(low, high, count) {
    const span = high > low ? high - low : Math.abs(high) || 1;
    const rough = span / Math.max(count, 1);
    const power = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = power * [1, 2, 5, 10].find((f) => f * power >= rough * (1 - 1e-9));
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * span; k += 1) {
      ticks.push(Number((k * step).toPrecision(12)));
    }
    return ticks;
  }

  /* A number for people: thousands by comma, four digits. */
  function numberText(value) {
    if (!Number.isFinite(value)) return "-";
    const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return value.toLocaleString("en-US", { maximumFractionDigits: digits });
  }

  /* Path of a line; one of steps holds each value until the next place. */
  function pathOf(values, toX, toY, steps) {
    let path = "";
    values.forEach((value, at) => {
      const y = toY(value).toFixed(1);
      path += (at ? "L" : "M") + toX(at).toFixed(1) + " " + y;
      if (steps) path += "H" + toX(at + 1).toFixed(1);
    });
    return path;
  }

  /* Load over capacity in falling order [%]; slots without capacity are left out. */
  function duration(load, capacity) {
    const shares = [];
    load.forEach((kw, at) => {
      if (capacity[at] > 0) shares.push((100 * kw) / capacity[at]);
    });
    return shares.sort((a, b) => b - a);
  }

  function element(name, attributes, text) {
    const made = document.createElementNS(SPACE, name);
    Object.entries(attributes || {}).forEach(([key, value]) =>
      made.setAttribute(key, String(value)));
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function rangeOf(chart) {
    let low = chart.low === undefined ? Infinity : chart.low;
    let high = -Infinity;
    chart.lines.forEach((line) => line.values.forEach((value) => {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }));
    if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
    if (high <= low) high = low + 1;
    return [low, high + 0.04 * (high - low)];
  }

  /* An SVG of lines over one axis.
     chart: title, label (in words), xLabel, yLabel, slots (length of the axis), ticks
     ([[place, text]]), numbers (whether their texts are), lines ({name, values, colour, dash, width, steps}), bands
     ([[begin, end]]), bandName, low (least value of the axis). */
  function draw(chart) {
    const [low, high] = rangeOf(chart);
    const named = chart.lines.map((l) => l.name).concat(chart.bandName || []);
    const legend = Math.ceil(named.length / COLUMNS) * ROW;
    const height = TOP + PLOT + AXIS + legend + 6;
    const values = niceTicks(low, high, 6);
    const left = 36 + LETTER * Math.max(4, ...values.map((v) => numberText(v).length));
    const toX = (at) => left + ((WIDTH - left - RIGHT) * at) / chart.slots;
    const toY = (value) => TOP + (PLOT * (high - value)) / (high - low);
    const svg = element("svg", {
      viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": chart.label,
      "font-family": "system-ui, sans-serif", "font-size": 13, fill: "#1a1a1a",
    });
    svg.append(element("text", { x: left, y: 20, "font-size": 15 }, chart.title));
    (chart.bands || []).forEach(([begin, end]) => svg.append(element("rect", {
      x: toX(begin), y: TOP, width: toX(end) - toX(begin), height: PLOT, fill: "#e8e8e8",
    })));
    drawAxes(svg, chart, toX, toY, values, left);
    chart.lines.forEach((line) => svg.append(element("path", {
      d: pathOf(line.values, toX, toY, line.steps), fill: "none", stroke: line.colour,
      "stroke-width": line.width, "stroke-dasharray": line.dash || "none",
      "stroke-linejoin": "round",
    })));
    drawLegend(svg, chart, TOP + PLOT + AXIS + 12, left);
    return svg;
  }

  function drawAxes(svg, chart, toX, toY, values, left) {
    values.forEach((value) => {
      const y = toY(value);
      svg.append(element("line", {
        x1: left, x2: WIDTH - RIGHT, y1: y, y2: y, stroke: "#dddddd",
      }));
      svg.append(element("text", { x: left - 8, y: y + 4, "text-anchor": "end" },
        numberText(value)));
    });
    chart.ticks.forEach(([at, text]) => {
      const x = toX(at);
      svg.append(element("line", {
        x1: x, x2: x, y1: TOP + PLOT, y2: TOP + PLOT + 5, stroke: "#1a1a1a",
      }));
      // A day stands right of its beginning, a number below its mark.
      const width = LETTER * text.length;
      if (x + (chart.numbers ? width / 2 : width) > WIDTH) return;
      const anchor = chart.numbers ? "middle" : "start";
      svg.append(element("text", { x: x, y: TOP + PLOT + 19, "text-anchor": anchor },
        text));
    });
    svg.append(element("path", {
      d: `M${left} ${TOP}V${TOP + PLOT}H${WIDTH - RIGHT}`, fill: "none",
      stroke: "#1a1a1a",
    }));
    const middle = TOP + PLOT / 2;
    svg.append(element("text", {
      x: 15, y: middle, "text-anchor": "middle", transform: `rotate(-90 15 ${middle})`,
    }, chart.yLabel));
    svg.append(element("text", {
      x: (left + WIDTH - RIGHT) / 2, y: TOP + PLOT + 37, "text-anchor": "middle",
    }, chart.xLabel));
  }

  function drawLegend(svg, chart, top, left) {
    const items = chart.lines.slice();
    if (chart.bandName) items.push({ name: chart.bandName, band: true });
    items.forEach((item, rank) => {
      const x = left + (rank % COLUMNS) * ((WIDTH - left) / COLUMNS);
      const y = top + Math.floor(rank / COLUMNS) * ROW;
      svg.append(item.band
        ? element("rect", { x: x, y: y - 5, width: 34, height: 10, fill: "#e8e8e8" })
        : element("line", {
          x1: x, x2: x + 34, y1: y, y2: y, stroke: item.colour,
          "stroke-width": item.width, "stroke-dasharray": item.dash || "none",
        }));
      svg.append(element("text", { x: x + 42, y: y + 4 }, item.name));
    });
  }

  const GREY = { colour: "#8a8a8a", dash: "", width: 1.4 };
  const LIMIT = { colour: "#000000", dash: "", width: 1.2 };

  /* Charts of a feeder, and what they say. */
  function feederCharts(all, feeder) {
    const needs = all.lines.map((line, k) =>
      `${line.name}: upgrade ${numberText(feeder.upgrades[k])} kW`);
    const said = needs.join("; ");
    const series = all.lines.map((line, k) => ({ ...line, values: feeder.loads[k] }));
    const base = { ...GREY, name: "load without EVs", values: feeder.base };
    const limit = { ...LIMIT, name: "capacity", values: feeder.capacity };
    const load = {
      title: `Feeder ${feeder.name}: load against capacity`,
      label: `Load of feeder ${feeder.name} beside its capacity. ${said}`,
      xLabel: `local time (${all.zone})`, yLabel: "feeder load [kW]",
      slots: all.slots, ticks: all.ticks, low: 0,
      lines: [base, ...series, limit].map((line) => ({ ...line, steps: true })),
    };
    const sorted = [base, ...series].map((line) => ({
      ...line, values: duration(line.values, feeder.capacity), steps: true,
    }));
    const slots = sorted[0].values.length || 1;
    const hours = slots * all.slotHours;
    const falling = {
      title: `Feeder ${feeder.name}: load duration`,
      label: `Load over capacity of feeder ${feeder.name} in falling order`,
      xLabel: "hours of the horizon [h]", yLabel: "load / capacity [%]", slots: slots,
      ticks: niceTicks(0, hours, 8).map((h) => [h / all.slotHours, numberText(h)]),
      numbers: true,
      lines: [...sorted, { ...LIMIT, name: "capacity", steps: true,
        values: new Array(slots).fill(100) }],
    };
    return { charts: [load, falling], said: said };
  }

  /* Chart of a vehicle, and what it says. */
  function vehicleCharts(all, vehicle) {
    const said = all.lines.map((line, k) =>
      `${line.name}: lowest ${numberText(Math.min(...vehicle.soc[k]))} kWh`).join("; ");
    const whole = (value) => new Array(all.slots + 1).fill(value);
    const chart = {
      title: `Vehicle ${vehicle.name}: state of charge`,
      label: `State of charge of vehicle ${vehicle.name}. ${said}`,
      xLabel: `local time (${all.zone})`, yLabel: "state of charge [kWh]",
      slots: all.slots, ticks: all.ticks, low: 0, bands: vehicle.stays,
      bandName: "at a charger",
      lines: [
        ...all.lines.map((line, k) => ({ ...line, values: vehicle.soc[k] })),
        { ...LIMIT, name: "battery", values: whole(vehicle.battery) },
        { ...LIMIT, name: "reserve", dash: "2 3", values: whole(vehicle.reserve) },
      ],
    };
    return { charts: [chart], said: said };
  }

  /* Let the reader choose among things with names. */
  function offer(kind, things, chartsOf, all) {
    const box = document.getElementById(`${kind}-chooser`);
    if (!box || !things.length) return;
    const select = document.getElementById(`${kind}-select`);
    const place = document.getElementById(`${kind}-charts`);
    const said = document.getElementById(`${kind}-said`);
    things.forEach((thing, at) => {
      const option = document.createElement("option");
      option.value = String(at);
      option.textContent = thing.name;
      select.append(option);
    });
    const show = () => {
      const found = chartsOf(all, things[Number(select.value) || 0]);
      place.replaceChildren(...found.charts.map(draw));
      said.textContent = found.said;
    };
    select.addEventListener("change", show);
    show();
    box.hidden = false;
  }

  function start() {
    const all = JSON.parse(document.getElementById("numbers").textContent);
    offer("feeder", all.feeders, feederCharts, all);
    offer("vehicle", all.vehicles, vehicleCharts, all);
  }

  if (typeof module !== "undefined") {
    module.exports = {
      draw, duration, feederCharts, niceTicks, numberText, pathOf, start, vehicleCharts,
    };
  } else {
    start();
  }
})();
