// The form of a prompt: its values as the server takes them, rows for inputs and examples, and what is wrong beside each.
import { byId, fill, fromTemplate, say, setHidden, setLabel, setText } from "./knowledge_parts.js";

const PLAIN = ["title", "name", "description", "language", "system", "message", "tool"];
const form = byId("prompt");
const rowsOf = (id) => [...byId(id).children];

export const put = (table, shared) => {
  for (const key of PLAIN) {
    const field = form.elements[key];
    const value = table[key] ?? "";
    if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) field.add(new Option(value, value));
    field.value = value;
  }
  form.elements.profile.checked = Boolean(table.profile);
  form.elements.shared.checked = Boolean(shared);
  byId("inputs").replaceChildren();
  byId("examples").replaceChildren();
  for (const input of table.inputs || []) addInput(input);
  for (const example of table.examples || []) addExample(example);
};

// What is empty is left out, as in a file.
export const table = () => {
  const values = Object.fromEntries(PLAIN.map((key) => [key, form.elements[key].value]).filter(([, value]) => value.trim()));
  const inputs = rowsOf("inputs").map(inputOf);
  const examples = rowsOf("examples").map((row) => ({ question: row.querySelector(".question").value, answer: row.querySelector(".answer").value }));
  return {
    ...values,
    ...(inputs.length && { inputs }),
    ...(examples.length && { examples }),
    ...(form.elements.profile.checked && { profile: true }),
  };
};

export const shared = () => form.elements.shared.checked;

// Inputs

const choicesOf = (row) => row.querySelector(".choices").value.split("\n").map((line) => line.trim()).filter(Boolean);

const inputOf = (row) => {
  const type = row.querySelector(".type").value;
  const values = { name: row.querySelector(".name").value.trim(), type, label: row.querySelector(".label").value.trim() };
  if (type === "choice") values.choices = choicesOf(row);
  const given = row.querySelector(".default").firstElementChild.value;
  return { ...values, ...(given.trim() && { default: given }) };
};

export const addInput = (input = {}) => {
  const row = fromTemplate("input-form");
  row.querySelector(".name").value = input.name ?? "";
  row.querySelector(".type").value = input.type ?? "text";
  row.querySelector(".label").value = input.label ?? "";
  row.querySelector(".choices").value = (input.choices ?? []).join("\n");
  row.querySelector(".default").append(defaultField(row, input.default ?? ""));
  const redraw = () => row.querySelector(".default").replaceChildren(defaultField(row, row.querySelector(".default").firstElementChild.value));
  row.querySelector(".type").addEventListener("change", redraw);
  row.querySelector(".choices").addEventListener("input", redraw);
  row.querySelector(".name").addEventListener("input", nameRows);
  return added(row, "inputs", "add_input");
};

// As the chat will ask for it. Without a default it must be filled in there.
const defaultField = (row, value) => {
  const type = row.querySelector(".type").value;
  setHidden(row.querySelector(".choices").closest("label"), type !== "choice");
  if (type === "choice" || type === "yes-no") {
    const options = type === "choice" ? choicesOf(row).map((one) => [one, one]) : [["yes", say.yes], ["no", say.no]];
    return select([["", say.must], ...options], value);
  }
  const field = document.createElement(type === "long" ? "textarea" : "input");
  if (type !== "long") Object.assign(field, { type: { number: "number", date: "date" }[type] || "text", step: "any" });
  return Object.assign(field, { value, placeholder: say.must });
};

const select = (options, value) => {
  const field = document.createElement("select");
  for (const [key, text] of options) field.append(new Option(text, key));
  field.value = options.some(([key]) => key === value) ? value : "";
  return field;
};

export const addExample = ({ question = "", answer = "" } = {}) => {
  const row = fromTemplate("example-form");
  row.querySelector(".question").value = question;
  row.querySelector(".answer").value = answer;
  return added(row, "examples", "add_example");
};

const added = (row, place, button) => {
  byId(place).append(row);
  row.querySelector(".remove").addEventListener("click", () => {
    row.remove();
    nameRows();
    byId(button).focus();
    form.dispatchEvent(new Event("input", { bubbles: true }));
  });
  nameRows();
  return row;
};

const nameRows = () => {
  rowsOf("inputs").forEach((row, n) => {
    const name = row.querySelector(".name").value.trim() || String(n + 1);
    setLabel(row, `${say.input} ${name}`);
    setLabel(row.querySelector(".remove"), fill(say.remove_input, { name }));
  });
  rowsOf("examples").forEach((row, n) => {
    setLabel(row, `${say.examples} ${n + 1}`);
    setLabel(row.querySelector(".remove"), fill(say.remove_example, { n: n + 1 }));
  });
};

byId("add_input").addEventListener("click", () => addInput().querySelector(".name").focus());
byId("add_example").addEventListener("click", () => addExample().querySelector(".question").focus());

// What is wrong

export const placeOf = (element) => {
  const row = element.closest(".part");
  const place = element.closest("[data-place]")?.dataset.place ?? "";
  return row ? `${place}.${rowsOf(place).indexOf(row)}` : place;
};

const partOf = (place) => {
  const [name, number] = place.split(".");
  return number === undefined ? form.querySelector(`[data-place="${CSS.escape(name)}"]`) : rowsOf(name)[Number(number)];
};

// Beside each field; the rest is told in the list above the buttons.
export const markWrong = (problems) => {
  for (const line of form.querySelectorAll(".wrong")) { setText(line, ""); setHidden(line, true); }
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const { place, said } of problems) {
    const part = place && partOf(place);
    if (!part) continue;
    const line = part.querySelector(":scope > .wrong");
    setText(line, said);
    setHidden(line, false);
    part.querySelector("input, textarea, select")?.setAttribute("aria-invalid", "true");
  }
};

export const focusWrong = (place) => partOf(place)?.querySelector("input, textarea, select, button")?.focus();
