/* Runs the script of a report's page on a small stand-in for a document.

   node page_script.cjs PAGE: prints, as JSON, what the choosers offer and draw: first as
   the page loads, then with the last option of each chosen. */
"use strict";
const fs = require("fs");
const vm = require("vm");

class Node {
  constructor(name) {
    this.name = name;
    this.attributes = {};
    this.children = [];
    this.listeners = {};
    this.textContent = "";
    this.value = "";
    this.hidden = true;
  }
  setAttribute(key, value) {
    if (typeof value !== "string") throw new Error(`${key} is not text`);
    this.attributes[key] = value;
  }
  append(child) {
    if (!(child instanceof Node)) throw new Error("only elements are appended");
    if (this.name === "select" && !this.children.length) this.value = child.value;
    this.children.push(child);
  }
  replaceChildren(...children) { this.children = children; }
  addEventListener(kind, call) { this.listeners[kind] = call; }
  texts() {
    return [this.textContent, ...this.children.flatMap((c) => c.texts())].filter(Boolean);
  }
  all(name) {
    const mine = this.name === name ? [this] : [];
    return mine.concat(this.children.flatMap((c) => c.all(name)));
  }
}

const page = fs.readFileSync(process.argv[2], "utf8");
const found = page.match(/<script type="application\/json" id="numbers">([^]*?)<\/script>/);
const script = page.match(/<script>([^]*?)<\/script>/)[1];
const places = { numbers: new Node("script") };
places.numbers.textContent = found[1];
for (const kind of ["feeder", "vehicle"]) {
  if (!page.includes(`id="${kind}-chooser"`)) continue;
  places[`${kind}-chooser`] = new Node("div");
  places[`${kind}-select`] = new Node("select");
  places[`${kind}-charts`] = new Node("div");
  places[`${kind}-said`] = new Node("p");
}
const document = {
  getElementById: (id) => places[id] || null,
  createElement: (name) => new Node(name),
  createElementNS: (space, name) => new Node(name),
};

function seen(kind) {
  const place = places[`${kind}-charts`];
  if (!place) return null;
  return {
    hidden: places[`${kind}-chooser`].hidden,
    options: places[`${kind}-select`].children.map((o) => o.textContent),
    said: places[`${kind}-said`].textContent,
    charts: place.children.map((svg) => ({
      label: svg.attributes["aria-label"],
      texts: svg.texts(),
      paths: svg.all("path").map((p) => p.attributes.d),
      svg: serialised(svg),
    })),
  };
}

function serialised(node) {
  const words = Object.entries(node.attributes).map(([k, v]) => ` ${k}="${escaped(v)}"`);
  const inner = node.children.map(serialised).join("") + escaped(node.textContent);
  return `<${node.name}${words.join("")}>${inner}</${node.name}>`;
}

function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}

vm.runInNewContext(script, { document });
const loaded = { feeder: seen("feeder"), vehicle: seen("vehicle") };
for (const kind of ["feeder", "vehicle"]) {
  const select = places[`${kind}-select`];
  if (!select || !select.children.length) continue;
  select.value = select.children[select.children.length - 1].value;
  select.listeners.change();
}
const last = { feeder: seen("feeder"), vehicle: seen("vehicle") };
console.log(JSON.stringify({ loaded, last }));
