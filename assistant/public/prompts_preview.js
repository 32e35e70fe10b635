// Beside the form: the inputs as the chat asks for them, what the model would read, and the tokens that this adds.
import { attempt, byId, fill, request, say, setHidden, setText } from "./knowledge_parts.js";
import { fieldOf } from "./prompt_field.js";

const tried = {}; // values by input
let drawn = "";
let asked = 0;

// `told` gets all that is wrong. What was asked before and answers later is dropped.
export const preview = async (table, told) => {
  drawInputs(table.inputs || []);
  asked += 1;
  const turn = asked;
  const given = Object.fromEntries(Object.entries(tried).filter(([, value]) => value !== ""));
  const found = await request("preview", { prompt: table, inputs: given, text: byId("try-text").value });
  if (turn !== asked) return;
  setText(byId("counted"), "");
  setHidden(byId("preview-trouble"), !found.trouble);
  setText(byId("preview-trouble"), found.trouble);
  if (found.filled) drawReads(found.filled);
  setText(byId("adds"), found.tokens > 0 ? fill(say.adds_about, { n: found.tokens }) : say.adds_none);
  told(found.problems);
};

const drawInputs = (inputs) => {
  const signature = JSON.stringify(inputs);
  if (signature === drawn) return;
  drawn = signature;
  for (const name of Object.keys(tried)) if (!inputs.some((input) => input.name === name)) delete tried[name];
  byId("try").replaceChildren(...inputs.filter((input) => input.name).map(inputRow));
};

const inputRow = (input) => {
  const label = document.createElement("label");
  const field = fieldOf(input);
  field.value = tried[input.name] ?? input.default ?? "";
  if (field.tagName === "SELECT" && field.selectedIndex < 0) field.selectedIndex = 0;
  tried[input.name] = field.value;
  field.addEventListener("input", () => { tried[input.name] = field.value; });
  label.append(Object.assign(document.createElement("span"), { textContent: input.label || input.name }), field);
  return label;
};

const drawReads = ({ system, message, examples }) => {
  const shown = examples.flatMap(([question, answer]) => [`→ ${question}`, `← ${answer}`]).join("\n");
  const parts = [[say.reads_system, system], [fill(say.reads_examples, { n: examples.length }), shown], [say.reads_message, message]];
  byId("reads").replaceChildren(...parts.filter(([, text]) => text).flatMap(([label, text]) => [
    Object.assign(document.createElement("dt"), { textContent: label }),
    Object.assign(document.createElement("dd"), { textContent: text, dir: "auto" }),
  ]));
};

// By the tokenizer of the model that answers; it may have to be loaded first.
export const countExactly = async (table) => {
  const button = byId("count-exactly");
  button.disabled = true;
  setText(byId("counted"), say.counting);
  const found = await attempt(() => request("tokens", { prompt: table }));
  setText(byId("counted"), found ? fill(say.counted, { n: found.tokens, model: found.model }) : "");
  button.disabled = false;
};
