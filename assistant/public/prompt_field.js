// The field that an input of a prompt is filled in by, on the pages beside the chat.
import { say } from "./knowledge_parts.js";

export const fieldOf = ({ type, choices, default: preset }) => {
  if (type === "choice" || type === "yes-no") {
    const select = document.createElement("select");
    if (preset === undefined) select.append(new Option(say.prompt_choose, ""));
    for (const [value, text] of type === "choice" ? choices.map((one) => [one, one]) : [["yes", say.yes], ["no", say.no]]) select.append(new Option(text, value));
    return select;
  }
  if (type === "long") return Object.assign(document.createElement("textarea"), { rows: 2 });
  return Object.assign(document.createElement("input"), { type: { number: "number", date: "date" }[type] || "text", step: "any" });
};
