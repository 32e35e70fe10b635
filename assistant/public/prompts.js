// The page of prompts: the list, and where one is opened, copied, made, taken from a file. The form: prompts_editor.js. Names are only ever set as text.
import { attempt, byId, fill, fromTemplate, reconcile, Refused, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";
import { edit, leave } from "./prompts_editor.js";
import { drawGain, quiet, tell } from "./prompts_said.js";

const LARGEST_FILE = 1.5e6;
let rows = [];

// The list

const list = () => attempt(async () => {
  ({ rows } = await request("list"));
  setHidden(byId("export-all"), !rows.some((row) => row.own));
  document.querySelector("table").classList.toggle("bare", !rows.some((row) => row.gain));
  draw();
});

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const draw = () => {
  const words = plain(byId("by-name").value).replace(/^\//, "").split(/\s+/).filter(Boolean);
  const found = rows.filter((row) => words.every((word) => plain(`${row.name} ${row.title} ${row.description}`).includes(word)));
  reconcile(byId("rows"), found, (row) => row.name, make, update);
  setText(byId("count"), fill(say.count, { n: found.length, all: rows.length }));
  setHidden(document.querySelector("table"), !found.length);
  setHidden(byId("none"), found.length > 0 || !rows.length);
};

const make = () => {
  const row = fromTemplate("prompt-row");
  row.querySelector("button").addEventListener("click", () => go({ name: row.item.name }));
  return row;
};

const update = (row, item) => {
  row.item = item;
  const button = row.querySelector("button");
  setText(button, item.title);
  setLabel(button, fill(say.open, { name: item.name }));
  setText(row.querySelector("code"), `/${item.name}`);
  setText(row.querySelector(".source"), item.description);
  setText(row.querySelector(".kind"), item.kind);
  setText(row.querySelector(".whose"), item.whose);
  setText(row.querySelector(".adds"), item.tokens > 0 ? fill(say.tokens_about, { n: item.tokens }) : say.tokens_none);
  drawGain(row.querySelector(".bought"), item.gain);
};

byId("which").addEventListener("submit", (event) => event.preventDefault());
byId("by-name").addEventListener("input", draw);

// Where one is: the list, or the prompt that the address names

const go = (where) => {
  const to = new URLSearchParams(where);
  history.pushState(null, "", to.size ? `?${to}` : location.pathname);
  show();
};

const show = () => attempt(async () => {
  const where = new URLSearchParams(location.search);
  const editing = ["name", "copy", "new"].some((key) => where.has(key));
  if (editing) {
    try {
      await edit(where);
    } catch (error) {
      history.replaceState(null, "", location.pathname);
      showList();
      throw error;
    }
    if (where.toString() !== new URLSearchParams(location.search).toString()) return; // the person has gone on meanwhile
    seen("editor");
    scrollTo(0, 0);
    byId("editor").focus({ preventScroll: true });
  } else showList();
});

const seen = (id) => {
  for (const one of ["library", "editor"]) setHidden(byId(one), one !== id);
  document.body.classList.toggle("editing", id === "editor");
  document.querySelector(".skip").href = `#${id}`;
};

const showList = () => {
  leave();
  seen("library");
  document.title = say.title;
  list();
};

addEventListener("popstate", () => { quiet(); show(); });
byId("new").addEventListener("click", () => go({ new: "" }));
byId("back").addEventListener("click", () => { quiet(); go({}); });
byId("duplicate").addEventListener("click", () => { quiet(); go({ copy: new URLSearchParams(location.search).get("name") }); });
addEventListener("prompt-gone", () => go({}));

// Files

byId("import").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => attempt(async () => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  if (file.size > LARGEST_FILE) throw new Refused(fill(say.import_large, { name: file.name }));
  const { said } = await request("import", { name: file.name, text: await textOf(file) });
  tell(said.join(" "));
  await list();
}));

const textOf = async (file) => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Refused(fill(say.import_not_text, { name: file.name }));
  }
};

show();
