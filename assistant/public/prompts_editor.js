// One prompt: its form with a preview, drafts that outlive leaving the page, saving, restoring and deleting.
import { areYouSure, attempt, byId, fill, query, request, say, setHidden, setText } from "./knowledge_parts.js";
import { focusWrong, markWrong, placeOf, put, shared, table } from "./prompts_fields.js";
import { countExactly, preview } from "./prompts_preview.js";
import { drawGain, quiet, tell } from "./prompts_said.js";
import { drawVersions } from "./prompts_versions.js";

const TYPING_MS = 250;
const form = byId("prompt");
let opened = null; // what the library knows of the one that is shown; null for a new one and a copy
let kept = ""; // the form as it was opened or saved
let draft = ""; // where in this tab what is typed is kept
let tried = false; // whether saving was tried: then all that is wrong is told
const touched = new Set(); // fields that were left once: what is wrong there is told before

const typed = () => JSON.stringify([table(), shared()]);

// Shows what the address names. What was typed there before and not saved is there again.
export const edit = async (where) => {
  const name = where.get("name");
  const source = name ?? where.get("copy");
  const found = source ? await request(`prompt?${query({ name: source })}`) : null;
  if (where.toString() !== new URLSearchParams(location.search).toString()) return; // the person has gone on meanwhile
  opened = name ? found : null;
  draft = `prompt?${where}`;
  tried = false;
  touched.clear();
  put(name ? found.prompt : copyOf(found), name ? found.shared : false);
  kept = typed();
  const left = sessionStorage.getItem(draft);
  if (left) put(...JSON.parse(left));
  drawHead(found, name);
  byId("try-text").value = say.try_sample;
  setText(byId("counted"), "");
  hideWrong();
  await look();
};

export const leave = () => { draft = ""; };

const copyOf = (found) => (found ? {
  ...found.prompt,
  name: fill(say.copy_name, { name: found.name }).slice(-40),
  title: fill(say.copy_title, { title: found.title }).slice(0, 200),
} : { message: "{{text}}" });

const drawHead = (found, name) => {
  const title = opened ? `/${opened.name}` : say.new_title;
  setText(byId("editor-title"), title);
  document.title = `${title} – ${say.title}`;
  const version = opened?.version ? fill(say.version_n, { n: opened.version }) : "";
  setText(byId("facts"), opened ? [opened.whose, opened.kind, version].filter(Boolean).join(" · ") : "");
  drawGain(byId("gain"), opened?.gain);
  if (opened && !opened.gain) setText(byId("gain"), fill(say.not_measured, { command: `assistant evaluate DATA -c MODEL -c "MODEL prompt=/${opened.name}"` }));
  setHidden(byId("gain"), !opened);
  setHidden(byId("copy-note"), !opened || opened.own);
  setHidden(byId("draft-note"), typed() === kept);
  form.elements.name.readOnly = Boolean(opened?.own);
  setText(byId("hint-name"), opened?.own ? say.name_hint : say.name_new_hint);
  setText(byId("save"), opened && !opened.own ? say.save_copy : say.save);
  for (const id of ["duplicate", "export"]) setHidden(byId(id), !opened);
  if (name) byId("export").href = `/prompts/api/export?${query({ name })}`;
  setHidden(byId("delete"), !opened?.own);
  drawVersions(opened?.name ?? "", opened?.versions ?? [], restore);
};

// While somebody types

let waiting = 0;
const look = () => attempt(() => preview(table(), (problems) => {
  drawBlanks();
  markWrong(tried ? problems : problems.filter(({ place }) => touched.has(place)));
  if (tried) drawWrong(problems);
}));

const changed = () => {
  const now = typed();
  if (now !== kept) quiet();
  if (draft && now !== kept) sessionStorage.setItem(draft, now);
  else if (draft) sessionStorage.removeItem(draft);
  if (now === kept) setHidden(byId("draft-note"), true);
  clearTimeout(waiting);
  waiting = setTimeout(look, TYPING_MS);
};
form.addEventListener("input", changed);
form.addEventListener("change", (event) => { touched.add(placeOf(event.target)); changed(); });
byId("add_input").addEventListener("click", changed);
byId("add_example").addEventListener("click", changed);
document.querySelector("aside").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(look, TYPING_MS); });
byId("count-exactly").addEventListener("click", () => countExactly(table()));
byId("discard").addEventListener("click", () => {
  put(...JSON.parse(kept));
  changed();
  form.elements.title.focus();
});

// {{text}} and the inputs, put in where the cursor was last
let last = form.elements.message;
for (const name of ["system", "message"]) form.elements[name].addEventListener("focus", (event) => { last = event.target; });

const drawBlanks = () => {
  const names = ["text", ...(table().inputs || []).map((input) => input.name).filter(Boolean)];
  if (byId("blanks").dataset.names === names.join()) return;
  byId("blanks").dataset.names = names.join();
  byId("blanks").replaceChildren(...names.map((name) => {
    const blank = `{{${name}}}`;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "plain blank", textContent: blank });
    button.setAttribute("aria-label", fill(say.insert, { blank }));
    button.addEventListener("click", () => {
      last.setRangeText(blank, last.selectionStart, last.selectionEnd, "end");
      last.focus();
      changed();
    });
    return button;
  }));
};

// Saving

const save = () => attempt(async () => {
  if (byId("save").disabled) return;
  quiet();
  byId("save").disabled = true;
  try {
    const isNew = !(opened?.own && form.elements.name.value === opened.name);
    const found = await request("save", { prompt: table(), shared: shared(), new: isNew });
    tried = found.problems.length > 0;
    markWrong(found.problems);
    drawWrong(found.problems);
    if (tried) return;
    await reopen(found.name, found.said);
  } finally {
    byId("save").disabled = false;
  }
});

const reopen = async (name, said) => {
  sessionStorage.removeItem(draft);
  const where = new URLSearchParams({ name });
  history.replaceState(null, "", `?${where}`);
  const sample = byId("try-text").value;
  await edit(where);
  byId("try-text").value = sample;
  await look();
  tell(said);
};

const hideWrong = () => { markWrong([]); drawWrong([]); };

const drawWrong = (problems) => {
  setHidden(byId("wrong"), !problems.length);
  byId("wrong").querySelector("ul").replaceChildren(...problems.map(({ place, said }) => {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement(place ? "button" : "span"), { type: "button", className: "link", textContent: said });
    if (place) button.addEventListener("click", () => focusWrong(place));
    item.append(button);
    return item;
  }));
};

form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
document.addEventListener("keydown", (event) => {
  if (byId("editor").hidden || event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  save();
});

const restore = (version) => attempt(async () => {
  const title = fill(say.restore_n, { n: version });
  if (typed() !== kept && !(await areYouSure(title, say.restore_text, say.restore))) return;
  const { said } = await request("restore", { name: opened.name, version });
  await reopen(opened.name, said);
});

byId("delete").addEventListener("click", () => attempt(async () => {
  const { name } = opened;
  if (!(await areYouSure(fill(say.delete_title, { name }), say.delete_text, say.delete))) return;
  const { said } = await request("remove", { name });
  sessionStorage.removeItem(draft);
  dispatchEvent(new Event("prompt-gone"));
  tell(said);
}));
