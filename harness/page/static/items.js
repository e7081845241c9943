"use strict";
// The items of a page: a table that is filtered in the browser, and a view of one item. Everything that is chosen
// stands in the address after "#", so that a link holds it and Back undoes it.
{
  // ---- Words and numbers of the data, as harness/page/items.py writes them --------------------------------------
  const PAGE = 100; // rows
  const FIRST_JUDGMENTS = 20;
  const LONG = 4000; // characters of a text that are shown at once
  const NO_CREDIT = 65535;
  const NOBODY = -1, TIED = -2, NOT_SAID = -3, SEVERAL = -4; // in place of the response that was chosen
  const STATUS_BITS = { unparsed: 1, truncated: 2, refused: 4, failed: 8, any: 15 };
  const SIGNS = { right: "✓", wrong: "✗", partly: "◐", none: "–" };
  const WORDS = { right: "right", wrong: "wrong", partly: "partly", none: "no credit" };
  const SHOWS = { "": "all", wrong: "wrong", right: "right", partly: "tied or partly right" };
  const PAIR_SHOWS = { differ: "A and B differ", first: "A earns more", other: "B earns more" };

  const at = (id) => document.getElementById(id);
  const credit = (code) => code / 20000 - 1;

  // ---- Making elements: texts are only ever text ---------------------------------------------------------------

  // Controls and marks that turn the reading direction, written out; tabs and new lines stay.
  function escapeControls(text) {
    return text.replace(/\r\n/g, "\n").replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu, (c) => {
      if (c === "\n" || c === "\t" || c === "\u200c" || c === "\u200d") return c;
      const code = c.codePointAt(0);
      if (c === "\r") return "\\r";
      if (code < 256) return `\\x${code.toString(16).padStart(2, "0")}`;
      return code < 65536 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
    });
  }

  const listChildren = (children) => children.flat(Infinity).filter((child) => child != null && child !== "");

  // make("p", {class: "muted"}, "words", anotherElement); lists of children are opened, null and "" left out
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") element.addEventListener("click", value);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== false && value != null) element.setAttribute(key, String(value));
    }
    element.append(...listChildren(children));
    return element;
  }

  // A name or a short text that somebody else wrote.
  const foreign = (text, name = "bdi") => make(name, { dir: "auto", class: "foreign" }, escapeControls(String(text)));
  const hidden = (words) => make("span", { class: "visually-hidden" }, words);
  const chip = (words, kind = "") => make("span", { class: `chip ${kind}` }, words);

  function fillOptions(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, words]) => make("option", { value }, escapeControls(words))));
    select.value = chosen;
  }

  function formatNumber(value, digits = 4) {
    return value == null ? "–" : String(Number(value.toPrecision(digits)));
  }

  function formatPercent(value) {
    return `${(100 * value).toFixed(1)}`;
  }

  function formatPoints(value) {
    return `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`;
  }

  function formatP(p) {
    return p == null ? "–" : p < 0.0001 ? "< 0.0001" : p.toPrecision(2);
  }

  const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

  // ---- Unpacking blocks: base64 of gzip, some of them kept ------------------------------------------------------

  async function unpack(id) {
    const element = at(id);
    if (!element) throw new Error(`this page is cut off: ${id} is not in it`);
    const packed = element.textContent.trim();
    let bytes;
    if (Uint8Array.fromBase64) {
      bytes = Uint8Array.fromBase64(packed);
    } else {
      const letters = atob(packed);
      bytes = new Uint8Array(letters.length);
      for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    }
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  }

  const kept = new Map(); // chunks, the one asked for last at the end
  function loadChunk(id) {
    const found = kept.get(id) ?? unpack(id).then((content) => content.json());
    kept.delete(id);
    kept.set(id, found);
    if (kept.size > 16) kept.delete(kept.keys().next().value);
    return found;
  }

  // The chunk that holds a unit: ends[i] is the first unit of chunk i.
  function findChunk(ends, unit) {
    let low = 0, high = ends.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (ends[middle] <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  const ARRAYS = { uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };
  let index = null, columns = null;

  async function loadIndex() {
    const [told, numbers] = await Promise.all([unpack("items-index"), unpack("items-columns")]);
    index = await told.json();
    const buffer = await numbers.arrayBuffer();
    columns = {};
    for (const [name, [kind, offset, length]] of Object.entries(index.columns)) {
      columns[name] = new ARRAYS[kind](buffer, offset, length);
    }
    for (const [place, task] of index.tasks.entries()) {
      task.place = place;
      task.arms = [...index.arms.keys()].filter((arm) => index.arms[arm].task === place);
      task.byId = null;
      task.words = null;
    }
  }

  // What the filter searches at once: id, subset and the beginning of the question, in small letters.
  function listWords(task) {
    const subset = columns[`${task.place}/subset`], questions = task.questions ?? [];
    task.words ??= task.ids.map((id, unit) =>
      `${id}\n${task.subsets[subset[unit]]}\n${questions[unit] ?? ""}`.toLowerCase());
    return task.words;
  }

  // Two different items of several runs may have one id: the later one's place stands after it.
  function findUnit(task, id) {
    task.byId ??= new Map(task.ids.map((name, unit) => [name, unit]).reverse());
    const again = /^(.*)~(\d+)$/s.exec(id);
    if (!task.byId.has(id) && again && task.ids[Number(again[2])] === again[1]) return Number(again[2]);
    return task.byId.get(id) ?? -1;
  }

  const nameUnit = (task, unit) => (findUnit(task, task.ids[unit]) === unit ? task.ids[unit] : `${task.ids[unit]}~${unit}`);

  // ---- What is chosen: read from the address and written to it --------------------------------------------------

  const DEFAULTS = { with: "", show: "", subset: "", status: "", sort: "", find: "", changes: "", disagree: "", deep: "", page: "" };

  function readChoice() {
    const [, view, query] = /^#\/(items?)(?:\?(.*))?$/s.exec(location.hash) ?? [];
    const given = new URLSearchParams(query ?? "");
    const whole = (name) => (/^\d{1,9}$/.test(given.get(name) ?? "") ? Number(given.get(name)) : -1);
    const choice = { view: view ?? "", item: given.get("item") ?? "" };
    for (const name of Object.keys(DEFAULTS)) choice[name] = given.get(name) ?? "";
    let arm = whole("arm");
    let task = index.tasks[whole("task")] ?? index.tasks[index.arms[arm]?.task] ?? index.tasks[0];
    if (!task.arms.includes(arm)) arm = task.arms[0];
    choice.task = task.place;
    choice.arm = arm;
    const { ks, k } = index.arms[arm];
    choice.k = ks.includes(whole("k")) ? whole("k") : ks.includes(k) ? k : ks.at(-1) ?? 0;
    choice.with = task.arms.includes(whole("with")) && whole("with") !== arm ? whole("with") : "";
    if (!Object.hasOwn(SHOWS, choice.show) && !(choice.with !== "" && Object.hasOwn(PAIR_SHOWS, choice.show))) choice.show = "";
    choice.page = Math.max(whole("page"), 1);
    return choice;
  }

  function writeHash(choice, changes = {}) {
    const all = { ...choice, ...changes };
    const query = new URLSearchParams({ task: all.task, arm: all.arm, k: all.k });
    for (const name of Object.keys(DEFAULTS)) if (all[name] && !(name === "page" && all.page === 1)) query.set(name, all[name]);
    if (all.with !== "") query.set("with", all.with);
    if (all.view === "item") query.set("item", all.item);
    return `#/${all.view === "item" ? "item" : "items"}?${query}`;
  }

  let choice = null;
  function choose(changes, replace = false) {
    const hash = writeHash(choice, { view: "items", page: 1, ...changes });
    if (replace) {
      history.replaceState(null, "", hash);
      draw();
    } else if (hash !== location.hash) {
      location.hash = hash;
    }
  }

  // ---- Filter and order ----------------------------------------------------------------------------------------

  const kOf = (arm, k) => (index.arms[arm].ks.includes(k) ? k : index.arms[arm].k);
  // The arm beside: at its own k where the first is at its own, as the test above the table takes them.
  const kBeside = () => (choice.k === index.arms[choice.arm].k ? index.arms[choice.with].k : kOf(choice.with, choice.k));
  const column = (kind, arm, k) => columns[`${kind}/${arm}/${kOf(arm, k)}`];

  function grade(code) {
    if (code === undefined || code === NO_CREDIT) return "none";
    return code >= 39990 ? "right" : code <= 20010 ? "wrong" : "partly";
  }

  // Units in the order that is chosen, of one arm and k; the last order is kept.
  let lastOrder = { key: "", units: null };
  function orderUnits() {
    const task = index.tasks[choice.task], size = task.ids.length;
    const key = [choice.task, choice.arm, choice.k, choice.sort].join();
    if (lastOrder.key === key) return lastOrder.units;
    let units = new Uint32Array(size);
    for (let unit = 0; unit < size; unit++) units[unit] = unit;
    if (choice.sort === "id") units = columns[`${choice.task}/by_name`];
    if (choice.sort === "credit" || choice.sort === "margin") {
      const credits = column("credit", choice.arm, choice.k), margins = column("margin", choice.arm, choice.k);
      const gaps = columns[`${choice.task}/gap/${index.arms[choice.arm].group}`];
      const largest = gaps.reduce((most, gap) => (gap > most ? gap : most), 0) || 1;
      const levels = Math.min(2 ** 20, Math.floor(2 ** 37 / size)); // so that all three fit into 53 bits
      // One number a unit, which sorts far faster than a function that compares two: what is sorted by, then the gap
      // (none counts as the largest), then the unit itself.
      const keys = new Float64Array(size);
      for (let unit = 0; unit < size; unit++) {
        const doubt = credits[unit] === NO_CREDIT ? 10001 : margins[unit];
        const gap = Number.isNaN(gaps[unit]) ? levels - 1 : Math.floor((gaps[unit] / largest) * (levels - 1));
        keys[unit] = choice.sort === "credit" ? credits[unit] * size + unit : (doubt * levels + gap) * size + unit;
      }
      keys.sort();
      for (let place = 0; place < size; place++) units[place] = keys[place] % size;
    }
    lastOrder = { key, units };
    return units;
  }

  // Whether a unit's choice is not the same at every k of the arm.
  function makeChanges() {
    const arm = index.arms[choice.arm];
    const choices = arm.ks.map((k) => columns[`choice/${choice.arm}/${k}`]);
    const credits = arm.ks.map((k) => columns[`credit/${choice.arm}/${k}`]);
    return (unit) => {
      const values = choices[0]?.[unit] === SEVERAL ? credits : choices;
      for (let i = 1; i < values.length; i++) if (values[i][unit] !== values[0][unit]) return true;
      return false;
    };
  }

  // Whether the arms of the benchmark that have a credit for a unit do not all choose the same.
  function makeDisagrees() {
    const arms = index.tasks[choice.task].arms;
    const choices = arms.map((arm) => column("choice", arm, choice.k));
    const credits = arms.map((arm) => column("credit", arm, choice.k));
    return (unit) => {
      let first = -1;
      for (let i = 0; i < arms.length; i++) {
        if (credits[i] === undefined || credits[i][unit] === NO_CREDIT) continue;
        if (first < 0) first = i;
        const values = choices[i][unit] === SEVERAL ? credits : choices;
        if (values[i][unit] !== values[first][unit]) return true;
      }
      return false;
    };
  }

  function filterUnits() {
    const task = index.tasks[choice.task], tests = [];
    const credits = column("credit", choice.arm, choice.k);
    if (Object.hasOwn(PAIR_SHOWS, choice.show)) {
      const others = column("credit", choice.with, kBeside());
      const both = (unit) => credits[unit] !== NO_CREDIT && others[unit] !== NO_CREDIT;
      if (choice.show === "differ") tests.push((unit) => both(unit) && credits[unit] !== others[unit]);
      if (choice.show === "first") tests.push((unit) => both(unit) && credits[unit] > others[unit]);
      if (choice.show === "other") tests.push((unit) => both(unit) && credits[unit] < others[unit]);
    } else if (choice.show) {
      tests.push((unit) => grade(credits[unit]) === choice.show);
    }
    if (choice.subset) {
      const subset = columns[`${choice.task}/subset`], wanted = task.subsets.indexOf(choice.subset);
      tests.push((unit) => subset[unit] === wanted);
    }
    if (Object.hasOwn(STATUS_BITS, choice.status)) {
      const marks = columns[`${choice.task}/status/${index.arms[choice.arm].group}`], bits = STATUS_BITS[choice.status];
      tests.push((unit) => (marks[unit] & bits) !== 0);
    }
    if (choice.changes) tests.push(makeChanges());
    if (choice.disagree) tests.push(makeDisagrees());
    const wanted = splitFind();
    if (wanted.length) {
      const words = listWords(task), deep = choice.deep ? deepFound() : null;
      tests.push((unit) => wanted.every((word) => words[unit].includes(word)) || deep?.has(unit));
    }
    const units = orderUnits();
    return tests.length ? units.filter((unit) => tests.every((test) => test(unit))) : units;
  }

  const splitFind = () => choice.find.toLowerCase().split(/\s+/).filter(Boolean);

  // ---- Searching the texts, chunk after chunk in the background -------------------------------------------------

  let deep = { key: "", found: new Set(), stop: () => {} };
  const deepKey = () => `${choice.task}\n${splitFind().join(" ")}`;
  const deepFound = () => (deep.key === deepKey() ? deep.found : null);

  function searchTexts() {
    const wanted = splitFind();
    if (!choice.deep || !wanted.length) {
      deep.stop();
      deep = { key: "", found: new Set(), stop: () => {} };
      at("items-deep-progress").hidden = true;
      return;
    }
    if (deep.key === deepKey()) return;
    deep.stop();
    let going = true;
    deep = { key: deepKey(), found: new Set(), stop: () => { going = false; } };
    runSearch(deep, wanted, () => going);
  }

  async function runSearch(search, wanted, isGoing) {
    const task = index.tasks[choice.task], chunks = Math.max((task.texts?.length ?? 0) - 1, 0);
    at("items-deep-progress").hidden = false;
    at("items-deep-cancel").hidden = false;
    let shown = performance.now();
    for (let chunk = 0; chunk < chunks && isGoing(); chunk++) {
      const texts = await (await unpack(`items-texts-${task.place}-${chunk}`)).json(); // past the cache: each is seen once
      if (!isGoing()) return;
      texts.items.forEach((items, i) => {
        const all = items.flatMap((item) => (item ? [...item.conversation.map((turn) => turn[1]), ...item.texts] : []));
        const said = texts.judgments.slice(texts.starts[i], texts.starts[i + 1]);
        const whole = [...all, ...said].filter(Boolean).join("\n").toLowerCase();
        if (wanted.every((word) => whole.includes(word))) search.found.add(texts.first + i);
      });
      at("items-deep-bar").value = (chunk + 1) / chunks;
      at("items-deep-told").textContent = `searched ${chunk + 1} of ${chunks} parts, found in ${count(search.found.size, "item")}`;
      if (performance.now() - shown > 400) {
        if (isGoing() && choice.view !== "item") drawTable();
        await new Promise((done) => setTimeout(done));
        shown = performance.now();
      }
    }
    if (!isGoing()) return;
    at("items-deep-cancel").hidden = true;
    if (choice.view !== "item") drawTable();
  }

  // ---- The table -----------------------------------------------------------------------------------------------

  let filtered = [];

  function drawControls() {
    const task = index.tasks[choice.task], arms = task.arms, arm = index.arms[choice.arm];
    at("items-task-label").hidden = index.tasks.length < 2;
    fillOptions(at("items-task"), index.tasks.map((one) => [one.place, one.name]), choice.task);
    fillOptions(at("items-arm"), arms.map((place) => [place, nameArm(place)]), choice.arm);
    fillOptions(at("items-k"), arm.ks.map((k) => [k, String(k)]), choice.k);
    at("items-with-label").hidden = at("items-disagree-label").hidden = arms.length < 2;
    const others = arms.filter((place) => place !== choice.arm);
    fillOptions(at("items-with"), [["", "no other"], ...others.map((place) => [place, nameArm(place)])], choice.with);
    const shows = choice.with === "" ? SHOWS : { ...SHOWS, ...PAIR_SHOWS };
    fillOptions(at("items-show"), Object.entries(shows), choice.show);
    at("items-subset-label").hidden = task.subsets.length < 2;
    fillOptions(at("items-subset"), [["", "all"], ...[...task.subsets].sort().map((name) => [name, name || "(none)"])], choice.subset);
    for (const name of ["status", "sort"]) at(`items-${name}`).value = choice[name];
    for (const name of ["changes", "disagree", "deep"]) at(`items-${name}`).checked = Boolean(choice[name]);
    at("items-deep-label").hidden = !task.texts?.length;
    if (document.activeElement !== at("items-find") || !typing) at("items-find").value = choice.find;
  }

  function nameArm(place) {
    const { name, run } = index.arms[place];
    return index.runs.length > 1 && index.runs[run] ? `${name} (${index.runs[run]})` : name;
  }

  // Right, wrong or between, by a sign and a word.
  function markGrade(code, words = "") {
    const name = grade(code);
    const earned = name === "partly" ? ` ${credit(code).toFixed(2)}` : "";
    return make("span", { class: `mark-${name}` }, make("span", { "aria-hidden": "true" }, SIGNS[name]),
      words ? hidden(`${words}: ${WORDS[name]}`) : ` ${WORDS[name]}${earned}`);
  }

  function sayChoice(value) {
    if (value === undefined) return "–";
    const words = { [NOBODY]: "nothing usable", [TIED]: "tied", [NOT_SAID]: "no", [SEVERAL]: "several items" };
    return words[value] ?? `response ${value + 1}`;
  }

  const MOST_ARMS = 12; // other arms with a mark in every row

  function drawTable() {
    const task = index.tasks[choice.task], size = task.ids.length;
    const started = performance.now();
    filtered = filterUnits();
    at("items-list").dataset.filterMs = (performance.now() - started).toFixed(1);
    const pages = Math.max(Math.ceil(filtered.length / PAGE), 1), page = Math.min(choice.page, pages);
    const told = `${filtered.length.toLocaleString("en")} of ${count(size, "item")}`;
    if (at("items-count").textContent !== told) at("items-count").textContent = told;
    at("items-page").textContent = `page ${page} of ${pages}`;
    at("items-back").disabled = page <= 1;
    at("items-on").disabled = page >= pages;
    document.querySelector(".items-pages").hidden = pages < 2;
    drawNote(task);
    drawPair();
    const others = choice.with === "" ? task.arms.filter((arm) => arm !== choice.arm) : [choice.with];
    const marked = others.slice(0, MOST_ARMS), questions = task.questions?.length > 0;
    const subset = columns[`${choice.task}/subset`], group = index.arms[choice.arm].group;
    const marks = columns[`${choice.task}/status/${group}`], gaps = columns[`${choice.task}/gap/${group}`];
    const credits = column("credit", choice.arm, choice.k);
    const margins = column("margin", choice.arm, choice.k), choices = column("choice", choice.arm, choice.k);
    const flagged = marks.some(Boolean);
    const widest = gaps.reduce((most, gap) => (gap > most ? gap : most), 0);
    const digits = widest >= 100 ? 1 : widest >= 1 ? 2 : 3; // the same in all rows, so that points stand below points
    const sayMargin = (unit) => (grade(credits?.[unit]) === "none" || choices[unit] === SEVERAL ? "–" : (margins[unit] / 10000).toFixed(2));
    const heading = (words, kind) => make("th", { scope: "col", class: kind }, words);
    at("items-head").replaceChildren(make("tr", {}, [
      heading("item"),
      heading(choice.with === "" ? "credit" : `A at k=${choice.k}`),
      choice.with === "" ? null : heading(`B at k=${kBeside()}`),
      heading(choice.with === "" ? "chosen" : "A chose"),
      task.subsets.length > 1 ? heading("subset") : null,
      questions ? heading("question") : null,
      heading("margin", "number"),
      heading("gap", "number"),
      choice.with === "" && others.length ? heading("other arms") : null,
      flagged ? heading("unusable") : null,
    ]));
    const rows = Array.from(filtered.slice((page - 1) * PAGE, page * PAGE), (unit) => {
      const link = writeHash(choice, { view: "item", item: nameUnit(task, unit) });
      const flags = Object.keys(STATUS_BITS).filter((name) => name !== "any" && marks[unit] & STATUS_BITS[name]);
      return make("tr", {},
        make("th", { scope: "row" }, make("a", { href: link, class: "item-link" }, foreign(task.ids[unit]))),
        make("td", { class: "nowrap" }, markGrade(credits?.[unit])),
        choice.with === "" ? null : make("td", { class: "nowrap" }, markGrade(column("credit", choice.with, kBeside())?.[unit])),
        make("td", { class: "nowrap" }, sayChoice(choices?.[unit])),
        task.subsets.length > 1 ? make("td", {}, foreign(task.subsets[subset[unit]])) : null,
        questions ? make("td", { class: "question" }, foreign(task.questions[unit], "span")) : null,
        make("td", { class: "number" }, sayMargin(unit)),
        make("td", { class: "number" }, Number.isNaN(gaps[unit]) ? "–" : gaps[unit].toFixed(digits)),
        choice.with === "" && others.length ? make("td", { class: "others" },
          marked.map((arm) => make("span", { title: index.arms[arm].name }, markGrade(column("credit", arm, choice.k)?.[unit], index.arms[arm].name))),
          others.length > marked.length ? ` +${others.length - marked.length}` : "") : null,
        flagged ? make("td", {}, flags.map((name) => [chip(name, "warn"), " "])) : null,
      );
    });
    const columnCount = at("items-head").firstChild.children.length;
    const none = make("tr", {}, make("td", { colspan: columnCount, class: "muted" },
      size ? "No item matches. Clear shows all." : "There are no items."));
    at("items-body").replaceChildren(...(rows.length ? rows : [none]));
    const top = `${choice.task} ${choice.arm} ${choice.sort} ${page}`, box = at("items-body").closest(".scroll");
    if (box.dataset.top !== top) box.scrollTop = 0;
    box.dataset.top = top;
  }

  function drawNote(task) {
    const arm = index.arms[choice.arm];
    const lines = [
      index.texts ? "" : "This page was written without texts (report.texts=false).",
      task.missing ? `No texts: ${task.missing}.` : "",
      task.lost ? `${count(task.lost, "judgment")} of items that no arm has a credit for ${task.lost === 1 ? "is" : "are"} left out.` : "",
      "Margin: chances of the two likeliest responses apart. Gap: mean scores of the two best apart.",
      task.arms.length > 1 ? `Other arms at k=${choice.k}, or else at their own.` : "",
      task.arms.length > MOST_ARMS + 1 ? `The first ${MOST_ARMS} of them are marked.` : "",
      arm.ks.length ? "" : "This arm has no credits.",
    ];
    at("items-note").textContent = lines.filter(Boolean).join(" ");
  }

  // ---- Two arms, and the test of their difference --------------------------------------------------------------

  function drawPair() {
    const box = at("items-pair");
    if (choice.with === "") return box.replaceChildren();
    const pair = index.pairs.find(({ first, other }) =>
      (first === choice.arm && other === choice.with) || (first === choice.with && other === choice.arm));
    const lines = [make("p", {}, make("strong", {}, "A "), foreign(nameArm(choice.arm)), " · ", make("strong", {}, "B "), foreign(nameArm(choice.with)))];
    const say = (words, kind = "") => lines.push(make("p", { class: kind, dir: "auto" }, words));
    if (!pair) say("The test of this pair is not in this page: judgescale compare makes it.", "muted");
    else if (pair.why) say(`Not compared: ${pair.why}.`, "muted");
    else {
      const turned = pair.first === choice.with, sign = turned ? -1 : 1; // told: B less A
      const [a, b] = turned ? [...pair.values].reverse() : pair.values;
      const [won, lost] = turned ? [pair.lost, pair.won] : [pair.won, pair.lost];
      const ends = (interval) => (interval ? ` [${(turned ? [-interval[1], -interval[0]] : interval).map(formatPoints).join(", ")}]` : "");
      const verdict = turned ? { above: "below", below: "above" }[pair.verdict] ?? pair.verdict : pair.verdict;
      say(`At their own k (${index.arms[choice.arm].k}, ${index.arms[choice.with].k}) on ${count(pair.items, "shared item")}: A ${formatPercent(a)}, B ${formatPercent(b)}; B − A = ${formatPoints(sign * pair.gap)}${ends(pair.interval)} points, p = ${formatP(pair.p)}, after Holm over ${count(pair.pairs, "pair")} ${formatP(pair.holm)}: ${{ above: "B is above A", below: "B is below A" }[verdict] ?? `A and B are ${verdict}`}.`);
      say(`B earns more on ${won.toLocaleString("en")}, less on ${lost.toLocaleString("en")}.${pair.exact_p == null ? "" : ` McNemar’s exact p = ${formatP(pair.exact_p)}, if items were independent and weighed alike.`}${pair.by_lot ? ` With ties broken by lot B − A = ${formatPoints(sign * pair.by_lot.gap)}${ends(pair.by_lot.interval)}.` : ""}`);
      for (const warning of pair.warnings) say(`Warning: ${warning}`, "warn");
      if (pair.unlike.length) say(`Signatures differ in ${pair.unlike.join("; ")}`, "muted small");
      const out = turned ? [...pair.left_out].reverse() : pair.left_out;
      out.forEach((left, i) => left && say(`${count(left, "item")} of ${"AB"[i]} left out: the other has none such.`, "muted small"));
    }
    box.replaceChildren(...lines);
  }

  // ---- One item ------------------------------------------------------------------------------------------------

  let drawn = 0; // counts views, so that a slow one does not come after a newer one

  async function drawItem() {
    const view = ++drawn, panel = at("item"), task = index.tasks[choice.task], unit = findUnit(task, choice.item);
    filtered = filterUnits();
    if (unit < 0) {
      panel.replaceChildren(drawItemBar(-1), make("h3", { id: "item-heading", tabindex: "-1" }, "No such item"),
        make("p", {}, "This page has no item ", foreign(choice.item), "."));
      focusHeading();
      return;
    }
    const chunk = await loadChunk(`items-rows-${task.place}-${findChunk(task.rows, unit)}`);
    const texts = task.texts?.length ? await loadChunk(`items-texts-${task.place}-${findChunk(task.texts, unit)}`) : null;
    if (view !== drawn) return;
    const found = readUnit(task, unit, chunk, texts);
    const subset = task.subsets[columns[`${task.place}/subset`][unit]];
    const code = column("credit", choice.arm, choice.k)?.[unit];
    panel.replaceChildren(...listChildren([
      drawItemBar(unit),
      make("h3", { id: "item-heading", tabindex: "-1" }, foreign(task.ids[unit])),
      make("p", { class: "facts" },
        chip(foreign(task.name)),
        subset ? chip(["subset ", foreign(subset)]) : null,
        found.section ? chip(["section ", foreign(found.section)]) : null,
        found.cluster ? chip(["cluster ", foreign(found.cluster)]) : null),
      make("p", {}, foreign(nameArm(choice.arm)), ` at k=${choice.k}: `, markGrade(code), `, ${sayChoice(column("choice", choice.arm, choice.k)?.[unit])}`),
      found.parts.map((part, i) => drawPart(found, part, i)),
      !index.texts ? make("p", { class: "muted" }, "This page was written without texts (report.texts=false).") : null,
      task.missing ? make("p", { class: "muted" }, `No texts: ${task.missing}.`) : null,
      drawDecisions(found),
      drawGamesOf(found),
      drawJudgments(found),
    ]));
    focusHeading();
  }

  function focusHeading() {
    const heading = at("item-heading");
    heading.focus({ preventScroll: true });
    at("item").scrollIntoView({ block: "start", behavior: "instant" });
  }

  // Everything a chunk says of one unit, in the shape that the view needs.
  function readUnit(task, unit, chunk, texts) {
    const i = unit - chunk.first, t = texts ? unit - texts.first : -1;
    const gold = chunk.gold[i], told = chunk.parts[i];
    const before = chunk.gold.slice(0, i).reduce((sum, one) => sum + one.length, 0);
    let start = 0;
    const several = told && told.length > 1;
    const parts = (told ?? [[task.ids[unit], []]]).map(([id, names], p) => {
      const item = texts?.items[t]?.[p] ?? null;
      const size = several ? names.length || item?.texts.length || 0 : gold.length;
      const part = { id: several ? id : "", names, item, gold: gold.slice(start, start + size), start };
      start += size;
      return part;
    });
    const judgments = [];
    for (let row = chunk.judgments[i]; row < chunk.judgments[i + 1]; row++) {
      const said = texts?.judgments[texts.starts[t] + row - chunk.judgments[i]] ?? null;
      const slice = (name) => chunk[name].slice(chunk[`${name}_ends`][row], chunk[`${name}_ends`][row + 1]);
      judgments.push({
        part: parts[chunk.part[row]] ?? parts[0],
        source: chunk.source[row],
        judge: task.sources[chunk.source[row]].judge,
        variant: chunk.variants[chunk.variant[row]],
        status: chunk.statuses[chunk.status[row]],
        sample: chunk.sample[row],
        meta: chunk.meta[row],
        prompt: chunk.prompt_tokens[row],
        completion: chunk.completion_tokens[row],
        chars: chunk.chars[row],
        shown: slice("shown"),
        scores: slice("scores"),
        text: said,
      });
    }
    const decisions = chunk.decisions.map(([arm, k, chances, took]) => ({
      arm, k, took: took[i], chances: chances.slice(before, before + gold.length), code: columns[`credit/${arm}/${k}`][unit],
    }));
    return {
      unit, gold, parts, judgments, decisions, games: chunk.games[i] ?? [],
      section: chunk.section[i], cluster: chunk.cluster[i],
    };
  }

  // Back, previous and next within what the filter leaves.
  function drawItemBar(unit) {
    const place = filtered.indexOf(unit), all = filtered.length;
    const task = index.tasks[choice.task];
    const link = (words, to, key) => (to === undefined ? make("span", { class: "muted" }, words)
      : make("a", { href: writeHash(choice, { view: "item", item: nameUnit(task, to) }), "data-go": key }, words));
    const page = place < 0 ? 1 : Math.floor(place / PAGE) + 1;
    return make("nav", { class: "item-bar", "aria-label": "Between items" },
      make("a", { href: writeHash(choice, { view: "items", page }), "data-go": "u" }, "← table"), " ",
      link("previous", filtered[place < 0 ? all : place - 1], "k"), " ",
      link("next", filtered[place + 1], "j"), " ",
      make("span", { class: "muted" }, place < 0 ? "not in the filter" : `${(place + 1).toLocaleString("en")} of ${all.toLocaleString("en")}`),
      make("button", { type: "button", onclick: showJudgments }, "Judgments ↓"),
      make("button", { type: "button", onclick: showKeys, "aria-label": "Keys" }, "?"));
  }

  // Past long texts to what was judged of them.
  function showJudgments() {
    const first = document.querySelector("#item .judgment");
    if (!first) return;
    first.tabIndex = -1;
    first.focus({ preventScroll: true });
    first.closest("section").scrollIntoView({ block: "start", behavior: "instant" });
  }

  const isGold = (gold, place) => gold.length > 1 && gold[place] != null && gold[place] >= Math.max(...gold) && new Set(gold).size > 1;

  function drawPart(found, part, number) {
    const mine = found.decisions.find(({ arm, k }) => arm === choice.arm && k === choice.k);
    const turns = (part.item?.conversation ?? []).map(([role, content]) =>
      make("div", { class: "turn" }, make("h5", {}, foreign(role)), drawText(content)));
    const responses = part.gold.map((gold, place) => {
      const name = part.names[place], chance = mine?.chances[part.start + place] ?? -1;
      const lone = part.gold.length === 1;
      return make("div", { class: `response ${isGold(part.gold, place) ? "gold" : ""}` },
        make("h5", {}, `response ${place + 1} `, name ? ["(", foreign(name), ") "] : "",
          isGold(part.gold, place) ? make("span", { class: "mark-right" }, "✓ gold") : make("span", { class: "muted" }, gold == null ? "gold unknown" : `gold ${formatNumber(gold)}`),
          chance > 0 ? make("span", { class: "chosen" }, ` ● ${lone ? "yes" : "chosen"}${chance < 10000 ? ` ${formatPercent(chance / 10000)} %` : ""}`) : null),
        part.item?.texts[place] != null ? drawText(part.item.texts[place]) : null);
    });
    const title = found.parts.length > 1 ? make("h4", {}, `Item ${number + 1}: `, foreign(part.id)) : null;
    return [
      title,
      turns.length ? make("section", { class: "prompt", "aria-label": "Prompt" }, make("h4", {}, "Prompt"), turns) : null,
      make("section", { "aria-label": "Responses" }, make("h4", {}, "Responses"), make("div", { class: "responses" }, responses)),
    ];
  }

  // A text that somebody else wrote; a long one is cut until it is asked for.
  function drawText(text, mark = (words) => [words]) {
    const whole = escapeControls(text);
    const scrolls = whole.length > 500 || whole.split("\n").length > 12; // by keys as well
    const box = make("div", { class: "text foreign", dir: "auto", tabindex: scrolls ? 0 : null });
    if (whole.length <= LONG * 1.25) {
      box.append(...mark(whole));
      return box;
    }
    const show = make("button", { type: "button", onclick: () => {
      box.replaceChildren(...mark(whole));
      show.remove();
      box.tabIndex = 0;
      box.focus();
    } }, `Show all ${whole.length.toLocaleString("en")} characters`);
    box.append(`${whole.slice(0, LONG)} …`);
    return make("div", {}, box, show);
  }

  // ---- What every arm decided at every k -----------------------------------------------------------------------

  function drawDecisions(found) {
    const credited = found.decisions.filter(({ code }) => code !== NO_CREDIT);
    if (!credited.length) return [make("p", { class: "muted" }, "No arm has a credit for it.")];
    const own = ({ arm, k }) => arm === choice.arm || arm === choice.with || k === kOf(arm, choice.k);
    const heads = found.gold.map((_, place) => `resp. ${place + 1}${isGold(found.gold, place) ? " ✓" : ""}`);
    const body = make("tbody");
    const fill = (rows) => body.replaceChildren(...rows.map(({ arm, k, took, chances, code }) =>
      make("tr", { class: arm === choice.arm && k === choice.k ? "chosen-row" : "" },
        make("th", { scope: "row" }, foreign(nameArm(arm))),
        make("td", { class: "number" }, String(k)),
        make("td", { class: "number" }, formatNumber(took)),
        make("td", { class: "nowrap" }, markGrade(code)),
        chances.map((chance) => make("td", { class: "number" }, chance < 0 ? "–" : formatPercent(chance / 10000))))));
    const few = credited.length > 12 ? credited.filter(own) : credited;
    fill(few);
    const more = few.length < credited.length ? make("button", { type: "button", onclick: (event) => {
      fill(credited);
      event.target.remove();
    } }, `Show all ${credited.length} decisions`) : null;
    return [make("section", { "aria-label": "Decisions" },
      make("h4", {}, "Decisions"),
      make("p", { class: "muted small" }, "How likely each response is the one chosen, in percent; gold marked ✓."),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Decisions of every arm" },
        make("table", { class: "table" },
          make("caption", { class: "visually-hidden" }, "Decisions"),
          make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "arm"), make("th", { scope: "col", class: "number" }, "k"),
            make("th", { scope: "col", class: "number" }, "judgments"), make("th", { scope: "col" }, "credit"),
            heads.map((words) => make("th", { scope: "col", class: "number" }, words)))),
          body)),
      more)];
  }

  function drawGamesOf(found) {
    const played = new Set(found.decisions.filter(({ code }) => code !== NO_CREDIT).map(({ arm }) => arm));
    const chosen = ({ arm }) => arm === choice.arm;
    const games = found.games.filter(({ arm }) => played.has(arm)).sort((a, b) => chosen(b) - chosen(a));
    if (!games.length) return null;
    const names = found.gold.map((_, place) => found.parts[0].names[place] ?? "");
    return make("section", { "aria-label": "Tournaments" }, make("h4", {}, "Tournaments"), drawGames(games, names));
  }

  // ---- Judgments -----------------------------------------------------------------------------------------------

  function drawJudgments(found) {
    const sets = choice.with === "" ? [choice.arm] : [choice.arm, choice.with];
    const same = sets.length === 2 && index.arms[sets[0]].group === index.arms[sets[1]].group;
    const lists = (same ? [choice.arm] : sets).map((arm, i) => {
      const own = found.judgments.filter(({ source }) => index.arms[arm].sources.includes(source));
      const title = sets.length === 1 ? "Judgments" : same ? "Judgments of A and B" : `Judgments of ${"AB"[i]}`;
      return make("section", { "aria-label": title }, make("h4", {}, `${title} (${own.length.toLocaleString("en")})`), ...listJudgments(own));
    });
    const used = new Set(sets.flatMap((arm) => index.arms[arm].sources));
    const rest = found.judgments.filter(({ source }) => !used.has(source));
    const others = rest.length ? make("details", {}, make("summary", {}, `${count(rest.length, "judgment")} of other arms`), ...listJudgments(rest)) : null;
    return [make("div", { class: lists.length > 1 ? "side-by-side" : "" }, lists), others];
  }

  function listJudgments(judgments) {
    if (!judgments.length) return [make("p", { class: "muted" }, "None.")];
    const list = make("ol", { class: "judgments" });
    const add = (from, to) => list.append(...judgments.slice(from, to).map(drawJudgment));
    add(0, FIRST_JUDGMENTS);
    if (judgments.length <= FIRST_JUDGMENTS) return [list];
    const more = make("button", { type: "button", onclick: () => {
      const next = list.children.length;
      add(next);
      more.remove();
      list.children[next].tabIndex = -1;
      list.children[next].focus();
    } }, `Show all ${judgments.length.toLocaleString("en")}`);
    return [list, more];
  }

  // What a judgment says by its scores, and whether gold says the same: of the responses that it saw.
  function readVerdict({ shown, scores, part }) {
    if (!scores.length || scores.some((score) => score == null)) return { words: "no verdict", agrees: "" };
    if (shown.length === 1) {
      if (part.gold.length > 1 || scores[0] < 0 || scores[0] > 1) return { words: `score ${formatNumber(scores[0])}`, agrees: "" };
      const says = scores[0] > 0.5, even = scores[0] === 0.5;
      return { words: even ? "undecided" : says ? "yes" : "no", agrees: even ? "partly" : says === part.gold[0] > 0.5 ? "right" : "wrong" };
    }
    const best = Math.max(...scores), picked = shown.filter((_, i) => scores[i] === best);
    const words = picked.length === 1 ? `response ${picked[0] + 1}` : `tie of ${picked.map((place) => place + 1).sort((a, b) => a - b).join(", ")}`;
    const gold = shown.map((place) => part.gold[place]);
    if (gold.some((one) => one == null)) return { words, agrees: "" };
    const top = Math.max(...gold), right = picked.filter((place) => part.gold[place] === top).length;
    if (new Set(gold).size === 1) {
      return { words, agrees: shown.length < part.gold.length ? "" : picked.length === shown.length ? "right" : "wrong" };
    }
    return { words, agrees: right === picked.length ? "right" : right ? "partly" : "wrong" };
  }

  const AGREES = { right: "✓ as gold", wrong: "✗ not gold", partly: "◐ partly gold" };

  function drawJudgment(judgment) {
    const { judge, variant, status, sample, meta, prompt, completion, chars, shown, scores, part, text } = judgment;
    const { words, agrees } = readVerdict(judgment);
    const order = shown.map((place) => place + 1).join(" ");
    const inItemOrder = shown.map((place, i) => [place, scores[i]]).sort((a, b) => a[0] - b[0]);
    const turned = shown.some((place, i) => i && place < shown[i - 1]);
    const tokens = prompt == null && completion == null ? "" : `${prompt == null ? "" : `${prompt.toLocaleString("en")} + `}${completion == null ? "?" : completion.toLocaleString("en")} tokens`;
    return make("li", { class: "judgment" },
      make("p", { class: "judgment-head" },
        make("strong", { class: agrees ? `mark-${agrees}` : "" }, status === "ok" ? `${words}${agrees ? ` ${AGREES[agrees]}` : ""}` : status), " ",
        status === "ok" ? null : chip("not usable", "warn"), " ",
        scores.length ? make("span", { class: "scores" }, "scores ", inItemOrder.map(([place, score]) =>
          [make("span", { class: "score" }, `${place + 1}: `, make("b", {}, formatNumber(score)), isGold(part.gold, place) ? " ✓" : ""), " "])) : null,
        make("span", { class: "muted small" },
          part.id ? ["item ", foreign(part.id), " · "] : null,
          foreign(judge), variant ? [" · ", foreign(variant)] : null,
          ` · sample ${sample} · shown ${order}`,
          turned && scores.length ? ` (scores as shown ${scores.map((score) => formatNumber(score)).join(" ")})` : "",
          tokens ? ` · ${tokens}` : "",
          meta == null ? "" : ` · meta ${formatNumber(meta, 3)}`,
          chars == null ? "" : ` · ${count(chars, "character")}`)),
      text ? drawJudgmentText(text) : null);
  }

  // The answer with its verdict marked; the thought before it folded.
  function drawJudgmentText(text) {
    const end = text.lastIndexOf("</think>"), open = /^\s*<think>/.test(text);
    if (end < 0 && open) return make("div", {}, foldThought(text, "thought that did not end"));
    const thought = end < 0 ? "" : text.slice(0, end).replace(/^\s*<think>/, "").trim();
    const answer = end < 0 ? text : text.slice(end + 8).trim();
    return make("div", {}, thought ? foldThought(thought, "thought") : null, answer ? drawAnswer(answer) : null);
  }

  function foldThought(thought, word) {
    const fold = make("details", {}, make("summary", {}, `${word} (${thought.length.toLocaleString("en")} characters)`));
    fold.addEventListener("toggle", () => fold.children.length < 2 && fold.append(drawText(thought)), { once: true });
    return fold;
  }

  const VERDICT = /\\boxed\s{0,9}\{(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,200}\}){0,200}\}){0,200}\}|\[\[[^\[\]]{0,40}\]\]|<answer>[^<>]{0,40}<\/answer>/g;

  // Where a verdict stands at the very end of a long text, its surroundings are shown as well.
  function drawAnswer(answer) {
    const mark = (words) => {
      const found = [...words.matchAll(VERDICT)].at(-1);
      const short = words.trim().length <= 3;
      if (!found) return [short ? make("mark", {}, words) : words];
      return [words.slice(0, found.index), make("mark", {}, found[0]), words.slice(found.index + found[0].length)];
    };
    const box = drawText(answer, mark);
    const last = answer.length > LONG * 1.25 ? escapeControls(answer.slice(-400)) : "";
    return last ? make("div", {}, box, make("p", { class: "muted small" }, "its end:"), make("div", { class: "text foreign", dir: "auto", tabindex: 0 }, mark(last))) : box;
  }

  // ---- Keys ----------------------------------------------------------------------------------------------------

  function showKeys() {
    at("items-keys").showModal();
  }

  function moveRow(step) {
    const links = [...document.querySelectorAll("#items-body .item-link")];
    const now = links.findIndex((link) => link === document.activeElement);
    const next = links[now < 0 ? (step > 0 ? 0 : links.length - 1) : now + step];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  function go(key) {
    document.querySelector(`#item [data-go="${key}"]`)?.click();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || at("items-keys").open) return;
    const { target, key } = event;
    if (target.isContentEditable || /^(input|select|textarea)$/i.test(target.tagName)) {
      if (key === "Escape" && target === at("items-find")) target.blur();
      return;
    }
    const inItem = choice?.view === "item";
    const actions = {
      "?": showKeys,
      j: () => (inItem ? go("j") : moveRow(1)),
      k: () => (inItem ? go("k") : moveRow(-1)),
      "/": () => {
        if (inItem) go("u");
        setTimeout(() => { at("items-find").focus(); at("items-find").select(); }, inItem ? 60 : 0);
      },
      ...(inItem ? { u: () => go("u"), Escape: () => go("u") } : {
        n: () => at("items-on").click(),
        p: () => at("items-back").click(),
      }),
    };
    if (!actions[key]) return;
    event.preventDefault();
    actions[key]();
  }

  // ---- Drawing what the address says, and beginning -------------------------------------------------------------

  let typing = 0; // a timer, while somebody types

  function draw() {
    const before = choice;
    choice = readChoice();
    const inItem = choice.view === "item";
    at("items-list").hidden = inItem;
    at("item").hidden = !inItem;
    searchTexts();
    if (inItem) {
      drawItem().catch(tellTrouble);
      return;
    }
    drawn++;
    drawControls();
    drawTable();
    if (before?.view === "item" && choice.view === "items") {
      const task = index.tasks[choice.task], unit = findUnit(task, before.item);
      const place = filtered.indexOf(unit) - (Math.min(choice.page, Math.max(Math.ceil(filtered.length / PAGE), 1)) - 1) * PAGE;
      const link = document.querySelectorAll("#items-body .item-link")[place];
      (link ?? at("h-items")).focus();
      (link ?? at("h-items")).scrollIntoView({ block: "center", behavior: "instant" });
    } else if (choice.view === "items" && !before?.view) {
      at("items").scrollIntoView({ block: "start", behavior: "instant" });
      at("h-items").focus({ preventScroll: true });
    }
  }

  function tellTrouble(error) {
    at("items-loading").hidden = true;
    at("items-trouble").hidden = false;
    at("items-trouble").textContent = `The items cannot be shown: ${error.message}`;
  }

  function listen() {
    for (const name of ["k", "show", "subset", "status", "sort"]) {
      at(`items-${name}`).addEventListener("change", (event) => choose({ [name]: event.target.value }));
    }
    at("items-task").addEventListener("change", (event) => {
      const task = index.tasks[Number(event.target.value)], arm = task.arms[0];
      choose({ task: task.place, arm, k: index.arms[arm].k, with: "", show: "", subset: "" });
    });
    at("items-arm").addEventListener("change", (event) => {
      const arm = Number(event.target.value);
      choose({ arm, k: kOf(arm, choice.k), with: choice.with === arm ? "" : choice.with });
    });
    at("items-with").addEventListener("change", (event) => {
      const other = event.target.value === "" ? "" : Number(event.target.value);
      choose({ with: other, show: other === "" ? (Object.hasOwn(SHOWS, choice.show) ? choice.show : "") : "differ" });
    });
    for (const name of ["changes", "disagree", "deep"]) {
      at(`items-${name}`).addEventListener("change", (event) => choose({ [name]: event.target.checked ? "1" : "" }));
    }
    at("items-find").addEventListener("input", (event) => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        choose({ find: event.target.value }, true);
        typing = 0;
      }, 150);
    });
    at("items-clear").addEventListener("click", () => choose(DEFAULTS));
    at("items-back").addEventListener("click", () => choose({ page: choice.page - 1 }));
    at("items-on").addEventListener("click", () => choose({ page: choice.page + 1 }));
    at("items-keys-button").addEventListener("click", showKeys);
    at("items-keys-close").addEventListener("click", () => at("items-keys").close());
    at("items-deep-cancel").addEventListener("click", () => {
      deep.stop();
      at("items-deep-cancel").hidden = true;
      at("items-deep-told").textContent += ", then cancelled";
    });
    document.addEventListener("keydown", onKey);
    window.addEventListener("hashchange", () => {
      if (choice.view || /^#\/items?(\?|$)/.test(location.hash)) draw(); // Back to no choice shows all items again
    });
  }

  async function begin() {
    if (typeof DecompressionStream !== "function") {
      tellTrouble(new Error("this browser has no DecompressionStream; a browser of 2023 or later has it"));
      return;
    }
    at("items-loading").hidden = false;
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); // the page is painted first
    try {
      await loadIndex();
      at("items-loading").hidden = true;
      if (!index.tasks.length) return;
      listen();
      draw();
      (window.requestIdleCallback ?? setTimeout)(() => listWords(index.tasks[choice.task])); // before somebody types
    } catch (error) {
      tellTrouble(error);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
}
