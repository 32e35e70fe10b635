// A prompt of the library as a candidate's own: chosen in its form, its inputs below. Written as its command is: /translate language="French".
import { request, setHidden } from "./knowledge_parts.js";
import { fieldOf } from "./prompt_field.js";

const WRITTEN = /^\/?([^\s@]+)/;
const GIVEN = /([\p{L}_][\p{L}\p{N}_]*)=("[^"]*"|[^\s"]\S*)/gu;
let offered = null;

export const loadPrompts = async () => { offered ||= (await request("prompts")).prompts; };

// `written` is what was chosen the last time, if it is still there.
export const offerPrompts = (form, written) => {
  const select = form.querySelector(".prompt");
  for (const { name, title } of offered) select.append(new Option(title === name ? `/${name}` : `/${name} – ${title}`, name));
  const name = written.match(WRITTEN)?.[1] ?? "";
  select.value = offered.some((prompt) => prompt.name === name) ? name : "";
  const given = Object.fromEntries([...written.matchAll(GIVEN)].map(([, key, value]) => [key, value.replaceAll('"', "")]));
  select.addEventListener("change", () => show(form, {}));
  show(form, given);
};

const chosen = (form) => offered.find((prompt) => prompt.name === form.querySelector(".prompt").value);

const show = (form, given) => {
  const prompt = chosen(form);
  const inputs = prompt?.inputs ?? [];
  form.querySelector(".prompt-inputs").replaceChildren(...inputs.map((input) => row(input, given[input.name])));
  setHidden(form.querySelector(".prompt-inputs"), !inputs.length);
  setHidden(form.querySelector(".prompt-instead"), !prompt);
  for (const part of form.querySelectorAll(".without-prompt")) setHidden(part, Boolean(prompt));
};

const row = (input, value) => {
  const label = document.createElement("label");
  const field = fieldOf(input);
  field.name = input.name;
  field.value = value ?? input.default ?? "";
  label.append(Object.assign(document.createElement("span"), { textContent: input.label || input.name }), field);
  return label;
};

// Quotes hold a value together, so none can stand in it.
export const promptOf = (form) => {
  const prompt = chosen(form);
  if (!prompt) return undefined;
  const fields = [...form.querySelectorAll(".prompt-inputs :is(input, select, textarea)")].filter((field) => field.value.trim());
  return [`/${prompt.name}`, ...fields.map((field) => `${field.name}="${field.value.trim().replaceAll('"', "'")}"`)].join(" ");
};
