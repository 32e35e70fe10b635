// The inputs of a prompt, above the message box while its command is chosen there. The server says which they are; what is filled in
// is told to it at once, before the message can be sent.
(() => {
  "use strict";
  const say = window.assistantTexts || {};
  let inputsOf = {};
  let shown = "";
  const filled = {}; // by prompt and input, so that a choice is there again the next time

  const composer = () => document.getElementById("message-composer");
  const chosen = () => composer()?.querySelector(".command-button.text-command")?.id.replace("command-", "") || "";

  const field = (input) => {
    if (input.type === "choice" || input.type === "yes-no") {
      const select = document.createElement("select");
      const choices = input.type === "choice" ? input.choices.map((c) => [c, c]) : [["yes", say.yes], ["no", say.no]];
      if (input.default === undefined) select.append(new Option(say.prompt_choose, ""));
      for (const [value, label] of choices) select.append(new Option(label, value));
      return select;
    }
    if (input.type === "long") return Object.assign(document.createElement("textarea"), { rows: 2 });
    return Object.assign(document.createElement("input"), { type: { number: "number", date: "date" }[input.type] || "text", step: "any" });
  };

  const tell = (name) => window.postMessage({ type: "prompt_inputs", name, inputs: filled[name] }, window.location.origin);

  const row = (name, input) => {
    const label = document.createElement("label");
    const box = field(input);
    box.name = input.name;
    box.required = input.default === undefined;
    box.value = filled[name][input.name] ?? input.default ?? "";
    filled[name][input.name] = box.value;
    box.addEventListener("input", () => {
      filled[name][input.name] = box.value;
      tell(name);
    });
    label.append(input.label || input.name, box);
    return label;
  };

  const draw = () => {
    const box = composer();
    if (!box) return;
    const name = chosen() in inputsOf ? chosen() : "";
    const form = document.getElementById("prompt-inputs");
    if (name === shown && (!name || form?.nextElementSibling === box)) return;
    form?.remove();
    shown = name;
    if (!name) return;
    filled[name] ||= {};
    const place = document.createElement("fieldset");
    place.id = "prompt-inputs";
    place.append(Object.assign(document.createElement("legend"), { textContent: `/${name}` }));
    place.append(...inputsOf[name].map((input) => row(name, input)));
    box.before(place);
    tell(name);
  };

  window.addEventListener("message", (event) => {
    const { source, data } = event;
    if (source !== window || data?.type !== "prompt_inputs_of") return;
    event.stopImmediatePropagation(); // Chainlit would send it back to the server
    inputsOf = data.prompts;
    shown = "";
    draw();
  });
  new MutationObserver(draw).observe(document.documentElement, { childList: true, subtree: true });
})();
