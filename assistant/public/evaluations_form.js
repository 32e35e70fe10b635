// The form of a new evaluation: the data set, one to four candidates, levers; what it would take is told before it starts.
import { attempt, byId, counted, fill, fromTemplate, query, Refused, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";

const MOST = Number(byId("candidates").dataset.most);
const OTHER = "…";
const KEPT = "evaluations";
const PAUSE_MS = 350;
let choices = { text: [], speech: [], collections: [] };
let task = "text";
let timer = 0;
let asked = 0; // the number of the last estimate that was asked for
let begun = () => {};

const forms = () => [...byId("candidates").children];
const levers = () => [...document.querySelectorAll("[name=lever]")];
const numberOf = (input) => (input.value.trim() === "" ? undefined : Number(input.value));

export const prepare = async (onBegun) => {
  begun = onBegun;
  choices = await request("choices");
  const named = ({ id, kind }) => new Option(kind === "all" ? say.all_documents : kind === "own" ? say.own_documents : id, id);
  for (const select of [byId("made-of"), byId("collection")]) select.replaceChildren(...choices.collections.map(named));
  byId("from-documents").disabled = !choices.collections.length;
  setHidden(byId("made-of").parentElement, choices.collections.length < 2);
  setHidden(byId("document-fields"), !choices.collections.length);
  if (!choices.collections.length) setText(document.querySelector(".way:nth-child(2) .quiet"), say.no_documents);
  const kept = JSON.parse(localStorage.getItem(KEPT) || "[]").slice(0, MOST);
  for (const values of kept.length ? kept : [{}]) add(values);
};

// The sets that there are, with what was chosen still chosen.
export const showSets = async (sets) => {
  const select = byId("set");
  const before = select.value;
  select.replaceChildren(...sets.filter((set) => set.accepted).map((set) => new Option(`${set.name} (${counted("n_accepted", set.accepted)})`, set.id)));
  if ([...select.options].some((option) => option.value === before)) select.value = before;
  setHidden(byId("new"), !select.options.length);
  await changeSet();
};

// What goes with the data set: levers, and models that answer or transcribe.
const changeSet = async () => {
  if (!byId("set").value) return;
  const found = await request(`fits?${query({ set: byId("set").value })}`);
  for (const lever of levers()) {
    lever.disabled = !found.levers.includes(lever.value) || (lever.value === "retrieval" && !choices.collections.length);
    if (lever.disabled) lever.checked = false;
  }
  if (!levers().some((lever) => lever.checked)) levers()[0].checked = true;
  byId("only").max = found.rows;
  if (found.task !== task) {
    task = found.task;
    byId("candidates").replaceChildren();
    add({});
  }
  changed();
};

const add = (values) => {
  const form = fromTemplate("candidate-form");
  const select = form.querySelector(".model");
  for (const model of choices[task]) select.append(new Option(model.set ? fill(say.is_set, { model: model.id }) : model.id, model.id));
  select.append(new Option(say.other, OTHER));
  form.querySelector(".remove").addEventListener("click", () => remove(form));
  byId("candidates").append(form);
  const known = choices[task].some((model) => model.id === values.model);
  select.value = known ? values.model : values.model ? OTHER : (choices[task][0]?.id ?? OTHER);
  form.querySelector(".model-id").value = known ? "" : values.model || "";
  form.querySelector(".system").value = values.system ?? "";
  form.querySelector(".temperature").value = values.temperature ?? "";
  form.querySelector(".max-tokens").value = values.max_tokens ?? "";
  form.querySelector("details").open = ["system", "temperature", "max_tokens"].some((name) => values[name] != null);
  setHidden(form.querySelector("details"), task !== "text");
  number();
  return form;
};

const remove = (form) => {
  const next = form.nextElementSibling || form.previousElementSibling;
  form.remove();
  number();
  next.querySelector(".model").focus();
  changed();
};

const number = () => {
  forms().forEach((form, n) => {
    const name = fill(say.candidate, { n: n + 1 });
    setText(form.querySelector("legend"), name);
    setLabel(form.querySelector(".remove"), fill(say.remove, { name }));
    setHidden(form.querySelector(".remove"), forms().length < 2);
  });
  setHidden(byId("add"), forms().length >= MOST);
};

const showForm = (form) => {
  const select = form.querySelector(".model");
  const model = choices[task].find((one) => one.id === select.value);
  setHidden(form.querySelector(".other"), select.value !== OTHER);
  setText(form.querySelector(".where"), model ? [model.host ? fill(say.goes, { host: model.host }) : say.stays, model.priced ? "" : say.price_unknown].filter(Boolean).join(" · ") : "");
};

const candidateOf = (form) => {
  const select = form.querySelector(".model").value;
  const model = select === OTHER ? form.querySelector(".model-id").value.trim() : select;
  if (!model || task !== "text") return model && { model };
  return {
    model,
    system: form.querySelector(".system").value.trim() || undefined,
    temperature: numberOf(form.querySelector(".temperature")),
    max_tokens: numberOf(form.querySelector(".max-tokens")),
  };
};

const given = () => ({
  set: byId("set").value,
  candidates: forms().map(candidateOf),
  levers: levers().filter((lever) => lever.checked).map((lever) => lever.value),
  collection: byId("collection").value || undefined,
  cap: numberOf(byId("cap")),
  rows: numberOf(byId("only")),
});

const whole = (wish) => wish.set && wish.candidates.every(Boolean) && wish.levers.length;

const changed = () => {
  forms().forEach(showForm);
  setHidden(byId("collection-field"), !levers().some((lever) => lever.value === "retrieval" && lever.checked) || choices.collections.length < 2);
  byId("start").disabled = true;
  asked += 1; // what is under way is of another wish
  clearTimeout(timer);
  timer = setTimeout(estimate, PAUSE_MS);
};

const show = (lines, failed) => {
  byId("estimate").classList.toggle("failed", failed);
  byId("estimate").replaceChildren(...lines.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
};

// Told beside the button: what it takes, or why it cannot start.
const estimate = async () => {
  const wish = given();
  asked += 1;
  const mine = asked;
  if (!whole(wish)) { show([wish.levers.length ? say.choose_model : say.choose_lever], false); return; }
  try {
    const { lines } = await request("estimate", wish);
    if (mine !== asked) return;
    show(lines, false);
    byId("start").disabled = false;
  } catch (error) {
    if (mine === asked) show([error instanceof Refused ? error.message : say.gone], true);
  }
};

byId("wish").addEventListener("input", changed);
byId("set").addEventListener("change", () => attempt(changeSet));
byId("add").addEventListener("click", () => {
  const taken = forms().map((form) => form.querySelector(".model").value);
  add({ model: choices[task].find((model) => !taken.includes(model.id))?.id }).querySelector(".model").focus();
  changed();
});
byId("wish").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const wish = given();
    byId("start").disabled = true;
    await request("runs", wish);
    if (task === "text") localStorage.setItem(KEPT, JSON.stringify(wish.candidates));
    await begun();
    byId("under-way").focus();
    byId("under-way").scrollIntoView({ block: "nearest", behavior: "smooth" });
    changed();
  });
});
