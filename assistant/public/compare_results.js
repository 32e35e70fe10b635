// The answers side by side. What models answer goes in as text, never as HTML.
import { byId, fill, fromTemplate, say, setHidden, setText, sizeOf } from "./knowledge_parts.js";

const all = new Map(); // cards by letter

export const card = (letter) => all.get(letter);
export const cards = () => all;

const number = (value, digits = 2) => value.toLocaleString(say.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const seconds = (value) => (value == null ? say.hidden : fill(say.seconds, { n: number(value) }));

class Card {
  constructor(letter, name) {
    this.element = fromTemplate("result-card");
    this.part = (selector) => this.element.querySelector(selector);
    setText(this.part(".letter"), letter);
    this.element.dataset.letter = letter;
    this.title(name);
    this.state(say.waits);
  }

  title(name) {
    const { letter } = this.element.dataset;
    setText(this.part("h3"), name || letter);
    this.element.setAttribute("aria-label", name ? `${letter}: ${name}` : letter);
    this.part("img").alt = fill(say.drawn, { letter });
  }

  state(text, kind = "") {
    setText(this.part(".state"), text);
    this.element.dataset.state = kind;
  }

  progress(fraction) {
    setHidden(this.part("progress"), fraction == null);
    if (fraction != null) this.part("progress").value = fraction;
  }

  loading(fraction) {
    this.state(say.loading);
    this.progress(fraction);
  }

  add(text) {
    if (!this.open) { this.state(say.running); this.progress(null); }
    this.open = true;
    this.part(".text").append(text);
  }

  why(lines) {
    const text = lines.filter(Boolean).join(" ");
    setText(this.part(".why"), text);
    setHidden(this.part(".why"), !text);
  }

  chosen(is) {
    this.element.classList.toggle("chosen", is);
  }
}

export const begin = ({ candidates }) => {
  all.clear();
  for (const row of candidates) all.set(row.letter, new Card(row.letter, row.name));
  byId("results").replaceChildren(...[...all.values()].map((one) => one.element));
  byId("results").dataset.count = candidates.length;
};

// Of those that have not ended, since it was stopped.
export const settle = (text) => {
  for (const one of all.values()) if (!one.ended) { one.ended = true; one.state(text, "failed"); one.progress(null); }
};

export const ended = (event, { id, task }) => {
  const one = card(event.letter);
  const done = event.event === "done";
  one.ended = true;
  one.progress(null);
  one.state(done ? say.done : say.failed, event.event);
  if (event.picture) {
    one.part("img").src = `/compare/api/picture/${id}/${event.letter}`;
    setHidden(one.part("img"), false);
  } else {
    setText(one.part(".text"), event.text || one.part(".text").textContent);
  }
  setHidden(one.part(".text"), task === "image");
  const empty = done && task !== "image" && !event.text.trim() ? say.empty_answer : "";
  one.why([event.message, event.cut ? say.cut : "", event.warning, empty]);
  figures(event, task);
};

// What it took, in pairs; what the server does not tell while it is blind is left out.
export const figures = (event, task) => {
  const one = card(event.letter);
  if (event.event === "failed" && event.message) one.why([event.message]);
  if (event.event !== "done" || event.total_s === undefined) return;
  const pairs = task === "text" ? ofText(event) : task === "speech" ? ofSpeech(event) : ofPicture(event);
  if (event.loading_s) pairs.push([say.loading_s, seconds(event.loading_s)]);
  pairs.push([say.total, seconds(event.total_s)], [say.cost, costOf(event)], [say.memory, event.memory_bytes == null ? say.elsewhere : sizeOf(event.memory_bytes)]);
  if (event.retrieval_s != null) pairs.push([fill(say.passages, { n: event.passages.length }), event.passages.map((passage) => passage.title).join(", ")]);
  one.part(".figures").replaceChildren(...pairs.map(([name, text]) => {
    const pair = document.createElement("div");
    pair.append(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: text }));
    return pair;
  }));
  if (event.diff) concluded(event);
};

const ofText = (event) => [
  [say.first_token, seconds(event.first_token_s)],
  [say.tokens_per_s, event.tokens_per_s == null ? say.hidden : number(event.tokens_per_s, 1)],
  [say.tokens, [fill(say.tokens_of, { prompt: event.prompt_tokens ?? say.hidden, said: event.completion_tokens ?? say.hidden }), event.counted ? say.counted : ""].filter(Boolean).join(", ")],
];

const ofSpeech = (event) => [
  [say.first_words, seconds(event.first_token_s)],
  ...(event.speed == null ? [] : [[say.speed, fill(say.times, { n: number(event.speed, 1) })]]),
  ...(event.error_rate == null ? [] : [[say.error_rate, percent(event.error_rate)]]),
];

const ofPicture = (event) => [
  [say.size, `${event.width} × ${event.height}`],
  [say.seed, event.seed == null ? say.hidden : String(event.seed)],
];

const percent = (value) => value.toLocaleString(say.locale, { style: "percent", maximumFractionDigits: 1 });

const costOf = ({ cost, currency }) => {
  if (cost == null) return say.cost_unknown;
  return cost === 0 ? say.cost_free : cost.toLocaleString(say.locale, { style: "currency", currency, maximumSignificantDigits: 3 });
};

// The words that differ: <del> left out, <ins> added.
export const concluded = ({ letter, against, error_rate: rate, diff }) => {
  const one = card(letter);
  setText(one.part(".diff h4"), [against === "reference" ? say.diff_reference : fill(say.diff_other, { letter: against }), rate == null ? "" : `${say.error_rate} ${percent(rate)}`].filter(Boolean).join(" · "));
  const parts = diff.flatMap(({ kind, reference, text }) => {
    if (kind === "equal") return [text, " "];
    const gone = reference && Object.assign(document.createElement("del"), { textContent: reference, title: say.only_reference });
    const come = text && Object.assign(document.createElement("ins"), { textContent: text, title: reference ? fill(say.instead, { text: reference }) : say.only_text });
    return [gone, gone && come ? " " : "", come, " "].filter(Boolean);
  });
  one.part(".diff p").replaceChildren(...parts);
  setHidden(one.part(".diff"), false);
};
