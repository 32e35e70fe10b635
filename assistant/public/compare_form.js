// The forms of the candidates and what goes with each task. What was chosen last is kept in this browser.
import { attempt, byId, fill, fromTemplate, Refused, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";
import { loadPrompts, offerPrompts, promptOf } from "./compare_prompts.js";

const FEWEST = 2;
const MOST = 4;
const OTHER = "…";
const KEPT = "compare";
const offered = {}; // models by task
let dropped = null; // the recording

export const task = () => document.querySelector("[name=task]:checked").value;
export const recording = () => dropped;

export const showTask = () => {
  for (const part of document.querySelectorAll("[data-for]")) setHidden(part, !part.dataset.for.split(" ").includes(task()));
};

export const changeTask = async () => {
  showTask();
  await prepare();
};

// Two candidates at least, those of last time where they are still offered. Until what is offered is known there are none to fill in.
export const prepare = async () => {
  const now = task();
  byId("candidates").replaceChildren();
  byId("add").disabled = true;
  offered[now] ||= (await request(`models?task=${now}`)).models;
  if (now === "text") await loadPrompts();
  if (now !== task()) return;
  byId("candidates").replaceChildren();
  byId("add").disabled = false;
  const kept = (JSON.parse(localStorage.getItem(KEPT) || "{}")[now] || []).slice(0, MOST);
  kept.forEach((values) => add(values));
  for (let n = kept.length; n < FEWEST; n += 1) add({ model: (offered[now][n] || offered[now][0] || {}).id });
};

const forms = () => [...byId("candidates").children];

const add = (values = {}) => {
  const form = fromTemplate("candidate-form");
  const select = form.querySelector(".model");
  for (const model of offered[task()]) select.append(new Option(model.set ? fill(say.is_set, { model: model.id }) : model.id, model.id));
  select.append(new Option(say.other, OTHER));
  select.addEventListener("change", () => showWhere(form));
  form.querySelector(".remove").addEventListener("click", () => remove(form));
  form.querySelector(".add-example").addEventListener("click", () => addExample(form).querySelector("textarea").focus());
  setHidden(form.querySelector(".levers"), task() !== "text");
  if (task() === "text") offerPrompts(form, values.prompt ?? "");
  byId("candidates").append(form);
  put(form, values);
  number();
  return form;
};

const put = (form, values) => {
  const known = offered[task()].some((model) => model.id === values.model);
  form.querySelector(".model").value = known ? values.model : values.model ? OTHER : (offered[task()][0]?.id ?? OTHER);
  form.querySelector(".model-id").value = known ? "" : values.model || "";
  form.querySelector(".system").value = values.system ?? "";
  form.querySelector(".temperature").value = values.temperature ?? "";
  form.querySelector(".max-tokens").value = values.max_tokens ?? "";
  form.querySelector(".retrieval").checked = Boolean(values.retrieval);
  (values.examples || []).forEach((example) => addExample(form, example));
  form.querySelector(".levers").open = Boolean(values.prompt || values.system || values.retrieval || values.examples?.length || values.temperature != null);
  showWhere(form);
};

const addExample = (form, { question = "", answer = "" } = {}) => {
  const row = fromTemplate("example-form");
  row.querySelector(".example-question").value = question;
  row.querySelector(".example-answer").value = answer;
  row.querySelector("button").addEventListener("click", () => { row.remove(); form.querySelector(".add-example").focus(); });
  form.querySelector(".examples").append(row);
  return row;
};

const showWhere = (form) => {
  const select = form.querySelector(".model");
  const model = offered[task()].find((one) => one.id === select.value);
  setHidden(form.querySelector(".other"), select.value !== OTHER);
  const where = model && [model.host ? fill(say.goes, { host: model.host }) : say.stays, model.priced ? "" : say.price_unknown].filter(Boolean).join(" · ");
  setText(form.querySelector(".where"), where || "");
  document.dispatchEvent(new Event("wish"));
};

const remove = (form) => {
  const next = form.nextElementSibling || form.previousElementSibling;
  form.remove();
  number();
  document.dispatchEvent(new Event("wish"));
  next.querySelector(".model").focus();
};

const number = () => {
  forms().forEach((form, n) => {
    const name = fill(say.candidate, { n: n + 1 });
    setText(form.querySelector("legend"), name);
    setLabel(form.querySelector(".remove"), fill(say.remove, { name }));
    setHidden(form.querySelector(".remove"), forms().length <= FEWEST);
  });
  setHidden(byId("add"), forms().length >= MOST);
};

const numberOf = (input) => (input.value.trim() === "" ? undefined : Number(input.value));

// How long the recording is, as far as this browser can tell.
let soundS = null;
const listen = (file) => {
  soundS = null;
  if (!file) return;
  const player = new Audio();
  const told = () => {
    URL.revokeObjectURL(player.src);
    if (file !== dropped) return;
    soundS = Number.isFinite(player.duration) ? player.duration : null;
    document.dispatchEvent(new Event("wish"));
  };
  player.addEventListener("loadedmetadata", told);
  player.addEventListener("error", told);
  player.src = URL.createObjectURL(file);
};

const candidateOf = (form) => {
  const select = form.querySelector(".model").value;
  const values = { model: select === OTHER ? form.querySelector(".model-id").value.trim() : select };
  if (!values.model) throw new Refused(say.choose_model);
  if (task() !== "text") return values;
  values.prompt = promptOf(form);
  values.temperature = numberOf(form.querySelector(".temperature"));
  values.max_tokens = numberOf(form.querySelector(".max-tokens"));
  values.retrieval = form.querySelector(".retrieval").checked || undefined;
  if (values.prompt) return values;
  values.system = form.querySelector(".system").value.trim() || undefined;
  const pairs = [...form.querySelectorAll(".example")].map((row) => ({ question: row.querySelector(".example-question").value.trim(), answer: row.querySelector(".example-answer").value.trim() }));
  values.examples = pairs.filter(({ question, answer }) => question && answer);
  if (!values.examples.length) delete values.examples;
  return values;
};

// What the person wants, as the server takes it.
export const given = () => {
  const wish = wished();
  localStorage.setItem(KEPT, JSON.stringify({ ...JSON.parse(localStorage.getItem(KEPT) || "{}"), [task()]: wish.candidates }));
  return wish;
};

export const wished = () => {
  return {
    task: task(),
    asked: byId("question").value,
    candidates: forms().map(candidateOf),
    blind: byId("blind").checked,
    time_limit_s: numberOf(byId("limit")),
    reference: byId("reference").value.trim(),
    language: byId("language").value.trim() || undefined,
    seed: numberOf(byId("seed")),
    sound_s: soundS ?? undefined,
  };
};

byId("add").addEventListener("click", () => attempt(async () => {
  const taken = forms().map((form) => form.querySelector(".model").value);
  const free = offered[task()].find((model) => !taken.includes(model.id));
  add({ model: free?.id }).querySelector(".model").focus();
}));

// The recording

const take = (file) => {
  dropped = file || null;
  listen(dropped);
  setText(byId("file-name"), dropped ? dropped.name : "");
};
byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => take(event.target.files[0]));
for (const type of ["dragenter", "dragover"]) byId("drop").addEventListener(type, (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
for (const type of ["dragleave", "drop"]) byId("drop").addEventListener(type, (event) => { event.preventDefault(); document.body.classList.remove("dragging"); });
byId("drop").addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
