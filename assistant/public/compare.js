// The page that compares: what is asked, the stream of events, the vote. The forms of the candidates: compare_form.js; the leaderboard: compare_board.js.
import { announce, attempt, byId, fill, Refused, request, say, setHidden, setText } from "./knowledge_parts.js";
import { changeTask, given, prepare, recording, showTask, task } from "./compare_form.js";
import "./compare_cost.js";
import { drawBoard } from "./compare_board.js";
import { begin, card, concluded, cards, ended, figures, settle } from "./compare_results.js";

let running = null; // the AbortController of the comparison that runs
let shown = null; // { id, letters, blind, task, answered } of the one that is shown

const run = () => attempt(async () => {
  const wish = given();
  if (task() === "speech") {
    if (!recording()) throw new Refused(say.no_recording);
    setText(byId("file-name"), say.uploading);
    wish.recording = await upload(recording());
    setText(byId("file-name"), recording().name);
  }
  running = new AbortController();
  busy(true);
  try {
    await stream(wish, running.signal);
    announce(say.all_done);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    settle(say.stopped);
  } finally {
    running = null;
    busy(false);
    offerVote();
  }
});

const upload = async (file) => {
  const response = await fetch(`/compare/api/recordings?${new URLSearchParams({ name: file.name })}`, { method: "POST", body: file });
  return (await checked(response)).id;
};

const checked = async (response) => {
  if (response.status === 401) throw new Refused(`${say.signed_out} ${say.signed_out_remedy}`);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(typeof answer.detail === "string" ? answer.detail : `${response.status}`);
  return answer;
};

const stream = async (wish, signal) => {
  const response = await fetch("/compare/api/run", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish), signal });
  if (!response.ok) await checked(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) take(JSON.parse(line));
  }
  settle(say.stopped);
};

const take = (event) => {
  switch (event.event) {
    case "comparison":
      shown = { id: event.id, letters: event.candidates.map((row) => row.letter), blind: event.blind, task: event.task, answered: [] };
      begin(event);
      setText(byId("in-turn"), fill(say.in_turn, { letters: event.in_turn.join(", ") }));
      setHidden(byId("in-turn"), event.in_turn.length < 2);
      byId("answers").scrollIntoView({ block: "start", behavior: "smooth" });
      break;
    case "started": card(event.letter).state(say.running); break;
    case "loading": card(event.letter).loading(event.fraction); break;
    case "progress": card(event.letter).progress(event.fraction); break;
    case "delta": card(event.letter).add(event.text); break;
    case "done":
      shown.answered.push(event.letter);
      ended(event, shown);
      break;
    case "failed": ended(event, shown); break;
    case "concluded": concluded(event); break;
    case "finished":
      if (shown.task === "image" && shown.answered.length) {
        byId("grid").querySelector("a").href = `/compare/api/picture/${shown.id}/grid`;
        setHidden(byId("grid"), false);
      }
  }
};

const busy = (is) => {
  setHidden(byId("stop"), !is);
  byId("ask").disabled = is;
  if (!is) return;
  setHidden(byId("vote"), true);
  setHidden(byId("grid"), true);
  setHidden(byId("answers-title"), false);
};

// The vote

const choice = (name, text, works = true) => Object.assign(document.createElement("button"), { type: "button", className: "plain", value: name, textContent: text, disabled: !works });

const offerVote = () => {
  if (!shown) return;
  const able = shown.answered.length;
  const buttons = shown.letters.map((letter) => choice(letter, fill(say.best, { letter }), shown.answered.includes(letter)));
  buttons.push(choice("tie", say.tie, able > 1), choice("bad", say.bad));
  if (shown.blind) buttons.push(choice("none", say.reveal));
  buttons.forEach((button) => button.addEventListener("click", () => vote(button.value)));
  byId("choices").replaceChildren(...buttons);
  setText(byId("vote-said"), say.vote_hint);
  setHidden(byId("vote"), !able && !shown.blind);
};

const vote = (name) => attempt(async () => {
  const found = await request("vote", { id: shown.id, choice: name });
  for (const button of byId("choices").children) button.setAttribute("aria-pressed", String(button.value === found.choice));
  setText(byId("vote-said"), found.choice === "none" ? say.voted_none : say.voted);
  found.candidates.forEach((row) => card(row.letter).title(row.name));
  found.outcomes.forEach((outcome) => figures(outcome, shown.task));
  for (const [letter, one] of cards()) one.chosen(letter === found.choice);
  await drawBoard(task());
});

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (byId("vote").hidden || running) return;
  const names = { t: "tie", b: "bad" };
  const name = names[event.key.toLowerCase()] || shown.letters[Number(event.key) - 1];
  const button = [...byId("choices").children].find((one) => one.value === name && !one.disabled);
  if (button) { event.preventDefault(); button.focus(); button.click(); }
});

byId("wish").addEventListener("submit", (event) => { event.preventDefault(); if (!running) run(); });
byId("stop").addEventListener("click", () => running?.abort());
byId("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); byId("wish").requestSubmit(); }
});
for (const radio of document.querySelectorAll("[name=task]")) {
  radio.addEventListener("change", () => attempt(async () => { await changeTask(); await drawBoard(task()); }));
}

showTask();
attempt(async () => { await prepare(); await drawBoard(task()); });
