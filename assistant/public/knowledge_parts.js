// What the parts of the knowledge page share, and the page of models: its words, its requests, rows that change without flicker, dialogs.
export const say = JSON.parse(document.body.dataset.words);
export const byId = (id) => document.getElementById(id);
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

// "1 row", "2 rows": the words of one have a name of their own where they differ.
export const counted = (name, n) => fill((n === 1 && say[`${name}_one`]) || say[name], { n });

export class Refused extends Error {}

// A JSON answer. What the server refuses is a Refused with its one line; a server that is away is a TypeError.
export const request = async (path, body) => {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${document.body.dataset.api || "/knowledge/api/"}${path}`, options);
  if (byId("trouble").textContent === say.gone) byId("trouble").hidden = true;
  if (response.ok) return response.json();
  if (response.status === 401) throw new Refused(`${say.signed_out} ${say.signed_out_remedy}`);
  const answer = await response.json().catch(() => ({}));
  throw new Refused(typeof answer.detail === "string" ? answer.detail : `${response.status}`);
};

export const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value != null));

// Do what was asked for, and tell in one line where it does not work.
export const attempt = async (work) => {
  try {
    return await work();
  } catch (error) {
    const trouble = byId("trouble");
    trouble.textContent = error instanceof Refused ? error.message : say.gone;
    trouble.hidden = false;
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
  }
};

document.addEventListener("click", () => { byId("trouble").hidden = true; }, true);

export const announce = (text) => { byId("said").textContent = text; };

export const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };
export const setLabel = (element, text) => { if (element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text); };
export const setHidden = (element, hidden) => { if (element.hidden !== hidden) element.hidden = hidden; };

const rows = new WeakMap();

// Make the children of `parent` the rows of `items`: those that are there change in place and keep the focus.
export const reconcile = (parent, items, keyOf, make, update) => {
  const known = rows.get(parent) || new Map();
  const wanted = new Map();
  const focused = document.activeElement;
  const place = [...parent.children].findIndex((child) => child.contains(focused));
  items.forEach((item, number) => {
    const key = keyOf(item);
    const row = known.get(key) || make(item);
    update(row, item);
    wanted.set(key, row);
    if (parent.children[number] !== row) parent.insertBefore(row, parent.children[number] || null);
  });
  for (const [key, row] of known) if (!wanted.has(key)) row.remove();
  rows.set(parent, wanted);
  if (place >= 0 && document.activeElement !== focused) refocus(parent, focused, place);
};

// A row that moved has lost the focus; of one that went, the next one takes it.
const refocus = (parent, focused, place) => {
  if (focused.isConnected) focused.focus({ preventScroll: true });
  else (parent.children[Math.min(place, parent.children.length - 1)]?.querySelector("button:not([hidden])") || parent.closest("section"))?.focus({ preventScroll: true });
};

export const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

export const sizeOf = (bytes) => {
  if (bytes == null) return "";
  const format = (value, unit) => `${value.toLocaleString(say.locale, { maximumFractionDigits: value < 10 ? 1 : 0 })} ${unit}`;
  if (bytes < 1e6) return format(Math.max(bytes / 1e3, 0.1), say.kb);
  return bytes < 1e9 ? format(bytes / 1e6, say.mb) : format(bytes / 1e9, say.gb);
};

export const timeLeft = (seconds) => {
  if (seconds == null) return "";
  if (seconds < 90) return fill(say.left_s, { n: Math.max(1, Math.round(seconds)) });
  return seconds < 5400 ? fill(say.left_min, { n: Math.round(seconds / 60) }) : fill(say.left_h, { n: Math.round(seconds / 3600) });
};

// 1:05 of a recording.
export const stamp = (seconds) => {
  const whole = Math.floor(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};

// Where a passage stands: its page, its second, or what it is called.
export const placeOf = ({ page, start_s: second, place }) => {
  const named = page == null ? "" : fill(say.page_n, { n: page });
  return [named, second == null ? "" : stamp(second), place].filter(Boolean).join(", ");
};

export const dayOf = (iso) => {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return "";
  const time = then.toLocaleTimeString(say.locale, { hour: "2-digit", minute: "2-digit" });
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return `${say.today} ${time}`;
  return days === 1 ? `${say.yesterday} ${time}` : then.toLocaleDateString(say.locale, { day: "numeric", month: "short", year: "numeric" });
};

// Text in pieces, those that match in <mark>.
export const markedText = (element, pieces) => {
  element.replaceChildren(...pieces.map(([text, matches]) => {
    if (!matches) return document.createTextNode(text);
    return Object.assign(document.createElement("mark"), { textContent: text });
  }));
};

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelectorAll("[data-close]").forEach((button) => button.addEventListener("click", () => dialog.close()));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

// Whether the person means it: true after yes. With `word`, only once it is typed.
export const areYouSure = (title, text, yes, word = "") => new Promise((done) => {
  const dialog = byId("sure");
  const input = byId("word");
  const button = byId("sure-yes");
  byId("sure-title").textContent = title;
  byId("sure-text").textContent = text;
  byId("sure-word").hidden = !word;
  button.textContent = yes;
  input.value = "";
  button.disabled = Boolean(word);
  dialog.querySelector("label").textContent = fill(say.forget_type, { word });
  input.oninput = () => { button.disabled = Boolean(word) && input.value.trim().toLowerCase() !== word.toLowerCase(); };
  dialog.returnValue = "";
  button.value = "yes";
  dialog.addEventListener("close", () => done(dialog.returnValue === "yes" && (input.value.trim() || true)), { once: true });
  dialog.showModal();
});
