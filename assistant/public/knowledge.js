// The knowledge page: the list of documents, the search, a document's text. Files on their way in: knowledge_queue.js.
import { announce, areYouSure, attempt, byId, dayOf, fill, fromTemplate, markedText, placeOf, query, reconcile, request, say, setHidden, setLabel, setText, sizeOf } from "./knowledge_parts.js";
import { enqueued, onChange, start } from "./knowledge_queue.js";

const ROWS = 100;
const TYPING_MS = 250;
const SETTLE_MS = 1000; // what changes while files are read is listed no more often
const QUIET_MS = 3000; // after so long without news the language of the documents is looked at
const view = { q: "", collection: "", sort: "added", down: true, start: 0 };

// The list

let asked = 0;
const list = () => attempt(async () => {
  asked += 1;
  const turn = asked;
  const answer = await request(`sources?${query(view)}`);
  if (turn !== asked) return;
  view.start = answer.start;
  drawList(answer);
});

const drawList = ({ rows, start: first, count, all, theirs }) => {
  reconcile(byId("sources"), rows, (row) => `${row.collection}\n${row.source}\n${row.state}`, make, update);
  setText(byId("count"), all ? String(all) : "");
  setHidden(document.querySelector("table"), !rows.length);
  setHidden(byId("filters"), !all);
  setHidden(byId("none"), rows.length > 0);
  setText(byId("none"), all ? say.none_fit : say.none_yet);
  setHidden(byId("pager"), count <= ROWS);
  setText(byId("rows"), fill(say.rows, { from: first + 1, to: first + rows.length, all: count }));
  byId("before").disabled = first === 0;
  byId("next").disabled = first + rows.length >= count;
  setText(byId("forget-text"), fill(say.forget_text, { n: theirs }));
  byId("forget").disabled = theirs === 0;
  setHidden(byId("yours"), all === 0);
  drawSort();
};

const drawSort = () => {
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const sorted = head.dataset.sort === view.sort;
    if (sorted) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
};

const make = () => {
  const row = fromTemplate("source-row");
  row.querySelector("[data-act=read]").addEventListener("click", () => read(row.item));
  row.querySelector("[data-act=share]").addEventListener("click", () => (row.item.shared ? unshare(row.item) : share(row.item)));
  row.querySelector("[data-act=refresh]").addEventListener("click", () => refresh(row.item));
  row.querySelector("[data-act=forget]").addEventListener("click", () => forget(row.item));
  return row;
};

const stateOf = (item) => (item.state === "indexed" && item.skipped.length ? "gaps" : item.state);

// The name of the file, where its title tells another one.
const nameOf = (item) => (item.source === item.title ? "" : item.source);

const update = (row, item) => {
  row.item = item;
  const cell = (name, text) => setText(row.querySelector(`.${name}`), text);
  const state = stateOf(item);
  setText(row.querySelector("[data-act=read]"), item.title);
  cell("source", nameOf(item));
  cell("collection", item.shared ? (item.theirs ? say.shared_by_you : say.all_here) : say.just_me);
  cell("state", say[`state_${state}`] || state);
  row.querySelector(".state").dataset.state = state;
  cell("pages", item.pages == null ? "" : item.pages.toLocaleString(say.locale));
  cell("chunks", item.chunks.toLocaleString(say.locale));
  cell("size", sizeOf(item.size));
  cell("added", dayOf(item.added));
  updateSkipped(row.querySelector("details"), item.skipped);
  updateOrigin(row, item);
  const [shareButton, forgetButton] = row.querySelectorAll("[data-act=share], [data-act=forget]");
  const name = item.shared ? say.unshare : say.share;
  setText(shareButton, name);
  setLabel(shareButton, fill(say.act_on, { act: name, name: item.title }));
  setHidden(shareButton, !item.theirs || item.state !== "indexed");
  setText(forgetButton, say.delete);
  setLabel(forgetButton, fill(say.act_on, { act: say.delete, name: item.title }));
  setHidden(forgetButton, !item.theirs || item.state === "pending");
};

const updateSkipped = (details, skipped) => {
  setHidden(details, !skipped.length);
  if (!skipped.length) return;
  setText(details.querySelector("summary"), skipped.length === 1 ? say.skipped_one : fill(say.skipped, { n: skipped.length }));
  const lines = skipped.map(({ page, why }) => `${page == null ? say.whole : fill(say.page, { n: page })}: ${why}`);
  const old = [...details.querySelectorAll("li")].map((line) => line.textContent);
  if (old.join("\n") === lines.join("\n")) return;
  details.querySelector("ul").replaceChildren(...lines.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
};

// When a web page or table was last compared with what it was read from, and what was found.
const updateOrigin = (row, { origin, theirs, title }) => {
  const line = row.querySelector(".origin");
  setHidden(line, !origin);
  const button = row.querySelector("[data-act=refresh]");
  setHidden(button, !origin || !theirs || !origin.refreshes);
  if (!origin) return;
  const when = origin.refreshed ? fill(say.refreshed, { when: dayOf(origin.refreshed) }) : "";
  setText(line, [when, origin.said].filter(Boolean).join(" · "));
  line.classList.toggle("failed", origin.failed);
  const name = origin.kind === "site" ? say.refresh_site : say.refresh;
  setText(button, name);
  setLabel(button, fill(say.act_on, { act: name, name: title }));
};

const refresh = (item) => attempt(async () => {
  const { jobs } = await request("sources/refresh", { collection: item.collection, source: item.source });
  announce(fill(say.refresh_begun, { name: item.title }));
  enqueued(jobs);
});

const hint = () => attempt(async () => {
  const { hint: text } = await request("hint");
  setText(byId("hint"), text);
  setHidden(byId("hint"), !text);
});

const share = (item) => attempt(async () => {
  await request("sources/share", { collection: item.collection, source: item.source });
  announce(fill(say.shared_now, { name: item.title }));
  await list();
});

const unshare = (item) => attempt(async () => {
  await request("sources/unshare", { collection: item.collection, source: item.source });
  announce(fill(say.unshared_now, { name: item.title }));
  await list();
});

const forget = async (item) => {
  if (!await areYouSure(fill(say.sure, { name: item.title }), say.sure_text, say.delete)) return;
  await attempt(async () => {
    await request("sources/forget", { collection: item.collection, source: item.source });
    announce(fill(say.deleted, { name: item.title }));
    await list();
    if (byId("query").value.trim()) await search();
  });
};

let typed = 0;
byId("filter").addEventListener("input", (event) => {
  clearTimeout(typed);
  typed = setTimeout(() => { Object.assign(view, { q: event.target.value.trim(), start: 0 }); list(); }, TYPING_MS);
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("collection").addEventListener("change", (event) => { Object.assign(view, { collection: event.target.value, start: 0 }); list(); });
byId("before").addEventListener("click", () => { view.start = Math.max(0, view.start - ROWS); list(); });
byId("next").addEventListener("click", () => { view.start += ROWS; list(); });
for (const head of document.querySelectorAll("th[data-sort]")) {
  head.querySelector("button").addEventListener("click", (event) => {
    const { sort } = head.dataset;
    Object.assign(view, { sort, down: view.sort === sort ? !view.down : ["pages", "chunks", "size", "added"].includes(sort), start: 0 });
    list();
    announce(fill(say.sorted, { name: event.target.textContent }));
  });
}

// The search

const search = () => attempt(async () => {
  const q = byId("query").value.trim();
  history.replaceState(null, "", q ? `?${query({ q })}` : location.pathname);
  setText(byId("found"), q ? say.searching : "");
  const { passages } = q ? await request(`search?${query({ q })}`) : { passages: [] };
  if (q !== byId("query").value.trim()) return;
  reconcile(byId("passages"), passages, (passage) => passage.id, makePassage, updatePassage);
  const said = passages.length === 1 ? say.found_one : passages.length ? fill(say.found, { n: passages.length }) : say.found_none;
  setText(byId("found"), q ? said : "");
});

const makePassage = () => {
  const row = fromTemplate("passage-row");
  row.querySelector("button").addEventListener("click", () => read(row.item, row.item.id, row.item.words));
  return row;
};

const updatePassage = (row, item) => {
  row.item = item;
  const meaning = Math.round(item.meaning * 100);
  const place = placeOf(item);
  setText(row.querySelector(".link"), item.title);
  setLabel(row.querySelector(".link"), fill(say.open_passage, { name: [item.title, place].filter(Boolean).join(", ") }));
  setText(row.querySelector(".place"), [nameOf(item), place, item.shared ? say.all_here : ""].filter(Boolean).join(" · "));
  markedText(row.querySelector(".text"), item.text);
  const said = [fill(say.score, { score: item.score.toFixed(2) }), fill(say.by_meaning, { n: meaning }), fill(say.by_words, { n: 100 - meaning })];
  const shares = row.querySelector(".shares");
  setLabel(shares, said.join(", "));
  shares.querySelector("i").style.width = `${meaning}%`;
  shares.querySelector("b").style.width = `${100 - meaning}%`;
  const words = item.words.length ? `${say.matched}: ${item.words.join(", ")}` : say.matched_none;
  setText(row.querySelector(".why .quiet"), [...said, words].join(" · "));
};

byId("search").addEventListener("submit", (event) => { event.preventDefault(); search(); });
byId("query").addEventListener("search", () => { if (!byId("query").value) search(); });

// One document

const reader = { item: null, first: 0, last: 0, count: 0 };

const read = async (item, around = "", words = []) => {
  const asked = query({ collection: item.collection, source: item.source, around });
  words.forEach((word) => asked.append("word", word));
  const answer = await attempt(() => request(`document?${asked}`));
  if (!answer) return;
  Object.assign(reader, { item, first: answer.first, last: answer.first, count: answer.count });
  byId("reader-title").textContent = answer.title;
  const file = byId("reader-file");
  file.hidden = !answer.file;
  file.href = `/knowledge/api/file?${query({ collection: item.collection, source: item.source })}`;
  byId("blocks").replaceChildren();
  if (!answer.blocks.length) byId("blocks").textContent = item.skipped?.[0]?.why || say.empty_document;
  addBlocks(answer, around);
  byId("reader").showModal();
  const hit = byId("blocks").querySelector(".hit");
  byId("reader-text").scrollTop = 0;
  hit?.scrollIntoView({ block: "center" });
  (hit || byId("reader-text")).focus({ preventScroll: true });
};

const addBlocks = ({ blocks, first }, around = "") => {
  const shown = byId("blocks");
  const made = [];
  let page = null;
  for (const block of blocks) {
    if (block.page != null && block.page !== page) made.push(Object.assign(document.createElement("h3"), { className: "page", textContent: fill(say.page, { n: block.page }) }));
    page = block.page;
    if (block.heading) made.push(Object.assign(document.createElement("h4"), { dir: "auto", textContent: block.heading }));
    const text = document.createElement("div");
    text.dir = "auto";
    markedText(text, block.text);
    const where = placeOf({ ...block, page: null });
    if (where && where !== block.heading) text.prepend(Object.assign(document.createElement("span"), { className: "place", textContent: where }));
    if (block.id === around) Object.assign(text, { className: "hit", tabIndex: -1 });
    made.push(text);
  }
  if (first < reader.first) shown.prepend(...made);
  else shown.append(...made);
  reader.first = Math.min(reader.first, first);
  reader.last = Math.max(reader.last, first + blocks.length);
  byId("earlier").hidden = reader.first === 0;
  byId("later").hidden = reader.last >= reader.count;
};

const more = (first) => attempt(async () => {
  const { item } = reader;
  const answer = await request(`document?${query({ collection: item.collection, source: item.source, start: first })}`);
  const known = reader.first;
  addBlocks(first < known ? { ...answer, blocks: answer.blocks.slice(0, known - first) } : answer);
});
byId("earlier").addEventListener("click", async () => {
  const text = byId("reader-text");
  const below = text.scrollHeight - text.scrollTop;
  await more(Math.max(0, reader.first - 60));
  text.scrollTop = text.scrollHeight - below;
});
byId("later").addEventListener("click", () => more(reader.last));

// One's own data

byId("forget").addEventListener("click", async () => {
  const word = await areYouSure(say.forget, byId("forget-text").textContent, say.forget, say.forget_word);
  if (!word) return;
  await attempt(async () => {
    const { gone } = await request("forget-everything", { word });
    announce(fill(say.forgotten, { n: gone }));
    await list();
    await search();
  });
});

let pending = 0;
let hinting = 0;
onChange(() => {
  clearTimeout(hinting);
  hinting = setTimeout(hint, QUIET_MS);
  if (pending) return;
  pending = setTimeout(() => { pending = 0; list(); }, SETTLE_MS);
});

byId("query").value = new URLSearchParams(location.search).get("q") || "";
list();
hint();
start();
if (byId("query").value) search();
