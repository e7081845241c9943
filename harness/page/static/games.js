/* Pictures of tournaments: brackets where losers drop out, else ratings and who beat whom.

drawGames(games, responseNames) returns an element. games: the entries that pack_games (harness/page/games.py) made for
one item. responseNames: what the responses are called, in the set's order. All names are untrusted texts. */
function drawGames(games, responseNames) {
  "use strict";
  const GAME = ["round", "first", "second", "judgments", "wonFirst", "wonSecond", "tied", "scoreFirst", "scoreSecond",
    "winner", "through"];
  const longest = Math.max(...responseNames.map((_, i) => nameResponse(i).length), 0);
  const BOX = { width: Math.min(118 + 7 * longest, 210), row: 22, gap: 16, between: 44 }; // of a game, in pixels

  const whole = make("div", "games");
  for (const packed of games) whole.append(drawCourse(unpack(packed)));
  return whole;

  // -------------------------------------------------------------------------------------------- elements and words

  function make(tag, className = "", text = "") {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== "") element.textContent = text;
    return element;
  }

  function makeSvg(tag, attributes = {}, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== "") element.textContent = text;
    return element;
  }

  /* Write control characters, bidi marks among them, so that they can be seen and steer nothing. */
  function showControls(text) {
    const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
    return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (character) => {
      if (character === "\u200c" || character === "\u200d") return character;
      const code = character.codePointAt(0).toString(16);
      if (character in named) return named[character];
      return code.length <= 2 ? `\\x${code.padStart(2, "0")}`
        : code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
    });
  }

  function nameResponse(i) {
    const name = showControls(responseNames[i] ?? "").slice(0, 200);
    return name && name !== String(i + 1) ? `${i + 1} \u2068${name}\u2069` : `${i + 1}`; // isolated: its direction is its own
  }

  /* Put a response's name, which somebody else wrote, into an element of its own direction. */
  function makeName(course, i, tag = "span") {
    const element = make(tag, "games-name");
    if (tag === "th") element.scope = "row";
    element.title = nameResponse(i);
    if (course.gold.includes(i)) element.append(make("span", "games-gold", "★"), make("span", "visually-hidden", " gold"), " ");
    element.append(nameResponse(i));
    return element;
  }

  function count(number, word) {
    return `${number} ${word}${number === 1 ? "" : "s"}`;
  }

  function write(number) {
    return number === null ? "–" : String(Number(number.toFixed(2)));
  }

  // -------------------------------------------------------------------------------------------- one course

  function unpack(packed) {
    const games = packed.games.map((values) => Object.fromEntries(GAME.map((name, at) => [name, values[at]])));
    return { ...packed, games };
  }

  function drawCourse(course) {
    const figure = make("figure", "games-course");
    const caption = make("figcaption");
    const name = make("bdi", "games-title", showControls(course.name));
    name.dir = "auto";
    const played = course.replays === 1 ? "as it was played" : `the first of ${course.replays} replays`;
    caption.append(name, ` ${count(course.games.length, "game")} of ${count(course.k, "judgment")}: ${played}. `);
    caption.append(tellChoice(course));
    figure.append(caption);
    const sections = course.lives === null ? [] : splitByLosses(course);
    if (course.lives === null) {
      const pair = make("div", "games-pair");
      pair.append(tabulateRatings(course), tabulateWins(course));
      const key = "★: gold; who beat whom: of the judgments of the two, how many percent put the row's response above the"
        + " column's, a tie being half; –: they did not meet, or no judgment was usable.";
      figure.append(pair, make("p", "games-key muted", key));
    }
    for (const [title, games] of sections) figure.append(drawBracket(course, title, games));
    if (sections.length) {
      const coin = course.games.some((game) => game.winner === null) ? "; coin: tied, and a coin decided" : "";
      const below = sections.length > 1 ? "; ↓: came down after a lost game" : "";
      figure.append(make("p", "games-key muted", `✓ and bold: won the game; ★: gold; numbers: summed scores${below}${coin}.`));
    } else if (course.lives !== null) {
      figure.append(make("p", "games-key muted", "Coins decided tied games, and how they fell is not known: no bracket."));
    }
    figure.append(listGames(course, course.lives !== null && !sections.length));
    return figure;
  }

  function findBest(course) {
    const scores = course.final.filter((score) => score !== null);
    return scores.length ? course.final.flatMap((score, i) => (score === Math.max(...scores) ? [i] : [])) : [];
  }

  function tellChoice(course) {
    const best = findBest(course), told = make("span", "games-choice");
    if (!best.length) return make("span", "games-choice", "No judgment was usable.");
    told.append(best.length > 1 ? "Tied: " : "Chosen: ");
    best.forEach((i, at) => told.append(at ? ", " : "", makeName(course, i)));
    told.append(".");
    return told;
  }

  /* Split the games by how often the two had lost before; nothing where a coin fell nobody knows how. */
  function splitByLosses(course) {
    if (course.games.some((game) => game.through === null)) return [];
    if (course.lives === 1) return [["", course.games]];
    const lost = {}, sections = new Map();
    for (const game of course.games) {
      const [a, b] = [lost[game.first] ?? 0, lost[game.second] ?? 0];
      const title = a !== b ? "Final" : ["Unbeaten", "Lost once"][a] ?? `Lost ${a} times`;
      sections.set(title, [...(sections.get(title) ?? []), game]);
      const loser = game.through === game.first ? game.second : game.first;
      lost[loser] = (lost[loser] ?? 0) + 1;
    }
    const order = (title) => (title === "Final" ? 99 : title === "Unbeaten" ? 0 : 1);
    return [...sections].sort((one, other) => order(one[0]) - order(other[0]));
  }

  // -------------------------------------------------------------------------------------------- brackets

  function drawBracket(course, title, games) {
    const rounds = [...new Set(games.map((game) => game.round))].sort((a, b) => a - b);
    const feeders = games.map((game, at) => [game.first, game.second].map((i) => {
      for (let before = at - 1; before >= 0; before--) {
        if (games[before].round < game.round && [games[before].first, games[before].second].includes(i)) return before;
      }
      return null;
    }));
    const middle = new Map(), slot = 2 * BOX.row + BOX.gap;
    let slots = 0;
    const place = (at) => {
      if (middle.has(at)) return;
      const before = feeders[at].filter((feeder) => feeder !== null);
      before.forEach(place);
      const heights = before.map((feeder) => middle.get(feeder));
      middle.set(at, heights.length ? heights.reduce((a, b) => a + b) / heights.length : (slots++ + 0.5) * slot);
    };
    for (let at = games.length - 1; at >= 0; at--) place(at);

    const top = 26, width = rounds.length * (BOX.width + BOX.between) - BOX.between + 2, height = top + slots * slot;
    const id = `games-${(drawGames.drawn = (drawGames.drawn ?? 0) + 1)}`;
    const svg = makeSvg("svg", {
      class: "games-bracket", role: "img", "aria-labelledby": `${id}-title ${id}-text`, width, height,
      viewBox: `0 0 ${width} ${height}`,
    });
    svg.append(makeSvg("title", { id: `${id}-title` }, `Bracket${title ? `, ${title.toLowerCase()}` : ""}`));
    svg.append(makeSvg("desc", { id: `${id}-text` }, games.map((game) => tellGame(game)).join(" ")));
    const left = (game) => rounds.indexOf(game.round) * (BOX.width + BOX.between) + 1;
    rounds.forEach((round, at) => svg.append(
      makeSvg("text", { class: "games-round", x: at * (BOX.width + BOX.between) + 1, y: 14 }, `Round ${round}`)));
    games.forEach((game, at) => feeders[at].forEach((feeder, side) => {
      if (feeder === null) return;
      const from = [left(games[feeder]) + BOX.width, top + middle.get(feeder)];
      const to = [left(game), top + middle.get(at) + (side - 0.5) * BOX.row];
      const bend = to[0] - BOX.between / 2;
      svg.append(makeSvg("path", { class: "games-line", d: `M${from[0]} ${from[1]}H${bend}V${to[1]}H${to[0]}` }));
    }));
    const played = new Set(course.games.filter((game) => game.round < rounds[0]).flatMap((g) => [g.first, g.second]));
    games.forEach((game, at) => {
      const fresh = [game.first, game.second].map((i, side) =>
        feeders[at][side] === null && game.round > rounds[0] ? (hasPlayed(course, game, i) ? "↓" : "bye")
          : feeders[at][side] === null && played.has(i) && title !== "Final" ? "↓" : "");
      svg.append(drawGame(course, game, left(game), top + middle.get(at) - BOX.row, fresh));
    });
    const scroll = makeScroll();
    scroll.append(svg);
    if (!title) return scroll;
    const part = make("div", "games-section");
    part.append(make("h5", "", title), scroll);
    return part;
  }

  function hasPlayed(course, game, i) {
    return course.games.some((other) => other.round < game.round && (other.first === i || other.second === i));
  }

  function drawGame(course, game, x, y, fresh) {
    const box = makeSvg("svg", { class: "games-game", x, y, width: BOX.width, height: 2 * BOX.row });
    box.append(makeSvg("title", {}, tellGame(game)));
    box.append(makeSvg("rect", { class: "games-box", x: 0.5, y: 0.5, width: BOX.width - 1, height: 2 * BOX.row - 1, rx: 4 }));
    box.append(makeSvg("path", { class: "games-line", d: `M1 ${BOX.row}H${BOX.width - 1}` }));
    [[game.first, game.scoreFirst], [game.second, game.scoreSecond]].forEach(([i, score], side) => {
      const won = game.through === i, base = side * BOX.row + 15;
      const told = [write(score), won && game.winner === null ? "coin" : "", fresh[side]].filter(Boolean).join(" · ");
      const room = BOX.width - 32 - 7.5 * told.length - 12;
      const row = makeSvg("g", { class: won ? "games-won" : "games-lost" });
      row.append(makeSvg("text", { x: 5, y: base }, won ? "✓" : ""));
      row.append(makeSvg("text", { class: "games-gold", x: 18, y: base }, course.gold.includes(i) ? "★" : ""));
      const name = makeSvg("svg", { x: 32, y: side * BOX.row, width: Math.max(room, 20), height: BOX.row });
      name.append(makeSvg("text", { class: "games-name", x: 0, y: 15 }, nameResponse(i)));
      row.append(name, makeSvg("text", { class: "games-score", x: BOX.width - 6, y: base, "text-anchor": "end" }, told));
      box.append(row);
    });
    return box;
  }

  function tellGame(game) {
    const [a, b] = [nameResponse(game.first), nameResponse(game.second)];
    const scores = `${write(game.scoreFirst)} to ${write(game.scoreSecond)}`;
    const unusable = game.judgments - game.wonFirst - game.wonSecond - game.tied;
    const judged = `judgments ${game.wonFirst} to ${game.wonSecond}`
      + (game.tied ? `, ${game.tied} tied` : "") + (unusable ? `, ${unusable} unusable` : "");
    const result = game.winner !== null ? `${nameResponse(game.winner)} won`
      : game.through !== null ? `tied, a coin chose ${nameResponse(game.through)}` : "tied";
    return `Round ${game.round}: ${a} against ${b}: ${result}, scores ${scores}, ${judged}.`;
  }

  // -------------------------------------------------------------------------------------------- ratings

  function sortResponses(course) {
    const value = (i) => course.final[i] ?? -Infinity;
    return course.final.map((_, i) => i).sort((a, b) => value(b) - value(a) || a - b);
  }

  function tabulateRatings(course) {
    const scores = course.final.filter((score) => score !== null);
    const low = Math.min(course.start, ...scores), span = Math.max(course.start, ...scores) - low || 1;
    const [table, body] = makeTable(`Ratings: ${course.score}`, ["place", "response", course.score, "", "won", "tied", "lost"]);
    const best = findBest(course), digits = scores.every(Number.isInteger) ? 0 : 2;
    for (const i of sortResponses(course)) {
      const row = make("tr", best.includes(i) ? "games-won" : "");
      const score = course.final[i];
      row.append(make("td", "number", score === null ? "–" : String(1 + scores.filter((other) => other > score).length)));
      row.append(makeName(course, i, "th"), make("td", "number", score === null ? "–" : score.toFixed(digits)));
      const cell = make("td", "games-bar");
      if (score !== null) cell.append(drawBar((course.start - low) / span, (score - low) / span));
      row.append(cell);
      const own = course.games.filter((game) => game.first === i || game.second === i);
      const won = own.filter((game) => game.winner === i).length, tied = own.filter((g) => g.winner === null).length;
      for (const number of [won, tied, own.length - won - tied]) row.append(make("td", "number", String(number)));
      body.append(row);
    }
    const scroll = makeScroll();
    scroll.append(table);
    return scroll;
  }

  function drawBar(start, end) {
    const svg = makeSvg("svg", { width: 160, height: 14, viewBox: "0 0 160 14", "aria-hidden": "true" });
    const x = Math.min(start, end) * 158 + 1, width = Math.abs(end - start) * 158;
    svg.append(makeSvg("rect", { class: end < start ? "games-below" : "games-above", x, y: 2, width, height: 10 }));
    svg.append(makeSvg("path", { class: "games-start", d: `M${start * 158 + 1} 0V14` }));
    return svg;
  }

  function tabulateWins(course) {
    const met = new Map();
    for (const game of course.games) {
      met.set(`${game.first} ${game.second}`, [game.wonFirst, game.wonSecond, game.tied]);
      met.set(`${game.second} ${game.first}`, [game.wonSecond, game.wonFirst, game.tied]);
    }
    const order = sortResponses(course);
    const [table, body] = makeTable("Who beat whom, %", ["response", ...order.map((i) => String(i + 1))]);
    table.classList.add("games-matrix");
    for (const i of order) {
      const row = make("tr");
      row.append(makeName(course, i, "th"));
      for (const j of order) {
        const [won, lost, tied] = met.get(`${i} ${j}`) ?? [0, 0, 0], all = won + lost + tied;
        const share = (won + tied / 2) / all;
        const cell = make("td", `number${share > 0.5 ? " games-won" : ""}`, i === j ? "·" : all ? String(Math.round(100 * share)) : "–");
        if (all) {
          cell.title = `${won} won, ${lost} lost, ${tied} tied`;
          cell.style.backgroundColor = `color-mix(in srgb, var(--accent) ${Math.round(30 * share)}%, transparent)`;
        }
        row.append(cell);
      }
      body.append(row);
    }
    const scroll = makeScroll();
    scroll.append(table);
    return scroll;
  }

  // -------------------------------------------------------------------------------------------- tables

  function makeTable(title, heads) {
    const table = make("table", "table games-table"), head = make("tr"), body = make("tbody");
    table.append(make("caption", "", title));
    for (const name of heads) {
      const cell = make(name ? "th" : "td", "", name);
      if (name) cell.scope = "col";
      head.append(cell);
    }
    const top = make("thead");
    top.append(head);
    table.append(top, body);
    return [table, body];
  }

  function makeScroll() {
    const scroll = make("div", "games-scroll");
    scroll.tabIndex = 0; // so that it can be scrolled by keys
    scroll.setAttribute("role", "group");
    scroll.setAttribute("aria-label", "tournament, scrolls sideways");
    return scroll;
  }

  /* List all games in a table, made when it is opened: a round robin of 32 has 496. */
  function listGames(course, open) {
    const details = make("details", "games-list");
    details.append(make("summary", "", `Games as a table (${course.games.length})`));
    let listed = false;
    const fill = () => {
      if (listed) return;
      listed = true;
      const heads = ["round", "first", "second", "scores", "judgments won", "tied", "unusable", "winner"];
      const [table, body] = makeTable("Games", heads);
      for (const game of course.games) {
        const row = make("tr");
        row.append(make("td", "number", String(game.round)), makeName(course, game.first, "td"), makeName(course, game.second, "td"));
        row.append(make("td", "number", `${write(game.scoreFirst)} : ${write(game.scoreSecond)}`));
        row.append(make("td", "number", `${game.wonFirst} : ${game.wonSecond}`), make("td", "number", String(game.tied)));
        row.append(make("td", "number", String(game.judgments - game.wonFirst - game.wonSecond - game.tied)));
        row.append(game.winner !== null ? makeName(course, game.winner, "td")
          : make("td", "", game.through === null ? "tied" : `tied; by coin ${nameResponse(game.through)}`));
        body.append(row);
      }
      const scroll = makeScroll();
      scroll.append(table);
      details.append(scroll);
    };
    details.addEventListener("toggle", fill);
    if (open) {
      details.open = true;
      fill();
    }
    return details;
  }
}
