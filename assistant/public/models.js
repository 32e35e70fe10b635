// The page of models: a list that conditions narrow, a card, “Use this”. Names are only ever set as text.
import { announce, attempt, byId, fill, fromTemplate, query, reconcile, request, say, setHidden, setLabel, setText } from "./knowledge_parts.js";

const TYPING_MS = 250;
const WATCH_MS = 1000;
const CELLS = ["task", "runs", "parameters", "size", "licence", "fits"];

// The list

const conditions = () => Object.fromEntries([...new FormData(byId("which"))].map(([name, value]) => [name, value.trim()]));

let asked = 0;
const list = () => attempt(async () => {
  asked += 1;
  const turn = asked;
  const { rows, all } = await request(`cards?${query(conditions())}`);
  if (turn !== asked) return;
  reconcile(byId("rows"), rows, (row) => row.id, make, update);
  setText(byId("count"), fill(say.count, { n: rows.length, all }));
  setHidden(document.querySelector("table"), !rows.length);
  setHidden(byId("none"), rows.length > 0);
  history.replaceState(null, "", `?${query(conditions())}`);
});

const make = () => {
  const row = fromTemplate("model-row");
  row.querySelector("button").addEventListener("click", () => open(row.item.id));
  return row;
};

const update = (row, item) => {
  row.item = item;
  const button = row.querySelector("button");
  setText(button, item.id);
  setLabel(button, fill(say.open, { name: item.id }));
  setText(row.querySelector(".source"), item.maker);
  for (const name of CELLS) setText(row.querySelector(`.${name}`), item[name]);
  row.querySelector(".fits").dataset.fits = String(item.fitting);
  const marks = row.querySelector(".marks");
  if (marks.dataset.marks !== item.marks.join()) {
    marks.dataset.marks = item.marks.join();
    marks.replaceChildren(...item.marks.map((text) => Object.assign(document.createElement("span"), { className: "mark", textContent: text })));
  }
};

let typed = 0;
const form = byId("which");
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", list);
form.elements.name.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(list, TYPING_MS); });
form.addEventListener("reset", () => setTimeout(list));

// What the servers serve

byId("ask")?.addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  setText(button, say.asking);
  await attempt(async () => {
    const { told, providers } = await request("endpoints", {});
    const known = new Set([...form.elements.provider.options].map((option) => option.value));
    for (const name of providers.filter((provider) => !known.has(provider))) form.elements.provider.add(new Option(name, name));
    byId("told").replaceChildren(...told.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    await list();
  });
  button.disabled = false;
  setText(button, say.ask);
});

// A card

let shown = null;
const open = (id) => attempt(async () => {
  await draw(id);
  setHidden(byId("card-said"), true);
  if (!byId("card").open) byId("card").showModal();
  byId("card-text").scrollTop = 0;
});

const draw = async (id) => {
  shown = await request(`card?${query({ id })}`);
  setText(byId("card-title"), shown.id);
  byId("facts").replaceChildren(...shown.facts.flatMap(factOf));
  setText(byId("commands"), shown.commands.join("\n"));
  const named = (capability) => say[`capability_${capability}`];
  setHidden(byId("use"), !shown.use);
  if (shown.use) setText(byId("use"), fill(say.use, { capability: named(shown.use) }));
  setHidden(byId("trial"), !shown.probe);
  setHidden(byId("pulling"), !shown.pull);
  if (shown.pull) watch(shown.id);
  setHidden(byId("used"), !shown.used.length);
  setText(byId("used"), fill(say.used, { capability: shown.used.map(named).join(", ") }));
};

const factOf = ({ label, text, address }) => {
  const told = document.createElement("dd");
  const link = address && Object.assign(document.createElement("a"), { href: address, textContent: text, target: "_blank", rel: "noopener noreferrer" });
  told.append(link || text);
  return [Object.assign(document.createElement("dt"), { textContent: label }), told];
};

const tell = (text, failed) => {
  const line = byId("card-said");
  setText(line, text);
  line.classList.toggle("failed", failed);
  setHidden(line, false);
};

// One of the card's buttons: what the server says of it stands on the card, whichever it shows by then.
const act = async (button, path, wish) => {
  button.disabled = true;
  try {
    const { said } = await request(path, wish);
    if (shown.id === wish.id) await draw(wish.id);
    tell(said, false);
    announce(said);
    await list();
  } catch (error) {
    tell(error instanceof TypeError ? say.gone : error.message, true);
  } finally {
    button.disabled = false;
  }
};

byId("use").addEventListener("click", () => act(byId("use"), "use", { id: shown.id, capability: shown.use }));
byId("probe").addEventListener("click", async () => {
  setText(byId("probe"), say.probing);
  await act(byId("probe"), "probe", { id: shown.id });
  setText(byId("probe"), say.probe);
});

// A download goes on on the server, whether the card is open or not.
const GOING = ["waiting", "running"];
const pulled = ({ state, said, fraction }) => {
  if (state === "running") return said ? fill(say.pull_running, { said, percent: Math.floor(100 * (fraction || 0)) }) : say.pull_asking;
  return state === "failed" ? said : say[`pull_${state}`] || "";
};

const drawPull = (pull) => {
  const going = GOING.includes(pull.state);
  setHidden(byId("pull"), going || pull.state === "done");
  setHidden(byId("pull-stop"), !going);
  setHidden(byId("pull-bar"), !going);
  if (pull.fraction === null) byId("pull-bar").removeAttribute("value");
  else byId("pull-bar").value = pull.fraction;
  byId("pull-said").classList.toggle("failed", pull.state === "failed");
  setText(byId("pull-said"), pulled(pull));
};

let watching = 0;
const watch = (id) => attempt(async () => {
  watching += 1;
  const turn = watching;
  const mine = () => turn === watching && shown.id === id && byId("card").open;
  let pull;
  do {
    pull = await request(`pull?${query({ id })}`);
    if (turn !== watching || shown.id !== id) return;
    drawPull(pull);
    if (GOING.includes(pull.state)) await new Promise((done) => { setTimeout(done, WATCH_MS); });
  } while (GOING.includes(pull.state) && mine());
  if (pull.state === "done") await list();
});

const change = (path) => attempt(async () => {
  const { id } = shown;
  drawPull(await request(path, { id }));
  await watch(id);
});
byId("pull").addEventListener("click", () => change("pull"));
byId("pull-stop").addEventListener("click", () => change("pull/stop"));

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements[name];
  if (field?.type === "checkbox") field.checked = value === "true";
  else if (field) field.value = value;
}
list();
