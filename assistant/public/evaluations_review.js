// The review of a data set: each row is read, corrected, accepted or dropped, with the mouse or the keyboard alone.
import { announce, attempt, byId, fill, fromTemplate, query, Refused, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";

const SET = document.body.dataset.set;
const SHOWS = ["all", "open", "faulty", "accepted", "dropped"];
let start = 0;
let page = 25;

const shown = () => document.querySelector("[name=show]:checked").value;
const entries = () => [...byId("rows").children];

const load = async () => {
  const found = await request(`sets/${SET}?${query({ show: shown(), start })}`);
  page = found.page;
  head(found.set);
  byId("rows").replaceChildren(...found.rows.map(draw));
  setHidden(byId("none"), found.rows.length > 0);
  setHidden(byId("pager"), found.count <= page);
  setText(byId("where"), fill(say.rows_of, { first: start + 1, last: start + found.rows.length, n: found.count }));
  byId("before").disabled = start === 0;
  byId("next").disabled = start + found.rows.length >= found.count;
  setHidden(byId("recordings"), !found.rows.some((row) => row.audio));
};

const head = (set) => {
  setText(byId("title"), set.name);
  document.title = set.name;
  byId("download").href = `/evaluations/api/sets/${SET}/download`;
  const counts = { all: set.rows, open: set.open, faulty: set.faulty, accepted: set.accepted, dropped: set.dropped };
  for (const show of SHOWS) setText(document.querySelector(`[data-count=${show}]`), counts[show]);
  setText(byId("count"), set.open ? fill(say.still_open, { n: set.open }) : say.all_reviewed);
};

const draw = (row) => {
  const entry = fromTemplate("entry");
  entry.dataset.key = row.key;
  entry.querySelector(".question").value = row.question;
  entry.querySelector(".reference").value = row.reference;
  entry.querySelector(".tags").value = row.tags;
  entry.querySelector(".own-id").value = row.id;
  setText(entry.querySelector(".raw pre"), row.raw);
  setHidden(entry.querySelector(".raw"), !row.raw);
  setText(entry.querySelector(".number"), fill(say.row_n, { n: row.line }));
  const place = row.place ? `${row.source}, ${fill(say.page_n, { n: row.place })}` : row.source;
  setText(entry.querySelector(".from"), [place, row.audio].filter(Boolean).join(" · "));
  more(entry.querySelector(".context"), say.context, row.context);
  const thumb = row.mark == null ? "" : Number(row.mark) > 0.5 ? say.thumb_up : say.thumb_down;
  more(entry.querySelector(".answered"), [say.answered, thumb].filter(Boolean).join(" · "), row.answer && row.answer !== row.reference ? [row.comment ? `${row.answer}\n\n— ${row.comment}` : row.answer] : []);
  update(entry, row);
  loaded.set(entry, texts(entry));
  for (const button of entry.querySelectorAll("[data-act]")) {
    setLabel(button, `${button.textContent}: ${fill(say.row_n, { n: row.line })}`);
    button.addEventListener("click", () => decide(entry, button.dataset.act));
  }
  for (const field of entry.querySelectorAll("textarea, input")) field.addEventListener("change", () => attempt(() => save(entry)));
  return entry;
};

const more = (details, title, texts) => {
  setHidden(details, !texts.length);
  setText(details.querySelector("summary"), title);
  details.querySelector("p, div").replaceChildren(...texts.map((textContent) => Object.assign(document.createElement("span"), { textContent, dir: "auto" })));
};

const update = (entry, row) => {
  entry.dataset.state = row.problems.length && row.state === "open" ? "faulty" : row.state;
  setText(entry.querySelector(".state"), say[`row_${entry.dataset.state}`]);
  const wrong = entry.querySelector(".wrong");
  wrong.replaceChildren(...row.problems.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
  setHidden(wrong, !row.problems.length || row.state === "dropped");
  setHidden(entry.querySelector(".id"), !row.needs_id);
  entry.querySelector("[data-act=accepted]").hidden = row.state === "accepted";
  entry.querySelector("[data-act=dropped]").hidden = row.state === "dropped";
  entry.querySelector("[data-act=open]").hidden = row.state === "open";
};

// What stands in the fields of each row, as it was loaded or saved last: only what the person changes is sent.
const loaded = new WeakMap();
const FIELDS = { question: ".question", reference: ".reference", tags: ".tags", id: ".own-id" };
const texts = (entry) => Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, entry.querySelector(field).value]));
const sent = { tags: (text) => text.split(/[,;]/).map((tag) => tag.trim()).filter(Boolean), id: (text) => text.trim() };
const changes = (before, now) => Object.fromEntries(Object.keys(FIELDS).filter((name) => now[name] !== before[name]).map((name) => [name, sent[name]?.(now[name]) ?? now[name]]));

// The saves of a row go one after the other.
const saving = new WeakMap();
const save = (entry, state) => {
  const before = saving.get(entry) || Promise.resolve();
  const after = before.catch(() => {}).then(() => send(entry, state));
  saving.set(entry, after);
  return after;
};

const send = async (entry, state) => {
  const now = texts(entry);
  const answer = await request(`sets/${SET}/rows/${entry.dataset.key}`, { ...changes(loaded.get(entry), now), ...(state ? { state } : {}) });
  loaded.set(entry, now);
  update(entry, answer.row);
  head(answer.set);
  setText(entry.querySelector(".kept"), say.saved);
  return answer.row;
};

// The next row that waits for somebody takes the focus.
const decide = (entry, state) => attempt(async () => {
  const row = await save(entry, state);
  if (state === "accepted" && row.state !== "accepted") {
    setText(entry.querySelector(".kept"), "");
    announce(row.problems.join(" "));
    entry.querySelector(row.question ? ".reference" : ".question").focus();
    return;
  }
  announce(`${entry.querySelector(".number").textContent}: ${say[`row_${row.state}`]}`);
  if (state === "open") { entry.focus(); return; }
  const following = entries().slice(entries().indexOf(entry) + 1).find((one) => ["open", "faulty"].includes(one.dataset.state));
  if (following) enter(following);
  else if (!byId("next").disabled && !byId("pager").hidden) onward();
  else entry.focus();
});

const enter = (entry) => {
  entry.focus({ preventScroll: true });
  entry.scrollIntoView({ block: "center", behavior: "smooth" });
};

// Rows that were decided may have left the list that is shown; those after them have moved up.
const stays = ({ dataset: { state } }) => shown() === "all" || state === shown() || (shown() === "open" && state === "faulty");
const onward = () => turn(entries().filter(stays).length);

const turn = (by) => attempt(async () => {
  start = Math.max(0, start + by);
  await load();
  scrollTo({ top: 0 });
  (entries()[0] || byId("rows")).focus({ preventScroll: true });
});

// A accepts, D drops, arrows or J and K go from row to row, E writes; in a text Ctrl+Enter accepts and Escape leaves it.
const KEYS = { a: "accepted", d: "dropped" };
document.addEventListener("keydown", (event) => {
  const entry = event.target.closest(".entry");
  const writing = event.target.closest("textarea, input:not([type=radio])");
  if (entry && writing) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); decide(entry, "accepted"); }
    if (event.key === "Escape") entry.focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("[type=radio]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[key];
  const next = step && (entry ? entries()[entries().indexOf(entry) + step] : entries()[0]);
  if (next) { event.preventDefault(); enter(next); return; }
  if (!entry) return;
  if (KEYS[key]) { event.preventDefault(); decide(entry, KEYS[key]); }
  if (key === "e") { event.preventDefault(); entry.querySelector(".question").focus(); }
});

for (const radio of document.querySelectorAll("[name=show]")) radio.addEventListener("change", () => attempt(async () => { start = 0; await load(); }));
byId("before").addEventListener("click", () => turn(-page));
byId("next").addEventListener("click", onward);
byId("choose-sound").addEventListener("click", () => byId("sound").click());
byId("sound").addEventListener("change", (event) => attempt(async () => {
  for (const file of event.target.files) {
    const response = await fetch(`/evaluations/api/recordings?${query({ set: SET, name: file.name })}`, { method: "POST", body: file });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refused(typeof answer.detail === "string" ? answer.detail : `${response.status}`);
  }
  event.target.value = "";
  await load();
}));

const wanted = new URLSearchParams(location.search).get("show");
if (SHOWS.includes(wanted)) document.querySelector(`[name=show][value=${wanted}]`).checked = true;
attempt(load);
